"""The workspaces that a main database names: a row each, in its table ``_workspace``.

A row has a state, so that a process that ends in the middle leaves no half workspace. ``adding`` and ``deleting`` are
steps under way, which the next process finishes: it takes back the one and completes the other. Only ``ready``
workspaces can be reached.
"""

from __future__ import annotations

from datetime import datetime

from attrs import asdict, fields, frozen
from sqlalchemy import Connection, delete, func, insert, select, update

from callsheet.errors import Invalid
from callsheet.model.workspace import DEFAULT
from callsheet.server.store.store import Store

__all__ = ["ADDING", "DELETING", "READY", "Registry", "RegistryEntry"]

ADDING, READY, DELETING = "adding", "ready", "deleting"


@frozen
class RegistryEntry:
    """A workspace. ``address`` is relative to the main database, unless the operator named one (see ``places``)."""

    name: str
    state: str
    address: str
    files: str | None
    schema_name: str
    description: str
    created: datetime


class Registry:
    """The rows of one main database."""

    def __init__(self, store: Store) -> None:
        self._store, self._table = store, store.table("_workspace")

    def entries(self) -> dict[str, RegistryEntry]:
        """All rows by name, in its order."""
        columns = [self._table.c[each.name] for each in fields(RegistryEntry)]
        with self._store.reading() as connection:
            found = connection.execute(select(*columns).order_by(self._table.c.name))
            return {row.name: RegistryEntry(*row) for row in found}

    def begin(self, entry: RegistryEntry) -> None:
        """Note a workspace that is being added; raises `Invalid` if its name is taken, also in other case."""

        def save(connection: Connection) -> None:
            taken = select(self._table.c.name).where(func.lower(self._table.c.name) == entry.name.lower())
            other = DEFAULT if entry.name.lower() == DEFAULT else connection.execute(taken).scalar()
            if other is not None:
                raise Invalid(f"there is a workspace `{other}` already; choose another name, or drop that one first")
            connection.execute(insert(self._table), asdict(entry))

        self._store.write(save)

    def move(self, name: str, state: str) -> None:
        """The workspace has this state from now on."""
        named = self._table.c.name == name
        self._store.write(lambda connection: connection.execute(update(self._table).where(named), {"state": state}))

    def finish(self, name: str, schema_name: str) -> None:
        """The workspace can be reached from now on."""
        values, named = {"state": READY, "schema_name": schema_name}, self._table.c.name == name
        self._store.write(lambda connection: connection.execute(update(self._table).where(named), values))

    def remove(self, name: str) -> None:
        """The main database no longer names the workspace."""
        self._store.write(lambda connection: connection.execute(delete(self._table).where(self._table.c.name == name)))
