"""A plan is applied: tables, rows, the schema itself and its row in the log change in one transaction, or nothing does.

Theory. Both databases take their definitions (``ALTER TABLE``) in transactions, so a process that is killed leaves the
old state or the new one. The log gets one row without changes of entities; ``_schema_change`` says what it did, by whom
and why, with the schema before, so that it can be taken back. A counter tells running servers that theirs is old.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec
from attrs import field, frozen
from sqlalchemy import Connection, delete, func, insert, select, update

from callsheet.errors import Conflict, Invalid
from callsheet.events.topics import SCHEMA_CHANGED
from callsheet.model.event import Event
from callsheet.model.schema import Schema
from callsheet.server.log import commits as log
from callsheet.server.log.publications import received_row, save_event
from callsheet.server.migration.cells import Cures
from callsheet.server.migration.correspondence import Correspondence
from callsheet.server.migration.plan import SchemaPlan, check_fits, make_plan, plan_to_plain
from callsheet.server.migration.rewriting import rewrite
from callsheet.server.migration.surroundings import follow
from callsheet.server.schemas.former_names import FormerNames
from callsheet.server.store.counter import next_position
from callsheet.server.store.described import SCHEMA_COUNTER, check_schema_number, schema_number
from callsheet.server.store.store import Store

__all__ = ["WantedSchema", "apply_schema", "correspondence_of", "plan_schema"]


@frozen
class WantedSchema:
    """The schema that a database shall have, with the former names in it, and what becomes of what does not fit."""

    document: dict[str, Any]
    former: FormerNames = field(factory=FormerNames)
    cures: Cures = field(factory=dict)


def correspondence_of(store: Store, wanted: WantedSchema) -> Correspondence:
    """The store's schema and the wanted one."""
    return Correspondence(store.described, Schema(wanted.document), wanted.former)


def plan_schema(store: Store, wanted: WantedSchema, now: datetime) -> SchemaPlan:
    """What would change, and what of its rows; nothing is written."""
    with store.reading() as connection:
        return make_plan(connection, correspondence_of(store, wanted), wanted.cures, now)


def apply_schema(
    store: Store,
    connection: Connection,
    wanted: WantedSchema,
    user: str,
    why: str,
    now: datetime,
    expected: str | None = None,
) -> tuple[int, SchemaPlan]:
    """Change a database's schema in a transaction; gives the position in the log and what was done.

    ``expected`` is the hash of the schema that was planned for. Raises `Conflict` if the database has another one,
    `Invalid` if rows do not fit, and if scenarios are open. A plan without changes does nothing, and its position is 0.
    """
    check_schema_number(connection, store.schema_number)
    both = correspondence_of(store, wanted)
    if expected is not None and both.old.hash != expected:
        raise Conflict("the database's schema has changed since this was planned: plan again")
    if both.old.hash == both.new.hash:
        return 0, SchemaPlan(both.old.hash, both.new.hash, ())
    _check_scenarios(store, connection)
    _lock(connection)
    position = next_position(store, connection)
    plan = make_plan(connection, both, wanted.cures, now)
    check_fits(plan)
    rewrite(connection, both, wanted.cures, now)
    follow(store, connection, both)
    _announce(store, connection, both, position, user, now)
    _save(store, connection, both, plan, (position, user, why, now))
    return position, plan


def _announce(
    store: Store, connection: Connection, both: Correspondence, position: int, user: str, now: datetime
) -> None:
    """The event that connected sessions, listeners and pages see."""
    data = {"position": position, "hash": both.new.hash}
    save_event(store, connection, received_row(Event(SCHEMA_CHANGED, data, sent=now), user, now))


def _lock(connection: Connection) -> None:
    """Wait for running commits, and let no other begin: each reads the log first."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
        connection.exec_driver_sql("LOCK TABLE _log IN ACCESS EXCLUSIVE MODE")


def _check_scenarios(store: Store, connection: Connection) -> None:
    open_ = connection.execute(select(func.count()).select_from(store.table("_scenario"))).scalar_one()
    if open_:
        raise Invalid(
            f"{open_:,} scenario{' is' if open_ == 1 else 's are'} open, which stand on the schema of now: commit or "
            "delete them first (`callsheet scenario list`)"
        )


def _save(
    store: Store, connection: Connection, both: Correspondence, plan: SchemaPlan, by: tuple[int, str, str, datetime]
) -> None:
    position, user, why, now = by
    meta, rows = store.table("_meta"), store.table("_schema_change")
    text = msgspec.json.encode(both.new.document).decode()
    connection.execute(update(meta).where(meta.c.name == "schema").values(value=text))
    _raise_counter(store, connection)
    row = {"position": position, "commit_id": f"schema:{uuid4()}", "user_name": user, "time": now, "digest": ""}
    row |= {"origin": f"schema: {why}" if why else "schema", "changes": log.encode_changes(())}
    connection.execute(insert(store.table("_log")), {**row, "result": msgspec.json.encode([[], [], []])})
    connection.execute(
        insert(rows),
        {
            "position": position,
            "user_name": user,
            "why": why,
            "time": now,
            "before": msgspec.json.encode(both.old.document).decode(),
            "types": msgspec.json.encode(both.successors).decode(),
            "names": msgspec.json.encode([[*old, new] for old, new in both.names.items() if old[1] != new]).decode(),
            "plan": msgspec.json.encode(plan_to_plain(plan)).decode(),
            "lost": plan.lost,
        },
    )


def _raise_counter(store: Store, connection: Connection) -> None:
    counter = store.table("_counter")
    number = schema_number(connection)
    connection.execute(delete(counter).where(counter.c.name == SCHEMA_COUNTER))
    connection.execute(insert(counter), {"name": SCHEMA_COUNTER, "value": number + 1})
