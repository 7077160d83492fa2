"""Schedules on the server: the actions by which listeners claim ticks, so that each tick is handled once.

A tick is a time at which a schedule is due. Listeners compute the ticks from the cron expression; the server's clock
and one row decide. The row has the time up to which ticks have become deliveries, so the first listener that names a
tick creates its delivery, and later ones create nothing. From then on a tick is a delivery like an event: leased to one
attempt, settled in the commit of its effect, retried, or a dead letter (``deliveries.py``). Its position is the second
at which it is due, and all ticks of a schedule are one stream: they are handled one after the other.

Missed ticks (no listener was running, or the previous tick was still being handled) follow the schedule's policy.
``all`` keeps every tick; ``once`` keeps the latest of those that have not begun; ``skip`` keeps a tick only if it is at
most `LATE` seconds late and no delivery of the schedule is open.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, Row, select

from callsheet.errors import Invalid
from callsheet.model.event import Event, Position
from callsheet.server.queues.deliveries import Queue
from callsheet.server.queues.delivery import Delivery
from callsheet.server.queues.request import HandlerRequest

__all__ = ["MOST", "POLICIES", "claim", "names", "refuse_as_handler", "status", "tick"]

POLICIES = ("once", "all", "skip")
TOPIC = "callsheet.tick"
MOST = 1_000
"""The most ticks in one claim, and the most open ticks of a schedule."""
LATE = 60
"""Seconds after which a tick counts as missed. A changed expression applies from this long ago."""


def claim(
    request: HandlerRequest,
    schedule: str,
    expression: str,
    zone: str,
    worker: str,
    missed: str = "once",
    due: Sequence[int] = (),
    lease_seconds: float = 30.0,
    known: list[str] | tuple[str, ...] = (),
) -> dict[str, Any]:
    """At most one tick for a worker; the first claim creates the schedule.

    ``due`` are the ticks, in seconds since 1970, that the worker considers due; those after the server's time are
    ignored. The result has the time up to which ticks have become deliveries, and the server's time.
    """
    declared = (expression, zone, missed)
    now = int(request.clock().timestamp())
    with request.store.reading() as connection:
        queue = request.queue(connection, schedule)
        row = queue.schedule()
        if row is not None and _declared(row) == declared:
            new = [each for each in due if row.due < each <= now]
            if not new and not queue.is_waiting(worker, known):
                return {"due": row.due, "now": now, "ticks": []}

    def write(queue: Queue) -> dict[str, Any]:
        row = _known(request, queue, declared, now)
        until = _queue_ticks(queue, row, sorted(each for each in due if row.due < each <= now), now)
        given = queue.lease(worker, 1, lease_seconds, known)
        return {"due": until, "now": now, "ticks": [_with_previous(each, row.done).plain() for each in given]}

    return request.write(schedule, write)


def _declared(row: Row[Any]) -> tuple[str, str, str]:
    return row.expression, row.zone, row.missed


def _known(request: HandlerRequest, queue: Queue, declared: tuple[str, str, str], now: int) -> Row[Any]:
    """The schedule's row, locked, created or updated to this declaration.

    A new schedule begins now. A changed one begins at most `LATE` seconds ago: its ticks before are not made up.
    """
    row = queue.schedule(lock=True)
    if row is not None and _declared(row) == declared:
        return row
    if row is None and queue.known() is not None:
        raise Invalid(_taken(queue.handler, "a handler"))
    queue.declare_schedule(*declared, now if row is None else max(row.due, now - LATE))
    row = queue.schedule(lock=True)
    assert row is not None
    return row


def _queue_ticks(queue: Queue, row: Row[Any], due: list[int], now: int) -> int:
    """Add deliveries of ticks by the schedule's policy; returns the time up to which ticks are deliveries now."""
    if row.missed == "all":
        due = due[: max(0, MOST - queue.unsettled())]
    if not due:
        return int(row.due)
    kept = due
    if row.missed == "once":
        queue.drop_untried()
        kept = due[-1:]
    elif row.missed == "skip":
        kept = due[-1:] if due[-1] >= now - LATE and not queue.unsettled() else []
    queue.add_ticks([tick(row.name, each) for each in kept], due[-1])
    return due[-1]


def tick(schedule: str, due: int) -> Event:
    """A tick as an event in the queue. Its id consists of the schedule's name and the time."""
    moment = datetime.fromtimestamp(due, UTC)
    data = {"schedule": schedule, "due": moment, "previous": None}
    return Event(TOPIC, data, f"{schedule}@{moment:%Y-%m-%dT%H:%M:%SZ}", sent=moment, position=Position(due, 0))


def _with_previous(delivery: Delivery, done: int | None) -> Delivery:
    """A tick with the time of the tick handled before it."""
    previous = None if done is None else datetime.fromtimestamp(done, UTC)
    return evolve(delivery, event=evolve(delivery.event, data={**delivery.event.data, "previous": previous}))


def status(request: HandlerRequest, user: str | None = None) -> list[dict[str, Any]]:
    """The state of each schedule: up to when its ticks are deliveries, the last handled tick, and open deliveries."""
    owner = request.owner(user)
    with request.store.reading() as connection:
        return [_status(request, connection, row) for row in _rows(request, connection, owner)]


def _status(request: HandlerRequest, connection: Connection, row: Row[Any]) -> dict[str, Any]:
    queue = request.queue(connection, row.name, row.user_name)
    oldest = queue.oldest()
    facts = {name: row._mapping[name] for name in ("expression", "zone", "missed", "due", "done", "created")}
    waiting = 0.0 if oldest is None else max(0.0, (request.clock() - oldest).total_seconds())
    return {"schedule": row.name, "user": row.user_name, **facts, "waiting_seconds": waiting, **queue.counts()}


def names(request: HandlerRequest, connection: Connection, owner: str) -> list[str]:
    """The schedules of an account."""
    return [row.name for row in _rows(request, connection, owner)]


def _rows(request: HandlerRequest, connection: Connection, owner: str) -> list[Row[Any]]:
    table = request.store.table("_schedule")
    return list(connection.execute(select(table).where(table.c.user_name == owner).order_by(table.c.name)))


def refuse_as_handler(queue: Queue) -> None:
    """Raise `Invalid` if a schedule has this name: handlers and schedules share one namespace of deliveries."""
    if queue.schedule() is not None:
        raise Invalid(_taken(queue.handler, "a schedule"))


def _taken(name: str, kind: str) -> str:
    return f"`{name:.80}` is {kind} already; give this one another name, or forget that: `callsheet events remove`"
