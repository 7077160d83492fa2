"""Where SQLite would choose the wrong index: a plus before a column (`unindexed`) keeps it from using one.

SQLite estimates by averages, and before statistics are made by guesses. Two cases are known better. A type with few
rows is found by its type and sorted, not by the order of all names. And a long list of names (of values that tell
entities apart) is looked up name by name; SQLite would read all rows of the type, since they come in the order of keys.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, select

from callsheet.model.query import And, Comparison, Condition
from callsheet.model.schema import EntityType
from callsheet.server.reading.sql import Scope, of_type

__all__ = ["has_key_list", "is_rare"]

RARE = 200
"""A type with at most this many rows is sorted without an index."""

MANY = 50
"""A list of at least so many values is looked up value by value."""


def is_rare(scope: Scope, connection: Connection) -> bool:
    """Whether a derived type has so few rows that it is faster to find them by type and sort them."""
    entity_type = scope.place.entity_type
    if scope.store.engine_name != "sqlite" or not entity_type.parent:
        return False
    table = scope.store.tables[entity_type.root]
    found = select(table.c.id).where(*of_type(scope.schema, entity_type, table)).limit(RARE + 1)
    return len(connection.execute(found).all()) <= RARE


def has_key_list(scope: Scope, condition: Condition | None) -> bool:
    """Whether all entities under a condition have one of many values of an attribute that tells entities apart."""
    if scope.store.engine_name != "sqlite" or condition is None:
        return False
    entity_type = scope.place.entity_type
    return any(
        each.operator == "in"
        and isinstance(each.value, tuple)
        and len(each.value) >= MANY
        and len(each.path.steps) == 1
        and _tells_apart(entity_type, each.path.steps[0].name)
        for each in _required(condition)
    )


def _required(condition: Condition) -> Iterator[Comparison]:
    """The comparisons that every entity under a condition fulfils."""
    if isinstance(condition, Comparison):
        yield condition
    elif isinstance(condition, And):
        for each in condition.conditions:
            yield from _required(each)


def _tells_apart(entity_type: EntityType, name: str) -> bool:
    """Whether an attribute has an index and is unique, alone or with others."""
    attribute = entity_type.attributes.get(name)
    if attribute is None or attribute.kind != "scalar":
        return False
    return attribute.unique or (attribute.indexed and any(name in names for names in entity_type.unique))
