"""The mirror is fed: whole tables when it is made, and later the entities that commits name.

The log says which entities changed; their present rows are read from the store, in the same snapshot as the log's
last position. Rows are deleted by key and inserted, and the position is set, in one transaction. To apply the same
commits again changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Any

import duckdb
import nanoarrow
from sqlalchemy import Column, Connection, MetaData, Table
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.schema import CreateTable

from callsheet.chunks import chunks
from callsheet.server.log import commits as log
from callsheet.server.mirror.engine import DuckDialect
from callsheet.server.mirror.following import TouchedRows
from callsheet.server.mirror.keys import TextKeys, UuidColumns, check_uuids, key_root, key_value, named_root
from callsheet.server.mirror.rows import MARK, RowSource, StoreRows, plain
from callsheet.server.store.store import CHUNK, Store
from callsheet.server.tables.changes import add_changed_rows

__all__ = [
    "copy_part",
    "copy_tables",
    "create_tables",
    "drop_tables",
    "insert_streams",
    "mirrored_tables",
    "refresh",
    "touched",
]


def mirrored_tables(store: Store) -> list[Table]:
    """The tables of entities and of links."""
    links = {link.table.name: link.table for link in store.layout.links.values()}
    return [*store.tables.values(), *links.values()]


def create_tables(tables: Iterable[Table], connection: Connection, temporary: bool = False) -> None:
    """Create tables of the mirror anew: the columns of the store's, without keys and indexes."""
    for table in tables:
        drop_tables([table.name], connection)
        types = {each.name: UUID() if key_root(_uuids(connection), each) else each.type for each in table.columns}
        prefixes = ["TEMPORARY"] if temporary else []
        plain = Table(table.name, MetaData(), *(Column(name, kind) for name, kind in types.items()), prefixes=prefixes)
        connection.execute(CreateTable(plain))


def drop_tables(names: Iterable[str], connection: Connection) -> None:
    """Drop tables of the mirror, if they are there."""
    for name in names:
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {connection.dialect.identifier_preparer.quote(name)}")


def touched(store: Store, connection: Connection, after: int, most: int) -> TouchedRows | None:
    """What the commits after a position changed; None if it is more than ``most`` entities and links."""
    found, position = TouchedRows(), after
    while commits := log.touched_by_commits(store, connection, position):
        for _, entities in commits:
            for kind, key, collections in entities:
                found.touch(store, kind, key, collections)
        if len(found) > most:
            return None
        position = commits[-1][0]
    add_changed_rows(store, connection, after, found.entities, found.anew)
    return found


def copy_tables(
    tables: Iterable[Table], rows: RowSource, target: Connection, copying: Callable[[Table], object]
) -> None:
    """Copy all rows into empty tables of the mirror; ``copying`` is called before each part of one, and may raise."""
    for table in tables:
        copying(table)
        insert_streams(target, table, rows.streams(table), copying, rows.marked)


def refresh(store: Store, source: Connection, target: Connection, changes: TouchedRows) -> None:
    """Replace what has changed by what the store has now."""
    for root, keys in changes.entities.items():
        _replace(source, target, store.tables[root], "id", keys)
    for (name, side), keys in changes.links.items():
        _replace(source, target, store.layout.metadata.tables[name], side, keys)


def copy_part(source: Connection, target: Connection, table: Table, column: str, value: int) -> None:
    """Replace the rows of a table in which a column has a value by those of the store."""
    quote = target.dialect.identifier_preparer.quote
    driver: Any = target.connection.driver_connection
    driver.raw.execute(f"DELETE FROM {quote(table.name)} WHERE {quote(column)} = $1", [value])
    insert_streams(target, table, StoreRows(source).found(table, plain(source, table).where(table.c[column] == value)))


def _replace(source: Connection, target: Connection, table: Table, side: str, keys: Collection[str]) -> None:
    quote = target.dialect.identifier_preparer.quote
    rows, value = StoreRows(source), "unnest($1)"
    if root := key_root(_uuids(target), table.c[side]):
        check_uuids(root, keys)
        value = f"CAST({value} AS UUID)"
    for chunk in chunks(sorted(keys), CHUNK):
        driver: Any = target.connection.driver_connection
        statement = f"DELETE FROM {quote(table.name)} WHERE {quote(side)} IN (SELECT {value})"
        driver.raw.execute(statement, [chunk])
        insert_streams(target, table, rows.found(table, plain(source, table).where(table.c[side].in_(chunk))))


def insert_streams(
    target: Connection,
    table: Table,
    streams: Iterable[nanoarrow.ArrayStream],
    copying: Callable[[Table], object] = lambda table: None,
    marked: bool = False,
) -> None:
    """Insert the rows of streams, without those that only say of which types the columns are."""
    statement = _insertion(target, table) + (f" WHERE {MARK} = 1" if marked else "")
    driver: Any = target.connection.driver_connection
    for stream in streams:
        copying(table)
        driver.raw.register("incoming", stream)
        try:
            driver.raw.execute(statement)
        except duckdb.Error as error:
            if root := named_root(error):
                raise TextKeys(root) from None
            raise
        finally:
            # After an error the transaction is over, and takes no more statements.
            with suppress(duckdb.Error):
                driver.raw.unregister("incoming")


def _insertion(target: Connection, table: Table) -> str:
    """The statement that inserts what is incoming, each value as the type of its column."""
    quote, uuids = target.dialect.identifier_preparer.quote, _uuids(target)
    values = []
    for column in table.columns:
        name, root = quote(column.name), key_root(uuids, column)
        kind = column.type.compile(dialect=target.dialect)
        values.append(f"CAST({name} AS {kind})" if root is None else key_value(name, root))
    return f"INSERT INTO {quote(table.name)} SELECT {', '.join(values)} FROM incoming"


def _uuids(target: Connection) -> UuidColumns:
    """The columns that are UUIDs in the mirror that is connected to."""
    assert isinstance(target.dialect, DuckDialect)
    return target.dialect.uuid_columns
