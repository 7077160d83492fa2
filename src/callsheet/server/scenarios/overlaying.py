"""The store of a scenario: each table of which the scenario has rows is the present's, with these rows over it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, FromClause, Select, Table, and_, exists, literal, not_, select, union_all

from callsheet.bounded import BoundedDict
from callsheet.server.scenarios.scenario import Chain
from callsheet.server.store.columns import INTEGER
from callsheet.server.store.layout import Layout
from callsheet.server.store.overlaid import OverlaidStore, overlaid_layout
from callsheet.server.store.prepared import PreparedStatements
from callsheet.server.store.scenario_tables import GONE, SCENARIO, key_columns, overlay_table
from callsheet.server.store.store import Store

__all__ = ["ScenarioStores", "own_tables"]

KEPT = 64


class ScenarioStores:
    """The stores of scenarios over one store; what is compiled for a scenario is kept for its next reader."""

    def __init__(self) -> None:
        self._known: BoundedDict[object, tuple[Layout, Layout, PreparedStatements]] = BoundedDict(KEPT)

    def over(self, store: Store, chain: Chain) -> Store | OverlaidStore:
        """The store of a scenario's state; the store itself if nothing lies over it."""
        holders = chain.holders
        if not holders:
            return store
        place = (store.engine_name, tuple(sorted(holders.items())))
        known = self._known.get(place)
        if known is None or known[0] is not store.layout:
            tables = {
                name: overlaid(table, holders[name]) for name, table in own_tables(store).items() if name in holders
            }
            layout = overlaid_layout(store.layout, tables)
            known = self._known[place] = store.layout, layout, PreparedStatements()
        return OverlaidStore(store, known[1], known[2])


def own_tables(store: Store) -> dict[str, Table]:
    """The tables of entities and of links by name."""
    return {table.name: table for table in (*store.tables.values(), *(e.table for e in store.layout.links.values()))}


def overlaid(table: Table, holders: Sequence[int]) -> FromClause:
    """The rows of a table as scenarios have them: those of the nearest one first."""
    over, names = overlay_table(table), [column.name for column in table.columns]
    keys = key_columns(table)
    parts: list[Select[tuple[object, ...]]] = []
    for place, holder in enumerate(holders):
        own = select(*(over.c[name] for name in names)).where(over.c[SCENARIO] == _id(holder), not_(over.c[GONE]))
        parts.append(own if place == 0 else own.where(_uncovered(over, over, keys, holders[:place])))
    base = select(*table.columns).where(_uncovered(table, over, keys, holders))
    return union_all(base, *parts).subquery(table.name)


def _uncovered(table: Table, over: Table, keys: Sequence[str], holders: Sequence[int]) -> ColumnElement[bool]:
    """The condition that none of these scenarios has its own version of a row."""
    nearer = over.alias()
    same = and_(*(nearer.c[name] == table.c[name] for name in keys))
    mine = nearer.c[SCENARIO].in_([_id(holder) for holder in holders])
    return not_(exists(select(literal(1)).select_from(nearer).where(mine, same).correlate(table)))


def _id(scenario: int) -> ColumnElement[int]:
    return literal(scenario, INTEGER)
