"""Schedules on the server: the actions with which listeners have ticks done, each once.

A tick is a moment at which a schedule is due. Listeners compute when that is, from the cron expression; here the
server's clock and one row decide. The row says up to when ticks have become deliveries, so whoever names a tick first
makes it one, and whoever names it again makes nothing. From there on a tick is a delivery like an event: leased to
one attempt, settled in the commit of its effect, tried again, a dead letter (``deliveries.py``). Its position is the
second at which it is due, and all ticks of a schedule are one stream: one is done after the other.

What is missed (nobody listened, or the tick before was still under way) goes by the schedule's policy. ``all`` keeps
every tick; ``once`` keeps the latest of those that nobody has begun; ``skip`` keeps a tick only if it is no later than
`LATE` and nothing of the schedule waits or is under way.
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
"""Ticks in one claim, and ticks of a schedule that are not done yet."""
LATE = 60
"""Seconds: a tick that is seen to later than this was missed. A changed expression counts from as long ago."""


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
    """At most one tick for a worker; the schedule begins to be with its first claim.

    ``due`` are the ticks, in seconds since 1970, that the worker takes to be due; none is later than the server's
    clock. The answer says up to when ticks have been seen to, and what time it is here.
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
        return {"due": until, "now": now, "ticks": [_told(each, row.done).plain() for each in given]}

    return request.write(schedule, write)


def _declared(row: Row[Any]) -> tuple[str, str, str]:
    return row.expression, row.zone, row.missed


def _known(request: HandlerRequest, queue: Queue, declared: tuple[str, str, str], now: int) -> Row[Any]:
    """The schedule's row, locked, with these words.

    A new one begins now. Other words begin `LATE` seconds ago at most: what they would have meant before was nothing.
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
    """Make deliveries of ticks as the schedule's policy says; up to when they have been seen to."""
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
    """A tick as an event in the queue. Its id says which schedule is due, and when."""
    moment = datetime.fromtimestamp(due, UTC)
    data = {"schedule": schedule, "due": moment, "previous": None}
    return Event(TOPIC, data, f"{schedule}@{moment:%Y-%m-%dT%H:%M:%SZ}", sent=moment, position=Position(due, 0))


def _told(delivery: Delivery, done: int | None) -> Delivery:
    """A tick with the one that was done last: what is true when it begins."""
    previous = None if done is None else datetime.fromtimestamp(done, UTC)
    return evolve(delivery, event=evolve(delivery.event, data={**delivery.event.data, "previous": previous}))


def status(request: HandlerRequest, user: str | None = None) -> list[dict[str, Any]]:
    """How each schedule does: up to when its ticks have been seen to, which was done last, what waits."""
    owner = request.owner(user)
    with request.store.reading() as connection:
        return [_status(request, connection, row) for row in _rows(request, connection, owner)]


def _status(request: HandlerRequest, connection: Connection, row: Row[Any]) -> dict[str, Any]:
    queue = request.queue(connection, row.name, row.user_name)
    oldest = queue.oldest()
    told = {name: row._mapping[name] for name in ("expression", "zone", "missed", "due", "done", "created")}
    waiting = 0.0 if oldest is None else max(0.0, (request.clock() - oldest).total_seconds())
    return {"schedule": row.name, "user": row.user_name, **told, "waiting_seconds": waiting, **queue.counts()}


def names(request: HandlerRequest, connection: Connection, owner: str) -> list[str]:
    """The schedules of an account."""
    return [row.name for row in _rows(request, connection, owner)]


def _rows(request: HandlerRequest, connection: Connection, owner: str) -> list[Row[Any]]:
    table = request.store.table("_schedule")
    return list(connection.execute(select(table).where(table.c.user_name == owner).order_by(table.c.name)))


def refuse_as_handler(queue: Queue) -> None:
    """A name is a handler's or a schedule's: both have their deliveries under it."""
    if queue.schedule() is not None:
        raise Invalid(_taken(queue.handler, "a schedule"))


def _taken(name: str, kind: str) -> str:
    return f"`{name:.80}` is {kind} already; give this one another name, or forget that: `callsheet events remove`"
