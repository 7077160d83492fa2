"""What a database made by an earlier version lacks, made when it is opened.

That is tables of the server's own, indexes, and statistics. To know what is missing it asks the database a few
questions, whatever its size. An index that has other columns than it should is made anew, and SQLite counts its
tables where it never did, or where they have doubled since (see ``statistics.py``).
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
    """Make what is missing; nothing, where the database is as this version makes it."""
    _add_tables(connection, layout)
    mended = _mend_indexes(connection, layout)
    renew(connection, layout.tables, anew=mended)


def _add_tables(connection: Connection, layout: Layout) -> None:
    known = set(inspect(connection).get_table_names())
    entities = {*layout.tables, *(link.table.name for link in layout.links.values())}
    for table in layout.metadata.sorted_tables:
        if table.name not in known and table.name not in entities:
            table.create(connection)


def _mend_indexes(connection: Connection, layout: Layout) -> bool:
    """Make indexes that are missing or otherwise; whether there were any."""
    rows = connection.execute(text(_INDEXES[connection.dialect.name])).all()
    known, mended = {name: _columns(statement) for name, statement in rows}, False
    for table in layout.metadata.sorted_tables:
        for index in table.indexes:
            there = known.get(str(index.name))
            if there == [column.name for column in index.columns]:
                continue
            if there is not None:
                connection.execute(DropIndex(index))
            index.create(connection)
            mended = True
    return mended


def _columns(statement: str) -> list[str]:
    """The columns that a statement's index is on: what its last parentheses hold.

    >>> _columns('CREATE INDEX "_index_Task__type" ON "Task" (_type, "Id")')
    ['_type', 'Id']
    """
    told = statement.rpartition("(")[2].partition(")")[0]
    return [name.strip().strip('"') for name in told.split(",")]
