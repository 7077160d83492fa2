"""The entities that a batch of operations names: found before anything is read, so that they can be locked first."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from callsheet.model.operation import Delete, Operation, Update
from callsheet.model.record import Identity
from callsheet.model.schema import EntityType, Schema
from callsheet.server.store.rules import rules_of
from callsheet.server.writing.overlay import Place

__all__ = ["Reach", "reach"]


@frozen
class Reach:
    """The places that a batch names.

    ``places`` has all of them, ``deleted`` those of deletes, and ``moved`` those of updates that set a cascading
    reference: a later delete of the referred entity deletes these too.
    """

    places: dict[Place, None]
    deleted: dict[Place, None]
    moved: dict[Place, None]


def _cascades(entity_type: EntityType, name: str) -> bool:
    """Whether an entity is deleted with the entity that this attribute refers to."""
    attribute = entity_type.attributes.get(name)
    return attribute is None or attribute.on_delete == "cascade"


def reach(schema: Schema, operations: Sequence[Operation]) -> Reach:
    """The places of a batch: its entities, the entities they refer to, and added and removed members."""
    roots = rules_of(schema).roots
    places: dict[Place, None] = {}
    deleted: dict[Place, None] = {}
    moved: dict[Place, None] = {}
    for operation in operations:
        kind, key = operation.identity
        places[roots[kind], key] = None
        if isinstance(operation, Delete):
            deleted[roots[kind], key] = None
            continue
        named = [(name, value) for name, value in operation.values.items() if isinstance(value, Identity)]
        places.update({(roots[to], there): None for _, (to, there) in named})
        if isinstance(operation, Update) and any(_cascades(schema.types[kind], name) for name, _ in named):
            moved[roots[kind], key] = None
        gone = operation.removed.values() if isinstance(operation, Update) else ()
        for members in (*operation.added.values(), *gone):
            for member in members:
                places[roots[member.entity_type], member.key] = None
    return Reach(places, deleted, moved)
