"""A database of an earlier version is upgraded when it is opened: it gets missing system tables, indexes, statistics.

A few queries find what is missing, whatever the size of the database. An index with other columns than it should have
is created again, and SQLite's statistics are renewed if tables have doubled (see ``planner_statistics.py``).
"""

from __future__ import annotations

from sqlalchemy import Connection, inspect, text
from sqlalchemy.schema import DropIndex

from callsheet.server.store.layout import Layout
from callsheet.server.store.planner_statistics import renew

__all__ = ["upgrade"]

_INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
}


def upgrade(connection: Connection, layout: Layout) -> None:
    """Create what is missing; nothing, if the database is up to date."""
    _add_tables(connection, layout)
    changed = _update_indexes(connection, layout)
    renew(connection, layout.tables, anew=changed)


def _add_tables(connection: Connection, layout: Layout) -> None:
    known = set(inspect(connection).get_table_names())
    entities = {*layout.tables, *(link.table.name for link in layout.links.values())}
    for table in layout.metadata.sorted_tables:
        if table.name not in known and table.name not in entities:
            table.create(connection)


def _update_indexes(connection: Connection, layout: Layout) -> bool:
    """Create indexes that are missing or have other columns; returns whether there were any."""
    rows = connection.execute(text(_INDEXES[connection.dialect.name])).all()
    known, changed = {name: _columns(statement) for name, statement in rows}, False
    for table in layout.metadata.sorted_tables:
        for index in table.indexes:
            there = known.get(str(index.name))
            if there == [column.name for column in index.columns]:
                continue
            if there is not None:
                connection.execute(DropIndex(index))
            index.create(connection)
            changed = True
    return changed


def _columns(statement: str) -> list[str]:
    """The columns of the index that a statement creates: the content of its last parentheses.

    >>> _columns('CREATE INDEX "_index_Task__type" ON "Task" (_type, "Id")')
    ['_type', 'Id']
    """
    columns = statement.rpartition("(")[2].partition(")")[0]
    return [name.strip().strip('"') for name in columns.split(",")]
