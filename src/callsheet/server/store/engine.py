"""Engines for SQLite and PostgreSQL with explicit transactions.

Python's sqlite3 would begin and end transactions implicitly; this is disabled, and the engine sends BEGIN: deferred for
readers, whose snapshot begins with their first statement, IMMEDIATE for the writer, which therefore never finds a lock
in the middle of a transaction.
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
"""A PostgreSQL connection that was idle for longer is pinged before it is used again."""

STEPS_BETWEEN_CHECKS = 20_000
"""Steps of SQLite's virtual machine between two checks of the deadline: about a millisecond."""

_BEGIN = {"reader": "BEGIN", "writer": "BEGIN IMMEDIATE"}


def _sqlite(creator: Callable[[], sqlite3.Connection], begin: str, **options: Any) -> Engine:
    engine = create_engine("sqlite://", creator=creator, hide_parameters=True, **options)

    @event.listens_for(engine, "begin")
    def send_begin(connection: Connection) -> None:
        with sent(connection, begin, ()):
            pass

    return engine


def sqlite_engine(path: Path, role: str) -> Engine:
    """An engine for a file: the ``writer`` has one connection, ``reader`` connections come from a pool."""

    def connect() -> sqlite3.Connection:
        with suppress(OSError):  # SQLite reports what is wrong with the file.
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
    """The engine of which each connection is a new database in memory.

    It is shared in the process, so that statements are compiled once for all such databases: tests open many.
    """
    if not _MEMORY:

        def connect() -> sqlite3.Connection:
            return sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None, factory=Clocked)

        _MEMORY.append(_sqlite(connect, "BEGIN", poolclass=NullPool))
    return _MEMORY[0]


def postgres_engine(url: str, deadline: float) -> Engine:
    """An engine for PostgreSQL; a statement may take ``deadline`` seconds, and times are in UTC.

    Options of the address, such as ``?options=-c search_path=lab``, count too.
    """
    address = make_url(url)
    stated = " ".join(address.normalized_query.get("options", ()))
    options = f"-c timezone=UTC -c statement_timeout={int(deadline * 1000)} -c idle_in_transaction_session_timeout=60s"
    options = f"{options} {stated}".strip()
    engine = create_engine(
        address.difference_update_query(["options"]),
        hide_parameters=True,
        connect_args={"options": options},
        pool_size=8,
        max_overflow=24,
        json_serializer=lambda value: msgspec.json.encode(value).decode(),
        json_deserializer=msgspec.json.decode,
    )

    @event.listens_for(engine, "checkin")
    def record_checkin(_: Any, record: Any) -> None:
        record.info["checked_in"] = monotonic()

    @event.listens_for(engine, "checkout")
    def ping_if_idle(driver: Any, record: Any, _: Any) -> None:
        idle = monotonic() - record.info.get("checked_in", monotonic())
        if idle > IDLE_SECONDS and not _answers(engine, driver):
            # The pool then replaces the connection.
            raise DisconnectionError

    return engine


def _answers(engine: Engine, driver: Any) -> bool:
    """Whether the server answers on this connection."""
    dialect: Any = engine.dialect
    try:
        dialect.do_ping(driver)
    except dialect.dbapi.Error:
        return False
    return True


class limited:
    """A block in which SQLite interrupts statements after ``seconds``, or when their request is cancelled."""

    def __init__(self, connection: Connection, seconds: float) -> None:
        self._driver: Any = connection.connection.driver_connection
        self._seconds = seconds

    def __enter__(self) -> None:
        deadline, until = current_deadline(), monotonic() + self._seconds

        def over() -> bool:
            return monotonic() > until or (deadline is not None and deadline.over)

        self._driver.is_over = over
        self._driver.set_progress_handler(over, STEPS_BETWEEN_CHECKS)

    def __exit__(self, *_: object) -> None:
        self._driver.is_over = never
        self._driver.set_progress_handler(None, 0)


_ABOUT_DATA = ("22", "23", "54")
"""PostgreSQL's classes of errors that the values cause: wrong data, broken constraints, program limits exceeded (an
index row has at most 2,700 bytes or so)."""


def sqlstate(error: BaseException) -> str:
    """PostgreSQL's code of an error; empty for other errors."""
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "")


def _unconnected(error: DBAPIError, code: str) -> bool:
    """Whether the connection to PostgreSQL failed; SQLite raises errors of the same class about its file."""
    return isinstance(error, OperationalError) and not code and type(error.orig).__module__.startswith("psycopg")


def translated(error: DBAPIError, deadline: float) -> CallsheetError:
    """Callsheet's error for an error of the database. Its message does not contain the statement's values."""
    reason = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
    code = sqlstate(error)
    # If a comparison is interrupted (`likeness`), SQLite reports an exception in a function.
    if code == "57014" or reason in ("interrupted", "user-defined function raised exception"):
        return Invalid(f"query takes too long (more than {deadline:g} s); ask for less or narrow the condition")
    if reason == "integer overflow" or code == "22003":
        return Invalid("a number in the query's answer is larger than 64 bits")
    if reason == "parser stack overflow":
        return Invalid("the query is nested too deep for the database; ask for less, or in several queries")
    if isinstance(error, IntegrityError | DataError) or code.startswith(_ABOUT_DATA):
        return Invalid(f"the database refused the values: {reason}")
    if code in ("42P01", "42703") or reason.startswith(("no such table: ", "no such column")):
        return Unavailable("a table was changed or dropped meanwhile; try again after `session.reload_schema()`")
    if code in ("40001", "40P01", "55P03") or "database is locked" in reason:
        return Unavailable(f"the database is busy ({reason}); try again")
    if error.connection_invalidated or code.startswith(("08", "57P")) or _unconnected(error, code):
        return Unavailable(f"the database cannot be reached: {reason}")
    return StorageError(f"the database refused: {reason}")
