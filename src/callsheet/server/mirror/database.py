"""The mirror's database: a DuckDB file (or memory) of this process alone, closed to the world outside.

DuckDB can read and write files and load code. Its doors are closed before the first question, and cannot be opened
again: no access to files, a limit of memory, no change of settings.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

import duckdb
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnection

from callsheet.errors import CallsheetError, Closed, Invalid, StorageError, TooLarge, Unavailable
from callsheet.server.deadline import Deadline, check_deadline, current_deadline
from callsheet.server.limits import Limits
from callsheet.server.mirror.engine import mirror_engine
from callsheet.server.mirror.keys import UuidColumns

__all__ = ["LOCKED", "MirrorDatabase"]

T = TypeVar("T")

LOCKED = "Could not set lock on file"
"""What DuckDB says of a file that another process has open."""


class MirrorDatabase:
    """A DuckDB database: one writer, and a bounded number of readers, each with a consistent state."""

    engine_name = "duckdb"

    def __init__(self, path: Path | None, deadline: float, limits: Limits | None = None) -> None:
        self.path, self.deadline = path, deadline
        limits = limits or Limits()
        self._closed = False
        self._lock = threading.Lock()
        try:
            self._root = duckdb.connect(str(path) if path else ":memory:")
        except duckdb.Error as error:
            raise StorageError(f"cannot open the mirror {path}: {error}") from error
        settings = {
            "TimeZone": "UTC",
            "memory_limit": f"{limits.analytics_bytes // 2**20}MiB",
            "threads": limits.analytics_threads,
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "enable_external_access": False,
            "lock_configuration": True,
        }
        for name, value in settings.items():
            self._root.execute(f"SET {name} = '{value}'")
        self._questions = limits.analytics_questions
        self._made = [self]
        self._connect({})

    def _connect(self, uuids: UuidColumns) -> None:
        self.uuids = uuids
        self._readers = mirror_engine(self._root.cursor, self._questions, uuids)
        self._writers = mirror_engine(self._root.cursor, 1, uuids)

    def keyed(self, uuids: UuidColumns) -> MirrorDatabase:
        """The same database, for tables in which these columns are UUIDs."""
        found = copy(self)
        found._connect(uuids)
        self._made.append(found)
        return found

    def retire(self) -> None:
        """Close idle connections: questions are asked by another object of the same database from now on."""
        self._readers.dispose()
        self._writers.dispose()

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[Connection]:
        check_deadline()
        self._check_open()
        with self._errors(), self._readers.connect() as connection, self._limited(connection, seconds or self.deadline):
            yield connection

    def write(self, function: Callable[[Connection], T]) -> T:
        self._check_open()
        with self._lock, self._errors(), self._writers.begin() as connection:
            return function(connection)

    def setup(self, function: Callable[[Connection], None]) -> None:
        self.write(function)

    def backup(self, path: Path) -> None:
        raise StorageError("a mirror has nothing of its own to back up: it is made again from its database")

    def close(self) -> None:
        for each in self._made:
            each._closed = True
            each.retire()
        self._root.close()

    def _check_open(self) -> None:
        if self._closed:
            raise Closed("the mirror is closed")

    @contextmanager
    def _limited(self, connection: Connection, seconds: float) -> Iterator[None]:
        """A block whose statement is interrupted at the deadline, or when its client disconnects."""
        driver: Any = connection.connection.driver_connection
        deadline = current_deadline() or Deadline("", seconds)
        timer = threading.Timer(max(0.0, min(seconds, deadline.until - monotonic())), deadline.interrupt)
        timer.daemon = True
        timer.start()
        try:
            # It is never interrupted after the block, when the connection may serve another question.
            with deadline.cancelling(driver.interrupt):
                yield
        finally:
            timer.cancel()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except NoConnection:
            raise Unavailable("too many questions are being answered; try again") from None
        except DBAPIError as error:
            check_deadline()
            raise self._translated(error.orig) from error
        except duckdb.Error as error:
            # Rows are inserted by the driver itself.
            raise self._translated(error) from error

    def _translated(self, cause: BaseException | None) -> CallsheetError:
        """Callsheet's error for an error of DuckDB. Its message does not contain the statement's values."""
        reason = str(cause).strip().splitlines()[0] if str(cause).strip() else type(cause).__name__
        if isinstance(cause, duckdb.InterruptException):
            return Invalid(
                f"query takes too long (more than {self.deadline:g} s); ask for less or narrow the condition"
            )
        if isinstance(cause, duckdb.OutOfMemoryException):
            return TooLarge("the query needs more memory than the mirror has; group by fewer levels or narrow it")
        if isinstance(cause, duckdb.ConversionException | duckdb.OutOfRangeException):
            return Invalid("a number in the query's answer is larger than 64 bits")
        return StorageError(f"the mirror refused: {reason}")
