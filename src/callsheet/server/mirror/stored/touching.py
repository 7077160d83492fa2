"""The facts that changed entities touch, as rows of the facts' table."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Column, Connection, FromClause, MetaData, Table, Text, exists, literal, or_, select

from callsheet.bounded import BoundedDict
from callsheet.model.language.reaching import Reaching
from callsheet.model.query import Path, Step
from callsheet.server.mirror.batches import batch_of
from callsheet.server.mirror.feed import create_tables, insert_streams
from callsheet.server.reading.sql import Scope
from callsheet.server.store.declaring import LIKE
from callsheet.server.store.store import Store

__all__ = ["key_tables", "touched_facts"]


def key_tables(store: Store, target: Connection, keys: Mapping[str, Collection[str]]) -> dict[str, Table]:
    """Temporary tables of changed keys, by root type."""
    found = {}
    for root, some in keys.items():
        if some:
            found[root] = _filled(target, _keys(store.tables[root]), sorted(some))
    return found


_KEYS: BoundedDict[Table, Table] = BoundedDict(4_096)
"""Made once for each table, because a statement is compiled once for the same tables."""


def _keys(table: Table) -> Table:
    if (known := _KEYS.get(table)) is not None:
        return known
    column: Column[Any] = Column("key", Text())
    keys = Table(f"_touched_{table.name}", MetaData(), column)
    keys.info[LIKE], column.info[LIKE] = table.name, "id"
    _KEYS[table] = keys
    return keys


def _filled(target: Connection, table: Table, keys: list[str]) -> Table:
    create_tables([table], target, temporary=True)
    insert_streams(target, table, [batch_of(["key"], ["text"], [(key,) for key in keys])])
    return table


def touched_facts(
    store: Store, entity_type: str, read: Reaching, changed: Mapping[str, FromClause]
) -> FromClause | None:
    """The facts that are among changed entities, or refer to one on a way; None if no way leads to them.

    ``changed`` has the keys of changed entities in a column ``key``, by root type.
    """
    scope, conditions = Scope(store, entity_type), []
    for way, root in read.ways.items():
        if root in changed:
            keys = changed[root]
            # The reference is tested, not the row that it leads to (see ``reaching.py``).
            last = [Step(way[-1].name)] if way else []
            column = scope.row_value(Path((*way[:-1], *last, Step("id")))).expression
            conditions.append(exists(select(literal(1)).select_from(keys).where(keys.c.key == column)))
    if not conditions:
        return None
    wanted = or_(*conditions) if len(conditions) > 1 else conditions[0]
    return select(*scope.place.table.c).select_from(scope.source).where(wanted).subquery()
