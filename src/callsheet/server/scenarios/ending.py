"""A scenario is rebased on what it stands on now, or committed into it.

Both replay its operations, compressed, with the values that their authors saw; a conflict is found and decided as in
any commit (``writing/conflicts.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import Connection, select, update

from callsheet.dialects.protocol import CommitResult
from callsheet.errors import Conflict, Forbidden, Invalid
from callsheet.model.compression import compress
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.record import Identity, new_key
from callsheet.server.access.access import Access
from callsheet.server.log import commits as log
from callsheet.server.log import receipts
from callsheet.server.scenarios import registry
from callsheet.server.scenarios.call import ScenarioCall
from callsheet.server.scenarios.difference import operations_in
from callsheet.server.scenarios.overlaying import own_tables
from callsheet.server.scenarios.scenario import Chain, ScenarioRow
from callsheet.server.store.scenario_tables import SCENARIO, SEEN, overlay_table
from callsheet.server.store.store import CHUNK, Store
from callsheet.server.writing import apply as writing

__all__ = ["commit", "rebase"]

POLICIES = ("raise", "ours", "theirs")
Place = tuple[str, str]


@frozen
class _Moved:
    """An entity of a scenario whose version below it is not the one that the scenario began with.

    ``now`` is the version below (None: it is gone), ``seen`` the one that was seen (0: there was none).
    """

    identity: Identity
    seen: int
    now: int | None


def rebase(call: ScenarioCall, name: str, conflicts: str) -> dict[str, Any]:
    """Replay a scenario on what it stands on now.

    Gives the entities that ``moved`` below it since, the ``conflicts``, and whether it was ``done``: with the policy
    ``raise`` nothing is changed if there is a conflict, else the ``conflicts`` are decided by ours or theirs.
    """
    _check_policy(conflicts)
    store = call.store
    report: dict[str, Any] = {}

    def work(connection: Connection) -> None:
        scenario = call.named(connection, name, owned=True)
        chain = call.chain(connection, scenario)
        below = call.over(chain.below)
        moved = _moved(store, connection, scenario, below)
        report.update(moved=_named(call.rights(below), store, connection, moved), conflicts=[], done=True)
        operations = _replayed(store, connection, scenario, moved, conflicts)
        registry.clear(store, connection, scenario)
        position = log.last_position(store, connection)
        registry.change(store, connection, scenario, overlaid=[], position=position)
        empty = evolve(scenario, overlaid=[], position=position)
        report["position"] = position
        if operations:
            changes = ChangeSet(new_key(), operations, policy=conflicts)
            call.stage(connection, Chain((empty, *chain.below.scenarios)), changes)

    try:
        store.write(work)
    except Conflict as error:
        return {**report, "conflicts": error.details.get("conflicts", []), "done": False, "position": None}
    return report


def commit(call: ScenarioCall, name: str, conflicts: str, uid: str | None) -> dict[str, Any]:
    """Commit all operations of a scenario into its origin as one change set, and end the scenario.

    The change set has the scenario's ``uid`` as its id, so a commit that is sent again gets the first result. Raises
    what a commit raises; then the scenario stays as it is.
    """
    _check_policy(conflicts)
    store, account = call.store, call.account

    def work(connection: Connection) -> tuple[CommitResult, bool]:
        if uid is not None and (done := _receipt(store, connection, account, uid)) is not None:
            return done, False
        scenario = call.named(connection, name, owned=True)
        if uid is not None and scenario.uid != uid:
            raise Invalid(f"the scenario {scenario.name!r} is another one than that which was to be committed")
        chain = call.chain(connection, scenario)
        below = call.over(chain.below)
        operations = _replayed(store, connection, scenario, _moved(store, connection, scenario, below), conflicts)
        changes = ChangeSet(scenario.uid, operations, policy=conflicts, origin=f"scenario:{scenario.name}")
        if scenario.origin is None:
            result = writing.apply(store, connection, changes, account, call.now(), call.access)
        else:
            result = _into_origin(call, connection, chain.below, changes)
        scenarios = store.table("_scenario")
        connection.execute(update(scenarios).where(scenarios.c.origin == scenario.id).values(origin=scenario.origin))
        registry.drop(store, connection, scenario)
        return result, scenario.origin is None

    result, on_base = store.write(work)
    if on_base:
        call.committed(result.position, False, True)
    return {
        "commit_id": result.commit_id,
        "position": result.position,
        "time": result.time,
        "operations": len(result.versions),
        "replayed": result.replayed,
    }


def _into_origin(call: ScenarioCall, connection: Connection, below: Chain, changes: ChangeSet) -> CommitResult:
    """Commit a change set into the scenario that another one stands on."""
    origin = below.top
    if origin.owner != call.account:
        raise Forbidden(f"`{call.account}` may not change the scenario {origin.name!r}, the origin of this one")
    locked = call.named(connection, f"{origin.owner}/{origin.name}", owned=True)
    return call.stage(connection, call.chain(connection, locked), changes)


def _receipt(store: Store, connection: Connection, account: str, uid: str) -> CommitResult | None:
    """The result of a scenario's commit that was done before, into the base or into an origin."""
    entries, stages = store.table("_log").c, store.table("_scenario_stage").c
    row = connection.execute(
        select(entries.position, entries.time, entries.result).where(
            entries.user_name == account, entries.commit_id == uid
        )
    ).first()
    if row is None:
        columns = select(stages.number, stages.time, stages.result)
        row = connection.execute(columns.where(stages.user_name == account, stages.commit_id == uid)).first()
    return None if row is None else receipts.result_of(uid, *row)


def _moved(store: Store, connection: Connection, scenario: ScenarioRow, below: Store) -> list[_Moved]:
    """The entities of a scenario that changed below it since the scenario first changed them."""
    found: list[_Moved] = []
    for name, table in own_tables(store).items():
        if name not in scenario.overlaid or name not in below.tables:
            continue
        over, origin = overlay_table(table), below.tables[name]
        seen = select(over.c.id, over.c[SEEN], over.c._type).where(over.c[SCENARIO] == scenario.id)
        for few in _chunks(connection.execute(seen.order_by(over.c.id)).all()):
            there = select(origin.c.id, origin.c._version, origin.c._type).where(
                origin.c.id.in_([row[0] for row in few])
            )
            now = {row[0]: row for row in connection.execute(there)}
            for key, version, kind in few:
                row = now.get(key)
                if (0 if row is None else row[1]) != version:
                    identity = Identity(kind or (name if row is None else row[2]), key)
                    found.append(_Moved(identity, version, None if row is None else row[1]))
    return found


def _chunks(rows: Any) -> Iterable[Any]:
    return (rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK))


def _named(rights: Access, store: Store, connection: Connection, moved: Collection[_Moved]) -> list[dict[str, Any]]:
    """What moved, as plain data, without what the account may not read any more."""
    shown = []
    for each in moved:
        root = store.schema.types[each.identity.entity_type].root
        if each.now is not None and not rights.among("read", connection, root, [each.identity.key]):
            continue
        kind = "deleted" if each.now is None else "created" if not each.seen else "changed"
        shown.append({"type": each.identity.entity_type, "key": each.identity.key, "kind": kind})
    return shown


def _replayed(
    store: Store, connection: Connection, scenario: ScenarioRow, moved: Iterable[_Moved], policy: str
) -> tuple[Operation, ...]:
    """The operations of a scenario as one change set, with the versions that they began with.

    Raises `Conflict` for entities that were deleted below, or created with the same key; where theirs stands, the
    operations on them are left out.
    """
    roots = {name: found.root for name, found in store.schema.types.items()}
    lost = {(roots[each.identity.entity_type], str(each.identity.key)): each for each in moved}
    lost = {place: each for place, each in lost.items() if each.now is None or not each.seen}
    kept: list[Operation] = []
    conflicts: list[dict[str, Any]] = []
    seen = _seen_versions(store, connection, scenario)
    for operation in compress(list(operations_in(store, connection, scenario))):
        place = roots[operation.identity.entity_type], str(operation.identity.key)
        if place not in lost:
            kept.append(_at_version(operation, seen.get(place)))
        elif not isinstance(operation, Delete) and policy != "theirs":
            conflicts.append(_lost(operation, lost[place]))
    if conflicts:
        kind, key = conflicts[0]["entity"]
        raise Conflict(
            f"{kind} {key} was {'deleted' if conflicts[0]['theirs'] is None else 'created'} meanwhile"
            f"{f' (and {len(conflicts) - 1} more)' if len(conflicts) > 1 else ''}: only `theirs` can stand",
            entity=(kind, key),
            details={"conflicts": conflicts},
        )
    return tuple(kept)


def _lost(operation: Create | Update, moved: _Moved) -> dict[str, Any]:
    return {
        "entity": list(operation.identity),
        "attribute": "",
        "base": moved.seen or None,
        "ours": dict(operation.values),
        "theirs": moved.now,
    }


def _at_version(operation: Operation, version: int | None) -> Operation:
    """An operation that says which version its author saw below the scenario."""
    return operation if isinstance(operation, Create) or not version else evolve(operation, version=version)


def _seen_versions(store: Store, connection: Connection, scenario: ScenarioRow) -> dict[Place, int]:
    found: dict[Place, int] = {}
    for name, table in store.tables.items():
        if name in scenario.overlaid:
            over = overlay_table(table)
            rows = connection.execute(select(over.c.id, over.c[SEEN]).where(over.c[SCENARIO] == scenario.id))
            found.update(((name, key), version) for key, version in rows)
    return found


def _check_policy(policy: Any) -> None:
    if policy not in POLICIES:
        raise Invalid(f"`conflicts` is one of {', '.join(POLICIES)}, not {policy!r:.80}")
