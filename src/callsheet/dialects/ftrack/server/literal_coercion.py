"""Literals of a query brought to the type of what they are compared with, as far as the vendor's server goes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from callsheet.model.schema import Attribute

__all__ = ["lenient"]


def lenient(attribute: Attribute, value: Any) -> Any:
    """A literal as the attribute holds it, where it can be read so; else as it is, for the checker to refuse.

    >>> lenient(Attribute("version", data_type="integer"), "3"), lenient(Attribute("name"), 12)
    (3, '12')
    """
    if value is None:
        return None
    convert = _LENIENT.get(attribute.data_type)
    try:
        return value if convert is None else convert(value)
    except (ValueError, OverflowError):
        return value


def _text(value: Any) -> Any:
    return value if isinstance(value, str) else value.isoformat() if isinstance(value, date) else str(value)


def _number(value: Any) -> Any:
    if isinstance(value, bool):
        return float(value)
    return float(value) if isinstance(value, str) else value


def _integer(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str):
        return int(value) if value.strip().lstrip("+-").isdigit() and len(value) < 20 else float(value)
    return value


def _boolean(value: Any) -> Any:
    if isinstance(value, str):
        return {"true": True, "false": False, "1": True, "0": False}.get(value.lower(), value)
    return bool(value) if value in (0, 1) else value


def _datetime(value: Any) -> Any:
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip())
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return value


def _date(value: Any) -> Any:
    if isinstance(value, str):
        value = datetime.fromisoformat(value.strip())
    return value.date() if isinstance(value, datetime) else value


_LENIENT: dict[str, Callable[[Any], Any]] = {
    "string": _text,
    "enum": _text,
    "key": _text,
    "number": _number,
    "integer": _integer,
    "boolean": _boolean,
    "datetime": _datetime,
    "date": _date,
}
