"""A connection to an external database: read only, a bounded number at a time, each statement limited in time.

What the database itself can forbid it forbids: transactions are read only, files are opened for reading, DuckDB's
doors are closed. A question that finds all connections in use waits a while for its turn.
"""

from __future__ import annotations

import math
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from time import monotonic
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.pool import QueuePool

from callsheet.errors import CallsheetError, Closed, Invalid, StorageError, Unavailable
from callsheet.server.deadline import Deadline, check_deadline, current_deadline
from callsheet.server.external.addresses import ExternalAddress
from callsheet.server.external.columns import SQLITE_FUNCTIONS
from callsheet.server.store.engine import limited
from callsheet.server.store.likeness import Clocked

__all__ = ["ExternalDatabase"]

CONNECTIONS = 4
"""Questions that a database answers at the same time for this server."""
PATIENCE = 10.0
"""How many seconds a question waits for its turn."""
ANSWER = 5
"""How many seconds a server has to accept a connection."""


class ExternalDatabase:
    """A database that is not the server's own; ``name`` is what messages call it."""

    def __init__(self, name: str, address: ExternalAddress, deadline: float) -> None:
        self.name, self.address, self.deadline = name, address, deadline
        self.engine_name = address.engine
        self._closed = False
        self._engine = _OPENERS[address.engine](address, deadline)

    def __repr__(self) -> str:
        return f"<ExternalDatabase {self.name!r}: {self.address.stated}>"

    @contextmanager
    def reading(self, seconds: float | None = None) -> Iterator[Connection]:
        """A connection in a read-only transaction, which sees one state where the database can do that."""
        check_deadline()
        if self._closed:
            raise Closed(f"the external database `{self.name}` is closed")
        most = min(seconds or self.deadline, self.deadline)
        with self._errors(), self._engine.connect() as connection, self._limited(connection, most):
            yield connection

    def close(self) -> None:
        self._closed = True
        self._engine.dispose()

    @contextmanager
    def _limited(self, connection: Connection, seconds: float) -> Iterator[None]:
        """A block whose statements end in time, or when the client of the request has disconnected."""
        deadline, driver = current_deadline(), connection.connection.driver_connection
        if self.engine_name == "sqlite":
            with limited(connection, seconds):
                yield
            return
        cancel: Callable[[], object] | None = getattr(driver, "interrupt", None) or getattr(driver, "cancel", None)
        own = deadline or Deadline("", seconds)
        with nullcontext() if cancel is None else own.cancelling(cancel):
            timer = threading.Timer(max(0.0, min(seconds, own.until - monotonic())), own.interrupt)
            timer.daemon = True
            if self.engine_name == "duckdb":
                timer.start()
            try:
                yield
            finally:
                timer.cancel()
        if own.gone:
            connection.invalidate()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except NoConnection:
            raise Unavailable(f"`{self.name}` is answering too many questions; try again") from None
        except DBAPIError as error:
            check_deadline()
            raise self._translated(error) from error
        except (UnicodeError, OverflowError) as error:
            raise Invalid(f"`{self.name}` holds a value that cannot be read: {type(error).__name__}") from None
        except SQLAlchemyError as error:
            raise StorageError(f"`{self.name}` cannot be asked: {type(error).__name__}") from None

    def _translated(self, error: DBAPIError) -> CallsheetError:
        """Callsheet's error; its message has no values, no address and no password."""
        code, reason = _code(error), _reason(error)
        if code in _TOO_LONG or reason.startswith(_INTERRUPTED):
            return Invalid(
                f"`{self.name}` takes too long (more than {self.deadline:g} s); ask for less or narrow the condition"
            )
        if code in _CHANGED or reason.startswith(_CHANGED_TEXTS):
            return Invalid(
                f"`{self.name}` no longer has what was described of it ({code or type(error.orig).__name__}): a table "
                "or a column was changed or taken away; add the table again"
            )
        if code in _REFUSED:
            return Unavailable(f"`{self.name}` lets the server's account not read this; its administrator grants it")
        if code in _TOO_LARGE or "out of range" in reason.lower() or reason == "integer overflow":
            return Invalid(f"a number in the answer of `{self.name}` is larger than 64 bits")
        if _about_connection(error, code):
            return Unavailable(f"the external database `{self.name}` cannot be reached; try again later")
        if code.startswith(("22", "54")) or type(error.orig).__name__ in ("DataError", "ConversionException"):
            return Invalid(f"`{self.name}` holds or was asked for a value that it cannot work with ({code or 'data'})")
        return StorageError(f"`{self.name}` refused the question ({code or type(error.orig).__name__})")


_TOO_LONG = {"57014", "1969", "3024", "1317"}
_INTERRUPTED = ("interrupted", "INTERRUPT Error", "user-defined function raised")
_CHANGED = {"42P01", "42703", "1146", "1054", "42883", "42804"}
_CHANGED_TEXTS = ("no such table", "no such column", "Catalog Error", "Binder Error")
_REFUSED = {"42501", "1142", "1143", "1044"}
_TOO_LARGE = {"22003", "1690"}
_UNREACHED = {"1040", "1045", "1049", "1203", "2002", "2003", "2006", "2013", "2055", "1927"}


def _code(error: DBAPIError) -> str:
    """The code of PostgreSQL or MariaDB; empty for other databases."""
    arguments = getattr(error.orig, "args", ())
    if arguments and isinstance(arguments[0], int):
        return str(arguments[0])
    return str(getattr(error.orig, "sqlstate", None) or "")


def _reason(error: DBAPIError) -> str:
    return str(error.orig).strip()


def _about_connection(error: DBAPIError, code: str) -> bool:
    if error.connection_invalidated or code.startswith(("08", "57P", "28", "53")) or code in _UNREACHED:
        return True
    module = type(error.orig).__module__
    if module.startswith("psycopg"):
        return not code and type(error.orig).__name__ == "OperationalError"
    return "unable to open database file" in _reason(error) or "IOException" in type(error.orig).__name__


# How each kind is opened


def _pooled(url: Any, **options: Any) -> Engine:
    return create_engine(
        url, hide_parameters=True, pool_size=CONNECTIONS, max_overflow=0, pool_timeout=PATIENCE, **options
    )


def _postgresql(address: ExternalAddress, deadline: float) -> Engine:
    options = (
        f"-c timezone=UTC -c statement_timeout={int(deadline * 1000)} -c default_transaction_read_only=on "
        "-c idle_in_transaction_session_timeout=60s -c client_encoding=UTF8 -c DateStyle=ISO"
    )
    engine = _pooled(
        address.parts.set(drivername="postgresql+psycopg"),
        connect_args={"options": options, "connect_timeout": ANSWER},
        pool_pre_ping=True,
    )
    return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def _mariadb(address: ExternalAddress, deadline: float) -> Engine:
    from callsheet.server.external.mariadb import COLLATION, SETTINGS

    waits = {"connect_timeout": ANSWER, "read_timeout": math.ceil(deadline) + ANSWER}
    first = f"{SETTINGS}, SESSION max_statement_time = {deadline:.3f}"
    engine = _pooled(
        address.parts.set(drivername="mariadb+callsheet"),
        connect_args={**waits, "charset": "utf8mb4", "collation": COLLATION, "init_command": first},
        pool_pre_ping=True,
    )
    return engine.execution_options(isolation_level="REPEATABLE READ")


def _file_of(address: ExternalAddress) -> str:
    path = os.path.abspath(address.parts.database or "")
    if not os.path.isfile(path):
        raise StorageError(f"there is no file {path}")
    return path


def _sqlite(address: ExternalAddress, deadline: float) -> Engine:
    path = _file_of(address)

    def connect() -> sqlite3.Connection:
        name = path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")
        connection = sqlite3.connect(
            f"file:{name}?mode=ro", uri=True, check_same_thread=False, isolation_level=None, factory=Clocked
        )
        connection.text_factory = lambda raw: raw.decode("utf-8", "replace")
        for name, function in SQLITE_FUNCTIONS.items():
            connection.create_function(name, 1, function, deterministic=True)
        connection.execute("PRAGMA query_only=ON")
        connection.execute("PRAGMA trusted_schema=OFF")
        return connection

    engine = _pooled("sqlite://", creator=connect, poolclass=QueuePool)

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def _duckdb(address: ExternalAddress, deadline: float) -> Engine:
    import duckdb

    from callsheet.server.mirror.engine import mirror_engine

    try:
        root = duckdb.connect(_file_of(address), read_only=True)
    except duckdb.Error as error:
        raise StorageError(f"cannot open the file: {type(error).__name__}") from None
    for name, value in _CLOSED.items():
        root.execute(f"SET {name} = '{value}'")
    engine = mirror_engine(root.cursor, CONNECTIONS)

    @event.listens_for(engine, "engine_disposed")
    def close(_: Engine) -> None:
        root.close()

    return engine


_CLOSED = {
    "TimeZone": "UTC",
    "memory_limit": "400MB",
    "threads": 2,
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "enable_external_access": False,
    "lock_configuration": True,
}
_OPENERS: dict[str, Callable[[ExternalAddress, float], Engine]] = {
    "postgresql": _postgresql,
    "mariadb": _mariadb,
    "sqlite": _sqlite,
    "duckdb": _duckdb,
}
