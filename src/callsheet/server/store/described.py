"""Which schema a database has: a counter that each change of it raises, by which a server sees that its own is old."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from sqlalchemy import Connection

from callsheet.errors import Unavailable
from callsheet.model.history import EntityChange

__all__ = ["SCHEMA_COUNTER", "PastReader", "SchemaMoved", "check_schema_number", "schema_number"]

SCHEMA_COUNTER = "schema"
_READ = f"SELECT value FROM _counter WHERE name = '{SCHEMA_COUNTER}'"


class SchemaMoved(Unavailable):
    """The database's schema is another one than the store's; it is read again, and the work is tried again."""


class PastReader(Protocol):
    """What reads commits of before a change of the schema."""

    def translated(self, connection: Connection, position: int, changes: Iterable[EntityChange]) -> list[EntityChange]:
        """Changes of a commit, with the names that they have now."""

    def is_past(self, connection: Connection, position: int) -> bool:
        """Whether the schema has changed since a commit."""


def schema_number(connection: Connection) -> int:
    """How often the schema of the database was changed."""
    return int(connection.exec_driver_sql(_READ).scalar() or 0)


def check_schema_number(connection: Connection, known: int) -> None:
    """Raise `SchemaMoved` if the schema was changed since it was read."""
    if schema_number(connection) != known:
        raise SchemaMoved("the schema was changed meanwhile; try again after `session.reload_schema()`")
