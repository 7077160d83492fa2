"""Statistics of SQLite's query planner: renewed when a table has doubled, from all rows, not from a sample.

Without statistics SQLite considers all indexes equal, and reads every entity of a type to find one by name. A sample
(``analysis_limit``, which ``PRAGMA optimize`` uses) reads only the first entries of an index: it would consider a type
with a million rows more selective than a status with 250,000. PostgreSQL has statistics of its own.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, text

__all__ = ["FEW", "renew"]

FEW = 1_000
"""Up to this many rows need no statistics: every plan is fast."""

_KEPT = "statistics"
_SAVE = text("INSERT INTO _meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = :value")


def renew(connection: Connection, tables: Iterable[str], anew: bool = False) -> bool:
    """Renew the statistics if a table has doubled (or if ``anew`` and there are any); returns whether it was done.

    It takes a write transaction: about two seconds for a million rows of a table with 20 indexes.
    """
    if connection.dialect.name != "sqlite":
        return False
    known, sizes = _known(connection), {name: _size(connection, name) for name in tables}
    grown = any(size > 2 * known.get(name, 0) + FEW for name, size in sizes.items())
    if not grown and not (anew and known):
        return False
    # Other connections reload statistics when the schema changes; a new table changes it.
    connection.exec_driver_sql("DROP TABLE IF EXISTS sqlite_stat1")
    for name in sizes:
        connection.exec_driver_sql(f'ANALYZE "{name}"')
    connection.execute(_SAVE, {"name": _KEPT, "value": msgspec.json.encode(sizes).decode()})
    return True


def _known(connection: Connection) -> dict[str, int]:
    """The sizes of the tables when the statistics were made."""
    row = connection.execute(text("SELECT value FROM _meta WHERE name = :name"), {"name": _KEPT}).first()
    return {} if row is None else msgspec.json.decode(row[0], type=dict[str, int])


def _size(connection: Connection, table: str) -> int:
    """An upper bound of the number of rows: the highest rowid, which is found without counting."""
    return connection.exec_driver_sql(f'SELECT max(_rowid_) FROM "{table}"').scalar() or 0
