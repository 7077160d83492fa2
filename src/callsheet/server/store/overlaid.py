"""A store whose tables are not those of the database, but what they would be with other rows laid over them.

Theory. All that reads a store (pages, aggregates, rights, the checks of a commit) takes its tables from the store. So
a state that differs from the present in a few rows is a store with other tables: each is the SELECT of the present's
rows without those that are overlaid, and of the rows over them. Its columns have the same names and types; nothing is
created in the database, and no connection has to be cleaned up afterwards. Such a store is only read.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any, cast

from attrs import evolve
from sqlalchemy import Connection, FromClause, Table

from callsheet.server.store.layout import Layout, Link
from callsheet.server.store.prepared import PreparedStatements
from callsheet.server.store.store import Store

__all__ = ["OverlaidStore", "overlaid_layout"]


class OverlaidStore(Store):
    """A store with the database, the schema and the system tables of another one, and with a layout of its own."""

    def __init__(self, below: Store, layout: Layout, prepared: PreparedStatements | None = None) -> None:
        # All that the other store has: a mirror's has less than a database's.
        vars(self).update(vars(below))
        self.layout, self.prepared = layout, prepared or PreparedStatements()

    def within(self, connection: Connection) -> OverlaidStore:
        """The same store, all of whose reads use an open connection, and so see one state."""
        found = OverlaidStore(self, self.layout, self.prepared)
        found.reading = lambda seconds=None: nullcontext(connection)
        return found

    @property
    def locks(self) -> bool:
        """False: nothing is changed in it."""
        return False


def overlaid_layout(layout: Layout, tables: Mapping[str, FromClause]) -> Layout:
    """A layout in which the tables of these names, of entities or of links, are other selectables."""
    # What reads a table uses its columns and aliases, which every selectable has; what writes is given real tables.
    found = {name: cast(Table, tables.get(table.name, table)) for name, table in layout.tables.items()}
    links = {side: _link(link, tables) for side, link in layout.links.items()}
    return Layout(layout.metadata, found, links)


def _link(link: Link, tables: Mapping[str, FromClause]) -> Link:
    other: Any = tables.get(link.table.name)
    if other is None:
        return link
    return evolve(link, table=other, near=other.c[link.near.name], far=other.c[link.far.name])
