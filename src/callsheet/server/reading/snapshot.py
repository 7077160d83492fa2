"""A past state of the store: a copy in memory, in which later commits are reverted.

The present rows are read, and the inverse of each commit after the wanted position is applied to them, newest first:
created entities are removed, deleted ones restored with all their values, changed values set back. The result is an
ordinary store, read by the same code under the same permissions. It costs memory and time in proportion to the rows of
the store and to the changes since then, so both are limited. A few snapshots are cached for some minutes, because a
past moment is usually read more than once. Values stay in SQLite's own representation, which is twice as fast as
converting them to Python.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import monotonic
from typing import Any

import msgspec
from attrs import define, field
from sqlalchemy import Column, Connection, Table, insert, select, type_coerce
from sqlalchemy.types import NullType, TypeEngine

from callsheet.chunks import chunks
from callsheet.errors import TooLarge
from callsheet.model.history import Commit, EntityChange
from callsheet.model.record import Identity
from callsheet.server.log import commits as log
from callsheet.server.store.columns import json_text
from callsheet.server.store.engine import memory_engine
from callsheet.server.store.store import CHUNK, Store

__all__ = ["ROWS", "RevertedRows", "Row", "Snapshots", "insert_rows", "later_commits", "materialised"]

ROWS = 100_000
"""The most rows of a snapshot, members of collections included; and the most changes to revert."""
LIFETIME = 300.0
KEPT = 4
READ = 100
WRITTEN = 2_000

Row = list[Any]
Writer = Callable[[Any], Any] | None


@define(eq=False)
class _CachedSnapshot:
    """A snapshot, the number of its current readers, and until when it is cached."""

    store: Store
    until: float
    users: int = 0


class Snapshots:
    """Snapshots of a store: at most four are cached, each for five minutes after its last use."""

    def __init__(self, store: Store, rows: int = ROWS, clock: Callable[[], float] = monotonic) -> None:
        self.store, self.rows, self.clock = store, rows, clock
        self._held: dict[int, _CachedSnapshot] = {}
        self._lock, self._making = threading.Lock(), threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    @contextmanager
    def at(self, position: int) -> Iterator[Store]:
        """The store as it was after the commit of this position; raises `TooLarge` above the limits."""
        held = self._take(position)
        if held is None:
            with self._making:
                held = self._take(position) or self._put(position, materialised(self.store, position, self.rows))
        try:
            yield held.store
        finally:
            with self._lock:
                held.users -= 1
                self._tidy()

    def close(self) -> None:
        """Close all snapshots, those in use when their last reader has finished."""
        with self._lock:
            for held in self._held.values():
                held.until = 0.0
            self._tidy()

    def _take(self, position: int) -> _CachedSnapshot | None:
        with self._lock:
            held = self._held.pop(position, None)
            if held is not None:
                held.users += 1
                held.until = self.clock() + LIFETIME
                # Inserted again at the end: the least recently used one is evicted first.
                self._held[position] = held
            return held

    def _put(self, position: int, store: Store) -> _CachedSnapshot:
        with self._lock:
            held = self._held[position] = _CachedSnapshot(store, self.clock() + LIFETIME, 1)
            self._tidy()
            return held

    def _tidy(self) -> None:
        """Close unused snapshots that are expired or beyond the limit."""
        now = self.clock()
        for position, held in list(self._held.items()):
            if not held.users and (held.until <= now or len(self._held) > KEPT):
                del self._held[position]
                held.store.close()


def materialised(store: Store, position: int, most: int = ROWS) -> Store:
    """A store in memory with the state of this one after a commit. The caller closes it."""
    with store.reading() as connection:
        state = RevertedRows(store, most)
        state.read(connection)
        for commit in later_commits(store, connection, position):
            state.revert(commit)
    past = Store.open("memory:", store.described.document, deadline=store.deadline)
    past.write(lambda connection: state.write(connection, position))
    with past.reading() as connection:
        past.reload(connection)
    return past


def later_commits(store: Store, connection: Connection, position: int) -> Iterator[Commit]:
    """The commits after a position, newest first."""
    table = store.table("_log")
    statement = select(table).where(table.c.position > position).order_by(table.c.position.desc()).limit(READ)
    rows = connection.execute(statement).all()
    while rows:
        for row in rows:
            yield log.entry(row, log.read_changes(store, connection, row.position, row.changes))
        rows = connection.execute(statement.where(table.c.position < rows[-1].position)).all()


@define(eq=False)
class RevertedRows:
    """Rows of a store in SQLite's representation, from which commits are reverted: all, or those that they changed."""

    store: Store
    most: int
    rows: dict[str, dict[str, Row]] = field(factory=dict)
    links: dict[str, dict[tuple[str, str], None]] = field(factory=dict)
    tombstones: dict[tuple[str, str], int] = field(factory=dict)
    _columns: dict[str, dict[str, int]] = field(factory=dict)
    _writers: dict[str, list[Writer]] = field(factory=dict)
    _count: int = 0
    _changes: int = 0

    def read(self, connection: Connection) -> None:
        for root, table in self.store.tables.items():
            if root in self.store.user_tables:
                # Their rows have no past: a load is one entry of the log, whatever it replaces.
                continue
            columns = self._columns[root] = self.store.layout.positions[root]
            self._writers[root] = [_writer(column.type) for column in table.columns]
            self.rows[root] = {row[columns["id"]]: row for row in self._all(connection, table)}
        for table in self._link_tables():
            rows = self._all(connection, table, "owner", "member")
            self.links[table.name] = dict.fromkeys((row[0], row[1]) for row in rows)
        graves = self._all(connection, self.store.table("_tombstone"), "root", "key", "position")
        self.tombstones = {(row[0], row[1]): row[2] for row in graves}

    def take(self, connection: Connection, root: str, keys: Collection[str]) -> None:
        """Read the rows of some keys of a root type, as they are now."""
        table = self.store.tables[root]
        columns = self._columns[root] = self.store.layout.positions[root]
        self._writers[root] = [_writer(column.type) for column in table.columns]
        rows = self.rows.setdefault(root, {})
        for chunk in chunks(sorted(keys), CHUNK):
            found = self._read(connection, list(table.c), table.c.id.in_(chunk))
            rows.update((row[columns["id"]], row) for row in found)

    def take_links(self, connection: Connection, table: Table, side: str, keys: Collection[str]) -> None:
        """Read the pairs of some keys on one side of a link table, as they are now."""
        pairs = self.links.setdefault(table.name, {})
        for chunk in chunks(sorted(keys), CHUNK):
            for row in self._read(connection, [table.c.owner, table.c.member], table.c[side].in_(chunk)):
                pairs[row[0], row[1]] = None

    def _link_tables(self) -> list[Table]:
        return list({link.table.name: link.table for link in self.store.layout.links.values()}.values())

    def _all(self, connection: Connection, table: Table, *names: str) -> Iterator[Row]:
        """The rows of a table; raises `TooLarge` above the limit."""
        return self._read(connection, [table.c[name] for name in names] or list(table.c))

    def _read(self, connection: Connection, columns: Sequence[Column[Any]], *where: Any) -> Iterator[Row]:
        writers = [_writer(column.type) for column in columns]
        raw = connection.dialect.name == "sqlite"
        wanted = select(*(type_coerce(column, NullType()) for column in columns)) if raw else select(*columns)
        for row in connection.execute(wanted.where(*where).limit(self.most - self._count + 1)):
            self._count += 1
            if self._count > self.most:
                raise TooLarge(
                    f"there are more than {self.most:,} rows: too many to read a past state; "
                    "`history` and `commits` show the changes"
                )
            yield list(row) if raw else [write(value) if write else value for write, value in zip(writers, row)]

    def revert(self, commit: Commit) -> None:
        """Revert a commit; commits must be reverted newest first."""
        self._changes += len(commit.changes)
        if self._changes > self.most:
            raise TooLarge(
                f"more than {self.most:,} changes have been made since: too many to read a past state; "
                "`history` and `commits` show the changes"
            )
        for change in commit.changes:
            self._revert(change)

    def _revert(self, change: EntityChange) -> None:
        kind, key = change.identity
        root = self.store.schema.types[kind].root
        columns, rows = self._columns[root], self.rows[root]
        if change.kind == "create":
            rows.pop(key, None)
            if change.previous is not None:
                self.tombstones[root, key] = change.previous
        else:
            if change.kind == "delete":
                self.tombstones.pop((root, key), None)
                row = rows[key] = [None] * len(columns)
                row[columns["id"]], row[columns["_type"]] = key, kind
                row[columns["_version"]] = change.version
            else:
                row = rows[key]
                row[columns["_version"]] = change.version - 1
            row[columns["_commit"]] = change.previous or 0
            for name, value in change.before.items():
                _put(row, columns, self._writers[root], name, value)
        self._revert_links(change)

    def _revert_links(self, change: EntityChange) -> None:
        kind, key = change.identity
        for collections, present in ((change.added, False), (change.removed, True)):
            for name, members in collections.items():
                link = self.store.link(kind, name)
                pairs = self.links[link.table.name]
                for member in members:
                    pair = (key, member.key) if link.near.name == "owner" else (member.key, key)
                    if present:
                        pairs[pair] = None
                    else:
                        pairs.pop(pair, None)

    def write(self, connection: Connection, position: int) -> None:
        for root, rows in self.rows.items():
            insert_rows(connection, self.store.tables[root], [tuple(row) for row in rows.values()])
        for table in self._link_tables():
            insert_rows(connection, table, list(self.links[table.name]))
        graves = [(root, key, at) for (root, key), at in self.tombstones.items()]
        insert_rows(connection, self.store.table("_tombstone"), graves)
        insert_rows(connection, self.store.table("_counter"), [("log", position)])


def _put(row: Row, columns: Mapping[str, int], writers: Sequence[Writer], name: str, value: Any) -> None:
    """Set an attribute or an item of a mapping in a row."""
    mapping, dot, item = name.partition(".")
    if dot:
        text = row[columns[mapping]]
        items = {**(msgspec.json.decode(text) if text else {}), item: value}
        items = {key: held for key, held in items.items() if held is not None}
        row[columns[mapping]] = json_text(items) if items else None
        return
    if f"{name}__type" in columns:
        row[columns[f"{name}__type"]] = value.entity_type if isinstance(value, Identity) else None
    write = writers[columns[name]]
    held = value.key if isinstance(value, Identity) else value
    row[columns[name]] = write(held) if write else held


def _writer(column_type: TypeEngine[Any]) -> Writer:
    """The function that converts a value to SQLite's representation; None if both are the same."""
    dialect = memory_engine().dialect
    return column_type.dialect_impl(dialect).bind_processor(dialect)


def insert_rows(connection: Connection, table: Table, rows: list[tuple[Any, ...]]) -> None:
    """Insert rows of all columns, in SQLite's representation."""
    statement = str(insert(table).compile(dialect=connection.dialect))
    for start in range(0, len(rows), WRITTEN):
        connection.exec_driver_sql(statement, rows[start : start + WRITTEN])
