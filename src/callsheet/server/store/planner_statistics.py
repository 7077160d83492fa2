"""What SQLite's planner knows of the entities' tables: counted when a table has doubled, all of it, not a sample.

Without statistics SQLite takes all indexes for equally good, and reads every entity of a type to find the one of a
name. A sample (``analysis_limit``, which ``PRAGMA optimize`` uses) sees the first entries of an index only: it takes
a type of a million for rarer than a status of a quarter of them. PostgreSQL counts by itself.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, text

__all__ = ["FEW", "renew"]

FEW = 1_000
"""So many rows need no statistics: any way to read them will do."""

_KEPT = "statistics"
_SAVE = text("INSERT INTO _meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value")


def renew(connection: Connection, tables: Iterable[str], anew: bool = False) -> bool:
    """Count again where a table has doubled since (or ``anew``, where there were counts); whether that was done.

    It takes a write transaction: about two seconds for a million rows of a table with 20 indexes.
    """
    if connection.dialect.name != "sqlite":
        return False
    known, sizes = _known(connection), {name: _size(connection, name) for name in tables}
    grown = any(size > 2 * known.get(name, 0) + FEW for name, size in sizes.items())
    if not grown and not (anew and known):
        return False
    # Other connections read statistics when the schema changes, as it does by a table that is made.
    connection.exec_driver_sql("DROP TABLE IF EXISTS sqlite_stat1")
    for name in sizes:
        connection.exec_driver_sql(f'ANALYZE "{name}"')
    connection.execute(_SAVE, {"name": _KEPT, "value": msgspec.json.encode(sizes).decode()})
    return True


def _known(connection: Connection) -> dict[str, int]:
    """How large the tables were when they were counted."""
    row = connection.execute(text("SELECT value FROM _meta WHERE name = :name"), {"name": _KEPT}).first()
    return {} if row is None else msgspec.json.decode(row[0], type=dict[str, int])


def _size(connection: Connection, table: str) -> int:
    """At most so many rows: the highest number of one, which is found without counting."""
    return connection.exec_driver_sql(f'SELECT max(_rowid_) FROM "{table}"').scalar() or 0
