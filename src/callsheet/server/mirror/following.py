"""What follows a mirror: it sees each batch of changes inside the feed's transaction, before and after it is applied.

So what a follower keeps (the cells of a stored cube, for example) is of the same position as the rows, or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from attrs import define, field, frozen
from sqlalchemy import Connection

from callsheet.model.history import Commit
from callsheet.server.store.store import Store

__all__ = ["AppliedBatch", "Follower", "FollowerFailed", "TouchedRows"]


@define
class TouchedRows:
    """The keys of what commits changed: entities by the table of their root type, links by table and side.

    ``anew`` names root types (user tables) of which so much changed that they are copied.
    """

    entities: dict[str, set[str]] = field(factory=dict)
    links: dict[tuple[str, str], set[str]] = field(factory=dict)
    anew: set[str] = field(factory=set)

    def __len__(self) -> int:
        return len(self.anew) + sum(map(len, (*self.entities.values(), *self.links.values())))

    def add(self, store: Store, commit: Commit) -> None:
        """Add what a commit changed."""
        for change in commit.changes:
            self.touch(store, change.identity.entity_type, change.identity.key, (*change.added, *change.removed))

    def touch(self, store: Store, kind: str, key: str, collections: Iterable[str]) -> None:
        """Add an entity, and some of its collections."""
        self.entities.setdefault(store.schema.types[kind].root, set()).add(key)
        for name in collections:
            link = store.link(kind, name)
            self.links.setdefault((link.table.name, link.near.name), set()).add(key)

    def outside(self, tables: Iterable[str]) -> TouchedRows:
        """The same without these tables."""
        left = set(tables)
        entities = {name: keys for name, keys in self.entities.items() if name not in left}
        return TouchedRows(entities, {side: keys for side, keys in self.links.items() if side[0] not in left})


@frozen(eq=False)
class AppliedBatch:
    """Changes that are applied to the mirror in one transaction.

    The rows of ``touched`` are replaced; the tables named in ``copied`` are made anew, and all their rows may differ.
    ``store`` is what to compile statements for; ``connection`` is in the transaction. Before the batch the rows are as
    of ``after``, afterwards as of ``position``.
    """

    store: Store
    connection: Connection
    after: int
    position: int
    touched: TouchedRows
    copied: frozenset[str]


class FollowerFailed(Exception):
    """What follows cannot go on with a part of what it keeps, and has left that: the batch is applied again at once."""


class Follower(Protocol):
    """What is kept beside the rows of a mirror."""

    def following(self, batch: AppliedBatch) -> AbstractContextManager[object]:
        """A block that is entered before the batch is applied, and left afterwards, in the same transaction.

        An exception in it rolls the batch back; the batch is applied again later. A table in ``batch.copied`` may not
        exist when the block is entered.
        """
