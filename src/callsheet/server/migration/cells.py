"""What a value becomes when its attribute changes: converted, replaced, filled in, emptied; or it does not fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time
from typing import Any

from attrs import field, frozen

from callsheet.errors import SchemaError
from callsheet.model.moments import read_date, read_moment
from callsheet.model.normalisation import normalised
from callsheet.model.record import NOT_SET, new_key
from callsheet.model.schema import Attribute, Schema
from callsheet.server.store.columns import json_text

__all__ = ["Cell", "Cure", "Cures", "Misfit", "cell_of", "cure_of"]


class Misfit(Exception):
    """A value that the changed attribute does not take; its text says why."""


@frozen
class Cure:
    """What is done with values that do not fit: ``replace`` them by others, ``fill`` in what is missing, ``clear``."""

    fill: Any = NOT_SET
    replace: Mapping[str, Any] = field(factory=dict)
    clear: bool = False


Cures = Mapping[tuple[str, str], Cure]
"""By type and attribute, in the new names; one of a type holds for those below it."""

Cell = Callable[[Any], Any]
"""Gives the new value of an old one, or raises `Misfit`."""

_KEEP = Cure()
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


def cure_of(cures: Cures, schema: Schema, name: str, attribute: str) -> Cure:
    """The cure for an attribute of a type."""
    for each in (name, *schema.types[name].ancestors):
        if (each, attribute) in cures:
            return cures[each, attribute]
    return _KEEP


def cell_of(owner: str, there: Attribute | None, here: Attribute, cure: Cure, now: datetime) -> Cell:
    """The function of an attribute of a type: ``there`` it was, ``here`` it is.

    >>> here = Attribute("bid", data_type="integer", required=True)
    >>> cell = cell_of("Task", Attribute("bid"), here, Cure(fill=0, replace={"two": 2}), datetime.now(UTC))
    >>> cell("7"), cell("two"), cell(None)
    (7, 2, 0)
    >>> cell("many")
    Traceback (most recent call last):
    callsheet.server.migration.cells.Misfit: 'many' is no integer
    """
    fill = _filling(there, here, cure, now)

    def cell(value: Any) -> Any:
        found = value
        if value is not None:
            found = _changed(owner, there, here, cure, value)
        if found is None:
            found = fill()
        if found is None and here.required:
            raise Misfit("it has no value, and one is required")
        return found

    return cell


def _filling(there: Attribute | None, here: Attribute, cure: Cure, now: datetime) -> Callable[[], Any]:
    """What a missing value becomes: what was given, or the default of an attribute that is required."""
    given: Any = cure.fill
    if given is NOT_SET and here.required and here.kind == "scalar" and here.default != "{user}":
        given = here.default
    if given is NOT_SET or given is None:
        return lambda: None
    if given == "{uid}":
        return new_key
    if given == "{now}":
        return lambda: now.date() if here.data_type == "date" else now
    held = _read(here, given)
    return lambda: held


def _changed(owner: str, there: Attribute | None, here: Attribute, cure: Cure, value: Any) -> Any:
    text = _text(value)
    if text in cure.replace:
        replaced = cure.replace[text]
        return None if replaced is None else _read(here, replaced)
    try:
        found = _converted(there, here, value)
        if here.kind == "scalar":
            return normalised(owner, here, found)
        return found
    except (Misfit, SchemaError, ValueError, OverflowError) as error:
        if cure.clear:
            return None
        if isinstance(error, Misfit):
            raise
        if here.data_type == "enum":
            raise Misfit(f"{value!r:.80} is not one of {', '.join(here.choices)}") from None
        raise Misfit(f"{value!r:.80} is no {here.data_type}") from None


def _read(here: Attribute, given: Any) -> Any:
    """A value that a person gave, as text or as data."""
    if here.kind == "reference":
        return given
    return normalised("", here, _from_text(here, given) if isinstance(given, str) else given)


def _text(value: Any) -> str:
    """A value as people write it.

    >>> _text(2.0), _text(True), _text({"a": 1})
    ('2', 'true', '{"a":1}')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return json_text(value)


def _converted(there: Attribute | None, here: Attribute, value: Any) -> Any:
    if here.kind != "scalar" or there is None or there.data_type == here.data_type:
        return value
    kind = here.data_type
    if kind in ("string", "enum"):
        return _text(value)
    if kind == "json":
        return value.isoformat() if isinstance(value, datetime | date) else value
    if isinstance(value, str):
        return _from_text(here, value)
    if kind == "boolean":
        return _truth(value)
    if kind in ("integer", "number"):
        return _number(kind, value)
    return _moment(kind, value)


def _from_text(here: Attribute, text: str) -> Any:
    """What a text says, as the attribute's type."""
    kind, plain = here.data_type, text.strip()
    if kind == "integer":
        return int(plain)
    if kind == "number":
        return float(plain)
    if kind == "boolean":
        if plain.lower() not in _TRUTHS:
            raise ValueError(plain)
        return _TRUTHS[plain.lower()]
    if kind == "date":
        return read_date(plain)
    if kind == "datetime":
        return read_moment(plain)
    return text


def _truth(value: Any) -> bool:
    if value not in (0, 1):
        raise ValueError(value)
    return bool(value)


def _number(kind: str, value: Any) -> Any:
    if not isinstance(value, int | float):
        raise ValueError(value)
    found = float(value) if kind == "number" else int(value)
    if found != value:
        raise ValueError(value)
    return found


def _moment(kind: str, value: Any) -> Any:
    if kind == "datetime" and isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    if kind == "date" and isinstance(value, datetime):
        if value.astimezone(UTC).time() != time():
            raise Misfit(f"{value.isoformat()} has a time, which a date has not")
        return value.astimezone(UTC).date()
    raise ValueError(value)
