"""The mirror of one store: it follows the store's commits by itself, and is made again when it must be.

Theory. The store is the only truth. A mirror has the position in the store's log that its rows are as of, and the id of
the commit there. Commits ring, and a thread reads on in the log (`Feeder`). A question compares the mirror's position
with the log's end, and waits for a turn only if the mirror is behind; so an answer is as new as the store, and a
session reads what it has written. If the mirror is of another store, or of a log that has gone another way since (the
database was restored from a backup), its rows are copied again, in one transaction: readers keep the old state. A table
that is new in the store, or has other columns, is copied alone.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

from attrs import frozen
from sqlalchemy import Connection, Table

from callsheet.errors import Closed, Unavailable
from callsheet.server.deadline import current_deadline
from callsheet.server.limits import Limits
from callsheet.server.mirror.database import MirrorDatabase
from callsheet.server.mirror.facts import MirrorFacts, create_facts, last_commit, read_facts, table_digests
from callsheet.server.mirror.feed import mirrored_tables
from callsheet.server.mirror.feeder import Feeder
from callsheet.server.mirror.following import Follower, FollowerFailed
from callsheet.server.mirror.keys import TextKeys, key_columns, roots_of_texts, uuid_columns
from callsheet.server.mirror.past import past_store
from callsheet.server.mirror.place import MirrorPlace
from callsheet.server.mirror.stored.answering import StoredAnswers
from callsheet.server.mirror.stored.folding import StoredCubes
from callsheet.server.mirror.turn import FeedTurn
from callsheet.server.reading.answers import KeptCells
from callsheet.server.store.store import Store

__all__ = ["Mirror", "MirroredState"]

FORMAT = "4"
"""Changes when the mirror's own form does."""


@frozen(eq=False)
class MirroredState:
    """One consistent state of the mirror: the store to compile for, a connection, and the position it is as of.

    ``cells`` are those of stored cubes, where they are of this state.
    """

    store: Store
    connection: Connection
    position: int
    cells: KeptCells | None = None


@frozen(eq=False)
class _Tables:
    """The tables of a mirror: a store to compile statements for, and the digests of the tables that it is for.

    ``texts`` are the root types whose keys are texts in them.
    """

    store: Store
    database: MirrorDatabase
    texts: frozenset[str]
    digests: dict[str, str]


class Mirror:
    """The mirror of a store; ``folder`` is the one that was chosen for mirrors (see `MirrorPlace`).

    ``followers`` see each batch of changes inside the transaction that applies it (see ``following.py``); append to
    the list before the first question.
    """

    def __init__(self, store: Store, folder: Path | None = None, limits: Limits | None = None) -> None:
        self._present, self._limits = store, limits or Limits()
        self.place = MirrorPlace(store, folder)
        self._tables: _Tables | None = None
        self._facts = MirrorFacts()
        self._texts_beside: frozenset[str] = frozenset()
        self._feeder = Feeder(self._feed)
        self._closing = threading.Event()
        self._progress = ""
        self.stored = StoredCubes(self._limits)
        self.followers: list[Follower] = [self.stored]
        self.copies = 0
        """How often all rows were copied."""

    def __repr__(self) -> str:
        return f"<Mirror of {self._present.schema.name!r} in {self.place}>"

    @property
    def position(self) -> int:
        """The position up to which commits are applied; 0 before the first."""
        return self._facts.position

    @contextmanager
    def reading(self) -> Iterator[MirroredState]:
        """The state of now, or of a moment later.

        Raises `Unavailable` while rows are copied for longer than the time limit of a read; the copy goes on.
        """
        while True:
            tables = self._up_to_date()
            with tables.store.reading() as connection:
                facts = read_facts(connection)
                # Tables may have been added, or got other columns, since the statements' store was chosen.
                if facts.tables == tables.digests:
                    cells = StoredAnswers(self.stored, tables.store, connection)
                    yield MirroredState(tables.store, connection, facts.position, cells)
                    return

    @contextmanager
    def past(self, at: int) -> Iterator[MirroredState | None]:
        """The state after the commit of a position; None if too much has changed since (see ``past.py``)."""
        with self.reading() as state:
            if at >= state.position:
                yield state
                return
            store = past_store(self._present, state.store, state.connection, at, state.position)
            yield None if store is None else MirroredState(store, state.connection, at)

    def keep_as_texts(self, root: str) -> None:
        """Make texts of the keys of a root type: something beside the mirrored rows has a key that is no UUID."""
        self._texts_beside |= {root}
        self._wait()

    def ring(self) -> None:
        """There are commits to apply; returns at once."""
        self._feeder.ring()

    def close(self) -> None:
        """Release the file, if it is open; rows that are being copied are left."""
        self._closing.set()
        self._feeder.close()
        if self._tables is not None:
            self._tables.store.close()
        self.place.close()

    def _up_to_date(self) -> _Tables:
        """The mirror's tables, once they have all commits of now; a turn that is waited for begins after the call."""
        if self._closing.is_set():
            raise Closed("the mirror is closed")
        tables = self._tables
        if tables is None or not self._is_current(tables.store):
            self._wait()
            tables = self._tables
        assert tables is not None, "a turn opens the mirror, or raises"
        return tables

    def _is_current(self, store: Store) -> bool:
        present = self._present
        if store.layout is not present.layout or store.schema is not present.schema:
            return False
        with present.reading() as source:
            return last_commit(present, source) == (self._facts.position, self._facts.commit)

    def _wait(self) -> None:
        deadline, seconds = current_deadline(), self._present.deadline
        if deadline is not None:
            seconds = max(0.0, min(seconds, deadline.until - monotonic()))
        try:
            self._feeder.wait(seconds)
        except TimeoutError:
            progress = self._progress
            raise Unavailable(f"the mirror for analytics is being made{progress}; try again in a minute") from None

    def _feed(self) -> None:
        """One turn: open the mirror if it is not open, and apply the commits since its position."""
        had = self._tables
        database = self._opened() if had is None else had.database
        try:
            tables = self._fed(database)
        except BaseException:
            if had is None:
                database.close()
            raise
        self._tables = tables
        if had is not None and had.database is not tables.database:
            had.database.retire()

    def _opened(self) -> MirrorDatabase:
        database = self.place.opened(self._limits)
        database.write(create_facts)
        with database.reading() as connection:
            self._facts = read_facts(connection)
        return database

    def _fed(self, database: MirrorDatabase) -> _Tables:
        """Apply the commits since the mirror's position; copy the tables that are not as the store's."""
        with self._present.reading(math.inf) as source:
            position, commit = last_commit(self._present, source)
            texts = self._texts(source)
            while True:
                tables = self._tables_with(database, texts)
                wanted = MirrorFacts(self._origin, position, commit, tables.digests, texts)
                try:
                    self._apply(source, tables.store, wanted)
                except TextKeys as found:
                    texts |= {found.root}
                    continue
                except FollowerFailed:
                    continue
                self._progress = ""
                return tables

    def _apply(self, source: Connection, store: Store, wanted: MirrorFacts) -> None:
        if self._facts != wanted:
            turn = FeedTurn(self._present, source, store, self._facts, wanted)
            self._facts = turn.run(self.followers, self._copying)
            self.copies += turn.changes is None

    def _texts(self, source: Connection) -> frozenset[str]:
        """The root types whose keys are texts, as far as is known: more may be found when rows are inserted."""
        facts = self._facts
        known, texts = (facts.tables, facts.texts) if facts.origin == self._origin else ({}, frozenset())
        new = {root for root, table in self._present.tables.items() if table.name not in known}
        texts = (texts | self._texts_beside) & self._present.tables.keys()
        return texts | roots_of_texts(self._present, source, new)

    def _tables_with(self, database: MirrorDatabase, texts: frozenset[str]) -> _Tables:
        """The tables of now, with these keys; tables and attributes may be added while a server runs."""
        schema, layout, had = self._present.schema, self._present.layout, self._tables
        if had is not None and had.texts == texts and had.store.schema is schema and had.store.layout is layout:
            return had
        uuids = uuid_columns(key_columns(self._present), texts)
        if database.uuids != uuids:
            database = database.keyed(uuids)
        store = Store("mirror:", database)
        store.schema, store.layout = schema, layout
        return _Tables(store, database, texts, table_digests(mirrored_tables(store), uuids))

    def _copying(self, table: Table) -> None:
        if self._closing.is_set():
            raise Closed("the mirror was closed while rows were copied")
        self._progress = f" ({table.name} is being copied)"

    @property
    def _origin(self) -> str:
        """What a mirror is of."""
        return f"{FORMAT} {self._present.id}"
