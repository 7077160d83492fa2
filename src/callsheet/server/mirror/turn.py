"""One turn of the feed: what has changed in the store since the mirror's position, applied in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from attrs import evolve, field, frozen
from sqlalchemy import Connection, Table

from callsheet.server.log import commits as log
from callsheet.server.mirror.facts import MirrorFacts, commit_at, write_facts
from callsheet.server.mirror.feed import copy_tables, create_tables, drop_tables, mirrored_tables, refresh, touched
from callsheet.server.mirror.following import AppliedBatch, Follower, TouchedRows
from callsheet.server.mirror.rows import RowSource, StoreRows, opened_rows
from callsheet.server.store.store import Store

__all__ = ["MOST", "FeedTurn"]

MOST = 200_000
"""For more changed entities than this, all rows are copied again."""
ATTEMPTS = 3
"""How often tables that are copied by another process must be of another moment, until they are read here."""


@frozen(eq=False)
class FeedTurn:
    """From the facts that a mirror has to those that are wanted.

    ``present`` is the store, ``source`` a connection with one state of it; ``store`` has the same tables in the mirror.
    """

    present: Store
    source: Connection
    store: Store
    has: MirrorFacts
    wanted: MirrorFacts
    changes: TouchedRows | None = field(init=False)
    """What commits changed; None if all rows must be copied."""
    tables: list[Table] = field(init=False)
    """The tables to be copied."""

    @changes.default
    def _changes(self) -> TouchedRows | None:
        if not self._follows():
            return None
        if self.has.position == self.wanted.position:
            return TouchedRows()
        return touched(self.present, self.source, self.has.position, MOST)

    @tables.default
    def _tables(self) -> list[Table]:
        had = {} if self.changes is None else self.has.tables
        anew = {self.store.tables[root].name for root in (() if self.changes is None else self.changes.anew)}
        return [
            table
            for table in mirrored_tables(self.store)
            if table.name in anew or had.get(table.name) != self.wanted.tables[table.name]
        ]

    def _follows(self) -> bool:
        """Whether the log goes on from the mirror's position."""
        has = self.has
        if has.origin != self.wanted.origin or has.position < log.first_position(self.present, self.source):
            return False
        return has.commit == commit_at(self.present, self.source, has.position)

    def run(self, followers: Sequence[Follower], copying: Callable[[Table], object]) -> MirrorFacts:
        """Apply it, between the followers' blocks; returns the facts that hold now.

        ``copying`` is called before a table is copied, and may raise.
        """
        with self._rows() as (rows, wanted):
            self.store.write(lambda target: self._apply(target, rows, wanted, followers, copying))
        return wanted

    @contextmanager
    def _rows(self) -> Iterator[tuple[RowSource, MirrorFacts]]:
        """The rows of the tables to be copied, and the facts that hold with them.

        If all tables are copied, the moment of their rows may be later than that of the source.
        """
        for _ in range(ATTEMPTS):
            with opened_rows(self.present, self.source, self.tables) as rows:
                wanted, head = self.wanted, rows.head()
                if head is not None:
                    wanted = evolve(wanted, position=head[0], commit=head[1])
                if self.changes is None or wanted == self.wanted:
                    yield rows, wanted
                    return
        yield StoreRows(self.source), self.wanted

    def _apply(
        self,
        target: Connection,
        rows: RowSource,
        wanted: MirrorFacts,
        followers: Sequence[Follower],
        copying: Callable[[Table], object],
    ) -> None:
        names = frozenset(table.name for table in self.tables)
        # A user table has another name in the database than its type.
        names |= {root for root, table in self.store.tables.items() if table.name in names}
        left = (self.changes or TouchedRows()).outside(names)
        batch = AppliedBatch(self.store, target, self.has.position, wanted.position, left, names)
        with ExitStack() as stack:
            for follower in followers:
                stack.enter_context(follower.following(batch))
            drop_tables(self.has.tables.keys() - wanted.tables.keys(), target)
            create_tables(self.tables, target)
            copy_tables(self.tables, rows, target, copying)
            refresh(self.present, self.source, target, left)
        write_facts(target, self.has, wanted)
