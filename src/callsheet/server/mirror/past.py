"""The past in the mirror: the rows that later commits changed, as they were, over those of now.

Of the entities and links that changed after a position, the rows of now are read, and the later commits are taken back,
newest first, with the old values that the log has. What results is put into temporary tables of one connection. A store
whose tables are those of now without what changed, and these rows, answers every statement as of the position. When the
transaction ends, the temporary tables are gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Column, Connection, FromClause, MetaData, Table, Text, and_, false, or_, select, union_all
from sqlalchemy.sql.elements import ColumnElement

from callsheet.errors import TooLarge
from callsheet.model.history import Commit
from callsheet.server.log import commits as log
from callsheet.server.mirror.batches import batch_of
from callsheet.server.mirror.feed import create_tables, insert_streams
from callsheet.server.mirror.following import TouchedRows
from callsheet.server.mirror.keys import TextKeys
from callsheet.server.mirror.rows import kind_of
from callsheet.server.reading.snapshot import RevertedRows, Row, later_commits
from callsheet.server.store.declaring import LIKE
from callsheet.server.store.overlaid import OverlaidStore, overlaid_layout
from callsheet.server.store.store import Store
from callsheet.server.tables.changes import changed_tables

__all__ = ["MOST", "past_store"]

MOST = 50_000
"""The most changes to take back; beyond it, the store is asked for its past."""
CONFIGURATION = "CustomAttributeConfiguration"


def past_store(present: Store, mirror: Store, target: Connection, at: int, until: int) -> OverlaidStore | None:
    """A store of the state after the commit ``at``, on a connection of the mirror whose rows are as of ``until``.

    None if too much has changed since, or what the log does not say: attributes or user tables.
    """
    commits = _commits(present, at, until)
    if commits is None:
        return None
    touched = TouchedRows()
    for commit in commits:
        touched.add(present, commit)
    if CONFIGURATION in touched.entities:
        return None
    try:
        tables = _overlaid(mirror, target, touched, _reverted(mirror, target, touched, commits))
    except (TextKeys, TooLarge):
        return None
    tables |= {mirror.tables[name].name: _none_of(mirror.tables[name]) for name in present.user_tables}
    return OverlaidStore(mirror, overlaid_layout(mirror.layout, tables))


def _commits(present: Store, at: int, until: int) -> list[Commit] | None:
    """The commits to take back, newest first."""
    found, changes = [], 0
    with present.reading() as source:
        if at < log.first_position(present, source) or changed_tables(present, source, at):
            return None
        for commit in later_commits(present, source, at):
            if commit.position <= until:
                found.append(commit)
                changes += len(commit.changes)
            if changes > MOST:
                return None
    return found


def _reverted(mirror: Store, target: Connection, touched: TouchedRows, commits: Iterable[Commit]) -> RevertedRows:
    rows = RevertedRows(mirror, 2 * MOST)
    for root, keys in touched.entities.items():
        rows.take(target, root, keys)
    for (name, side), keys in touched.links.items():
        rows.take_links(target, mirror.layout.metadata.tables[name], side, keys)
    for commit in commits:
        rows.revert(commit)
    return rows


def _overlaid(mirror: Store, target: Connection, touched: TouchedRows, rows: RevertedRows) -> dict[str, FromClause]:
    """What stands for each table of which rows have changed."""
    found: dict[str, FromClause] = {}
    for root, keys in touched.entities.items():
        table = mirror.tables[root]
        over = _over(target, table, list(rows.rows[root].values()))
        found[table.name] = _laid(table, over, [("id", _keys(target, table, "id", keys))])
    sides: dict[str, list[tuple[str, Table]]] = {}
    for (name, side), keys in touched.links.items():
        table = mirror.layout.metadata.tables[name]
        sides.setdefault(name, []).append((side, _keys(target, table, side, keys)))
    for name, gone in sides.items():
        table = mirror.layout.metadata.tables[name]
        found[name] = _laid(table, _over(target, table, [list(pair) for pair in rows.links[name]]), gone)
    return found


def _laid(table: Table, over: Table, gone: Sequence[tuple[str, Table]]) -> FromClause:
    """The rows of a table without those of some keys, and the rows over them."""
    left: list[ColumnElement[bool]] = []
    for side, keys in gone:
        left.append(~select(keys.c.key).where(keys.c.key == table.c[side]).exists())
    names = [column.name for column in table.columns]
    base = select(*table.columns).where(and_(*left))
    return union_all(base, select(*(over.c[name] for name in names))).subquery(table.name)


def _none_of(table: Table) -> FromClause:
    """No rows: those of a user table have no past, as a load is one entry of the log, whatever it replaces."""
    return select(*table.columns).where(or_(false())).subquery(table.name)


def _over(target: Connection, table: Table, rows: list[Row]) -> Table:
    """A temporary table with rows in SQLite's representation."""
    over = Table(f"_past_{table.name}", MetaData(), *(Column(each.name, each.type) for each in table.columns))
    over.info[LIKE] = table.name
    return _filled(target, over, rows)


def _keys(target: Connection, table: Table, side: str, keys: Iterable[str]) -> Table:
    """A temporary table with keys."""
    column: Column[Any] = Column("key", Text())
    found = Table(f"_past_{table.name}_{side}", MetaData(), column)
    found.info[LIKE], column.info[LIKE] = table.name, side
    return _filled(target, found, [[key] for key in keys])


def _filled(target: Connection, table: Table, rows: list[Row]) -> Table:
    create_tables([table], target, temporary=True)
    names = [column.name for column in table.columns]
    kinds = [kind_of(column, True) for column in table.columns]
    insert_streams(target, table, [batch_of(names, kinds, rows)])
    return table
