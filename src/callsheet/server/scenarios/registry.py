"""The rows of scenarios: made, found by name, listed, changed, dropped.

A scenario that an account may not read, or that has expired, does not exist for it: no name, no error differs.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, Select, delete, func, insert, select, update

from callsheet.errors import Invalid, NotFound, TooLarge
from callsheet.model.schema import did_you_mean
from callsheet.server.log import commits as log
from callsheet.server.scenarios.overlaying import own_tables
from callsheet.server.scenarios.scenario import Chain, ScenarioRow
from callsheet.server.store.scenario_tables import SCENARIO, overlay_table
from callsheet.server.store.store import Store

__all__ = [
    "branches_of", "chain_of", "change", "check_free", "check_name", "clear", "create", "drop", "drop_expired",
    "labels", "named", "origin_of", "readable",
]  # fmt: skip

NAME_LENGTH = 100
DEPTH = 8
"""The most scenarios that stand on each other."""
MOST = 1_000
"""The most scenarios of one account."""


def check_name(name: Any) -> str:
    """The name; `Invalid` if a scenario cannot have it."""
    known = isinstance(name, str) and 0 < len(name) <= NAME_LENGTH
    if known and name.isprintable() and name.strip() == name and "/" not in name:
        return str(name)
    raise Invalid(
        f"the name of a scenario has 1 to {NAME_LENGTH} printable characters, no `/`, and no space at its ends, "
        f"not {name!r:.120}"
    )


def readable(store: Store, connection: Connection, account: str, now: datetime) -> list[ScenarioRow]:
    """The scenarios that an account may read: its own ones first, each by name."""
    found = [ScenarioRow.of(row) for row in connection.execute(select(store.table("_scenario")))]
    mine = [each for each in found if each.readable_by(account) and each.lives_at(now)]
    return sorted(mine, key=lambda each: (each.owner != account, each.name, each.owner))


def labels(scenarios: Iterable[ScenarioRow]) -> dict[str, ScenarioRow]:
    """Scenarios by the shortest name under which `named` finds them: their own, or ``owner/name``."""
    found: dict[str, ScenarioRow] = {}
    for each in scenarios:
        found[each.name if each.name not in found else f"{each.owner}/{each.name}"] = each
    return found


def named(
    store: Store, connection: Connection, account: str, label: Any, now: datetime, lock: bool = False
) -> ScenarioRow:
    """The scenario that a name means to an account: its own one before those of others; ``owner/name`` is exact.

    With ``lock`` no other commit changes it meanwhile.
    """
    if not isinstance(label, str):
        raise Invalid(f"a scenario is named by a string, not {label!r:.80}")
    table = store.table("_scenario")
    owner, _, name = label.rpartition("/")
    statement = select(table).where(table.c.name == name).order_by(table.c.owner)
    if owner:
        statement = statement.where(table.c.owner == owner)
    found = _living(connection, statement, account, now)
    if not found:
        known = [] if len(label) > NAME_LENGTH else list(labels(readable(store, connection, account, now)))
        raise NotFound(f"there is no scenario {label!r:.120}{did_you_mean(label, known)}")
    chosen = min(found, key=lambda each: each.owner != account)
    if lock:
        locked = select(table).where(table.c.id == chosen.id).with_for_update()
        (chosen,) = _living(connection, locked, account, now) or [_vanished(label)]
    return chosen


def _vanished(label: str) -> ScenarioRow:
    raise NotFound(f"there is no scenario {label!r:.120}")


def _living(connection: Connection, statement: Select[Any], account: str, now: datetime) -> list[ScenarioRow]:
    found = [ScenarioRow.of(row) for row in connection.execute(statement)]
    return [each for each in found if each.readable_by(account) and each.lives_at(now)]


def chain_of(store: Store, connection: Connection, scenario: ScenarioRow) -> Chain:
    """A scenario and those that it stands on.

    Raises `NotFound` if one of them is no longer shared with the owner of the scenario on it.
    """
    found = [scenario]
    while (below := origin_of(store, connection, found[-1])) is not None:
        if not below.readable_by(found[-1].owner):
            raise NotFound(f"the scenario {scenario.name!r} stands on one that is no longer shared with its owner")
        found.append(below)
    return Chain(tuple(found))


def origin_of(store: Store, connection: Connection, scenario: ScenarioRow) -> ScenarioRow | None:
    """The scenario that this one stands on; None if it stands on the base."""
    table = store.table("_scenario")
    if scenario.origin is None:
        return None
    return ScenarioRow.of(connection.execute(select(table).where(table.c.id == scenario.origin)).one())


def create(
    store: Store,
    connection: Connection,
    account: str,
    name: str,
    origin: ScenarioRow | None,
    description: str,
    expires: datetime | None,
    now: datetime,
) -> ScenarioRow:
    """A new scenario without changes; `Invalid` if the account has one of this name."""
    table = store.table("_scenario")
    drop_expired(store, connection, now)
    own = connection.execute(select(func.count()).select_from(table).where(table.c.owner == account)).scalar_one()
    if own >= MOST:
        raise TooLarge(f"`{account}` has {own:,} scenarios, the most that an account has; delete some")
    check_free(store, connection, account, name)
    if origin is not None and len(chain_of(store, connection, origin).scenarios) >= DEPTH:
        raise TooLarge(f"{origin.name!r} is the last of {DEPTH} scenarios on each other, the most that there may be")
    row: dict[str, Any] = {
        "uid": uuid4().hex,
        "name": name,
        "owner": account,
        "description": description,
        "origin": None if origin is None else origin.id,
        "created": now,
        "expires": expires,
        "position": log.last_position(store, connection),
        "revision": 0,
        "overlaid": [],
        "readers": [],
    }
    made = connection.execute(insert(table), row).inserted_primary_key
    assert made is not None, "the database numbers scenarios"
    return ScenarioRow(id=int(made[0]), **row)


def check_free(store: Store, connection: Connection, account: str, name: str) -> None:
    """Raise `Invalid` if the account has a scenario of this name."""
    table = store.table("_scenario")
    if connection.execute(select(table.c.id).where(table.c.owner == account, table.c.name == name)).first():
        raise Invalid(f"you have a scenario {name!r} already; delete it, or choose another name")


def change(store: Store, connection: Connection, scenario: ScenarioRow, **values: Any) -> None:
    """Set columns of a scenario's row."""
    table = store.table("_scenario")
    connection.execute(update(table).where(table.c.id == scenario.id).values(**values))


def branches_of(store: Store, connection: Connection, scenario: ScenarioRow) -> list[ScenarioRow]:
    """The scenarios that stand on this one."""
    table = store.table("_scenario")
    return [ScenarioRow.of(row) for row in connection.execute(select(table).where(table.c.origin == scenario.id))]


def drop(store: Store, connection: Connection, scenario: ScenarioRow) -> None:
    """Delete a scenario with all that it holds; nothing may stand on it."""
    clear(store, connection, scenario)
    table = store.table("_scenario")
    connection.execute(delete(table).where(table.c.id == scenario.id))


def clear(store: Store, connection: Connection, scenario: ScenarioRow) -> None:
    """Delete what a scenario holds."""
    tables = own_tables(store)
    for name in scenario.overlaid:
        if name in tables:
            over = overlay_table(tables[name])
            connection.execute(delete(over).where(over.c[SCENARIO] == scenario.id))
    stages = store.table("_scenario_stage")
    connection.execute(delete(stages).where(stages.c.scenario == scenario.id))


def drop_expired(store: Store, connection: Connection, now: datetime) -> None:
    """Delete scenarios that have expired; one with branches stays, unseen, until they are gone."""
    table = store.table("_scenario")
    above = table.alias()
    free = ~select(above.c.id).where(above.c.origin == table.c.id).exists()
    while True:
        expired = select(table).where(table.c.expires <= now, free)
        found = [ScenarioRow.of(row) for row in connection.execute(expired)]
        for each in found:
            drop(store, connection, each)
        if not found:
            return
