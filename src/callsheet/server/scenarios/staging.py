"""A change set is committed into a scenario: judged as a real commit over the scenario's state, kept beside the base.

The scenario gets its own versions of the rows that the change set touches, whole rows; and the operations, with what
they changed, as one stage. A stage is done once for its commit id, as a commit is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, inspect, literal_column, select, tuple_
from sqlalchemy.schema import CreateTable, DropTable

from callsheet.chunks import chunks
from callsheet.dialects.protocol import CommitResult
from callsheet.errors import Invalid, TooLarge
from callsheet.model.operation import ChangeSet
from callsheet.server.access.access import Access
from callsheet.server.log import commits as log
from callsheet.server.log import receipts
from callsheet.server.scenarios import registry
from callsheet.server.scenarios.deciding import decided
from callsheet.server.scenarios.overlaying import ScenarioStores, own_tables
from callsheet.server.scenarios.scenario import Chain, ScenarioRow
from callsheet.server.store.scenario_tables import GONE, SCENARIO, SEEN, overlay_table
from callsheet.server.store.store import CHUNK, Store
from callsheet.server.writing.apply import JudgedCommit, judge
from callsheet.server.writing.custom_attributes import CONFIGURATION
from callsheet.server.writing.overlay import WorkingRow
from callsheet.server.writing.saving import changes_of, columns_of

__all__ = ["RightsOver", "have_table", "replace_rows", "row_of", "stage"]

RightsOver = Callable[[Store], Access | None]
"""The rights of the author on the entities of a store; None if they are not checked."""
PAIRS = 500


def stage(
    store: Store,
    connection: Connection,
    stores: ScenarioStores,
    chain: Chain,
    changes: ChangeSet,
    user: str,
    now: datetime,
    rights: RightsOver,
    most: int,
) -> CommitResult:
    """Commit a change set into the nearest scenario of a chain, whose row is locked; ``most`` bytes of an account.

    Raises what a commit raises; then nothing changes.
    """
    scenario = chain.top
    done = _done(store, connection, scenario, changes)
    if done is not None:
        return done
    if changes.effect is not None:
        raise Invalid("a handler's checkpoint cannot be committed into a scenario")
    if changes.steps:
        raise Invalid("user tables cannot be changed in a scenario; they are written at once, outside of it")
    over = stores.over(store, chain)
    position = log.last_position(store, connection)
    judged = judge(over, connection, changes, user, now, rights(over), position)
    _check_kinds(judged)
    held = _save_rows(store, connection, scenario, stores.over(store, chain.below), judged)
    registry.change(store, connection, scenario, revision=scenario.revision + 1, overlaid=held)
    _save_stage(store, connection, scenario, changes, judged, user, now, most)
    if changes.parts:
        receipts.drop_parts(store, connection, user, changes.commit_id)
    return judged.result


def _check_kinds(judged: JudgedCommit) -> None:
    """Raise `Invalid` where the schema would change, or where the scenario could not be committed as one."""
    for entry in (*judged.overlay.touched(), *judged.overlay.dead()):
        if entry.identity.entity_type == CONFIGURATION:
            raise _refused(entry, "custom attributes are configured for all: commit this without a scenario")


def _refused(entry: WorkingRow, why: str) -> Invalid:
    return Invalid(f"operation {entry.operation}: {why}", operation=entry.operation, entity=tuple(entry.identity))


def _done(store: Store, connection: Connection, scenario: ScenarioRow, changes: ChangeSet) -> CommitResult | None:
    """The result of a change set that was staged before."""
    stages = store.table("_scenario_stage")
    here = (stages.c.scenario == scenario.id) & (stages.c.commit_id == changes.commit_id)
    row = connection.execute(select(stages.c.digest, stages.c.time, stages.c.result).where(here)).first()
    if row is None:
        return None
    if row.digest != receipts.digest(changes):
        raise Invalid(f"commit id {changes.commit_id!r:.80} was used for other operations; use a new one")
    return receipts.result_of(changes.commit_id, scenario.position, row.time, row.result)


def _save_stage(
    store: Store,
    connection: Connection,
    scenario: ScenarioRow,
    changes: ChangeSet,
    judged: JudgedCommit,
    user: str,
    now: datetime,
    most: int,
) -> None:
    stages, scenarios = store.table("_scenario_stage"), store.table("_scenario")
    operations = receipts.part_content(decided(judged.operations, judged.met, changes.policy))
    sizes = func.length(stages.c.operations) + func.length(stages.c.changes)
    owned = select(scenarios.c.id).where(scenarios.c.owner == scenario.owner)
    held = connection.execute(select(func.sum(sizes)).where(stages.c.scenario.in_(owned))).scalar() or 0
    what = log.encode_changes(changes_of(judged.overlay))
    if held + len(operations) + len(what) > most:
        raise TooLarge(
            f"the scenarios of `{scenario.owner}` would hold more than {most:,} bytes, the limit; delete or commit one"
        )
    row = {
        "scenario": scenario.id,
        "number": scenario.revision + 1,
        "commit_id": changes.commit_id,
        "user_name": user,
        "digest": receipts.digest(changes),
        "time": now,
        "operations": operations,
        "changes": what,
        "result": receipts.encode_result(judged.result),
    }
    connection.execute(insert(stages), row)


def _save_rows(
    store: Store, connection: Connection, scenario: ScenarioRow, below: Store, judged: JudgedCommit
) -> list[str]:
    """Write the scenario's own versions of rows; gives the names of all tables of which it has some."""
    tables, held = own_tables(store), list(scenario.overlaid)
    for table, rows in _entity_rows(tables, judged).items():
        have_table(connection, table, held)
        _seen(connection, scenario, table, below, rows)
        _check_keys(judged, table, rows)
        replace_rows(connection, scenario, table, rows)
    for name, pairs in judged.membership.pairs().items():
        have_table(connection, tables[name], held)
        rows = [{"owner": pair[0], "member": pair[1], GONE: not there, SEEN: 0} for pair, there in pairs.items()]
        replace_rows(connection, scenario, tables[name], rows)
    return held


def have_table(connection: Connection, table: Table, held: list[str]) -> None:
    """Create the overlay table if there is none; one that is left of a table with other columns is replaced."""
    if table.name in held:
        return
    over = overlay_table(table)
    if inspect(connection).has_table(over.name):
        there = connection.execute(select(literal_column("*")).select_from(over).limit(0)).keys()
        if set(there) != set(over.c.keys()):
            connection.execute(DropTable(over))
    connection.execute(CreateTable(over, if_not_exists=True))
    held.append(str(table.name))


def _entity_rows(tables: Mapping[str, Table], judged: JudgedCommit) -> dict[Table, list[dict[str, Any]]]:
    found: dict[Table, list[dict[str, Any]]] = {}
    for entry in judged.overlay.touched():
        found.setdefault(tables[entry.rules.root], []).append(row_of(tables[entry.rules.root], entry))
    for entry in judged.overlay.dead():
        table = tables[entry.rules.root]
        gone = dict.fromkeys(table.c.keys()) | {"id": entry.identity.key, GONE: True}
        found.setdefault(table, []).append(gone)
    return found


def row_of(table: Table, entry: WorkingRow) -> dict[str, Any]:
    """The whole row of an entity, as it is after the change set."""
    row: dict[str, Any] = dict.fromkeys(table.c.keys())
    if entry.row is not None:
        row.update(zip(entry.columns, entry.row))
    row.update(columns_of(entry))
    row.update(id=entry.identity.key, _type=entry.identity.entity_type, _version=entry.version + 1)
    row["_commit"] = entry.previous or 0
    return row | {GONE: False}


def _seen(
    connection: Connection, scenario: ScenarioRow, table: Table, below: Store, rows: list[dict[str, Any]]
) -> None:
    """Note which version each row had below the scenario when the scenario first changed it."""
    over, origin = overlay_table(table), below.tables[table.name]
    keys = [row["id"] for row in rows]
    known: dict[str, int] = {}
    for few in chunks(keys, CHUNK):
        found = connection.execute(select(origin.c.id, origin.c._version).where(origin.c.id.in_(few)))
        known.update((key, version) for key, version in found)
        own = select(over.c.id, over.c[SEEN]).where(over.c[SCENARIO] == scenario.id, over.c.id.in_(few))
        known.update((key, version) for key, version in connection.execute(own))
    for row in rows:
        row[SEEN] = known.get(row["id"], 0)


def _check_keys(judged: JudgedCommit, table: Table, rows: Iterable[Mapping[str, Any]]) -> None:
    """Raise `Invalid` for a new entity with the key of one that the scenario deleted: no commit can do both."""
    for row in rows:
        entry = judged.overlay.at((table.name, row["id"]))
        if entry is not None and entry.created and row[SEEN]:
            raise _refused(entry, f"{entry.identity.entity_type} {row['id']} was deleted here; use a new key")


def replace_rows(connection: Connection, scenario: ScenarioRow, table: Table, rows: list[dict[str, Any]]) -> None:
    """Write a scenario's own versions of rows of a table, in place of those it had."""
    over = overlay_table(table)
    keys = [column for column in over.primary_key.columns if column.name != SCENARIO]
    places = [tuple(row[column.name] for column in keys) for row in rows]
    for few in chunks(places, PAIRS):
        here = [over.c[SCENARIO] == scenario.id, keys[0].in_([place[0] for place in few])]
        if len(keys) > 1:
            here.append(tuple_(*keys).in_(few))
        connection.execute(delete(over).where(*here))
    connection.execute(insert(over), [row | {SCENARIO: scenario.id} for row in rows])
