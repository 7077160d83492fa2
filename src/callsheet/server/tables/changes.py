"""What changed in user tables since a position, for copies that follow the log."""

from __future__ import annotations

from attrs import frozen
from sqlalchemy import Connection, func, select

from callsheet.server.store.store import Store

__all__ = ["ChangedTable", "add_changed_rows", "changed_tables"]


MOST = 100_000
"""Rows of one table that a copy replaces one by one; after more it copies the table."""


@frozen
class ChangedTable:
    """A table that changed: rows that carry a later position are new or replaced; ``gone`` ones have tombstones.

    A ``whole`` one was created, or so many of its rows went that it is read anew.
    """

    name: str
    number: int
    whole: bool
    gone: bool


def changed_tables(store: Store, connection: Connection, after: int) -> list[ChangedTable]:
    """The user tables that changed after a position and are there now."""
    table = store.table("_table_change")
    wanted = select(table.c.number, table.c.kind).where(table.c.position > after).distinct()
    kinds: dict[int, set[str]] = {}
    for number, kind in connection.execute(wanted):
        kinds.setdefault(number, set()).add(kind)
    return [
        ChangedTable(
            each.name, each.number, bool({"created", "rewritten"} & kinds[each.number]), "dropped" in kinds[each.number]
        )
        for each in store.user_tables.values()
        if each.number in kinds
    ]


def add_changed_rows(
    store: Store, connection: Connection, after: int, entities: dict[str, set[str]], anew: set[str]
) -> None:
    """Add the ids of rows that changed after a position, or the name of a table with more than `MOST` of them."""
    grave = store.table("_tombstone")
    for changed in changed_tables(store, connection, after):
        table = store.tables[changed.name]
        here = table.c._commit > after
        if changed.whole or connection.execute(select(func.count()).where(here)).scalar_one() > MOST:
            anew.add(changed.name)
            continue
        found = entities.setdefault(changed.name, set())
        found.update(connection.execute(select(table.c.id).where(here)).scalars())
        if changed.gone:
            gone = select(grave.c.key).where(grave.c.root == changed.name, grave.c.position > after)
            found.update(connection.execute(gone).scalars())
