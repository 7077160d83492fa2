"""Connections to SQLite and PostgreSQL, with transactions that are what they say.

Python's sqlite3 would begin and end transactions on its own and at other moments than SQLite; here it is
told not to, and BEGIN is sent by the engine: deferred for readers, whose snapshot starts with their first
statement, IMMEDIATE for the writer, who then never meets a lock half-way.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, DisconnectionError, IntegrityError, OperationalError
from sqlalchemy.pool import NullPool, QueuePool

from callsheet.errors import CallsheetError, Invalid, StorageError, Unavailable
from callsheet.private import make_file
from callsheet.server.deadline import current_deadline
from callsheet.server.store.likeness import Clocked, never
from callsheet.server.store.prepared import sent

__all__ = ["limited", "memory_engine", "postgres_engine", "sqlite_engine", "sqlstate", "translated"]

IDLE_SECONDS = 1.0
"""A connection to PostgreSQL that was not used for longer is tried before it is used again."""

STEPS_BETWEEN_LOOKS = 20_000
"""Steps of SQLite's virtual machine between two looks at the clock: a millisecond or so."""

_BEGIN = {"reader": "BEGIN", "writer": "BEGIN IMMEDIATE"}


def _sqlite(creator: Callable[[], sqlite3.Connection], begin: str, **options: Any) -> Engine:
    engine = create_engine("sqlite://", creator=creator, **options)

    @event.listens_for(engine, "begin")
    def send_begin(connection: Connection) -> None:
        with sent(connection, begin, ()):
            pass

    return engine


def sqlite_engine(path: Path, role: str) -> Engine:
    """An engine on a file: the ``writer`` keeps its one connection, each ``reader`` takes one of a pool."""

    def connect() -> sqlite3.Connection:
        with suppress(OSError):  # What is wrong with the file, SQLite says.
            make_file(path)
        connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10, factory=Clocked)
        try:
            connection.execute("PRAGMA journal_mode=WAL").fetchone()
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("PRAGMA foreign_keys=OFF")
            connection.execute("PRAGMA cache_size=-32768")
            if role == "reader":
                connection.execute("PRAGMA query_only=ON")
        except BaseException:
            connection.close()
            raise
        return connection

    size = 1 if role == "writer" else 8
    overflow = 0 if role == "writer" else 24
    return _sqlite(connect, _BEGIN[role], poolclass=QueuePool, pool_size=size, max_overflow=overflow)


_MEMORY: list[Engine] = []


def memory_engine() -> Engine:
    """The engine whose every connection is a new database in memory.

    It is shared in the process, so a statement is compiled once for all such databases: tests open many.
    """
    if not _MEMORY:

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None, factory=Clocked)

        _MEMORY.append(_sqlite(connect, "BEGIN", poolclass=NullPool))
    return _MEMORY[0]


def postgres_engine(url: str, deadline: float) -> Engine:
    """An engine on PostgreSQL; a statement may take ``deadline`` seconds, and times are told in UTC."""
    options = f"-c timezone=UTC -c statement_timeout={int(deadline * 1000)} -c idle_in_transaction_session_timeout=60s"
    engine = create_engine(
        make_url(url),
        connect_args={"options": options},
        pool_size=8,
        max_overflow=24,
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
    )

    @event.listens_for(engine, "checkin")
    def note(_: Any, record: Any) -> None:
        record.info["given_back"] = monotonic()

    @event.listens_for(engine, "checkout")
    def look(driver: Any, record: Any, _: Any) -> None:
        idle = monotonic() - record.info.get("given_back", monotonic())
        if idle > IDLE_SECONDS and not _answers(engine, driver):
            # The pool takes another one.
            raise DisconnectionError

    return engine


def _answers(engine: Engine, driver: Any) -> bool:
    """Whether PostgreSQL is still at the other end of a connection."""
    dialect: Any = engine.dialect
    try:
        dialect.do_ping(driver)
    except dialect.dbapi.Error:
        return False
    return True


class limited:
    """While it lasts, SQLite stops statements of this connection after so many seconds, or with their request."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        self._driver: Any = connection.connection.driver_connection
        self._seconds = seconds

    def __enter__(self) -> None:
        deadline, until = current_deadline(), monotonic() + self._seconds

        def over() -> bool:
            return monotonic() > until or (deadline is not None and deadline.over)

        self._driver.is_over = over
        self._driver.set_progress_handler(over, STEPS_BETWEEN_LOOKS)

    def __exit__(self, *_: object) -> None:
        self._driver.is_over = never
        self._driver.set_progress_handler(None, 0)


_ABOUT_DATA = ("22", "23", "54")
"""PostgreSQL's classes of errors that come again with the same values: they do not fit, break a rule, or are too large
(a row of an index has some 2,700 bytes)."""


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's code of an error, or nothing."""
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")


def _unconnected(error: DBAPIError, code: str) -> bool:
    """Whether PostgreSQL was not there to say anything; SQLite's errors of this class are about its file."""
    return isinstance(error, OperationalError) and not code and type(error.orig).__module__.startswith("psycopg")


def translated(error: DBAPIError, deadline: float) -> CallsheetError:
    """What a database's error means to a caller. The statement's values stay out of the message."""
    said = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
    code = sqlstate(error)
    # What gave up inside a comparison (`likeness`) is told by SQLite as the exception of a function.
    if code == "57014" or said in ("interrupted", "user-defined function raised exception"):
        return Invalid(f"query takes too long (more than {deadline:g} s); ask for less or narrow the condition")
    if said == "integer overflow" or code == "22003":
        return Invalid("a number in the query's answer is larger than 64 bits")
    if said == "parser stack overflow":
        return Invalid("the query is nested too deep for the database; ask for less, or in several queries")
    if isinstance(error, IntegrityError | DataError) or code.startswith(_ABOUT_DATA):
        return Invalid(f"the database refused the values: {said}")
    if code in ("40001", "40P01", "55P03") or "database is locked" in said:
        return Unavailable(f"the database is busy ({said}); try again")
    if error.connection_invalidated or code.startswith(("08", "57P")) or _unconnected(error, code):
        return Unavailable(f"the database cannot be reached: {said}")
    return StorageError(f"the database refused: {said}")
