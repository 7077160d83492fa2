"""New rows of one table are inserted with one prepared statement, without SQLAlchemy's work per row.

SQLAlchemy compiles the statement and provides the bind processors of its columns, once for each table and set of
columns. Rows then go to the driver directly.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any
from weakref import WeakKeyDictionary

from attrs import frozen
from sqlalchemy import Connection, Dialect, Table, insert

from callsheet.server.store.prepared import sent

__all__ = ["Inserting", "inserting"]

Row = dict[str, Any]


@frozen
class Inserting:
    """A compiled statement: its text, the bind processors of its columns, and the function that orders a row."""

    text: str
    writers: dict[str, Callable[[Any], Any]]
    shaped: Callable[[Row], Any]

    def run(self, connection: Connection, rows: list[Row]) -> None:
        """Insert the rows; each must have all columns."""
        for name, write in self.writers.items():
            for row in rows:
                row[name] = write(row[name])
        with sent(connection, self.text, *[self.shaped(row) for row in rows]):
            pass


_KNOWN: WeakKeyDictionary[Table, dict[tuple[str, tuple[str, ...]], Inserting]] = WeakKeyDictionary()


def inserting(table: Table, names: tuple[str, ...], dialect: Dialect) -> Inserting:
    """The insert statement for these columns; compiled once for each table, set of columns, and database."""
    known = _KNOWN.setdefault(table, {})
    found = known.get((dialect.name, names))
    if found is None:
        while len(known) >= 64:
            known.pop(next(iter(known)), None)
        found = known[dialect.name, names] = _made(table, names, dialect)
    return found


def _made(table: Table, names: tuple[str, ...], dialect: Dialect) -> Inserting:
    compiled: Any = insert(table).compile(dialect=dialect, column_keys=list(names))
    writers = {name: table.c[name].type.dialect_impl(dialect).bind_processor(dialect) for name in names}
    shaped: Callable[[Row], Any] = itemgetter(*compiled.positiontup) if compiled.positional else _whole
    return Inserting(str(compiled), {name: write for name, write in writers.items() if write is not None}, shaped)


def _whole(row: Row) -> Row:
    return row
