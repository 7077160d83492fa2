"""User tables in a database: rows of ``_table`` that describe them, and a table with typed columns for each.

They are added to the schema and to the layout while the store is open. The name of a table in the database is made of
its number, so that any name of a user table will do, and one that comes back is another table. Rows have an id, the
position of the load that wrote them in ``_commit``, with an index, and a column for each attribute.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, Connection, Index, MetaData, PrimaryKeyConstraint, Table, select

from callsheet.bounded import BoundedDict
from callsheet.errors import NotFound
from callsheet.model.schema import Attribute, Schema
from callsheet.model.user_table import TableColumn, UserTable, table_from_plain, table_to_plain, type_document
from callsheet.server.store.columns import INTEGER, TEXT, column_type
from callsheet.server.store.layout import Layout

__all__ = [
    "COUNTER",
    "CurrentTables",
    "database_table",
    "decoded",
    "encoded",
    "extended",
    "saved_tables",
    "with_tables",
]

COUNTER = "tables"
"""The counter of changes to user tables, in which other server processes see them; it also numbers new tables."""
OWN = 4
"""The columns of each table before those of its attributes."""


class CurrentTables(dict[str, Table]):
    """The tables by root type; one that was dropped meanwhile is an error that says so."""

    def __missing__(self, name: str) -> Table:
        raise NotFound(f"the table `{name:.80}` was dropped; `session.reload_schema()` shows which there are")


def saved_tables(metadata: MetaData, connection: Connection) -> list[UserTable]:
    """The user tables of the database, in the order in which they were added."""
    table = metadata.tables["_table"]
    rows = connection.execute(select(table.c.definition).order_by(table.c.number)).scalars()
    return [decoded(text) for text in rows]


def encoded(table: UserTable) -> str:
    return msgspec.json.encode(table_to_plain(table)).decode()


def decoded(text: str) -> UserTable:
    return table_from_plain(msgspec.json.decode(text))


def with_tables(schema: Schema, tables: Iterable[UserTable]) -> Schema:
    """The schema with the entity types of user tables."""
    added = {table.name: type_document(table) for table in tables}
    if not added:
        return schema
    for described in added.values():
        # The type of a reference may be gone, when an entity type of an older schema was joined.
        for name, attribute in list(described["attributes"].items()):
            target = attribute.get("target")
            if target is not None and target not in added and target not in schema.types:
                del described["attributes"][name]
    return Schema({**schema.document, "types": {**schema.document["types"], **added}})


def extended(layout: Layout, tables: Sequence[UserTable]) -> Layout:
    """The layout with the tables of user tables. The server's own and the schema's stay what they are."""
    if not tables:
        return layout
    own = {table.name: database_table(table) for table in tables}
    return Layout(layout.metadata, CurrentTables({**layout.tables, **own}), layout.links)


_TABLES: BoundedDict[str, Table] = BoundedDict(512)


def database_table(table: UserTable) -> Table:
    """The table in the database, made once for a definition, so that compiled statements are shared."""
    key = encoded(table)
    found = _TABLES.get(key)
    if found is None:
        found = _TABLES[key] = _database_table(table)
    return found


def _database_table(table: UserTable) -> Table:
    plain = re.sub(r"[^A-Za-z0-9_]", "", table.name)[:24].strip("_")
    name = f"_table_{table.number}_{plain}".rstrip("_")
    columns: list[Column[Any]] = [
        Column("id", TEXT, nullable=False),
        Column("_type", TEXT, nullable=False),
        Column("_version", INTEGER, nullable=False),
        Column("_commit", INTEGER, nullable=False),
        *(Column(column.name, kind_of(column), nullable=True) for column in table.columns),
        *(Column(join.name, TEXT, nullable=True) for join in table.joins),
    ]
    key = PrimaryKeyConstraint("id", name=f"_key_{name}"[:63])
    found = Table(name, MetaData(), *columns, key, sqlite_strict=True)
    Index(f"_index_table_{table.number}_commit", found.c._commit)
    for join in table.joins:
        place = table.names.index(join.name)
        Index(f"_index_table_{table.number}_{place}", found.c[join.name])
    return found


def kind_of(column: TableColumn) -> Any:
    """The type of a column in the database."""
    return column_type(Attribute(column.name, data_type=column.data_type))
