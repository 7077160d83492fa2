"""The mirror is fed: whole tables when it is made, and later the entities that commits name.

The log says which entities changed; their present rows are read from the store, in the same snapshot as the log's
last position. Rows are deleted by key and inserted, and the position is set, in one transaction. To apply the same
commits again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, MetaData, Table, Text, cast, select, type_coerce
from sqlalchemy.schema import CreateTable
from sqlalchemy.types import NullType

from callsheet.chunks import chunks
from callsheet.errors import Closed
from callsheet.server.log import commits as log
from callsheet.server.mirror.batches import Kind, batch_of
from callsheet.server.mirror.following import TouchedRows
from callsheet.server.store.columns import INTEGER, NUMBER, Truth
from callsheet.server.store.store import CHUNK, Store

__all__ = ["copy_tables", "create_tables", "drop_tables", "mirrored_tables", "refresh", "touched"]

BATCH = 20_000
"""Rows in one batch of Arrow."""


def mirrored_tables(store: Store) -> list[Table]:
    """The tables of entities and of links."""
    links = {link.table.name: link.table for link in store.layout.links.values()}
    return [*store.tables.values(), *links.values()]


def create_tables(tables: Iterable[Table], connection: Connection) -> None:
    """Create tables of the mirror anew: the columns of the store's, without keys and indexes."""
    for table in tables:
        drop_tables([table.name], connection)
        plain = Table(table.name, MetaData(), *(Column(column.name, column.type) for column in table.columns))
        connection.execute(CreateTable(plain))


def drop_tables(names: Iterable[str], connection: Connection) -> None:
    """Drop tables of the mirror, if they are there."""
    for name in names:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {connection.dialect.identifier_preparer.quote(name)}")


def touched(store: Store, connection: Connection, after: int, most: int) -> TouchedRows | None:
    """What the commits after a position changed; None if it is more than ``most`` entities and links."""
    found, position = TouchedRows(), after
    while commits := log.entries(store, connection, position):
        for commit in commits:
            for change in commit.changes:
                kind, key = change.identity
                found.entities.setdefault(store.schema.types[kind].root, set()).add(key)
                for name in (*change.added, *change.removed):
                    link = store.link(kind, name)
                    found.links.setdefault((link.table.name, link.near.name), set()).add(key)
        if len(found) > most:
            return None
        position = commits[-1].position
    return found


def copy_tables(tables: Iterable[Table], source: Connection, target: Connection, stopped: Callable[[], bool]) -> None:
    """Copy all rows into empty tables of the mirror; raises `Closed` once ``stopped`` returns true."""
    for table in tables:
        _insert(source, target, table, _select(source, table), stopped)


def refresh(store: Store, source: Connection, target: Connection, changes: TouchedRows) -> None:
    """Replace what has changed by what the store has now."""
    for root, keys in changes.entities.items():
        _replace(source, target, store.tables[root], "id", keys)
    for (name, side), keys in changes.links.items():
        _replace(source, target, store.layout.metadata.tables[name], side, keys)


def _replace(source: Connection, target: Connection, table: Table, side: str, keys: Iterable[str]) -> None:
    quote = target.dialect.identifier_preparer.quote
    for chunk in chunks(sorted(keys), CHUNK):
        driver: Any = target.connection.driver_connection
        statement = f"DELETE FROM {quote(table.name)} WHERE {quote(side)} IN (SELECT unnest($1))"
        driver.raw.execute(statement, [chunk])
        _insert(source, target, table, _select(source, table).where(table.c[side].in_(chunk)))


def _select(source: Connection, table: Table) -> Any:
    """The columns of a table as texts, integers and floats."""
    raw = source.dialect.name == "sqlite"
    return select(*(_plain(column, raw) for column in table.columns))


def _plain(column: Column[Any], raw: bool) -> ColumnElement[Any]:
    if raw:
        return type_coerce(column, NullType())
    return column if _kind(column, raw) != "text" else cast(column, Text())


def _kind(column: Column[Any], raw: bool) -> Kind:
    if column.type is INTEGER or (raw and isinstance(column.type, Truth)):
        return "integer"
    return "number" if column.type is NUMBER else "text"


def _insert(
    source: Connection, target: Connection, table: Table, rows: Any, stopped: Callable[[], bool] = lambda: False
) -> None:
    """Insert the rows of a statement of the store."""
    quote = target.dialect.identifier_preparer.quote
    names = [column.name for column in table.columns]
    kinds = [_kind(column, source.dialect.name == "sqlite") for column in table.columns]
    types = [column.type.compile(dialect=target.dialect) for column in table.columns]
    values = ", ".join(f"CAST({quote(name)} AS {kind})" for name, kind in zip(names, types))
    statement = f"INSERT INTO {quote(table.name)} SELECT {values} FROM incoming"
    driver: Any = target.connection.driver_connection
    for batch in _batches(source, rows):
        if stopped():
            raise Closed("the mirror was closed while rows were copied")
        driver.raw.register("incoming", batch_of(names, kinds, batch))
        try:
            driver.raw.execute(statement)
        finally:
            driver.raw.unregister("incoming")


def _batches(source: Connection, rows: Any) -> Iterator[Sequence[Any]]:
    result = source.execution_options(stream_results=True, max_row_buffer=BATCH).execute(rows)
    while found := result.fetchmany(BATCH):
        yield found
