"""Statements are built once for a database and then only run, because building one costs more than running it.

SQLAlchemy compiles the text of a statement and provides the processors of its parameters and columns. Both are kept, so
that a small commit, which runs a handful of statements with one row each, costs little more than the database itself.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from attrs import frozen
from sqlalchemy import ColumnElement, Connection, Dialect, Table, bindparam, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import Select

from callsheet.bounded import BoundedDict

__all__ = ["PLACES", "Inserting", "Prepared", "PreparedStatements", "places", "sent"]

KEPT = 512
PLACES = 64
"""The most keys in a prepared IN list. Longer lists are rare, and their own cost is high."""

Statement = Select[Any] | UpdateBase
Row = dict[str, Any]


class Prepared:
    """The text of one statement, with the processors of its parameters and columns."""

    def __init__(self, statement: Statement, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.text = str(compiled)
        self._fixed = {name: bind.value for name, bind in compiled.binds.items() if not bind.required}
        types = {name: bind.type.dialect_impl(dialect) for name, bind in compiled.binds.items()}
        writers = {name: kind.bind_processor(dialect) for name, kind in types.items()}
        self._writers = {name: write for name, write in writers.items() if write is not None}
        self._order: Sequence[str] | None = compiled.positiontup if compiled.positional else None
        columns = statement.selected_columns if isinstance(statement, Select) else statement.exported_columns
        self._dialect = dialect
        self._types = [column.type.dialect_impl(dialect) for column in columns]
        self._readers: list[tuple[int, Callable[[Any], Any]]] | None = None

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> list[Sequence[Any]]:
        """The rows that the statement returns."""
        with sent(connection, self.text, self._bound(values)) as cursor:
            found: list[Sequence[Any]] = cursor.fetchall()
            if self._readers is None:
                self._readers = self._reading(cursor.description)
        readers = self._readers
        return [_read(row, readers) for row in found] if readers else found

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run it for each row of parameters; returns how many rows changed (-1 if the driver does not report it)."""
        with sent(connection, self.text, *map(self._bound, rows)) as cursor:
            done: int = cursor.rowcount
        return done if len(rows) == 1 or connection.dialect.supports_sane_multi_rowcount else -1

    def _bound(self, values: Mapping[str, Any]) -> Any:
        bound = {**self._fixed, **values}
        for name, write in self._writers.items():
            bound[name] = write(bound[name])
        return bound if self._order is None else tuple([bound[name] for name in self._order])

    def _reading(self, description: Sequence[Sequence[Any]]) -> list[tuple[int, Callable[[Any], Any]]]:
        """The processors of columns that need one, by index; they depend on the first result's description."""
        readers = [
            kind.result_processor(self._dialect, column[1])
            for kind, column in zip(self._types, description, strict=True)
        ]
        return [(place, read) for place, read in enumerate(readers) if read is not None]


def _read(row: Sequence[Any], readers: Sequence[tuple[int, Callable[[Any], Any]]]) -> Sequence[Any]:
    values = list(row)
    for place, read in readers:
        if values[place] is not None:
            values[place] = read(values[place])
    return values


@frozen
class Inserting:
    """New rows of one table go to the driver without SQLAlchemy's work per row.

    ``writers`` are the bind processors of its columns, ``shaped`` orders a row.
    """

    text: str
    writers: dict[str, Callable[[Any], Any]]
    shaped: Callable[[Row], Any]

    @staticmethod
    def of(table: Table, names: tuple[str, ...], dialect: Dialect) -> Inserting:
        """The statement for a table and a choice of its columns."""
        compiled: Any = insert(table).compile(dialect=dialect, column_keys=list(names))
        writers = {name: table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names}
        shaped: Callable[[Row], Any] = itemgetter(*compiled.positiontup) if compiled.positional else _whole
        return Inserting(str(compiled), {name: write for name, write in writers.items() if write is not None}, shaped)

    def run(self, connection: Connection, rows: list[Row]) -> None:
        """Insert the rows; each must have all columns."""
        for name, write in self.writers.items():
            for row in rows:
                row[name] = write(row[name])
        with sent(connection, self.text, *[self.shaped(row) for row in rows]):
            pass


def _whole(row: Row) -> Row:
    return row


class PreparedStatements:
    """The prepared statements of one database by name."""

    def __init__(self) -> None:
        self._known: BoundedDict[Hashable, Prepared] = BoundedDict(KEPT)
        self._inserting: BoundedDict[tuple[str, tuple[str, ...]], Inserting] = BoundedDict(KEPT)

    def get(self, name: Hashable, connection: Connection, build: Callable[[], Statement]) -> Prepared:
        """The statement of this name; ``build`` is called the first time."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = Prepared(build(), connection.dialect)
        return found

    def inserting(self, table: Table, names: tuple[str, ...], connection: Connection) -> Inserting:
        """The insert statement for these columns of a table."""
        found = self._inserting.get((table.name, names))
        if found is None:
            found = self._inserting[table.name, names] = Inserting.of(table, names, connection.dialect)
        return found

    def by_keys(
        self,
        name: Hashable,
        connection: Connection,
        build: Callable[[], Select[Any]],
        column: ColumnElement[Any],
        keys: Sequence[Any],
        values: Mapping[str, Any] | None = None,
    ) -> Sequence[Sequence[Any]]:
        """The statement's rows in which the column has one of the keys; ``values`` are its other parameters."""
        if len(keys) > PLACES:
            return connection.execute(build().where(column.in_(keys)), dict(values or {})).all()
        size = places(len(keys))
        prepared = self.get((name, size), connection, lambda: build().where(_listed(column, size)))
        return prepared.rows(connection, {**(values or {}), **_padded(keys)})


class sent:
    """The driver's cursor after running a statement once for each of the parameters, in the open transaction.

    Errors of the driver are raised as SQLAlchemy's.
    """

    __slots__ = ("_connection", "_cursor", "_parameters", "_text")

    def __init__(self, connection: Connection, text: str, *parameters: Any) -> None:
        self._connection, self._text, self._parameters = connection, text, parameters
        self._cursor: Any = connection.connection.cursor()

    def __enter__(self) -> Any:
        try:
            if len(self._parameters) == 1:
                self._cursor.execute(self._text, self._parameters[0])
            else:
                self._cursor.executemany(self._text, self._parameters)
        except BaseException as error:
            self.__exit__(type(error), error)
            raise
        return self._cursor

    def __exit__(self, _: object, error: BaseException | None, *__: object) -> None:
        self._cursor.close()
        if error is not None and isinstance(error, self._connection.dialect.loaded_dbapi.Error):
            raise self._translated(error) from error

    def _translated(self, error: Any) -> BaseException:
        connection = self._connection
        dialect = connection.dialect
        gone = dialect.is_disconnect(error, None, None)
        if gone:
            connection.invalidate(error)
        found: BaseException = DBAPIError.instance(
            self._text,
            None,
            error,
            dialect.loaded_dbapi.Error,
            connection_invalidated=gone,
            dialect=dialect,
        )
        return found


def places(count: int) -> int:
    """The length of the IN list for this many keys: the next power of two, so that few statements are needed.

    >>> [places(count) for count in (1, 2, 3, 64)]
    [1, 2, 4, 64]
    """
    return 1 << (count - 1).bit_length()


def _listed(column: ColumnElement[Any], size: int) -> ColumnElement[bool]:
    """The condition that a column has one of ``size`` keys, with the parameters of `_padded`."""
    if size == 1:
        return column == bindparam("key_0")
    return column.in_([bindparam(f"key_{place}") for place in range(size)])


def _padded(keys: Sequence[Any]) -> dict[str, Any]:
    """Keys as parameters of `_listed`; the last key is repeated to fill the list."""
    return {f"key_{place}": keys[min(place, len(keys) - 1)] for place in range(places(len(keys)))}
