"""The store: the tables of a schema in a database, with consistent reads and atomic writes.

On SQLite one thread writes (see ``writer.py``), and readers see the last commit. On PostgreSQL each write is a
transaction at READ COMMITTED, retried after a serialisation failure or a deadlock; the write path locks all rows that
it will change first, in sorted order.
"""

from __future__ import annotations

import atexit
import logging
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from copy import copy
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import Column, Connection, Table, inspect, select

from callsheet.config import shown
from callsheet.errors import SchemaError, StorageError
from callsheet.model.schema import Schema, did_you_mean
from callsheet.model.user_table import UserTable
from callsheet.server.schemas.formats import format_of
from callsheet.server.schemas.marks import marked
from callsheet.server.store.database import Database, FileDatabase, MemoryDatabase, PostgresDatabase
from callsheet.server.store.described import PastReader, schema_number
from callsheet.server.store.engine import limited, memory_engine
from callsheet.server.store.format import backup_path, check_format, check_own, is_older, mark
from callsheet.server.store.layout import Layout, Link, layout_of
from callsheet.server.store.own_id import own_id
from callsheet.server.store.planner_statistics import renew
from callsheet.server.store.prepared import PreparedStatements
from callsheet.server.store.upgrading import upgrade
from callsheet.server.store.user_tables import extended, saved_tables, with_tables

__all__ = ["CHUNK", "LOADING", "Link", "Store"]

_log = logging.getLogger("callsheet.server")

T = TypeVar("T")

CHUNK = 10_000
"""Values in one IN list; SQLite accepts 32,766 in a statement."""

CONFIGURATION = "CustomAttributeConfiguration"
LOADING = "loading"
"""The row of ``_meta`` that stands while a database is loaded from an archive."""


class Store:
    """A database with the entities of a schema. ``Store.open`` opens or creates one.

    ``schema`` includes the configured custom attributes and the user tables; ``tables`` are by root type; ``deadline``
    is how many seconds a read may take. ``reading`` and ``write`` are those of the `Database`. ``id`` is of this
    database alone.

    >>> store = Store.open("memory:", {"types": {"Dot": {"attributes": {"name": {"type": "string"}}}}})
    >>> dots = store.tables["Dot"]
    >>> _ = store.write(lambda c: c.execute(dots.insert(), {"id": "a", "_type": "Dot", "_version": 1, "name": "A"}))
    >>> with store.reading() as connection:
    ...     connection.execute(dots.select()).one().name
    'A'
    >>> store.close()
    """

    schema: Schema
    layout: Layout
    id: str

    def __init__(self, url: str, database: Database) -> None:
        self.url, self.database = shown(url), database
        self.reading, self.write = database.reading, database.write
        self.created = False
        self.ignored: Schema | None = None
        """The schema that was given for a database that has another one."""
        self.prepared = PreparedStatements()
        """Statements of the write path, built once."""
        self.user_tables: dict[str, UserTable] = {}
        """The tables that were added at run time, by name."""
        self.schema_number = 0
        """How often the schema was changed before it was read."""
        self.past: PastReader | None = None
        """Reads commits of before a change of the schema, if somebody reads the log."""
        self._described: Schema

    @property
    def locks(self) -> bool:
        """Whether commits run at the same time, so that rows are locked before they are read to be changed."""
        return self.engine_name != "sqlite"

    @staticmethod
    def open(
        url: str,
        document: Mapping[str, Any] | None = None,
        *,
        deadline: float = 10.0,
        stated: bool = True,
        unfinished: bool = False,
    ) -> Store:
        """Open ``memory:``, ``sqlite:///path`` or ``postgresql+psycopg://…``; create the tables of a new database.

        An existing database keeps its schema. If ``document`` differs from it, and was ``stated`` by the user (not a
        default), ``ignored`` is what was given. Raises `StorageError` if the database cannot be opened, is not ours or
        of a later release, if another process has it open, or if it is being loaded from an archive (unless
        ``unfinished``).
        """
        scheme, _, rest = url.partition("://")
        if url in ("memory:", "sqlite://", "sqlite:///:memory:"):
            return _in_memory(url, document, deadline)
        database: Database
        older = False
        if scheme in ("sqlite", "sqlite+pysqlite"):
            path = Path(rest.removeprefix("/"))
            older = check_own(path)
            database = FileDatabase(path, deadline)
        elif scheme in ("postgresql", "postgresql+psycopg", "postgres"):
            database = PostgresDatabase(f"postgresql+psycopg://{rest}", deadline)
        else:
            name = shown(url)
            raise StorageError(f"cannot open `{name}`; use memory:, sqlite:///path/file.db or postgresql+psycopg://…")
        store = Store(url, database)
        try:
            if older and isinstance(database, FileDatabase):
                _back_up(database)
            database.setup(lambda connection: store._prepare(connection, document, stated, unfinished))
        except BaseException:
            database.close()
            raise
        if isinstance(database, FileDatabase):
            # Read each time, because user tables come and go; their names in the database are others.
            database.keep_up(lambda connection: renew(connection, [each.name for each in store.tables.values()]))
        return store

    @property
    def engine_name(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.database.engine_name

    @property
    def deadline(self) -> float:
        """How many seconds a read may take (on PostgreSQL: a statement, with the value from when it was opened)."""
        return self.database.deadline

    @deadline.setter
    def deadline(self, seconds: float) -> None:
        self.database.deadline = seconds

    @property
    def described(self) -> Schema:
        """The schema of the database, without the custom attributes configured in it."""
        return self._described

    @property
    def tables(self) -> dict[str, Table]:
        """The entities' tables by root type."""
        return self.layout.tables

    @property
    def database_tables(self) -> dict[str, Table]:
        """All tables of the database by their names there: the schema's, the server's own, those of user tables."""
        own = [self.tables[name] for name in self.user_tables]
        return {**self.layout.metadata.tables, **{table.name: table for table in own}}

    def table(self, name: str) -> Table:
        """One of the server's own tables: ``_log``, ``_meta``, …"""
        return self.layout.metadata.tables[name]

    def column(self, entity_type: str, attribute: str) -> Column[Any]:
        """The column of an attribute (of a reference: its key)."""
        table = self.tables[self.schema.type(entity_type).root]
        found: Column[Any] | None = table.c.get(attribute)
        if found is None:
            raise SchemaError(f"{entity_type}.{attribute} has no column{did_you_mean(attribute, table.c.keys())}")
        return found

    def link(self, entity_type: str, attribute: str) -> Link:
        """The link table of a many-to-many collection, from the side of this type."""
        found = self.layout.links.get((entity_type, attribute))
        if found is None:
            raise SchemaError(f"{entity_type}.{attribute} is not a many-to-many collection")
        return found

    def is_link(self, entity_type: str, attribute: str) -> bool:
        """Whether the attribute is a many-to-many collection."""
        return (entity_type, attribute) in self.layout.links

    def limited(self, connection: Connection) -> AbstractContextManager[None]:
        """A block whose reads may take ``deadline`` seconds, in a write too; PostgreSQL limits each statement."""
        return limited(connection, self.deadline) if self.engine_name == "sqlite" else nullcontext()

    def backup(self, path: str | Path) -> None:
        """Write a consistent copy of the database to a new file, which can be opened like any other.

        Writes may go on at the same time. Raises `StorageError` if the file exists or cannot be written, and for
        PostgreSQL, which has its own tools.
        """
        self.database.backup(Path(path))

    def close(self) -> None:
        """Finish running writes, then release the database."""
        self.database.close()

    def reload(self, connection: Connection) -> bool:
        """Read schema, custom attributes and user tables of the database; returns whether ``schema`` changed."""
        user_tables = saved_tables(self.layout.metadata, connection)
        number = schema_number(connection)
        described = self._described if number == self.schema_number else _saved_schema(connection, self.url)
        layout = layout_of(described)
        merged = with_tables(_with_custom(described, layout.tables, connection), user_tables)
        changed = merged.hash != self.schema.hash
        if number != self.schema_number:
            self._described, self.schema_number, self.prepared = described, number, PreparedStatements()
        if changed:
            # Tables are there before the schema names them.
            self.layout = extended(layout, user_tables)
            self.schema, self.user_tables = merged, {table.name: table for table in user_tables}
        return changed

    def with_tables(self, tables: Mapping[str, UserTable]) -> Store:
        """The same database with other user tables, as one transaction sees them that changes them."""
        inside = copy(self)
        inside.user_tables = dict(tables)
        inside.layout = extended(layout_of(self._described), list(tables.values()))
        own = {name: found for name, found in self.schema.document["types"].items() if "table" not in found}
        inside.schema = with_tables(Schema({**self.schema.document, "types": own}), tables.values())
        inside.prepared = PreparedStatements()
        return inside

    def _prepare(
        self, connection: Connection, document: Mapping[str, Any] | None, stated: bool, unfinished: bool
    ) -> None:
        """Read the schema of the database, and upgrade its tables; create the tables of a new one."""
        self.created = not inspect(connection).has_table("_meta")
        if not self.created:
            check_format(connection, self.url)
        self._describe(_schema_for(document, self.url) if self.created else _saved_schema(connection, self.url))
        self.schema_number = 0 if self.created else schema_number(connection)
        if self.created:
            _create(connection, self.layout)
            mark(connection, self.table("_meta"))
            connection.execute(self.table("_meta").insert(), {"name": "schema", "value": _text(self.schema)})
        else:
            if not unfinished:
                _check_whole(connection, self.url)
            if stated and document is not None and _text(Schema(document)) != _text(self.schema):
                self.ignored = Schema(document)
            upgrade(connection, self.layout)
            if is_older(connection):
                mark(connection, self.table("_meta"))
        self.id = own_id(connection, self.table("_meta"))
        self.reload(connection)

    def _describe(self, schema: Schema) -> None:
        self._described = self.schema = schema
        self.layout = layout_of(schema)


def _back_up(database: FileDatabase) -> None:
    """Copy a file of an earlier release beside it, once, before it is upgraded."""
    there = backup_path(database.path)
    if not there.exists():
        database.backup(there)
        said = "%s was written by an earlier release; it is upgraded, and its copy from before is %s"
        _log.warning(said, database.path, there)


def _create(connection: Connection, layout: Layout) -> None:
    """Create all tables; on PostgreSQL in one message, because each answer of the server takes its time."""
    statements = list(layout.statements(connection.dialect))
    for statement in [";\n".join(statements)] if connection.dialect.name == "postgresql" else statements:
        connection.exec_driver_sql(statement)


def _in_memory(url: str, document: Mapping[str, Any] | None, deadline: float) -> Store:
    schema = _schema_for(document, shown(url))
    with _TEMPLATE_LOCK:
        store = Store(url, MemoryDatabase(_template(layout_of(schema), schema), deadline))
    store.created = True
    store._describe(schema)
    store.id = store.write(lambda connection: own_id(connection, store.table("_meta")))
    return store


def _schema_for(document: Mapping[str, Any] | None, url: str) -> Schema:
    """The schema of a document, for a new database."""
    if document is None:
        raise StorageError(f"`{url}` is new, and needs a schema document")
    return Schema(document)


def _check_whole(connection: Connection, url: str) -> None:
    """Raise where a load from an archive was begun and not finished."""
    if connection.exec_driver_sql(f"SELECT 1 FROM _meta WHERE name = '{LOADING}'").first() is not None:
        raise StorageError(f"`{url}` is not loaded to its end: run `callsheet load` with the same archive again")


def _saved_schema(connection: Connection, url: str) -> Schema:
    """The schema that an existing database was created with."""
    row = connection.exec_driver_sql("SELECT value FROM _meta WHERE name = 'schema'").first()
    if row is None:
        raise StorageError(f"`{url}` has a table _meta without a schema; it is not a database of Callsheet")
    return Schema(marked(msgspec.json.decode(row[0])))


def _text(schema: Schema) -> str:
    return msgspec.json.encode(schema.document).decode()


_TEMPLATES: dict[str, sqlite3.Connection] = {}
_TEMPLATE_LOCK = threading.Lock()


@atexit.register
def _forget_templates() -> None:
    """Close the templates at exit, before Python warns of unclosed connections."""
    while _TEMPLATES:
        _TEMPLATES.popitem()[1].close()


def _template(layout: Layout, schema: Schema) -> sqlite3.Connection:
    """A database with a schema's empty tables: copying it is ten times faster than creating them."""
    found = _TEMPLATES.get(schema.hash)
    if found is None:
        while len(_TEMPLATES) >= 16:
            _TEMPLATES.pop(next(iter(_TEMPLATES))).close()
        found = sqlite3.connect(":memory:", check_same_thread=False)
        found.executescript(";\n".join(["BEGIN", *layout.statements(memory_engine().dialect), "COMMIT"]))
        found.execute("INSERT INTO _meta (name, value) VALUES ('schema', ?)", (_text(schema),))
        found.commit()
        _TEMPLATES[schema.hash] = found
    return found


def _with_custom(schema: Schema, tables: Mapping[str, Table], connection: Connection) -> Schema:
    """The schema with the configured custom attributes."""
    if CONFIGURATION not in schema.types:
        return schema
    table = tables[schema.types[CONFIGURATION].root]
    if "data_type" not in table.c:
        return _with_configured(schema, tables, connection)
    wanted = [table.c[name] for name in ("key", "entity_type", "data_type", "choices", "default", "label")]
    rows = connection.execute(select(*wanted).where(table.c._type == CONFIGURATION).order_by(table.c.id)).all()
    if not rows:
        return schema
    types = {name: dict(described) for name, described in schema.document["types"].items()}
    for key, entity_type, data_type, choices, default, label in rows:
        if entity_type in types:
            facts: dict[str, Any] = {"type": data_type, "choices": choices, "default": default, "label": label}
            described = {name: value for name, value in facts.items() if value is not None and value != []}
            types[entity_type]["custom"] = {**types[entity_type].get("custom", {}), key: described}
    return Schema({**schema.document, "types": types})


def _with_configured(schema: Schema, tables: Mapping[str, Table], connection: Connection) -> Schema:
    """The schema with the custom attributes that are configured in the format of a dialect's schema."""
    made_from = format_of(schema.document)
    if made_from is None:
        return schema
    table, kinds = tables[schema.types[CONFIGURATION].root], tables.get("CustomAttributeType")
    names = ("id", "key", "label", "entity_type", "default", "config", "is_hierarchical", "type")
    if kinds is None or any(name not in table.c for name in names):
        return schema
    words = {row.id: row.name for row in connection.execute(select(kinds.c.id, kinds.c.name))}
    wanted = select(*(table.c[name] for name in names)).where(table.c._type == CONFIGURATION).order_by(table.c.id)
    rows = [{**row._mapping, "type": words.get(row.type)} for row in connection.execute(wanted)]
    types = {name: dict(described) for name, described in schema.document["types"].items()}
    for name, items in made_from.described(rows).items():
        if name in types:
            types[name]["custom"] = {**types[name].get("custom", {}), **items}
    return Schema({**schema.document, "types": types}) if rows else schema
