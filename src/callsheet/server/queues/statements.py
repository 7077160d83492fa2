"""The statements of queues are built once for a database, because building one costs more than running it.

All values are parameters. ``the_user`` and ``the_handler`` identify the queue, ``the_time`` is the current time; the
others are named where they are used (``deliveries.py``).
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Table,
    Text,
    and_,
    bindparam,
    cast,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import tuple_ as pair

__all__ = ["Statements", "statements_of"]

_KEPT = "callsheet.statements"
USER: BindParameter[Any] = bindparam("the_user")
HANDLER: BindParameter[Any] = bindparam("the_handler")
TIME: BindParameter[Any] = bindparam("the_time")
UNTIL: BindParameter[Any] = bindparam("the_end")
EVENT: BindParameter[Any] = bindparam("the_event")


def statements_of(row: Table, table: Table, schedule: Table) -> Statements:
    """The statements for these three tables, cached in ``Table.info``."""
    found: Statements | None = table.info.get(_KEPT)
    if found is None:
        found = table.info[_KEPT] = Statements(row, table, schedule)
    return found


class Statements:
    """All statements on ``_handler``, ``_schedule`` and ``_delivery``."""

    def __init__(self, row: Table, table: Table, schedule: Table) -> None:
        self._row, self._table = row, table
        self._mine = and_(table.c.user_name == USER, table.c.handler == HANDLER)
        me = and_(row.c.user_name == USER, row.c.name == HANDLER)
        self.known = select(row).where(me)
        self.known_locked = self.known.with_for_update()
        declared = {"expression": bindparam("the_expression"), "ignore_own": bindparam("the_guard"), "claimed": TIME}
        self.declare = update(row).where(me).values(declared)
        self.begin = insert(row)
        place: dict[str, Any] = {"position": bindparam("the_commit"), "event_index": bindparam("the_index")}
        self.advance = update(row).where(me).values(place)
        self.forget = delete(row).where(me)
        self.add = insert(table)
        self.clear = delete(table).where(self._mine)
        self._schedule(schedule)
        self._leases()
        self._ends()
        self._views()

    def _schedule(self, row: Table) -> None:
        me = and_(row.c.user_name == USER, row.c.name == HANDLER)
        self.schedule = select(row).where(me)
        self.schedule_locked = self.schedule.with_for_update()
        self.begin_schedule = insert(row)
        declared: dict[str, Any] = {name: bindparam(f"the_{name}") for name in ("expression", "zone", "missed", "due")}
        self.declare_schedule = update(row).where(me).values(declared)
        self.forget_schedule = delete(row).where(me)
        due: BindParameter[Any] = bindparam("the_due")
        self.tick_queued = update(row).where(me).values(due=due)
        later = or_(row.c.done.is_(None), row.c.done < due)
        self.tick_done = update(row).where(me, later).values(done=due)
        table = self._table
        untried = and_(table.c.state == "ready", table.c.attempts == 0, table.c.error.is_(None))
        self.drop_untried = delete(table).where(self._mine, untried)

    def _leases(self) -> None:
        table, mine = self._table, self._mine
        first = self._first()
        late = and_(table.c.state == "leased", table.c.leased_until <= TIME)
        due = or_(and_(table.c.state == "ready", table.c.next_try <= TIME), late)
        known: BindParameter[Any] = bindparam("the_known", expanding=True)
        lost = and_(table.c.state == "leased", table.c.worker == bindparam("the_worker"), table.c.lease.not_in(known))
        self.is_waiting = select(exists().where(mine, or_(and_(due, first), lost)))
        here = select(table.c.position, table.c.event_index)
        self.give_lost = self._give(here.where(mine, lost), 0)
        self.give_due = self._give(here.where(mine, due, first), 1)
        often = table.c.attempts - table.c.failures >= bindparam("the_bound")
        reason: Any = bindparam("the_error")
        gone = {"state": "dead", "lease": None, "error": reason, "traceback": reason, "changed": TIME}
        self.bury = update(table).where(mine, late, often).values(gone)
        leases = table.c.lease.in_(bindparam("the_leases", expanding=True))
        kept = update(table).where(mine, leases, table.c.state == "leased").values(leased_until=UNTIL)
        self.renew = kept.returning(table.c.lease)

    def _first(self) -> ColumnElement[bool]:
        """The condition that no earlier delivery of the same stream is open."""
        table, other = self._table, self._table.alias("earlier")
        before = pair(other.c.position, other.c.event_index) < pair(table.c.position, table.c.event_index)
        same = and_(other.c.user_name == USER, other.c.handler == HANDLER, other.c.stream == table.c.stream)
        return ~exists().where(same, before, other.c.state != "dead")

    def _give(self, wanted: Select[Any], attempts: int) -> Any:
        table = self._table
        chosen = wanted.order_by(table.c.position, table.c.event_index).limit(bindparam("the_most"))
        place = cast(table.c.position, Text) + "." + cast(table.c.event_index, Text)
        here = pair(table.c.position, table.c.event_index).in_(chosen)
        values = {
            "state": "leased",
            "lease": bindparam("the_token", type_=Text) + place,
            "worker": bindparam("the_worker"),
            "leased_until": UNTIL,
            "attempts": table.c.attempts + attempts,
            "changed": TIME,
        }
        return update(table).where(self._mine, here).values(values).returning(table)

    def _ends(self) -> None:
        table, mine = self._table, self._mine
        here = and_(table.c.position == bindparam("the_commit"), table.c.event_index == bindparam("the_index"))
        held = and_(mine, here, table.c.lease == bindparam("the_lease"), table.c.state == "leased")
        self.settle = delete(table).where(held).returning(table.c.stream)
        self.fail = (
            update(table)
            .where(held)
            .values(
                state=bindparam("the_state"),
                failures=table.c.failures + 1,
                lease=None,
                next_try=UNTIL,
                error=bindparam("the_error"),
                traceback=bindparam("the_traceback"),
                changed=TIME,
            )
        )
        back = {"state": "ready", "lease": None, "attempts": table.c.attempts - 1, "next_try": UNTIL, "changed": TIME}
        self.release = update(table).where(held).values(back)
        again = {"state": "ready", "failures": 0, "attempts": 0, "next_try": TIME, "changed": TIME}
        dead = and_(mine, table.c.state == "dead")
        self.replay_all = update(table).where(dead).values(again)
        self.replay = update(table).where(dead, table.c.event_id == EVENT).values(again)
        idle = or_(table.c.state != "leased", table.c.leased_until <= TIME)
        self.skip = delete(table).where(mine, table.c.event_id == EVENT, idle)

    def _views(self) -> None:
        table, mine = self._table, self._mine
        self.unsettled = select(func.count()).where(mine, table.c.state.in_(("ready", "leased")))
        self.counts = select(table.c.state, func.count().label("count")).where(mine).group_by(table.c.state)
        self.oldest = select(func.min(table.c.made)).where(mine, table.c.state != "dead")
        self.deliveries = select(table).where(mine).order_by(table.c.position, table.c.event_index)
