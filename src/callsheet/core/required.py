"""What the schema requires is checked before a commit is sent: all of it is named at once.

Theory. The server judges a commit as a whole, after its last operation; so does this: the values of a new entity are
those of its create and of the updates that follow. A value counts as given if the server sets it, by a default or by a
rule. The check reads the schema alone, so it is left out where that does not say who sets a value (``features.fills``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callsheet.errors import MissingValues
from callsheet.model.operation import Create, Delete, Operation
from callsheet.model.record import Identity
from callsheet.model.schema import EntityType, Schema

__all__ = ["check_required", "needed", "without_value"]

SHOWN = 20
"""Entities that a message names."""


def needed(entity_type: EntityType) -> tuple[str, ...]:
    """The attributes that are never empty, and that nothing but a writer fills."""
    return tuple(
        each.name
        for each in entity_type.attributes.values()
        if each.required
        and each.default is None
        and each.computed is None
        and each.kind in ("scalar", "reference")
        and each.name not in entity_type.key
        and each.foreign_key not in entity_type.key
    )


def without_value(schema: Schema, operations: Sequence[Operation]) -> dict[Identity, tuple[str, ...]]:
    """The required attributes that have no value after these operations, by entity.

    >>> schema = Schema({"types": {"Task": {"attributes": {"name": {"required": True}}}}})
    >>> without_value(schema, [Create(Identity("Task", "t1"))])
    {Identity(entity_type='Task', key='t1'): ('name',)}
    """
    names: dict[str, tuple[str, ...]] = {}
    missing: dict[Identity, set[str]] = {}
    for operation in operations:
        identity = operation.identity
        if isinstance(operation, Delete):
            missing.pop(identity, None)
            continue
        wanted = names.get(identity.entity_type)
        if wanted is None:
            entity_type = schema.types.get(identity.entity_type)
            wanted = names[identity.entity_type] = () if entity_type is None else needed(entity_type)
        if not wanted:
            continue
        values = operation.values
        if isinstance(operation, Create):
            lacking = {name for name in wanted if values.get(name) is None}
        else:
            emptied = {name for name in wanted if name in values and values[name] is None}
            given = {name for name in wanted if values.get(name) is not None} | operation.adjusted.keys()
            lacking = (missing.get(identity, set()) | emptied) - given
        if lacking:
            missing[identity] = lacking
        else:
            missing.pop(identity, None)
    return {
        identity: tuple(n for n in names[identity.entity_type] if n in found) for identity, found in missing.items()
    }


def check_required(schema: Schema, operations: Sequence[Operation]) -> None:
    """Raise `MissingValues`, which names every required attribute without a value, of every entity."""
    missing = without_value(schema, operations)
    if not missing:
        return
    by_identity = {each.identity: (index, each) for index, each in reversed(list(enumerate(operations)))}
    lines = [_line(identity, names, by_identity[identity][1]) for identity, names in missing.items()]
    more = f"; and {len(lines) - SHOWN:,} more entities" if len(lines) > SHOWN else ""
    first = next(iter(missing))
    index, operation = by_identity[first]
    raise MissingValues(
        f"nothing was sent: {'; '.join(lines[:SHOWN])}{more}; everything is still pending",
        missing=missing,
        operation=operation,
        index=index,
        entity=(first.entity_type, first.key),
        attribute=missing[first][0],
    )


def _line(identity: Identity, names: Sequence[str], operation: Any) -> str:
    named = ", ".join(f"{identity.entity_type}.{name}" for name in names)
    values: Mapping[str, Any] = operation.values
    label = values.get("name")
    shown = f" {label!r:.60}" if isinstance(label, str) else ""
    kind = type(operation).__name__.lower()
    return (
        f"{named} {'is' if len(names) == 1 else 'are'} required ({kind} {identity.entity_type}{shown} {identity.key})"
    )
