"""The store's schema follows the custom attributes configured in the database, by this process and by others."""

from __future__ import annotations

from callsheet.server.store.store import Store
from callsheet.server.writing import custom_attributes

__all__ = ["SchemaRefresh"]


class SchemaRefresh:
    """Merges configured custom attributes into the schema of one store when they have changed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = -1
        """The counter of configurations (see `custom_attributes.changes`) that the schema contains."""

    @property
    def is_configurable(self) -> bool:
        """Whether the schema has a type whose entities configure custom attributes."""
        return custom_attributes.CONFIGURATION in self._store.schema.types

    def refresh(self) -> bool:
        """Read custom attributes that another server process configured; returns whether the schema changed."""
        if self._store.engine_name == "sqlite" or not self.is_configurable:
            return False
        with self._store.reading() as connection:
            counted = custom_attributes.changes(self._store, connection)
            if counted == self._seen:
                return False
            self._seen = counted
            return self._store.reload_custom(connection)

    def reload(self) -> None:
        """Read the configured custom attributes after a commit of this process may have changed them."""
        with self._store.reading() as connection:
            self._seen = custom_attributes.changes(self._store, connection)
            self._store.reload_custom(connection)
