"""The values of a condition brought to the type of the attribute they are compared with.

Families say which types compare with which: a sub-query's values must be of the family of the attribute.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time
from typing import Any, Final

from attrs import evolve

from callsheet.errors import QueryError, SchemaError
from callsheet.model.moments import in_utc, read_date, read_datetime
from callsheet.model.normalisation import INDEXED_BYTES, normalised
from callsheet.model.query import Literal, Select
from callsheet.model.record import Identity
from callsheet.model.relative_time import RelativeTime
from callsheet.model.scalar import INTEGER_LIMIT, Unfit, plain_scalar, shown
from callsheet.model.schema import Attribute, did_you_mean

__all__ = ["FAMILIES", "ORDERED", "coerce", "plain_operand"]

FAMILIES: Final = {
    "string": "text",
    "enum": "text",
    "key": "text",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
    "json": "json",
}
ORDERED: Final = frozenset({"text", "number", "date", "datetime"})


def coerce(owner: str, attribute: Attribute, value: object, operator: str = "=") -> Literal:
    """The value as the attribute holds it; `QueryError` where it never could hold it.

    >>> coerce("Task", Attribute("start", data_type="datetime"), date(2026, 1, 1)).isoformat()
    '2026-01-01T00:00:00+00:00'
    >>> coerce("Task", Attribute("bid", data_type="number"), "3")
    Traceback (most recent call last):
    callsheet.errors.QueryError: Task.bid takes a number, not str: '3'
      hint: write the number without quotes
    """
    if value is None:
        return None
    if attribute.data_type == "string" and type(value) is str and _is_short(value) and "\0" not in value:
        # Long lists are lists of such texts, which are what they are.
        return value
    if isinstance(value, Identity):
        value = value.key
    if isinstance(value, RelativeTime):
        return _relative(owner, attribute, value)
    # A pattern may be any text, and an order comparison may name a text that is no choice.
    if attribute.data_type == "enum" and (operator in ("like", "not_like") or operator[0] in "<>"):
        attribute = Attribute(attribute.name)
    # A text that is too long to be kept is compared all the same: it is not there. A copy for each value is dear.
    if attribute.data_type == "string" and (attribute.indexed or attribute.unique) and not _is_short(value):
        attribute = evolve(attribute, indexed=False, unique=False)
    convert = _CONVERSIONS.get(attribute.data_type)
    try:
        if convert is not None:
            value = convert(value)
        # An integer compares with a fraction, too: `frames > 1.5`.
        if attribute.data_type == "integer" and isinstance(value, float):
            attribute = Attribute(attribute.name, data_type="number")
        if isinstance(value, int) and not -INTEGER_LIMIT <= value < INTEGER_LIMIT:
            raise ValueError("has more than 64 bits")
        found: Literal = normalised(owner, attribute, value)
    except SchemaError as error:
        raise QueryError(str(error), hint=_hint(attribute, value)) from None
    except ValueError as error:
        raise QueryError(f"{owner}.{attribute.name} takes a {attribute.data_type}: {shown(value)} {error}") from None
    return found


def _relative(owner: str, attribute: Attribute, value: RelativeTime) -> RelativeTime:
    if attribute.data_type not in ("date", "datetime"):
        raise QueryError(f"{owner}.{attribute.name} takes a {attribute.data_type}, not a time relative to now")
    return value.for_dates() if attribute.data_type == "date" else value


def _is_short(value: object) -> bool:
    """Whether the value is a text that an index surely takes."""
    return type(value) is str and len(value) <= INDEXED_BYTES and value.isascii()


def plain_operand(value: Any) -> Any:
    """What a comparison compares with, of plain types; what stands for no value is None.

    >>> plain_operand((float("nan"), 1.5))
    (None, 1.5)
    """
    if isinstance(value, Select | Identity | RelativeTime):
        return value
    try:
        if isinstance(value, tuple | list):
            return tuple([item if isinstance(item, Identity | RelativeTime) else plain_scalar(item) for item in value])
        return plain_scalar(value)
    except Unfit as unfit:
        raise QueryError(f"a condition cannot hold {shown(value)}, but {unfit.wanted}", hint=unfit.cure) from None


def _integer(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < INTEGER_LIMIT else value


def _number(value: object) -> object:
    return (
        float(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < INTEGER_LIMIT else value
    )


def _date(value: object) -> object:
    return read_date(value.strip()) if isinstance(value, str) else value


def _datetime(value: object) -> object:
    if isinstance(value, str):
        value = read_datetime(value.strip())
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    if isinstance(value, datetime) and value.tzinfo is not None:
        return in_utc(value)
    return value


_CONVERSIONS: Final[dict[str, Callable[[object], object]]] = {
    "integer": _integer,
    "number": _number,
    "date": _date,
    "datetime": _datetime,
}


def _hint(attribute: Attribute, value: object) -> str:
    family = FAMILIES[attribute.data_type]
    if attribute.data_type == "enum" and isinstance(value, str):
        return did_you_mean(value, attribute.choices).removeprefix("; ")
    if family == "text" and not isinstance(value, str):
        return f'quote it: "{value}"' if isinstance(value, int | float | date) else ""
    if isinstance(value, str) and family in ("number", "boolean"):
        return f"write {'the number' if family == 'number' else 'True or False'} without quotes"
    return ""
