"""The store's schema follows custom attributes and user tables, which this process or others configure and add."""

from __future__ import annotations

from sqlalchemy import Connection, select

from callsheet.server.store.described import SCHEMA_COUNTER, schema_number
from callsheet.server.store.store import Store
from callsheet.server.store.user_tables import COUNTER
from callsheet.server.writing import custom_attributes

__all__ = ["SchemaRefresh"]


class SchemaRefresh:
    """Keeps the schema of one store that of its database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, int] = {}
        """The counters of configurations and of user tables that the schema contains."""

    def refresh(self) -> bool:
        """Read what another server process configured or added; returns whether the schema changed."""
        if self._store.engine_name == "sqlite":
            return False
        with self._store.reading() as connection:
            counted = self._counted(connection)
            if counted == self._seen:
                return False
            self._seen = counted
            return self._store.reload(connection)

    def follow(self) -> bool:
        """Read the schema again if it was changed; returns whether it is another one than before."""
        with self._store.reading() as connection:
            if schema_number(connection) == self._store.schema_number:
                return False
            self._seen = self._counted(connection)
            return self._store.reload(connection)

    def reload(self) -> None:
        """Read the schema again after a transaction of this process may have changed it."""
        with self._store.reading() as connection:
            self._seen = self._counted(connection)
            self._store.reload(connection)

    def _counted(self, connection: Connection) -> dict[str, int]:
        counter = self._store.table("_counter")
        names = custom_attributes.COUNTER, COUNTER, SCHEMA_COUNTER
        rows = connection.execute(select(counter.c.name, counter.c.value).where(counter.c.name.in_(names)))
        return {row.name: row.value for row in rows}
