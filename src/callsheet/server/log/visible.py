"""History and events are filtered by what an account may read, deleted entities included.

Changes of entities that the account may not read are omitted; references to such entities read as None.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from attrs import define, evolve, field
from sqlalchemy import Connection, select

from callsheet.chunks import chunks
from callsheet.model.history import Commit, EntityChange
from callsheet.model.record import Identity
from callsheet.server.access.access import Access
from callsheet.server.access.belonging import ProjectRoute, project_routes
from callsheet.server.access.confidential import Elsewhere
from callsheet.server.log import commits as log
from callsheet.server.store.store import CHUNK, Store

__all__ = ["Visible"]

Place: TypeAlias = tuple[str, str]


@define
class Visible:
    """The entities that an account may read; for deleted ones, their last project counts."""

    store: Store
    connection: Connection
    access: Access
    _known: dict[Place, bool] = field(factory=dict)

    def commit(self, commit: Commit) -> Commit | None:
        """The part of a commit that the account may read; None if it may read nothing of it."""
        if self.access.reads_all:
            return commit
        changes = tuple(change for change in self.changes(commit.changes) if change is not None)
        return evolve(commit, changes=changes) if changes or not commit.changes else None

    def changes(self, changes: Sequence[EntityChange]) -> Sequence[EntityChange | None]:
        """Of each change the part that the account may read; None if it may not read the entity."""
        if self.access.reads_all:
            return changes
        self._learn(change.identity for change in changes)
        shown = [change if self._is(change.identity) else None for change in changes]
        self._learn(identity for change in shown if change is not None for identity in _mentioned(change))
        return [None if change is None else self._change(change) for change in shown]

    def among(self, identities: Collection[Identity]) -> set[Identity]:
        """The entities among these that the account may read."""
        if self.access.reads_all:
            return set(identities)
        self._learn(identities)
        return {identity for identity in identities if self._is(identity)}

    def _is(self, identity: Identity) -> bool:
        return self._known[self._place(identity)]

    def _place(self, identity: Identity) -> Place:
        return self.store.schema.types[identity.entity_type].root, identity.key

    def _change(self, change: EntityChange) -> EntityChange:
        """A change without references to entities that the account may not read."""
        return evolve(
            change,
            before={name: self._value(value) for name, value in change.before.items()},
            after={name: self._value(value) for name, value in change.after.items()},
            added={name: tuple(filter(self._is, members)) for name, members in change.added.items()},
            removed={name: tuple(filter(self._is, members)) for name, members in change.removed.items()},
        )

    def _value(self, value: Any) -> Any:
        return None if isinstance(value, Identity) and not self._is(value) else value

    def _learn(self, identities: Iterable[Identity]) -> None:
        wanted: dict[str, list[str]] = {}
        for root, key in dict.fromkeys(map(self._place, identities)):
            if (root, key) not in self._known:
                wanted.setdefault(root, []).append(key)
        for root, keys in wanted.items():
            readable = self.access.among("read", self.connection, root, keys)
            self._known.update(((root, key), key in readable) for key in keys)
            if not self.access.everywhere("read", root):
                self._learn_deleted(root, [key for key in keys if key not in readable])

    def _learn_deleted(self, root: str, keys: list[str]) -> None:
        """Decide about deleted entities, by the values that their delete recorded."""
        tombstone, table = self.store.table("_tombstone"), self.store.table("_log")
        places: dict[str, int] = {}
        for chunk in chunks(keys, CHUNK):
            here = select(tombstone.c.key, tombstone.c.position)
            here = here.where(tombstone.c.root == root, tombstone.c.key.in_(chunk))
            places.update((key, position) for key, position in self.connection.execute(here))
        gone: dict[Place, EntityChange] = {}
        for few in chunks(set(places.values()), CHUNK):
            logged = select(table.c.position, table.c.changes).where(table.c.position.in_(few))
            for position, data in self.connection.execute(logged).all():
                changes = log.read_changes(self.store, self.connection, position, data)
                gone.update((self._place(change.identity), change) for change in changes)
        for key in places:
            change = gone.get((root, key))
            self._known[root, key] = change is not None and self._was_readable(change)

    def _was_readable(self, change: EntityChange) -> bool:
        kind, key = change.identity
        naming = self.access.namings.get(kind)
        if naming is not None and not self._names_readable(
            change.before.get(naming.kind), change.before.get(naming.key)
        ):
            return False
        reach = self.access.reach("read", kind)
        route = project_routes(self.store.schema).get(kind, ProjectRoute())
        if reach is None or route.column:
            held = key if route.column == "id" else change.before.get(route.column)
            return reach is None or (held.key if isinstance(held, Identity) else held) in reach
        owners = (change.before.get(name) for name, _ in route.references)
        owner = next((value for value in owners if isinstance(value, Identity)), None)
        if owner is None:
            return False
        # The owner's project is not looked up: only an owner that is readable nowhere else than this type decides.
        above = self.access.reach("read", owner.entity_type)
        if above is None or not _is_part(above, reach):
            return False
        self._learn([owner])
        return self._is(owner)

    def _names_readable(self, kind: Any, key: Any) -> bool:
        """Whether a deleted entity named one that the account may read, or none."""
        if not kind or (kind in self.store.schema.types and self.access.everywhere("read", kind)):
            return True
        if kind not in self.store.schema.types or kind in self.access.namings:
            return False
        named = Identity(kind, str(key))
        self._learn([named])
        return self._is(named)


def _is_part(projects: frozenset[str] | Elsewhere, reach: frozenset[str] | Elsewhere) -> bool:
    """Whether ``projects`` is contained in ``reach``."""
    if isinstance(projects, Elsewhere):
        return projects.within(reach)
    return reach.holds(projects) if isinstance(reach, Elsewhere) else projects <= reach


def _mentioned(change: EntityChange) -> Iterator[Identity]:
    for values in (change.before, change.after):
        yield from (value for value in values.values() if isinstance(value, Identity))
    for links in (change.added, change.removed):
        for members in links.values():
            yield from members
