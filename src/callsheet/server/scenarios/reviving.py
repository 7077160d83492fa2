"""The rows of scenarios are made again of what their stages changed, where a database has the stages alone.

An archive has scenarios and their stages, and not the tables with their rows: these follow from the stages, and exist
only once a scenario has changed something.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, inspect, select

from callsheet.model.history import EntityChange
from callsheet.server.scenarios import registry
from callsheet.server.scenarios.difference import changes_in, folded
from callsheet.server.scenarios.overlaying import ScenarioStores, own_tables
from callsheet.server.scenarios.scenario import Chain, ScenarioRow
from callsheet.server.scenarios.staging import have_table, replace_rows, row_of
from callsheet.server.store.scenario_tables import GONE, SEEN, overlay_table
from callsheet.server.store.store import Store
from callsheet.server.writing.overlay import Overlay

__all__ = ["revive"]


def revive(store: Store, stores: ScenarioStores) -> int:
    """Make the rows of all scenarios again if their tables are not there; gives how many scenarios had none."""
    with store.reading() as connection:
        if not _lost(store, connection):
            return 0

    def work(connection: Connection) -> int:
        lost = _lost(store, connection)
        # Those below come first.
        for scenario in sorted(lost, key=lambda each: each.id):
            registry.change(store, connection, scenario, overlaid=[])
        for scenario in sorted(lost, key=lambda each: each.id):
            _revive(store, connection, stores, registry.chain_of(store, connection, scenario))
        return len(lost)

    return store.write(work)


def _lost(store: Store, connection: Connection) -> list[ScenarioRow]:
    """The scenarios of which some table is not there."""
    found = [ScenarioRow.of(row) for row in connection.execute(select(store.table("_scenario")))]
    if not any(each.overlaid for each in found):
        return []
    there, tables = set(inspect(connection).get_table_names()), own_tables(store)
    return [
        each
        for each in found
        if any(name in tables and overlay_table(tables[name]).name not in there for name in each.overlaid)
    ]


def _revive(store: Store, connection: Connection, stores: ScenarioStores, chain: Chain) -> None:
    scenario, below = chain.top, stores.over(store, chain.below)
    stages = list(changes_in(store, connection, [scenario]))
    changes = folded(lambda kind: store.schema.types[kind].root, stages)
    tables, held = own_tables(store), list[str]()
    for root, rows in _rows(store, connection, below, changes, _seen(stages)).items():
        have_table(connection, tables[root], held)
        replace_rows(connection, scenario, tables[root], rows)
    for name, rows in _pairs(store, changes).items():
        have_table(connection, tables[name], held)
        replace_rows(connection, scenario, tables[name], rows)
    registry.change(store, connection, scenario, overlaid=held)


def _seen(stages: Iterable[EntityChange]) -> dict[str, int]:
    """Which version each entity had below the scenario when the scenario first changed it, by key."""
    found: dict[str, int] = {}
    for change in stages:
        seen = {"create": 0, "update": change.version - 1, "delete": change.version}[change.kind]
        found.setdefault(str(change.identity.key), seen)
    return found


def _rows(
    store: Store, connection: Connection, below: Store, changes: Iterable[EntityChange], seen: Mapping[str, int]
) -> dict[str, list[dict[str, Any]]]:
    """The scenario's own versions of rows, by table."""
    overlay = Overlay(below, connection)
    found: dict[str, list[dict[str, Any]]] = {}
    places = {overlay.place(change.identity): change for change in changes}
    overlay.load(places)
    for place, change in places.items():
        table = store.tables[place[0]]
        entry = overlay.at(place)
        if change.kind == "delete":
            row: dict[str, Any] = dict.fromkeys(table.c.keys()) | {"id": place[1], GONE: True}
        else:
            entry = entry or overlay.create(change.identity, 0)
            entry.values.update(change.after)
            row = row_of(table, entry) | {"_version": change.version}
        found.setdefault(place[0], []).append(row | {SEEN: seen[place[1]]})
    return found


def _pairs(store: Store, changes: Iterable[EntityChange]) -> dict[str, list[dict[str, Any]]]:
    """The scenario's own pairs of link tables."""
    found: dict[str, dict[tuple[str, str], bool]] = {}
    for change in changes:
        for collections, present in ((change.removed, False), (change.added, True)):
            for name, members in collections.items():
                link = store.link(change.identity.entity_type, name)
                for member in members:
                    pair = str(change.identity.key), str(member.key)
                    pair = pair if link.near.name == "owner" else pair[::-1]
                    found.setdefault(link.table.name, {})[pair] = present
    return {
        name: [{"owner": owner, "member": member, GONE: not there, SEEN: 0} for (owner, member), there in pairs.items()]
        for name, pairs in found.items()
    }
