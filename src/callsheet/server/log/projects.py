"""The projects of changed entities, deleted ones included.

The project is taken from the change if it has one; else it is the project of the entity now, or when it was deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Column, Connection, select

from callsheet.chunks import chunks
from callsheet.model.history import EntityChange
from callsheet.model.record import Identity
from callsheet.server.access.belonging import PROJECT, ProjectRoute, project_routes
from callsheet.server.log import commits as log
from callsheet.server.store.store import CHUNK, Store

__all__ = ["ProjectFinder"]

STEPS = 8
"""The most references followed to a project: a note's reply's version's asset's parent has one."""


class ProjectFinder:
    """Finds the projects of entities, each entity once."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self._store, self._connection = store, connection
        self._routes = project_routes(store.schema)
        self._known: dict[Identity, Identity | None] = {}

    def of(self, changes: Sequence[EntityChange]) -> dict[Identity, Identity | None]:
        """The project of each changed entity; None if it has none."""
        if not self._routes:
            return {}
        found: dict[Identity, Identity | None] = {}
        unknown: list[Identity] = []
        for change in changes:
            route = self._routes.get(change.identity.entity_type)
            if route is None:
                found[change.identity] = None
            elif (project := _project(route, change)) is not None:
                found[change.identity] = project
            else:
                unknown.append(change.identity)
        self._learn(unknown, STEPS)
        return found | {identity: self._known.get(identity) for identity in unknown}

    def _learn(self, identities: Iterable[Identity], steps: int) -> None:
        wanted = {identity for identity in identities if identity not in self._known}
        if not wanted:
            return
        owners: dict[Identity, Identity] = {}
        rows = self._present(wanted)
        rows |= self._deleted(wanted - rows.keys())
        for identity in wanted:
            self._known[identity] = None
            route = self._routes.get(identity.entity_type, ProjectRoute())
            held = rows.get(identity, {})
            if route.column:
                self._known[identity] = held.get(route.column)
            elif (owner := next(filter(None, (held.get(name) for name, _ in route.references)), None)) is not None:
                owners[identity] = owner
        if owners and steps:
            self._learn(owners.values(), steps - 1)
            self._known |= {identity: self._known.get(owner) for identity, owner in owners.items()}

    def _present(self, wanted: Collection[Identity]) -> dict[Identity, dict[str, Identity | None]]:
        """The values of existing entities that may lead to their project."""
        found: dict[Identity, dict[str, Identity | None]] = {}
        for root, keys in self._by_root(wanted).items():
            table = self._store.tables[root]
            for chunk in chunks(keys, CHUNK):
                for row in self._connection.execute(select(*self._columns(root)).where(table.c.id.in_(chunk))):
                    found[Identity(row._type, row.id)] = self._held(row._type, dict(row._mapping))
        return found

    def _columns(self, root: str) -> list[Column[Any]]:
        table = self._store.tables[root]
        names = {"id": None, "_type": None}
        for name, route in self._routes.items():
            if self._store.schema.types[name].root == root:
                for each in (route.column, *(reference for reference, _ in route.references)):
                    names |= {column: None for column in (each, f"{each}__type") if column in table.c}
        return [table.c[name] for name in names]

    def _held(self, kind: str, row: dict[str, str | None]) -> dict[str, Identity | None]:
        route = self._routes.get(kind, ProjectRoute())
        held: dict[str, Identity | None] = {}
        for name, target in ((route.column, PROJECT), *route.references):
            key = row.get(name)
            held[name] = None if key is None else Identity(row.get(f"{name}__type") or target, key)
        return held

    def _deleted(self, wanted: Collection[Identity]) -> dict[Identity, dict[str, Identity | None]]:
        """The references of deleted entities, from their delete."""
        tombstone, table = self._store.table("_tombstone"), self._store.table("_log")
        places: set[int] = set()
        for root, keys in self._by_root(wanted).items():
            for chunk in chunks(keys, CHUNK):
                here = select(tombstone.c.position).where(tombstone.c.root == root, tombstone.c.key.in_(chunk))
                places.update(self._connection.execute(here).scalars())
        found: dict[Identity, dict[str, Identity | None]] = {}
        for few in chunks(places, CHUNK):
            logged = select(table.c.position, table.c.changes).where(table.c.position.in_(few))
            for position, data in self._connection.execute(logged).all():
                for change in log.read_changes(self._store, self._connection, position, data):
                    if change.kind == "delete" and change.identity in wanted:
                        references = {name: held for name, held in change.before.items() if isinstance(held, Identity)}
                        found[change.identity] = {**references, "id": change.identity}
        return found

    def _by_root(self, identities: Collection[Identity]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for identity in identities:
            found.setdefault(self._store.schema.types[identity.entity_type].root, []).append(identity.key)
        return found


def _project(route: ProjectRoute, change: EntityChange) -> Identity | None:
    """The project in the values of a change, if it has it."""
    if route.column == "id":
        return change.identity
    held = change.after.get(route.column) or change.before.get(route.column)
    return held if isinstance(held, Identity) else None
