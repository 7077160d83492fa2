"""Values as plain JSON data that can be told apart again, for what the server writes down for itself.

A date is ``{"$date": "2026-05-01"}``, a datetime ``{"$datetime": "2026-05-01T12:00:00+00:00"}``, a reference
``{"$identity": ["Task", "018f"]}``; a JSON object is wrapped as ``{"$json": {…}}``, so no user's data can
be taken for one of these. All else is as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from callsheet.model.adjustment import adjustments_from_plain, adjustments_to_plain
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.record import Identity

__all__ = ["UNCHANGED", "operation_from_plain", "operation_to_plain", "to_plain", "to_value"]

UNCHANGED = frozenset({str, int, float, bool, type(None)})
"""The types of what is plain data already."""


def to_plain(value: Any) -> Any:
    """A value as plain data.

    >>> to_plain(date(2026, 5, 1)), to_plain(Identity("Task", "a")), to_plain(2.5)
    ({'$date': '2026-05-01'}, {'$identity': ['Task', 'a']}, 2.5)
    """
    if type(value) in UNCHANGED:
        return value
    if isinstance(value, Identity):
        return {"$identity": list(value)}
    if isinstance(value, datetime):
        return {"$datetime": value.astimezone(UTC).isoformat()}
    if isinstance(value, date):
        return {"$date": value.isoformat()}
    if isinstance(value, Mapping):
        return {"$json": dict(value)}
    return value


def to_value(plain: Any) -> Any:
    """The value `to_plain` was given.

    >>> to_value({"$date": "2026-05-01"})
    datetime.date(2026, 5, 1)
    >>> to_value(to_plain({"$date": "not a date"}))
    {'$date': 'not a date'}
    """
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


def _plain_values(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: to_plain(value) for name, value in values.items()}


def _values(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: to_value(value) for name, value in plain.items()}


def _plain_members(members: Mapping[str, tuple[Identity, ...]]) -> dict[str, Any]:
    return {name: [list(member) for member in found] for name, found in members.items()}


def _members(plain: Mapping[str, Any]) -> dict[str, tuple[Identity, ...]]:
    return {name: tuple(Identity(*member) for member in found) for name, found in plain.items()}


def operation_to_plain(operation: Operation) -> list[Any]:
    """An operation as plain data; its first item says which kind.

    >>> operation_to_plain(Delete(Identity("Task", "a"), 3))
    ['delete', ['Task', 'a'], 3]
    """
    identity = list(operation.identity)
    if isinstance(operation, Delete):
        return ["delete", identity, operation.version]
    values, added = _plain_values(operation.values), _plain_members(operation.added)
    if isinstance(operation, Create):
        return ["create", identity, values, added]
    before, removed = _plain_values(operation.before), _plain_members(operation.removed)
    plain = ["update", identity, values, before, added, removed, operation.version]
    return [*plain, adjustments_to_plain(operation.adjusted)] if operation.adjusted else plain


def operation_from_plain(plain: list[Any]) -> Operation:
    """The operation `operation_to_plain` was given."""
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
