"""Staged rows become rows of a table, part by part, so that memory stays flat whatever the size of a load.

Each column is converted as a whole. The id of a row of a keyed table is computed from its keys (`row_key`), so a load
replaces rows by one statement and finds nothing first; rows without keys get random ids in the order of the load. The
columns of computed joins are ids too. SQLite takes rows by ``executemany``, PostgreSQL by COPY.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from itertools import count, repeat
from typing import Any

from attrs import define
from sqlalchemy import Connection, Table, literal_column
from sqlalchemy.dialects import postgresql, sqlite

from callsheet.errors import Invalid
from callsheet.model.schema import did_you_mean
from callsheet.model.user_table import TableColumn, UserTable, row_key
from callsheet.server.store.prepared import sent
from callsheet.server.store.user_tables import database_table
from callsheet.server.tables.arrow_columns import NOTHING, TYPES, RowBatch, Values, batches, stored_values

__all__ = ["Loading", "key_reader"]

CHUNK = 20_000
"""Rows of one call of the driver."""


@define(eq=False)
class Loading:
    """A load into one table, in a transaction; ``rows`` counts those loaded so far."""

    connection: Connection
    table: UserTable
    position: int
    targets: dict[str, UserTable]
    rows: int = 0

    def add(self, part: bytes) -> None:
        """Load the rows of a staged part; raises `Invalid` for a row that the table does not take."""
        for batch in batches(part):
            columns = self._columns(batch)
            ids = self._ids(batch.length, columns)
            joined = [self._joined(place, batch.length, columns) for place in range(len(self.table.joins))]
            stored = [self._stored(column, columns[column.name]) for column in self.table.columns]
            own = (ids, repeat(self.table.name), repeat(1), repeat(self.position))
            self._write(list(zip(*own, *stored, *joined)))
            self.rows += batch.length

    def _columns(self, batch: RowBatch) -> dict[str, Values]:
        """The values of each column of the table, defaults included."""
        labels = {column.label: column for column in self.table.columns}
        names = {column.name: column for column in self.table.columns}
        given: dict[str, Values] = {}
        for label, (kind, values) in batch.columns.items():
            column = labels.get(label) or names.get(label)
            if column is None:
                known = [*labels]
                raise Invalid(f"the table `{self.table.label}` has no column `{label:.80}`{did_you_mean(label, known)}")
            if column.name in given:
                raise Invalid(f"the rows have the column `{column.label}` twice, by its name and by its word")
            if kind not in (TYPES[column.data_type], NOTHING):
                raise Invalid(
                    f"the column `{column.label}` of `{self.table.label}` takes {column.data_type}, and the rows have "
                    f"{kind} there"
                )
            given[column.name] = values()
        for column in self.table.columns:
            found = given.get(column.name)
            default = _default(column)
            if found is None:
                given[column.name] = [default] * batch.length
            elif default is not None:
                given[column.name] = [default if value is None else value for value in found]
        return given

    def _stored(self, column: TableColumn, values: Values) -> Values:
        try:
            sqlite = self.connection.dialect.name == "sqlite"
            return stored_values(column.data_type, values, sqlite, column.decimals)
        except Invalid as error:
            at = error.details.get("index") if error.details else None
            row = "" if at is None else f"row {self.rows + int(at) + 1}: "
            raise Invalid(f"{row}column `{column.label}` of `{self.table.label}`: {error}") from None

    def _ids(self, length: int, columns: dict[str, Values]) -> list[str]:
        if not self.table.keys:
            return list(random_ids(length))
        keys = [columns[name] for name in self.table.keys]
        for name, values in zip(self.table.keys, keys):
            if None in values:
                label = self.table.column(name).label
                raise Invalid(
                    f"row {self.rows + values.index(None) + 1} of `{self.table.label}`: the key `{label}` has no value"
                )
        name = self.table.name
        return [row_key(name, values) for values in zip(*keys)]

    def _joined(self, place: int, length: int, columns: dict[str, Values]) -> list[str | None]:
        join = self.table.joins[place]
        if not join.computed:
            return [None] * length
        return list(map(key_reader(self.targets.get(join.target)), zip(*(columns[own] for own, _ in join.columns))))

    def _write(self, rows: list[Sequence[Any]]) -> None:
        if not rows:
            return
        table = database_table(self.table)
        if self.table.keys:
            # Of rows with the same keys the last one counts.
            rows = list({row[0]: row for row in rows}.values())
        if self.connection.dialect.name == "sqlite":
            statement = _statement(table, bool(self.table.keys), sqlite)
            rows.sort(key=lambda row: str(row[0]))
            for start in range(0, len(rows), CHUNK):
                with sent(self.connection, statement, *rows[start : start + CHUNK]):
                    pass
        else:
            _copy(self.connection, table, rows, bool(self.table.keys))


def key_reader(target: UserTable | None) -> Callable[[Sequence[Any]], str | None]:
    """The function that gives the id of the row of a table with these keys; of an entity, the key itself."""
    if target is None:
        return lambda values: None if values[0] is None else str(values[0])
    name = target.name
    return lambda values: None if None in values else row_key(name, values)


def random_ids(length: int) -> Iterator[str]:
    """New ids that sort in their order, and after earlier ones: UUIDs of version 8 with the time first."""
    milliseconds = time.time_ns() // 1_000_000
    start = f"{milliseconds:012x}"
    head = f"{start[:8]}-{start[8:]}-8{secrets.token_hex(2)[:3]}-b{secrets.token_hex(2)[:3]}-"
    first = secrets.randbits(40)
    return (f"{head}{number:012x}" for number, _ in zip(count(first), range(length)))


def _default(column: TableColumn) -> Any:
    if not isinstance(column.default, str) or column.data_type not in ("date", "datetime"):
        return column.default
    return (date if column.data_type == "date" else datetime).fromisoformat(column.default)


def _statement(table: Table, keyed: bool, dialect: Any) -> str:
    """INSERT by places; rows of a keyed table replace those with the same id."""
    insertion = sqlite.insert(table)
    if keyed:
        values: dict[str, Any] = {
            column.name: insertion.excluded[column.name] for column in table.columns if column.name != "id"
        }
        values["_version"] = table.c._version + literal_column("1")
        insertion = insertion.on_conflict_do_update(index_elements=["id"], set_=values)
    return str(insertion.compile(dialect=sqlite.dialect(), column_keys=[column.name for column in table.columns]))


def _copy(connection: Connection, table: Table, rows: list[Sequence[Any]], keyed: bool) -> None:
    quote = connection.dialect.identifier_preparer.quote
    name, target = quote(table.name), quote(table.name)
    if keyed:
        target = quote(f"{table.name[:50]}_incoming")
        connection.exec_driver_sql(f"CREATE TEMP TABLE IF NOT EXISTS {target} (LIKE {name}) ON COMMIT DROP")
        connection.exec_driver_sql(f"TRUNCATE {target}")
    columns = ", ".join(quote(column.name) for column in table.columns)
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY {target} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)
    if keyed:
        insertion = postgresql.insert(table)
        values: dict[str, Any] = {
            column.name: insertion.excluded[column.name] for column in table.columns if column.name != "id"
        }
        values["_version"] = table.c._version + literal_column("1")
        update = str(
            insertion.on_conflict_do_update(index_elements=["id"], set_=values).compile(
                dialect=postgresql.dialect()  # type: ignore[no-untyped-call]
            )
        )
        clause = update[update.index(" ON CONFLICT") :]
        connection.exec_driver_sql(f"INSERT INTO {name} ({columns}) SELECT {columns} FROM {target}{clause}")
