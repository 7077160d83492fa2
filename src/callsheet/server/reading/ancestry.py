"""The chains of parents of entities, from the top down to each, read level by level for all at once."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from attrs import frozen
from sqlalchemy import Connection, Table, select

from callsheet.chunks import chunks
from callsheet.model.schema import EntityType, Schema
from callsheet.server.access.access import Access
from callsheet.server.store.keys_among import among
from callsheet.server.store.store import CHUNK, Store

__all__ = ["chunks", "links"]

PARENT = "parent"
Place = tuple[str, str]


class _Seen(NamedTuple):
    entity_type: str
    name: Any
    parent: Place | None


def links(
    store: Store, connection: Connection, root: str, keys: Collection[str], access: Access | None = None
) -> dict[str, list[dict[str, Any]]]:
    """For each key of a root type, ``[{"id", "name", "type"}, …]`` from its topmost parent to itself.

    The chain ends at a parent that the account may not read.
    """
    seen: dict[Place, _Seen] = {}
    wanted: dict[str, list[str]] = {root: list(keys)}
    while wanted:
        for family, missing in wanted.items():
            _look(store, connection, family, missing, seen, access)
        wanted = {}
        for parent in dict.fromkeys(found.parent for found in seen.values()):
            if parent is not None and parent not in seen:
                wanted.setdefault(parent[0], []).append(parent[1])
    return {key: _chain((root, key), seen) for key in keys}


def _look(
    store: Store, connection: Connection, root: str, keys: list[str], seen: dict[Place, _Seen], access: Access | None
) -> None:
    """Read one level of one family."""
    table = store.tables[root]
    family = _family(store, root)
    readable = [] if access is None else access.allowed("read", root, table)
    wanted = select(*(table.c[name] for name in family.columns))
    for chunk in chunks(keys, CHUNK):
        seen.update(dict.fromkeys(((root, key) for key in chunk), _Seen("", None, None)))
        for row in connection.execute(wanted.where(among(store.engine_name, table.c.id, chunk), *readable)).all():
            entity_type = row[1]
            label, above = family.places[entity_type]
            parent = None if above is None or row[-1] is None else (above, row[-1])
            seen[root, row[0]] = _Seen(entity_type, None if label is None else row[label], parent)


@frozen
class _Family:
    """The columns to read for the types of one root; ``places`` has each type's label column and its parents' root."""

    columns: tuple[str, ...]
    places: dict[str, tuple[int | None, str | None]]


_KNOWN: WeakKeyDictionary[Schema, dict[str, _Family]] = WeakKeyDictionary()


def _family(store: Store, root: str) -> _Family:
    """Made once for each schema."""
    known = _KNOWN.setdefault(store.schema, {})
    if root not in known:
        known[root] = _made(store, root)
    return known[root]


def _made(store: Store, root: str) -> _Family:
    table = store.tables[root]
    family = {name: found for name, found in store.schema.types.items() if found.root == root}
    labels = {name: _label(found, table) for name, found in family.items()}
    parents = {name: _parent_root(store, found) for name, found in family.items()}
    columns = ["id", "_type", *dict.fromkeys(label for label in labels.values() if label is not None)]
    places = {name: (None if label is None else columns.index(label), parents[name]) for name, label in labels.items()}
    return _Family((*columns, PARENT) if any(parents.values()) else tuple(columns), places)


def _label(entity_type: EntityType, table: Table) -> str | None:
    """The column that names an entity."""
    return entity_type.label if entity_type.label in table.c else None


def _parent_root(store: Store, entity_type: EntityType) -> str | None:
    """The root type of the entities that may be parents of these."""
    attribute = entity_type.attributes.get(PARENT)
    if attribute is None or attribute.kind != "reference":
        return None
    return store.schema.type(str(attribute.target)).root


def _chain(place: Place, seen: dict[Place, _Seen]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    passed: set[Place] = set()
    at: Place | None = place
    while at is not None and at not in passed and seen[at].entity_type:
        passed.add(at)
        found.append({"id": at[1], "name": seen[at].name, "type": seen[at].entity_type})
        at = seen[at].parent
    return found[::-1]
