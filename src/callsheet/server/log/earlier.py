"""Rows written by versions before 0.3 are read: changes of the log, and operations of staged parts.

Their values differ from those of `callsheet.model.values`: a JSON object is wrapped as ``{"$json": {…}}``, and values
inside an object or a list are never tags. These rows are recognised by their form: a change has ``type`` and ``key``,
an operation is a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from callsheet.model.adjustment import adjustments_from_plain
from callsheet.model.history import EntityChange, change_from_plain
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.record import Identity

__all__ = ["change", "operation"]


def change(plain: Mapping[str, Any]) -> EntityChange:
    """A change of one entity.

    >>> change({"type": "Task", "key": "a", "kind": "create", "after": {"tags": [{"$date": "late"}]}}).after
    {'tags': [{'$date': 'late'}]}
    """
    parts = {part: _values(plain[part]) for part in ("before", "after") if part in plain}
    return change_from_plain({**plain, **parts})


def operation(plain: list[Any]) -> Operation:
    """An operation; the first item of the list is its kind.

    >>> operation(["delete", ["Task", "a"], 3])
    Delete(identity=Identity(entity_type='Task', key='a'), version=3)
    """
    kind, identity, *rest = plain
    if kind == "delete":
        return Delete(Identity(*identity), *rest)
    if kind == "create":
        return Create(Identity(*identity), _values(rest[0]), _members(rest[1]))
    values, before, added, removed, version, *more = rest
    adjusted = adjustments_from_plain(more[0]) if more else {}
    return Update(
        Identity(*identity), _values(values), _values(before), _members(added), _members(removed), version, adjusted
    )


def _value(plain: Any) -> Any:
    if not isinstance(plain, dict):
        return plain
    ((tag, held),) = plain.items()
    return _READERS[tag](held)


_READERS: dict[str, Callable[[Any], Any]] = {
    "$datetime": datetime.fromisoformat,
    "$date": date.fromisoformat,
    "$identity": lambda held: Identity(*held),
    "$json": lambda held: held,
}


def _values(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in plain.items()}


def _members(plain: Mapping[str, Any]) -> dict[str, tuple[Identity, ...]]:
    return {name: tuple(Identity(*member) for member in found) for name, found in plain.items()}
