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
from callsheet.server.mirror.following import Follower
from callsheet.server.mirror.place import MirrorPlace
from callsheet.server.mirror.turn import FeedTurn
from callsheet.server.store.database import Database
from callsheet.server.store.layout import Layout
from callsheet.server.store.store import Store

__all__ = ["Mirror", "MirroredState"]

FORMAT = "2"
"""Changes when the mirror's own form does."""


@frozen(eq=False)
class MirroredState:
    """One consistent state of the mirror: the store to compile for, a connection, and the position it is as of."""

    store: Store
    connection: Connection
    position: int


class Mirror:
    """The mirror of a store; ``folder`` is the one that was chosen for mirrors (see `MirrorPlace`).

    ``followers`` see each batch of changes inside the transaction that applies it (see ``following.py``); append to
    the list before the first question.
    """

    def __init__(self, store: Store, folder: Path | None = None, limits: Limits | None = None) -> None:
        self._present, self._limits = store, limits or Limits()
        self.place = MirrorPlace(store, folder)
        self._store: Store | None = None
        self._facts = MirrorFacts()
        self._digests: tuple[Layout, dict[str, str]] | None = None
        self._feeder = Feeder(self._feed)
        self._closing = threading.Event()
        self._progress = ""
        self.followers: list[Follower] = []
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
        store = self._up_to_date()
        with store.reading() as connection:
            yield MirroredState(store, connection, read_facts(connection).position)

    def ring(self) -> None:
        """There are commits to apply; returns at once."""
        self._feeder.ring()

    def close(self) -> None:
        """Release the file, if it is open; rows that are being copied are left."""
        self._closing.set()
        self._feeder.close()
        if self._store is not None:
            self._store.close()
        self.place.close()

    def _up_to_date(self) -> Store:
        """The mirror's store, once it has all commits of now; a turn that must be waited for begins after the call."""
        if self._closing.is_set():
            raise Closed("the mirror is closed")
        store = self._store
        if store is None or not self._is_current(store):
            self._wait()
            store = self._store
        assert store is not None, "a turn opens the mirror, or raises"
        return store

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
        database = self._opened() if self._store is None else self._store.database
        store = self._compiling_for(database)
        try:
            self._catch_up(store)
        except BaseException:
            if self._store is None:
                database.close()
            raise
        self._store = store

    def _compiling_for(self, database: Database) -> Store:
        """A store with the tables and attributes of now; both may be added while a server runs."""
        schema, layout, store = self._present.schema, self._present.layout, self._store
        if store is None or store.schema is not schema or store.layout is not layout:
            store = Store("mirror:", database)
            store.schema, store.layout = schema, layout
        return store

    def _opened(self) -> MirrorDatabase:
        database = self.place.opened(self._limits)
        database.write(create_facts)
        with database.reading() as connection:
            self._facts = read_facts(connection)
        return database

    def _catch_up(self, store: Store) -> None:
        """Apply the commits since the mirror's position; copy the tables that are not as the store's."""
        with self._present.reading(math.inf) as source:
            position, commit = last_commit(self._present, source)
            wanted = MirrorFacts(self._origin, position, commit, self._table_digests(store))
            if self._facts != wanted:
                turn = FeedTurn(self._present, source, store, self._facts, wanted)
                self._facts = turn.run(self.followers, self._copying)
                self.copies += turn.changes is None
        self._progress = ""

    def _copying(self, table: Table) -> None:
        if self._closing.is_set():
            raise Closed("the mirror was closed while rows were copied")
        self._progress = f" ({table.name} is being copied)"

    @property
    def _origin(self) -> str:
        """What a mirror is of."""
        return f"{FORMAT} {self._present.id}"

    def _table_digests(self, store: Store) -> dict[str, str]:
        """The digests of the store's tables, worked out once for a layout."""
        if self._digests is None or self._digests[0] is not store.layout:
            self._digests = store.layout, table_digests(mirrored_tables(store))
        return self._digests[1]
