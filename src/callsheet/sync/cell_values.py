"""What a cell becomes: a value of any origin as the kind that its attribute holds.

Theory. Text is read as the kind that the attribute holds, since files of text have nothing else. The one normalisation
of values comes last, as wherever a value is set.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from callsheet.errors import SchemaError
from callsheet.model.moments import read_date, read_datetime
from callsheet.model.normalisation import item_key, normalised
from callsheet.model.plain import Malformed, decode
from callsheet.model.scalar import Unfit, plain_scalar
from callsheet.model.schema import Attribute, EntityType, did_you_mean
from callsheet.sync.mapping import Column

__all__ = ["Unreadable", "as_held", "items_held", "plain"]

TRUTH = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}


class Unreadable(Exception):
    """A value that cannot be what its attribute holds; says why."""


def plain(value: Any) -> Any:
    """A scalar of any library as Python's own; None for what stands for no value there."""
    try:
        return plain_scalar(value)
    except Unfit as unfit:
        raise Unreadable(f"takes {unfit.wanted}; {unfit.cure}" if unfit.cure else f"takes {unfit.wanted}") from None


def as_held(cell: Attribute, raw: Any, options: Column) -> Any:
    """A value as an attribute, or an item of a mapping, holds it."""
    raw = plain(raw)
    if raw is None or (isinstance(raw, str) and not raw.strip()):
        return None
    value = _CONVERSIONS.get(cell.data_type, _as_it_is)(raw, options)
    try:
        return normalised("", cell, value)
    except SchemaError as error:
        text = str(error).removeprefix(f".{cell.name} ")
        hint = did_you_mean(raw, cell.choices) if cell.choices and isinstance(raw, str) else ""
        raise Unreadable(f"{text}{hint}") from None


def items_held(entity_type: EntityType, mapping: str, raw: Any, options: Column) -> dict[str, Any]:
    """All items of a mapping, from an object or from JSON text; None for those that are to be empty."""
    if isinstance(raw, str):
        try:
            raw = decode(raw.encode())
        except (Malformed, UnicodeEncodeError):
            raise Unreadable('is no object: text is read as JSON, like {"lens": "35"}') from None
    if raw is None:
        return {}
    if not isinstance(raw, Mapping):
        raise Unreadable("takes an object: names and values of its items")
    found: dict[str, Any] = {}
    for given, value in raw.items():
        try:
            key = item_key(entity_type.name, mapping, given)
        except SchemaError as error:
            raise Unreadable(str(error)) from None
        item = entity_type.item(mapping, key)
        if item.computed:
            raise Unreadable(f"has {key!r:.60}, which is computed by the server and cannot be written")
        try:
            found[key] = as_held(item, value, options)
        except Unreadable as error:
            raise Unreadable(f"{key!r:.60}: {error}") from None
    return found


def _as_it_is(raw: Any, options: Column) -> Any:
    return raw


def _text(raw: Any, options: Column) -> Any:
    """Whole numbers are text, too: spreadsheets make numbers of names like 010."""
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, float) and raw.is_integer():
        return str(int(raw))
    return str(raw) if isinstance(raw, int) else raw


def _number(raw: Any, options: Column) -> Any:
    if not isinstance(raw, str):
        return raw
    text = raw.strip().replace("\u00a0", "").replace(" ", "")
    if "_" in text:
        # Python reads 10_20 as 1020; nobody who writes files does.
        raise Unreadable("is not a number")
    if "," in text:
        text = _with_point(text, options.decimal)
    try:
        return float(text)
    except ValueError:
        raise Unreadable("is not a number") from None


def _with_point(text: str, decimal: str) -> str:
    """The number with a decimal point. A comma before three digits may be either mark, so the mapping has to say."""
    if decimal == ".":
        return text.replace(",", "")
    if decimal == ",":
        return text.replace(".", "").replace(",", ".")
    before, _, after = text.rpartition(",")
    if "." in text or "," in before or len(after) == 3:
        raise Unreadable(
            'may be read in two ways: `decimal = ","` or `decimal = "."` says which mark is the decimal one'
        )
    return text.replace(",", ".")


def _integer(raw: Any, options: Column) -> Any:
    if isinstance(raw, str):
        try:
            return int(raw.strip() if "_" not in raw else "")
        except ValueError:
            raw = _number(raw, options)
    if isinstance(raw, float):
        if not raw.is_integer():
            raise Unreadable("is not a whole number")
        return int(raw)
    return raw


def _boolean(raw: Any, options: Column) -> Any:
    if isinstance(raw, float) and raw.is_integer():
        raw = int(raw)
    key = str(raw).strip().lower() if isinstance(raw, str | int) else ""
    if key not in TRUTH:
        raise Unreadable("is neither yes nor no")
    return TRUTH[key]


def _date(raw: Any, options: Column) -> Any:
    if isinstance(raw, str):
        text = raw.strip()
        try:
            if options.pattern:
                return datetime.strptime(text, options.pattern).date()
            return read_date(text) if len(text) <= 10 else _day(_iso(text))
        except ValueError:
            raise Unreadable(f"is not a date {_pattern_hint(options, '2026-11-30')}") from None
    return _day(raw) if isinstance(raw, datetime) else raw


def _day(moment: datetime) -> date:
    """The date of a midnight: spreadsheets have no dates of their own."""
    if moment.time() != time():
        raise Unreadable("is a time, and this attribute holds a date")
    return moment.date()


def _datetime(raw: Any, options: Column) -> Any:
    if isinstance(raw, str):
        text = raw.strip()
        try:
            raw = datetime.strptime(text, options.pattern) if options.pattern else _iso(text)
        except ValueError:
            raise Unreadable(f"is not a time {_pattern_hint(options, '2026-11-30T09:00:00+01:00')}") from None
    if isinstance(raw, date) and not isinstance(raw, datetime):
        raw = datetime.combine(raw, time())
    if isinstance(raw, datetime) and raw.tzinfo is None:
        if not options.zone:
            raise Unreadable("has no time zone: say which with `zone`")
        raw = raw.replace(tzinfo=ZoneInfo(options.zone))
    return raw.astimezone(UTC) if isinstance(raw, datetime) else raw


def _iso(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return read_datetime(text)


def _pattern_hint(options: Column, example: str) -> str:
    return (
        f"of the pattern {options.pattern!r}"
        if options.pattern
        else f"like {example}; `pattern` says how it is written"
    )


def _list(raw: Any, options: Column) -> Any:
    """JSON data with a separator is a list of texts."""
    if isinstance(raw, str) and options.split:
        return [part.strip() for part in raw.split(options.split) if part.strip()]
    return raw


_CONVERSIONS = {
    "string": _text,
    "enum": _text,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "json": _list,
}
