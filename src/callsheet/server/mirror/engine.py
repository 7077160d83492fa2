"""DuckDB as a database of SQLAlchemy: PostgreSQL's language, DuckDB's driver.

DuckDB speaks PostgreSQL's SQL, so its statements are compiled by PostgreSQL's compiler. All names are quoted, because
DuckDB reserves other words. Values travel as parameters, as to SQLite, so that no text of a request is in a statement.

A DuckDB connection is one transaction, and its ``cursor()`` is another connection. SQLAlchemy expects cursors to share
their connection's transaction; `_Driver` and `_Cursor` provide that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any

import duckdb
from sqlalchemy import Engine, Table, create_engine, pool
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.base import PGCompiler, PGDialect, PGIdentifierPreparer
from sqlalchemy.sql import operators
from sqlalchemy.sql.expression import ColumnClause, CompoundSelect, Select
from sqlalchemy.sql.selectable import AliasedReturnsRows, SelectStatementGrouping

from callsheet.server.mirror.keys import UuidColumns, key_root

__all__ = ["DuckDialect", "mirror_engine"]

PATIENCE = 10.0
"""How many seconds a question waits for its turn."""


_ALIKE = (operators.eq, operators.ne, operators.is_distinct_from, operators.is_not_distinct_from)


class _Compiler(PGCompiler):
    """DuckDB divides integers with ``//``, and columns that are UUIDs in the mirror are texts in a statement."""

    dialect: DuckDialect

    def visit_column(self, column: Any, *positional: Any, **options: Any) -> str:
        as_it_is = options.pop("as_it_is", False)
        text: str = super().visit_column(column, *positional, **options)
        return text if as_it_is or not self._is_uuid(column) else f"CAST({text} AS VARCHAR)"

    def visit_binary(self, binary: Any, *positional: Any, **options: Any) -> str:
        if binary.operator in _ALIKE and self._is_uuid(binary.left) and self._is_uuid(binary.right):
            options["as_it_is"] = True
        text: str = super().visit_binary(binary, *positional, **options)  # type: ignore[no-untyped-call]
        return text

    def _label_select_column(
        self,
        select: Any,
        column: Any,
        populate_result_map: Any,
        asfrom: Any,
        column_clause_args: Any,
        *positional: Any,
        **options: Any,
    ) -> str:
        if asfrom and not populate_result_map and self._is_uuid(column):
            # A subquery gives the column as it is, so that what is around it can compare it as it is.
            column_clause_args = {**column_clause_args, "as_it_is": True}
        text: str = super()._label_select_column(  # type: ignore[no-untyped-call]
            select, column, populate_result_map, asfrom, column_clause_args, *positional, **options
        )
        return text

    def _is_uuid(self, column: Any) -> bool:
        """Whether it is a column of a table that has UUIDs, or of a subquery that gives it as it is."""
        if not isinstance(column, ColumnClause) or column.is_literal:
            return False
        table: Any = column.table
        while isinstance(table, AliasedReturnsRows):
            table = table.element
        if isinstance(table, SelectStatementGrouping):
            table = table.element
        if isinstance(table, Table):
            return key_root(self.dialect.uuid_columns, table.c[column.key]) is not None
        if isinstance(table, CompoundSelect):
            place = list(table.selected_columns.keys()).index(column.key)
            return all(self._is_uuid(list(each.selected_columns)[place]) for each in table.selects)
        return isinstance(table, Select) and self._is_uuid(table.selected_columns.get(column.key))

    def visit_floordiv_binary(self, binary: Any, operator: Any, **options: Any) -> str:
        return f"{self.process(binary.left, **options)} // {self.process(binary.right, **options)}"


class _QuotingPreparer(PGIdentifierPreparer):
    """Quotes every name."""

    def _requires_quotes(self, value: str) -> bool:
        return True


class _Cursor:
    """A cursor in its connection's transaction."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._rows = False

    @property
    def description(self) -> Any:
        return self._connection.description if self._rows else None

    @property
    def rowcount(self) -> int:
        return -1

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> None:
        self._connection.execute(statement, list(parameters))
        self._rows = True

    def executemany(self, statement: str, parameters: Sequence[Sequence[Any]]) -> None:
        for each in parameters:
            self._connection.execute(statement, list(each))
        self._rows = False

    def fetchone(self) -> Any:
        return self._connection.fetchone()

    def fetchmany(self, size: int = 1) -> Any:
        return self._connection.fetchmany(size)

    def fetchall(self) -> Any:
        return self._connection.fetchall()

    def close(self) -> None:
        """The connection stays open."""
        self._rows = False


class _Driver:
    """A connection of the driver, as SQLAlchemy uses it."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.raw = connection
        self.notices: list[str] = []

    def cursor(self) -> _Cursor:
        return _Cursor(self.raw)

    def begin(self) -> None:
        self.raw.begin()

    def commit(self) -> None:
        # There is nothing to end if no statement began a transaction.
        with suppress(duckdb.TransactionException):
            self.raw.commit()

    def rollback(self) -> None:
        with suppress(duckdb.TransactionException):
            self.raw.rollback()

    def interrupt(self) -> None:
        """Stop the running statement, from another thread."""
        self.raw.interrupt()

    def close(self) -> None:
        self.raw.close()


class DuckDialect(PGDialect):
    """PostgreSQL's language for DuckDB."""

    name = "duckdb"
    driver = "duckdb"
    uuid_columns: UuidColumns = MappingProxyType({})
    default_paramstyle = "qmark"
    statement_compiler = _Compiler
    preparer = _QuotingPreparer
    supports_statement_cache = True
    supports_server_side_cursors = False
    supports_sane_rowcount = False
    use_insertmanyvalues = False
    implicit_returning = False

    @classmethod
    def import_dbapi(cls) -> Any:
        return duckdb

    def initialize(self, connection: Any) -> None:
        """There is nothing to find out: the version is known, and there is one default schema."""
        self.default_schema_name = "main"
        self.server_version_info = (16,)

    def do_begin(self, dbapi_connection: Any) -> None:
        dbapi_connection.begin()

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        return False


registry.register("duckdb", __name__, "DuckDialect")


def mirror_engine(
    open_connection: Callable[[], duckdb.DuckDBPyConnection], size: int, uuids: UuidColumns = MappingProxyType({})
) -> Engine:
    """An engine whose connections are opened by a function, ``size`` at most; ``uuids`` are columns that have them."""
    engine = create_engine(
        "duckdb://",
        creator=lambda: _Driver(open_connection()),
        hide_parameters=True,
        paramstyle="qmark",
        poolclass=pool.QueuePool,
        pool_size=size,
        max_overflow=0,
        pool_timeout=PATIENCE,
    )
    assert isinstance(engine.dialect, DuckDialect)
    engine.dialect.uuid_columns = uuids
    return engine
