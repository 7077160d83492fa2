"""The mirror of one store: opened on first use, brought up to date before each question, made again when it must be.

Theory. The store is the only truth. A mirror has the position in the store's log that its rows are as of, and the id of
the commit there. Before a question it reads on in the log; so an answer is as new as the store, and a session reads
what it has written. If the mirror is of another store, of another layout, or of a log that has gone another way since
(the database was restored from a backup), its rows are copied again, in one transaction: readers keep the old state.
"""

from __future__ import annotations

import math
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from time import monotonic

from attrs import frozen
from sqlalchemy import Column, Connection, MetaData, Table, Text, func, select
from sqlalchemy.schema import CreateTable

from callsheet.errors import Closed, StorageError, Unavailable
from callsheet.private import make_folder
from callsheet.server.deadline import current_deadline
from callsheet.server.log import commits as log
from callsheet.server.mirror.database import LOCKED, MirrorDatabase
from callsheet.server.mirror.feed import copy_all, create_tables, mirrored_tables, refresh, touched
from callsheet.server.store.store import Store

__all__ = ["Mirror", "MirroredState"]

FORMAT = "1"
"""Changes when the mirror's own form does."""
FILE = "mirror.duckdb"
MOST = 200_000
"""For more changed entities than this, all rows are copied again."""

_FACTS = Table("_mirror", MetaData(), Column("name", Text()), Column("value", Text()))


@frozen(eq=False)
class MirroredState:
    """One consistent state of the mirror: the store to compile for, a connection, and the position it is as of."""

    store: Store
    connection: Connection
    position: int


class Mirror:
    """The mirror of a store, in a folder (None: in memory)."""

    def __init__(self, store: Store, folder: Path | None = None) -> None:
        self._present, self.folder = store, folder
        self._store: Store | None = None
        self._feeder = ThreadPoolExecutor(1, thread_name_prefix="callsheet-mirror")
        self._closing = threading.Event()
        self.copies = 0
        """How often all rows were copied."""

    def __repr__(self) -> str:
        return f"<Mirror of {self._present.schema.name!r} in {self.folder or 'memory'}>"

    @contextmanager
    def reading(self) -> Iterator[MirroredState]:
        """The state of now, or of a moment later.

        Raises `Unavailable` while rows are copied for longer than the time limit of a read; the copy goes on.
        """
        store = self._up_to_date()
        with store.reading() as connection:
            facts = _facts(connection)
            yield MirroredState(store, connection, int(facts["position"]))

    def close(self) -> None:
        """Release the file, if it is open; rows that are being copied are left."""
        self._closing.set()
        self._feeder.shutdown(cancel_futures=True)
        if self._store is not None:
            self._store.close()

    def _up_to_date(self) -> Store:
        """The mirror's store, after it was fed.

        It is fed in a thread of its own, turn by turn, so that a request that gives up leaves the work undisturbed. A
        turn begins after the request, so it sees what the request's session has committed.
        """
        if self._closing.is_set():
            raise Closed("the mirror is closed")
        deadline, seconds = current_deadline(), self._present.deadline
        if deadline is not None:
            seconds = max(0.0, min(seconds, deadline.until - monotonic()))
        try:
            return self._feeder.submit(self._fed).result(seconds)
        except TimeoutError:
            raise Unavailable("the mirror for analytics is being made; try again in a minute") from None
        except CancelledError:
            raise Closed("the mirror is closed") from None

    def _fed(self) -> Store:
        if self._store is None:
            self._store = self._opened()
        self._catch_up(self._store)
        # Custom attributes are configured while a server runs; they change no table.
        self._store.schema = self._present.schema
        return self._store

    def _opened(self) -> Store:
        path = None
        if self.folder is not None:
            make_folder(self.folder)
            path = self.folder / FILE
        try:
            database = MirrorDatabase(path, self._present.deadline)
        except StorageError as error:
            if self.folder is None or LOCKED in str(error):
                raise
            # A damaged file is worth nothing: all it held is in the store.
            shutil.rmtree(self.folder, ignore_errors=True)
            make_folder(self.folder)
            database = MirrorDatabase(path, self._present.deadline)
        store = Store("mirror:", database)
        store.schema, store.layout = self._present.schema, self._present.layout
        store.write(lambda connection: connection.execute(CreateTable(_FACTS, if_not_exists=True)))
        return store

    def _catch_up(self, store: Store) -> None:
        """Apply the commits since the mirror's position, or copy everything."""
        with store.reading() as connection:
            facts = _facts(connection)
        with self._present.reading(math.inf) as source:
            wanted = {**self._origin, **_last_commit(self._present, source)}
            if facts == wanted:
                return
            changes = None
            if self._follows(source, facts):
                changes = touched(self._present, source, int(facts["position"]), MOST)

            def work(target: Connection) -> None:
                if changes is None:
                    create_tables(self._present, target)
                    copy_all(self._present, source, target, self._closing.is_set)
                    self.copies += 1
                else:
                    refresh(self._present, source, target, changes)
                _set_facts(target, wanted)

            store.write(work)

    def _follows(self, source: Connection, facts: dict[str, str]) -> bool:
        """Whether the log goes on from the mirror's position."""
        if any(facts.get(name) != value for name, value in self._origin.items()):
            return False
        position = int(facts["position"])
        if position < log.first_position(self._present, source):
            return False
        return facts.get("commit") == _commit_id(self._present, source, position)

    @cached_property
    def _origin(self) -> dict[str, str]:
        """What a mirror is of; the layout of a store stays while it is open."""
        return {"format": FORMAT, "store": self._present.id, "layout": _layout_hash(self._present)}


def _facts(connection: Connection) -> dict[str, str]:
    return {row.name: row.value for row in connection.execute(select(_FACTS))}


def _set_facts(connection: Connection, facts: dict[str, str]) -> None:
    connection.execute(_FACTS.delete())
    connection.execute(_FACTS.insert(), [{"name": name, "value": value} for name, value in facts.items()])


def _last_commit(store: Store, connection: Connection) -> dict[str, str]:
    """The position and the id of the last commit."""
    table = store.table("_log")
    position = connection.execute(select(func.max(table.c.position))).scalar() or 0
    return {"position": str(position), "commit": _commit_id(store, connection, position)}


def _commit_id(store: Store, connection: Connection, position: int) -> str:
    """The id of the commit at a position; empty if there is none."""
    table = store.table("_log")
    found = connection.execute(select(table.c.user_name, table.c.commit_id).where(table.c.position == position)).first()
    return "" if found is None else f"{found[0]}:{found[1]}"


def _layout_hash(store: Store) -> str:
    tables = mirrored_tables(store)
    text = ";".join(
        f"{table.name}({','.join(f'{each.name} {each.type!r}' for each in table.columns)})" for table in tables
    )
    return sha256(text.encode()).hexdigest()
