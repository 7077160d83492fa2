"""Where entities stand: the chain of parents from the top down to each, read level by level for all at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, select

from callsheet.model.schema import EntityType
from callsheet.server.access import Access
from callsheet.server.store import CHUNK, Store

__all__ = ["chunks", "links"]

PARENT = "parent"
Place = tuple[str, str]


class _Seen(NamedTuple):
    entity_type: str
    name: Any
    parent: Place | None


def chunks(keys: Collection[str]) -> Iterable[list[str]]:
    """Keys in lists short enough for one statement."""
    listed = list(keys)
    for start in range(0, len(listed), CHUNK):
        yield listed[start : start + CHUNK]


def links(
    store: Store, connection: Connection, root: str, keys: Collection[str], access: Access | None = None
) -> dict[str, list[dict[str, Any]]]:
    """For each key of a root type, ``[{"id", "name", "type"}, …]`` from the top of its parents to itself.

    A parent that may not be read ends the chain, as no parent would.
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
    family = {name: found for name, found in store.schema.types.items() if found.root == root}
    labels = {name: label for name, found in family.items() if (label := _label(found, table))}
    columns = list(dict.fromkeys(labels.values()))
    parents = {name: target for name, found in family.items() if (target := _parent_root(store, found))}
    readable = [] if access is None else access.allowed("read", root, table)
    selected = [table.c.id, table.c._type, *(table.c[name] for name in columns)]
    if parents:
        selected.append(table.c[PARENT])
    for chunk in chunks(keys):
        for key in chunk:
            seen[root, key] = _Seen("", None, None)
        for row in connection.execute(select(*selected).where(table.c.id.in_(chunk), *readable)):
            key, entity_type = row[0], row[1]
            name = row[2 + columns.index(labels[entity_type])] if entity_type in labels else None
            parent = row[-1] if entity_type in parents else None
            seen[root, key] = _Seen(entity_type, name, None if parent is None else (parents[entity_type], parent))


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
