"""Which entities an account may read, deleted ones included: history and events are told through it.

What an account may not read is as if it had not happened; a reference to it is as one to nothing.
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
from callsheet.server.access.belonging import ProjectRoute, ways_of
from callsheet.server.access.confidential import Elsewhere
from callsheet.server.log import commits as log
from callsheet.server.store.store import CHUNK, Store

__all__ = ["Visible"]

Place: TypeAlias = tuple[str, str]


@define
class Visible:
    """Which entities an account may read; of the deleted ones, those it could read where they were last."""

    store: Store
    connection: Connection
    access: Access
    _known: dict[Place, bool] = field(factory=dict)

    def commit(self, commit: Commit) -> Commit | None:
        """What the account may know of a commit; None where that is nothing."""
        if self.access.reads_all:
            return commit
        changes = tuple(change for change in self.changes(commit.changes) if change is not None)
        return evolve(commit, changes=changes) if changes or not commit.changes else None

    def changes(self, changes: Sequence[EntityChange]) -> Sequence[EntityChange | None]:
        """Of each change what the account may know of it; None where that is nothing."""
        if self.access.reads_all:
            return changes
        self._learn(change.identity for change in changes)
        shown = [change if self._is(change.identity) else None for change in changes]
        self._learn(identity for change in shown if change is not None for identity in _mentioned(change))
        return [None if change is None else self._change(change) for change in shown]

    def among(self, identities: Collection[Identity]) -> set[Identity]:
        """Those of these entities that the account may read."""
        if self.access.reads_all:
            return set(identities)
        self._learn(identities)
        return {identity for identity in identities if self._is(identity)}

    def _is(self, identity: Identity) -> bool:
        return self._known[self._place(identity)]

    def _place(self, identity: Identity) -> Place:
        return self.store.schema.types[identity.entity_type].root, identity.key

    def _change(self, change: EntityChange) -> EntityChange:
        """A reference to what the account may not read is as one to nothing."""
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
        """Deleted entities, by what their delete says of them."""
        tombstone, table = self.store.table("_tombstone"), self.store.table("_log")
        places: dict[str, int] = {}
        for chunk in chunks(keys, CHUNK):
            here = select(tombstone.c.key, tombstone.c.position)
            here = here.where(tombstone.c.root == root, tombstone.c.key.in_(chunk))
            places.update((key, position) for key, position in self.connection.execute(here))
        gone: dict[Place, EntityChange] = {}
        for few in chunks(set(places.values()), CHUNK):
            for (data,) in self.connection.execute(select(table.c.changes).where(table.c.position.in_(few))):
                gone.update((self._place(change.identity), change) for change in log.decode_changes(data))
        for key in places:
            change = gone[root, key]
            self._known[root, key] = self._was_readable(change)

    def _was_readable(self, change: EntityChange) -> bool:
        kind, key = change.identity
        reach = self.access.reach("read", kind)
        way = ways_of(self.store.schema).get(kind, ProjectRoute())
        if reach is None or way.column:
            held = key if way.column == "id" else change.before.get(way.column)
            return reach is None or (held.key if isinstance(held, Identity) else held) in reach
        owners = (change.before.get(name) for name, _ in way.references)
        owner = next((value for value in owners if isinstance(value, Identity)), None)
        if owner is None:
            return False
        # The owner's project is not looked up: wherever it may be read, this could be read too, or is not told.
        above = self.access.reach("read", owner.entity_type)
        if above is None or not _is_part(above, reach):
            return False
        self._learn([owner])
        return self._is(owner)


def _is_part(projects: frozenset[str] | Elsewhere, reach: frozenset[str] | Elsewhere) -> bool:
    """Whether a reach holds all of another."""
    if isinstance(projects, Elsewhere):
        return projects.within(reach)
    return reach.holds(projects) if isinstance(reach, Elsewhere) else projects <= reach


def _mentioned(change: EntityChange) -> Iterator[Identity]:
    for values in (change.before, change.after):
        yield from (value for value in values.values() if isinstance(value, Identity))
    for links in (change.added, change.removed):
        for members in links.values():
            yield from members
