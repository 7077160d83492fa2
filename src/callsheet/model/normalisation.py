"""The one normalisation of values: what an attribute takes, as the exact plain value that every server gives back.

It is done when a value is set, and again by the server, which trusts no client; so an entity in memory, a request, the
journal and the database hold the same, whatever the transport. What is taken for what is in
``docs/reference/values.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Any
from unicodedata import normalize

from callsheet.errors import SchemaError
from callsheet.model.json_data import json_data
from callsheet.model.moments import in_utc, placed, read_date, read_moment
from callsheet.model.scalar import Unfit, bounded, exact_float, finite, plain_scalar, plain_text, shown
from callsheet.model.schema import Attribute, EntityType

__all__ = ["INDEXED_BYTES", "KEY_LENGTH", "item_key", "normalised", "normalised_items", "normalised_key", "text_bytes"]

KEY_LENGTH = 255
"""Characters of a primary key, or of the key of an item."""
INDEXED_BYTES = 2_600
"""Bytes of UTF-8 that an indexed text may have, and the texts of a unique combination together: what PostgreSQL takes
in an index, less some; SQLite takes more, but a value is taken by both or by none."""
_MIDNIGHT = time()


def normalised(owner: str, attribute: Attribute, value: Any) -> Any:
    """The value as the attribute holds it, of exactly a plain type; `SchemaError` unless the attribute takes it.

    None, and what stands for no value elsewhere (NaN, NaT, NA), gives None, which is always taken (see ``required``).

    >>> normalised("Task", Attribute("bid", data_type="number"), 3)
    3.0
    >>> normalised("Task", Attribute("bid", data_type="number"), "3")
    Traceback (most recent call last):
    callsheet.errors.SchemaError: Task.bid takes a number, not str: '3'
    """
    if value is None:
        return None
    try:
        return _FITS[attribute.data_type](attribute, value)
    except Unfit as unfit:
        raise _refusal(f"{owner}.{attribute.name}", unfit, value) from None


def normalised_items(entity_type: EntityType, mapping: str, items: Any) -> dict[str, Any]:
    """All items of a mapping; `SchemaError` unless each key and value is taken."""
    if not isinstance(items, Mapping):
        raise SchemaError(f"{entity_type.name}.{mapping} takes a mapping, not {type(items).__name__}: {shown(items)}")
    found: dict[str, Any] = {}
    for key, value in items.items():
        name = item_key(entity_type.name, mapping, key)
        found[name] = normalised(entity_type.name, entity_type.item(mapping, name), value)
    return found


def normalised_key(entity_type: EntityType, key: Any) -> Any:
    """The primary key, of plain types; `SchemaError` unless it can be one of this type."""
    if len(entity_type.key) == 1:
        return _key_part(entity_type, entity_type.key[0], key)
    if not isinstance(key, tuple) or len(key) != len(entity_type.key):
        raise SchemaError(f"the key of a {entity_type.name} is ({', '.join(entity_type.key)}), not {shown(key)}")
    return tuple(_key_part(entity_type, name, part) for name, part in zip(entity_type.key, key))


def item_key(owner: str, mapping: str, key: Any) -> str:
    """The key of an item of a mapping, as a plain string; `SchemaError` unless every database takes it.

    >>> item_key("Task", "metadata", "colour")
    'colour'
    """
    found: str | None
    try:
        found = plain_text(plain_scalar(key))
    except Unfit:
        found = None
    if not found or len(found) > KEY_LENGTH:
        raise SchemaError(
            f"an item of {owner}.{mapping} has a non-empty string of up to {KEY_LENGTH} characters as its key, "
            f"not {shown(key)}"
        )
    return found


def text_bytes(value: object) -> int:
    """Bytes of UTF-8 of a text; of anything else, none."""
    return 0 if not isinstance(value, str) else len(value) if value.isascii() else len(value.encode())


def _refusal(place: str, unfit: Unfit, value: Any) -> SchemaError:
    if unfit.path:
        place += "".join(f"[{part!r:.80}]" for part in unfit.path)
        value = unfit.value
    cure = f"; {unfit.cure}" if unfit.cure else ""
    return SchemaError(f"{place} takes {unfit.wanted}, not {type(value).__name__}: {shown(value)}{cure}")


def _key_part(entity_type: EntityType, name: str, part: Any) -> Any:
    """A part of a key; where the part is a reference, the key it holds."""
    attribute = entity_type.attributes.get(name) or Attribute(name)
    if name in entity_type.aliases and isinstance(part, int) and not isinstance(part, bool):
        attribute = Attribute(name, data_type="integer")
    found = normalised(entity_type.name, attribute, part)
    if found is None or (isinstance(found, str) and not 0 < len(found) <= KEY_LENGTH):
        raise SchemaError(
            f"{entity_type.name}.{name} is the key, which has 1 to {KEY_LENGTH} characters, not {shown(part)}"
        )
    return found


# Each gives the plain value, None for what stands for no value, or raises `Unfit`.


def _string(attribute: Attribute, value: Any) -> str | None:
    found = plain_text(plain_scalar(value))
    if attribute.composed and found is not None and not found.isascii():
        found = normalize("NFC", found)
    if (attribute.indexed or attribute.unique) and found is not None and text_bytes(found) > INDEXED_BYTES:
        raise Unfit(f"a string of up to {INDEXED_BYTES:,} bytes of UTF-8, since the database keeps an index of it")
    return found


def _integer(_: Attribute, value: Any) -> int | None:
    if type(value) is not int:
        value = plain_scalar(value)
        if value is None:
            return None
        if type(value) is float and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise Unfit("an integer", "`round(value)` gives one" if type(value) is float else "")
    return bounded(value, "an integer of 64 bits")


def _number(_: Attribute, value: Any) -> float | None:
    if type(value) is not float or value != value:
        value = plain_scalar(value)
        if value is None:
            return None
        if type(value) is int:
            return exact_float(bounded(value, "a number of 64 bits"))
        if type(value) is not float:
            raise Unfit("a number")
    return finite(value)


def _boolean(_: Attribute, value: Any) -> bool | None:
    value = plain_scalar(value)
    if value is not None and type(value) is not bool:
        raise Unfit("True or False")
    return value


def _date(_: Attribute, value: Any) -> date | None:
    value = plain_scalar(value)
    if type(value) is datetime and value.tzinfo is None and value.time() == _MIDNIGHT:
        return value.date()
    if type(value) is datetime:
        raise Unfit("a datetime.date", "`value.date()` leaves out the time of day")
    if type(value) is str:
        value = _read(read_date, value, "a datetime.date")
    if value is not None and type(value) is not date:
        raise Unfit("a datetime.date")
    found: date | None = value
    return found


def _datetime(attribute: Attribute, value: Any) -> datetime | None:
    value = plain_scalar(value)
    if value is None:
        return None
    if type(value) is str:
        value = _read(read_moment, value, "a datetime.datetime")
        cure = "end the text with the offset from UTC, as in 2026-01-31T18:30:00+01:00"
    else:
        cure = "`.astimezone()` adds the local one, and the option `naive_times` of a session says which is meant"
    if type(value) is not datetime:
        raise Unfit("a datetime.datetime")
    try:
        return in_utc(placed(value, attribute.zone))
    except ValueError as error:
        if "zone" in str(error):
            raise Unfit("a datetime with a time zone", cure) from None
        if attribute.zone is not None and "exist" in str(error):
            raise Unfit("a datetime that exists", f"this time {error}") from None
        raise Unfit("a time of the years 1 to 9999 in UTC") from None


def _read(reader: Callable[[str], Any], text: str, wanted: str) -> Any:
    try:
        return reader(text)
    except ValueError as error:
        raise Unfit(wanted, f"this text {error}") from None


def _enum(attribute: Attribute, value: Any) -> str | None:
    value = plain_scalar(value)
    if value is not None and (type(value) is not str or value not in attribute.choices):
        raise Unfit(f"one of {', '.join(map(repr, attribute.choices))}")
    return value


def _json(attribute: Attribute, value: Any) -> Any:
    found = json_data(value)
    if found is not None and attribute.choices:
        _check_chosen(attribute, found)
    return found


def _check_chosen(attribute: Attribute, value: Any) -> None:
    """JSON data with choices is a list of them; one alone may stand for the list."""
    listed = [value] if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(each in attribute.choices for each in listed):
        raise Unfit(f"a list of {', '.join(map(repr, attribute.choices))}")


_FITS: dict[str, Callable[[Attribute, Any], Any]] = {
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "date": _date,
    "datetime": _datetime,
    "enum": _enum,
    "json": _json,
}
