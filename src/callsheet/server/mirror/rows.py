"""All rows of a store's tables, as streams of Arrow data, of one moment: what a mirror is made of.

Small tables are read by the connection that the feed has anyway (`StoreRows`). Large ones are read by ADBC drivers,
which make Arrow data without a Python object for each value: SQLite's in a process of its own (`SqliteRows`, see
``sqlite_reader.py``), PostgreSQL's in the same snapshot as the feed's connection (`PostgresRows`). All three give the
same columns: texts, integers and floats.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import nanoarrow
from nanoarrow import ipc
from sqlalchemy import Column, ColumnElement, Connection, Table, Text, cast, func, literal_column, select, type_coerce
from sqlalchemy import Select as Statement
from sqlalchemy.types import NullType

from callsheet.errors import StorageError
from callsheet.server.mirror import sqlite_reader
from callsheet.server.mirror.batches import Kind, batch_of
from callsheet.server.store.columns import INTEGER, NUMBER, Truth
from callsheet.server.store.database import FileDatabase
from callsheet.server.store.store import Store

__all__ = ["LARGE", "MARK", "PostgresRows", "RowSource", "SqliteRows", "StoreRows", "kind_of", "opened_rows", "plain"]

LARGE = 50_000
"""From this many rows on, a driver reads them."""
BATCH = 20_000
"""Rows in one batch that is made here."""
MARK = "_row"
"""A column that is 1 in rows, and 0 in one that only says of which types the columns are."""

_log = logging.getLogger("callsheet.server")


class RowSource(Protocol):
    """Where rows are read from. ``marked``: streams have the column `MARK`, and one row that is none."""

    marked: bool

    def streams(self, table: Table) -> Iterator[nanoarrow.ArrayStream]:
        """All rows of a table; tables are read in the order in which they were named."""

    def head(self) -> tuple[int, str] | None:
        """The last commit of the moment of the rows; None if it is that of the feed's connection."""


class StoreRows:
    """Rows that the feed's own connection reads."""

    marked = False

    def __init__(self, source: Connection) -> None:
        self._source = source

    def head(self) -> None:
        return None

    def streams(self, table: Table) -> Iterator[nanoarrow.ArrayStream]:
        yield from self.found(table, plain(self._source, table))

    def found(self, table: Table, statement: Statement[Any]) -> Iterator[nanoarrow.ArrayStream]:
        """The rows of a statement with all columns of the table."""
        names = [column.name for column in table.columns]
        kinds = [kind_of(column, self._source.dialect.name == "sqlite") for column in table.columns]
        for batch in _batches(self._source, statement):
            yield batch_of(names, kinds, batch)


class SqliteRows:
    """Rows of a SQLite file, read by a process of its own; a context manager that ends it.

    Its moment may be later than that of the feed's connection: `head` says which. Raises `StorageError` if the process
    fails.
    """

    marked = True

    def __init__(self, store: Store, source: Connection, tables: Iterable[Table], path: Path) -> None:
        self._path = path
        self._asked = [_last_commit(store), *(_marked(source, table) for table in tables)]
        self._process: subprocess.Popen[bytes] | None = None
        self._head = (0, "")

    def __enter__(self) -> SqliteRows:
        self._process = subprocess.Popen(
            [sys.executable, "-P", sqlite_reader.__file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        try:
            self._ask(self._process)
            position, user, commit = self._stream().read_all().to_pylist()[-1].values()
        except BaseException:
            self.__exit__()
            raise
        self._head = position, f"{user}:{commit}" if position else ""
        return self

    def __exit__(self, *_: object) -> None:
        process = self._process
        if process is not None:
            _ended(process)

    def head(self) -> tuple[int, str]:
        return self._head

    def streams(self, table: Table) -> Iterator[nanoarrow.ArrayStream]:
        yield self._stream()

    def _ask(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        address = f"file:{quote(str(self._path.absolute()))}?mode=ro"
        try:
            process.stdin.write(json.dumps({"path": address, "statements": self._asked}).encode() + b"\n")
            process.stdin.close()
        except BrokenPipeError:
            pass  # The process has ended; the first stream says why.

    def _stream(self) -> nanoarrow.ArrayStream:
        """The next stream of the process."""
        process = self._process
        assert process is not None, "it is read inside its block"
        assert process.stdout is not None
        try:
            return nanoarrow.ArrayStream(nanoarrow.c_array_stream(ipc.InputStream.from_readable(process.stdout)))
        except RuntimeError:
            raise StorageError(f"the process that reads {self._path} ended: {_ended(process)}") from None


def _ended(process: subprocess.Popen[bytes]) -> str:
    """End the process; returns the last line that it wrote of its errors, or its exit code."""
    process.kill()
    story = b""
    if process.stderr is not None and not process.stderr.closed:
        story = process.stderr.read()
        process.stderr.close()
    code = process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with suppress(OSError):
                stream.close()
    return next(reversed(story.decode("utf-8", "replace").strip().splitlines()), f"exit code {code}")


class PostgresRows:
    """Rows of a PostgreSQL database, read by ADBC in the snapshot of the feed's connection."""

    marked = False

    def __init__(self, source: Connection) -> None:
        self._source = source
        self._connection: Any = None

    def __enter__(self) -> PostgresRows:
        from adbc_driver_postgresql import dbapi
        from psycopg.conninfo import make_conninfo

        source = self._source
        # The connection is idle in its transaction while the driver reads.
        source.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
        snapshot = source.exec_driver_sql("SELECT pg_export_snapshot()").scalar_one()
        driver: Any = source.connection.driver_connection
        info = driver.info
        address = make_conninfo(**{**info.get_parameters(), "password": info.password or None})
        self._connection = dbapi.connect(address, autocommit=True)
        for text in (
            "SET statement_timeout = 0",
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            f"SET TRANSACTION SNAPSHOT '{snapshot}'",
        ):
            with self._connection.cursor() as cursor:
                cursor.execute(text)
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            self._connection.close()

    def head(self) -> None:
        return None

    def streams(self, table: Table) -> Iterator[nanoarrow.ArrayStream]:
        with self._connection.cursor() as cursor:
            cursor.execute(_text(self._source, plain(self._source, table)))
            yield nanoarrow.ArrayStream(nanoarrow.c_array_stream(cursor.fetch_arrow()))


@contextmanager
def opened_rows(store: Store, source: Connection, tables: Sequence[Table]) -> Iterator[RowSource]:
    """The rows of some tables: by a driver if they are many and it is there, else by the feed's connection."""
    with ExitStack() as stack:
        rows: RowSource = StoreRows(source)
        opening = _driver_rows(store, source, tables) if _are_many(source, tables) else None
        if opening is not None:
            try:
                rows = stack.enter_context(opening())
            except Exception as error:
                _log.warning("many rows are copied slowly, because the driver failed: %s", error)
        yield rows


def _driver_rows(
    store: Store, source: Connection, tables: Sequence[Table]
) -> Callable[[], AbstractContextManager[RowSource]] | None:
    database, name = store.database, f"adbc_driver_{store.engine_name}"
    if any(find_spec(each) is None for each in (name, "adbc_driver_manager")):
        _log.warning("many rows are copied slowly, because %s is not installed", name.replace("_", "-"))
        return None
    if isinstance(database, FileDatabase):
        path = database.path
        return partial(SqliteRows, store, source, tables, path)
    return partial(PostgresRows, source) if store.engine_name == "postgresql" else None


def _are_many(source: Connection, tables: Iterable[Table]) -> bool:
    left = LARGE
    for table in tables:
        some = select(literal_column("1")).select_from(table).limit(left + 1).subquery()
        left -= source.execute(select(func.count()).select_from(some)).scalar_one()
        if left < 0:
            return True
    return False


def plain(source: Connection, table: Table) -> Statement[Any]:
    """The columns of a table as texts, integers and floats."""
    raw = source.dialect.name == "sqlite"
    return select(*(_plain(column, raw) for column in table.columns))


def kind_of(column: Column[Any], raw: bool) -> Kind:
    """As what a column travels; ``raw`` in SQLite's own representation."""
    if column.type is INTEGER or (raw and isinstance(column.type, Truth)):
        return "integer"
    return "number" if column.type is NUMBER else "text"


def _plain(column: Column[Any], raw: bool) -> ColumnElement[Any]:
    if raw:
        return type_coerce(column, NullType())
    return column if kind_of(column, raw) != "text" else cast(column, Text())


def _last_commit(store: Store) -> str:
    """A statement of SQLite whose last row is the last commit; the first one is before all commits."""
    log = store.table("_log").name
    last = f"SELECT position, user_name, commit_id FROM {log} ORDER BY position DESC LIMIT 1"
    return f"SELECT 0 AS position, '' AS user_name, '' AS commit_id UNION ALL SELECT * FROM ({last})"


_FIRST = {"text": "''", "integer": "0", "number": "0.0"}


def _marked(source: Connection, table: Table) -> str:
    """A statement of SQLite whose first row has the types of the columns."""
    name = source.dialect.identifier_preparer.quote
    first = ", ".join(f"{_FIRST[kind_of(column, True)]} AS {name(column.name)}" for column in table.columns)
    columns = ", ".join(name(column.name) for column in table.columns)
    return f"SELECT 0 AS {MARK}, {first} UNION ALL SELECT 1, {columns} FROM {name(table.name)}"


def _text(source: Connection, statement: Statement[Any]) -> str:
    return str(statement.compile(dialect=source.dialect, compile_kwargs={"literal_binds": True}))


def _batches(source: Connection, rows: Any) -> Iterator[Sequence[Any]]:
    result = source.execution_options(stream_results=True, max_row_buffer=BATCH).execute(rows)
    while found := result.fetchmany(BATCH):
        yield found
