"""The three kinds of database that a store can use: memory, a SQLite file, PostgreSQL.

Each gives a reader one consistent state, and makes a write atomic.
"""

from __future__ import annotations

import math
import os
import random
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol, TypeVar

from filelock import FileLock
from filelock import Timeout as LockTimeout
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from callsheet.errors import Closed, Invalid, StorageError, Unavailable
from callsheet.private import FILE, make_file
from callsheet.server.deadline import check_deadline, current_deadline
from callsheet.server.store.engine import limited, memory_engine, postgres_engine, sqlite_engine, sqlstate, translated
from callsheet.server.store.writer import Writer

__all__ = ["Database", "FileDatabase", "MemoryDatabase", "PostgresDatabase", "locked"]

T = TypeVar("T")

ATTEMPTS = 8


class Database(Protocol):
    """What a store needs of its database."""

    engine_name: str
    deadline: float

    def reading(self, seconds: float | None = None) -> AbstractContextManager[Connection]:
        """A context with a `Connection` that sees one consistent state and cannot write.

        ``seconds`` is its time limit, where it is not ``deadline``; it may be infinite.
        """

    def write(self, function: Callable[[Connection], T]) -> T:
        """Call the function in a transaction; return when the transaction is on disk.

        On PostgreSQL the function may be called again, so it must have no effects outside the connection.
        """

    def setup(self, function: Callable[[Connection], None]) -> None:
        """Call the function in the first transaction."""

    def backup(self, path: Path) -> None:
        """Write a consistent copy to a new file."""

    def close(self) -> None:
        """Finish running writes, then release the database."""


@contextmanager
def _errors(deadline: float) -> Iterator[None]:
    """Translate errors of the database to Callsheet's."""
    try:
        yield
    except DBAPIError as error:
        # If the request was cancelled, this raises the reason.
        check_deadline()
        raise translated(error, deadline) from error
    except (OverflowError, UnicodeEncodeError) as error:
        # SQLite's driver raises these for invalid values: an error of the request, not of the server.
        raise Invalid(f"the database refused the values: {error}") from error


class MemoryDatabase:
    """One connection, which readers and writers use in turn; its database begins as a copy of a template."""

    engine_name = "sqlite"

    def __init__(self, template: sqlite3.Connection, deadline: float) -> None:
        self.deadline = deadline
        self._lock = threading.RLock()
        self._closed = False
        self._connection = memory_engine().connect()
        driver = self._connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        self._driver = driver
        template.backup(driver)
        # If the store is not closed, the connection is closed when it is collected, or at exit.
        weakref.finalize(self, self._connection.close)

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[Connection]:
        check_deadline()
        with self._lock, _errors(self.deadline):
            connection = self._open()
            if connection.in_transaction():
                yield connection
                return
            with connection.begin() as transaction, limited(connection, seconds or self.deadline):
                self._driver.execute("PRAGMA query_only=ON")
                try:
                    yield connection
                finally:
                    transaction.rollback()
                    self._driver.execute("PRAGMA query_only=OFF")

    def write(self, function: Callable[[Connection], T]) -> T:
        with self._lock, _errors(self.deadline):
            connection = self._open()
            with connection.begin():
                return function(connection)

    def setup(self, function: Callable[[Connection], None]) -> None:
        self.write(function)

    def backup(self, path: Path) -> None:
        with self._lock:
            self._open()
            _copy(self._driver, path)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._connection.close()

    def _open(self) -> Connection:
        if self._closed:
            raise Closed("the store is closed")
        return self._connection


class FileDatabase:
    """A SQLite file, locked by this process."""

    engine_name = "sqlite"

    def __init__(self, path: Path, deadline: float) -> None:
        self.path, self.deadline = path, deadline
        self._lock = locked(path)
        self._closed = False
        self._readers = sqlite_engine(path, "reader")
        self._writers = sqlite_engine(path, "writer")
        self._writer = Writer(self._writers)

    @property
    def commits(self) -> int:
        """How many transactions the writer has committed; one may contain several writes (see ``writer.py``)."""
        return self._writer.groups

    @property
    def waiting(self) -> int:
        """Approximately how many writes wait for their turn."""
        return self._writer.waiting

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[Connection]:
        check_deadline()
        if self._closed:
            raise Closed("the store is closed")
        most = seconds or self.deadline
        with _errors(self.deadline), self._readers.connect() as connection, limited(connection, most):
            yield connection

    def write(self, function: Callable[[Connection], T]) -> T:
        with _errors(self.deadline):
            return self._writer.run(function)

    def setup(self, function: Callable[[Connection], None]) -> None:
        with _errors(self.deadline), self._writers.begin() as connection:
            function(connection)

    def keep_up(self, function: Callable[[Connection], object]) -> None:
        """Call the function in a transaction of its own after each `CHANGES` changed rows or so."""
        self._writer.upkeep = function

    def backup(self, path: Path) -> None:
        with self.reading() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            _copy(driver, path)

    def close(self) -> None:
        self._closed = True
        self._writer.close()
        # The writer's connection is closed last, because the last one to close checkpoints the WAL.
        self._readers.dispose()
        self._writers.dispose()
        self._lock.release()


class PostgresDatabase:
    """A PostgreSQL database."""

    engine_name = "postgresql"

    def __init__(self, url: str, deadline: float) -> None:
        self.deadline = deadline
        self._closed = False
        self._engine = postgres_engine(url, deadline)
        self._snapshots = self._engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[Connection]:
        check_deadline()
        self._check_open()
        with _errors(self.deadline), self._snapshots.connect() as connection, _cancelled(connection):
            if seconds is not None:
                most = 0 if math.isinf(seconds) else int(seconds * 1_000)
                connection.exec_driver_sql(f"SET LOCAL statement_timeout = {most}")
            yield connection

    def write(self, function: Callable[[Connection], T]) -> T:
        self._check_open()
        with _errors(self.deadline):
            for attempt in range(ATTEMPTS):
                try:
                    with self._engine.begin() as connection:
                        return function(connection)
                except DBAPIError as error:
                    if not _again(error, attempt):
                        raise
                time.sleep(random.uniform(0, 0.005 * 2**attempt))
        raise AssertionError("the last attempt returns or raises")

    def setup(self, function: Callable[[Connection], None]) -> None:
        try:
            with _errors(self.deadline), self._engine.begin() as connection:
                function(connection)
        except Unavailable as error:
            raise StorageError(f"cannot open the database: {error}") from error

    def backup(self, path: Path) -> None:
        raise StorageError("a PostgreSQL database is backed up with PostgreSQL's own tools: pg_dump, or its archive")

    def close(self) -> None:
        self._closed = True
        self._engine.dispose()

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("the store is closed")


@contextmanager
def _cancelled(connection: Connection) -> Iterator[None]:
    """A block whose running statement is cancelled when the client of the request disconnects."""
    deadline, driver = current_deadline(), connection.connection.driver_connection
    if deadline is None or driver is None:
        yield
        return
    try:
        with deadline.cancelling(driver.cancel):
            yield
    finally:
        if deadline.gone:
            # A late cancellation must not hit the next user's statement on this connection.
            connection.invalidate()


def _again(error: DBAPIError, attempt: int) -> bool:
    """Whether to retry the transaction.

    A unique violation is retried twice: another commit came first, and on the next call the function reads it and
    raises its own error.
    """
    code = sqlstate(error)
    if code in ("40001", "40P01"):
        return attempt < ATTEMPTS - 1
    return code == "23505" and attempt < 2


def _copy(source: sqlite3.Connection, path: Path) -> None:
    """Copy a database; the file gets its name only when the whole copy is on disk."""
    if path.exists():
        raise StorageError(f"{path} exists already; a backup is a new file")
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)
        make_file(unfinished)
        target = sqlite3.connect(unfinished)
        try:
            # In one step, so that the copy is consistent; in WAL mode writers do not wait for it.
            source.backup(target)
        finally:
            target.close()
        with unfinished.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    except (sqlite3.Error, OSError) as error:
        unfinished.unlink(missing_ok=True)
        raise StorageError(f"cannot write the backup {path}: {error}") from error


def locked(path: Path) -> FileLock:
    """The file's lock, held."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise StorageError(f"cannot open {path}: there is no folder {folder}")
    lock = FileLock(f"{path}.lock", mode=FILE, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except LockTimeout:
        raise StorageError(f"{path} is in use by another process; start `callsheet serve` and connect to it") from None
    except OSError as error:
        raise StorageError(f"cannot lock {path}: {error}") from None
    return lock
