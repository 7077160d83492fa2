"""Durable handlers on the server: the actions ``handlers.…`` that ``callsheet listen`` and ``callsheet events`` call.

A claim reads the log from the handler's position, adds matching events to its queue (up to a limit), and leases some
of them. It reads before it writes, so that polling an idle server costs two small reads. Every other action is one call
of the queue (``deliveries.py``) in one transaction. Handlers belong to the account that claims for them; an
administrator may manage those of others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from inspect import signature
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import Connection, Row, select

from callsheet.errors import Invalid, NotFound
from callsheet.model.event import Event, Position
from callsheet.model.operation import handler_origin
from callsheet.server.log import commits as log
from callsheet.server.log.events import beginning, end_of, events_after, readable_now
from callsheet.server.log.filters import filter_of
from callsheet.server.queues import schedules
from callsheet.server.queues.deliveries import Queue
from callsheet.server.queues.delivery import Delivery
from callsheet.server.queues.request import HandlerRequest
from callsheet.server.store.store import Store

__all__ = ["ACTIONS", "answer", "stream_of"]

OUTSTANDING = 1_000
"""The most open deliveries of a handler."""
BATCH = 500
"""The most events read by one claim."""
NAME = 200
STATES = ("ready", "leased", "dead")


def answer(request: HandlerRequest, action: str, arguments: Mapping[str, Any]) -> Any:
    """The result of an action; raises `Invalid` for wrong arguments."""
    function = ACTIONS[action]
    try:
        bound = signature(function).bind(request, **arguments)
    except TypeError as error:
        raise Invalid(f"{action}: {error}") from None
    for name, value in arguments.items():
        _check(action, name, value)
    # Raises before a transaction begins, if the account has no rights.
    request.access  # noqa: B018
    return function(*bound.args, **bound.kwargs)


# -- what workers call -------------------------------------------------------------------------------------------


def _claim(
    request: HandlerRequest,
    handler: str,
    expression: str,
    worker: str,
    most: int = 8,
    lease_seconds: float = 30.0,
    outstanding: int = OUTSTANDING,
    ignore_own: bool = False,
    from_start: bool = False,
    known: list[str] | tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    """At most ``most`` deliveries for a worker; the first claim creates the handler."""
    declared = (expression, ignore_own)
    filter_of([expression])
    found, waiting = _Read(None, Position(0, 0), ()), True
    with request.store.reading() as connection:
        queue = request.queue(connection, handler)
        row = queue.known()
        if row is not None:
            found = _read(request, connection, queue, row, declared, outstanding)
            same = (row.expression, row.ignore_own) == declared
            waiting = not same or bool(found.events) or queue.is_waiting(worker, known)
            if found.moved is None and not waiting:
                return []

    def claim(queue: Queue) -> list[dict[str, Any]]:
        now = queue.known(lock=True)
        if now is None:
            schedules.refuse_as_handler(queue)
        if now is None or (now.expression, now.ignore_own) != declared:
            last = 0 if from_start else log.last_position(request.store, queue.connection)
            queue.declare(expression, ignore_own, end_of(last))
        if now is not None and found.moved is not None and found.after == Position(now.position, now.event_index):
            queue.add(found.events, found.moved)
        given = queue.lease(worker, most, lease_seconds, known) if waiting else []
        return [delivery.plain() for delivery in _delivered(request, queue, given)]

    return request.write(handler, claim)


def _delivered(request: HandlerRequest, queue: Queue, given: Sequence[Delivery]) -> Iterator[Delivery]:
    """Deliveries as far as their account may read them now; one that it may not read is removed from the queue."""
    for delivery, event in zip(given, _readable_now(request, queue.connection, given)):
        if event is not None:
            yield evolve(delivery, event=event)
        elif delivery.event.position is not None:
            queue.settle(delivery.event.position, delivery.lease)


def _readable_now(request: HandlerRequest, connection: Connection, given: Sequence[Delivery]) -> list[Event | None]:
    return readable_now(request.store, connection, request.access, [each.event for each in given], request.recent)


@frozen
class _Read:
    """Events read from the log after a position, each with its stream; ``moved`` is the new position (None: same)."""

    moved: Position | None
    after: Position
    events: tuple[tuple[Event, str], ...]


def _read(
    request: HandlerRequest,
    connection: Connection,
    queue: Queue,
    row: Row[Any],
    declared: tuple[str, bool],
    outstanding: int,
) -> _Read:
    """Read the log from the handler's position by the caller's declaration: after an edit, listeners may differ."""
    after = Position(row.position, row.event_index)
    if log.last_position(request.store, connection) <= after.commit and beginning(after.commit) <= after:
        return _Read(None, after, ())
    room = min(BATCH, outstanding - queue.unsettled())
    if room <= 0:
        return _Read(None, after, ())
    expression, ignore_own = declared
    wanted = filter_of([expression])
    store, access, recent = request.store, request.access, request.recent
    events, place = events_after(store, connection, access, after, room, wanted, recent=recent)
    own = handler_origin(row.name) if ignore_own else None
    kept = tuple((event, stream_of(store, event)) for event in events if own is None or _origin(event) != own)
    return _Read(None if place == after else place, after, kept)


def _origin(event: Event) -> Any:
    return event.data.get("origin") if isinstance(event.data, Mapping) else None


def stream_of(store: Store, event: Event) -> str:
    """The stream of an event: its entity, so that its events are handled in order; else the event alone."""
    entity = event.entity
    kind, key = entity.get("type"), entity.get("id")
    if not isinstance(kind, str) or key is None:
        return f"event {event.id}"
    known = store.schema.types.get(kind)
    return f"{kind if known is None else known.root} {key}"


def _settle(request: HandlerRequest, handler: str, position: int, index: int, lease: str) -> bool:
    """The event was handled; returns false if the lease no longer held it."""
    return request.write(handler, lambda queue: queue.settle(Position(position, index), lease))


def _fail(
    request: HandlerRequest,
    handler: str,
    position: int,
    index: int,
    lease: str,
    error: str,
    traceback: str = "",
    delay: float | None = None,
) -> bool:
    """The event could not be handled: retry it after a delay, or move it to the dead letters (None)."""
    place = Position(position, index)
    return request.write(handler, lambda queue: queue.fail(place, lease, error, traceback, delay))


def _release(request: HandlerRequest, handler: str, position: int, index: int, lease: str, delay: float = 0.0) -> bool:
    """The event was not tried: any worker may claim it."""
    return request.write(handler, lambda queue: queue.release(Position(position, index), lease, delay))


def _renew(request: HandlerRequest, handler: str, leases: list[str], lease_seconds: float = 30.0) -> list[str]:
    """Extend leases; returns those that still exist."""
    return request.write(handler, lambda queue: queue.renew(leases, lease_seconds))


# -- what people call --------------------------------------------------------------------------------------------


def _deliveries(
    request: HandlerRequest,
    handler: str | None = None,
    state: str | None = None,
    event_id: str | None = None,
    limit: int = 100,
    user: str | None = None,
) -> list[dict[str, Any]]:
    """Open and dead deliveries, oldest first."""
    owner = request.owner(user)
    with request.store.reading() as connection:
        names = [handler] if handler is not None else _names(request, connection, owner)
        queues = [request.queue(connection, name, user) for name in names]
        found = [each for queue in queues for each in queue.deliveries(state, event_id, limit)]
        found.sort(key=lambda each: each.event.position or Position(0, 0))
        events = _readable_now(request, connection, found[:limit])
    return [evolve(each, event=event).plain() for each, event in zip(found, events) if event is not None]


def _status(request: HandlerRequest, user: str | None = None) -> list[dict[str, Any]]:
    """The state of each handler: its position, its open deliveries, and how long the oldest one has waited."""
    owner, now = request.owner(user), request.clock()
    with request.store.reading() as connection:
        last = log.last_position(request.store, connection)
        return [_state(request, connection, row, last, now) for row in _rows(request, connection, owner)]


def _state(request: HandlerRequest, connection: Connection, row: Row[Any], last: int, now: datetime) -> dict[str, Any]:
    queue = request.queue(connection, row.name, row.user_name)
    oldest = queue.oldest()
    return {
        "handler": row.name,
        "user": row.user_name,
        "expression": row.expression,
        "position": row.position,
        "last_position": last,
        "behind": max(0, last - row.position),
        "waiting_seconds": 0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()),
        "created": row.created,
        "claimed": row.claimed,
        **queue.counts(),
    }


def _replay(request: HandlerRequest, handler: str, event_id: str | None = None, user: str | None = None) -> int:
    """Make dead letters ready again: those of one event, or all of the handler; returns how many."""
    return request.write(handler, lambda queue: queue.replay(event_id), user)


def _skip(request: HandlerRequest, handler: str, event_id: str, user: str | None = None) -> int:
    """Delete the deliveries of an event that are not leased; returns how many."""
    return request.write(handler, lambda queue: queue.skip(event_id), user)


def _remove(request: HandlerRequest, handler: str, user: str | None = None) -> None:
    """Delete a handler or a schedule with its deliveries; its next claim creates it anew."""
    forgotten = request.write(handler, lambda queue: queue.forget() or queue.forget_schedule(), user)
    if not forgotten:
        raise NotFound(f"there is no handler `{handler:.80}`, and no schedule")


def _names(request: HandlerRequest, connection: Connection, owner: str) -> list[str]:
    """The handlers and schedules of an account."""
    return [row.name for row in _rows(request, connection, owner)] + schedules.names(request, connection, owner)


def _rows(request: HandlerRequest, connection: Connection, owner: str) -> list[Row[Any]]:
    table = request.store.table("_handler")
    return list(connection.execute(select(table).where(table.c.user_name == owner).order_by(table.c.name)))


ACTIONS: dict[str, Callable[..., Any]] = {
    "handlers.claim": _claim,
    "handlers.claim_ticks": schedules.claim,
    "handlers.deliveries": _deliveries,
    "handlers.fail": _fail,
    "handlers.release": _release,
    "handlers.remove": _remove,
    "handlers.renew": _renew,
    "handlers.replay": _replay,
    "handlers.schedules": schedules.status,
    "handlers.settle": _settle,
    "handlers.skip": _skip,
    "handlers.status": _status,
}

_NUMBERS = {
    "most": (1, 500),
    "outstanding": (1, 10_000),
    "limit": (1, 1_000),
    "position": (0, 2**63 - 1),
    "index": (0, 2**31 - 1),
}
_OPTIONAL = {"user", "event_id", "state", "delay"}


def _check(action: str, name: str, value: Any) -> None:
    """Raise `Invalid` unless an argument has the type and the limits of its name."""
    if value is None and (name in _OPTIONAL or (name == "handler" and action == "handlers.deliveries")):
        return
    if name in _NUMBERS:
        least, most = _NUMBERS[name]
        right = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        expected = f"an integer from {least:,} to {most:,}"
    elif name in ("lease_seconds", "delay"):
        least = 1 if name == "lease_seconds" else 0
        right = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= 86_400
        expected = f"a number of seconds from {least} to 86,400"
    elif name in ("ignore_own", "from_start"):
        right, expected = isinstance(value, bool), "true or false"
    elif name in ("known", "leases"):
        right = isinstance(value, list | tuple) and len(value) <= 10_000 and all(isinstance(i, str) for i in value)
        expected = "a list of at most 10,000 leases"
    elif name == "state":
        right, expected = value in STATES, f"one of {', '.join(STATES)}"
    elif name == "due":
        right = isinstance(value, list | tuple) and len(value) <= schedules.MOST and all(map(_is_second, value))
        expected = f"a list of at most {schedules.MOST:,} numbers of seconds since 1970"
    elif name == "missed":
        right, expected = value in schedules.POLICIES, f"one of {', '.join(schedules.POLICIES)}"
    elif name in ("handler", "schedule", "worker", "zone"):
        right = isinstance(value, str) and 0 < len(value) <= NAME and value.isprintable()
        expected = f"1 to {NAME} printable characters"
    else:
        right, expected = isinstance(value, str), "text"
    if not right:
        raise Invalid(f"{action}: `{name}` is {expected}, not {value!r:.80}")


def _is_second(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**40
