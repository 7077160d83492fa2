"""Durable handlers on the server: the actions ``handlers.…`` that ``callsheet listen`` and ``callsheet events`` call.

A claim reads the log on from where the handler is, puts what it asks for into its queue (bounded), and leases some
of it. It looks before it writes, so that polling an idle server costs two small reads. All the rest is one call of
the queue (``deliveries.py``) in one transaction. Handlers belong to the account that claims for them; an
administrator may look after those of others.
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
from callsheet.server.log import commits as log
from callsheet.server.log.events import beginning, end_of, events_after, told_now
from callsheet.server.log.filters import filter_of
from callsheet.server.queues import schedules
from callsheet.server.queues.deliveries import Queue
from callsheet.server.queues.delivery import Delivery
from callsheet.server.queues.request import HandlerRequest
from callsheet.server.store.store import Store

__all__ = ["ACTIONS", "answer", "origin_of", "stream_of"]

OUTSTANDING = 1_000
"""Deliveries of a handler that are not handled yet."""
BATCH = 500
"""Events read with one claim."""
NAME = 200
STATES = ("ready", "leased", "dead")


def origin_of(handler: str) -> str:
    """The origin of the commits that a handler makes."""
    return f"handler:{handler}"


def answer(request: HandlerRequest, action: str, arguments: Mapping[str, Any]) -> Any:
    """What an action gives; `Invalid` where the arguments are not its own."""
    function = ACTIONS[action]
    try:
        bound = signature(function).bind(request, **arguments)
    except TypeError as error:
        raise Invalid(f"{action}: {error}") from None
    for name, value in arguments.items():
        _check(action, name, value)
    # Who may do nothing is refused, and noted, before a transaction begins.
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
    """At most so many events for a worker; the handler begins to be with its first claim."""
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
    """Deliveries as their account may know of them now; one of which it may know nothing leaves the queue."""
    for delivery, event in zip(given, _told_now(request, queue.connection, given)):
        if event is not None:
            yield evolve(delivery, event=event)
        elif delivery.event.position is not None:
            queue.settle(delivery.event.position, delivery.lease)


def _told_now(request: HandlerRequest, connection: Connection, given: Sequence[Delivery]) -> list[Event | None]:
    return told_now(request.store, connection, request.access, [each.event for each in given], request.recent)


@frozen
class _Read:
    """Events read from the log after a place, each with its stream, and how far (None: there is nothing new)."""

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
    """Read on for whoever asks, by what it says its expression is: after an edit, two listeners may not agree."""
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
    own = origin_of(row.name) if ignore_own else None
    kept = tuple((event, stream_of(store, event)) for event in events if own is None or _origin(event) != own)
    return _Read(None if place == after else place, after, kept)


def _origin(event: Event) -> Any:
    return event.data.get("origin") if isinstance(event.data, Mapping) else None


def stream_of(store: Store, event: Event) -> str:
    """What an event is in order with: those of the same entity; one about no entity with none."""
    entity = event.entity
    kind, key = entity.get("type"), entity.get("id")
    if not isinstance(kind, str) or key is None:
        return f"event {event.id}"
    known = store.schema.types.get(kind)
    return f"{kind if known is None else known.root} {key}"


def _settle(request: HandlerRequest, handler: str, position: int, index: int, lease: str) -> bool:
    """The event is handled; false where it was another's already."""
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
    """The event could not be handled: try again after a delay, or put it to the dead letters (None)."""
    place = Position(position, index)
    return request.write(handler, lambda queue: queue.fail(place, lease, error, traceback, delay))


def _release(request: HandlerRequest, handler: str, position: int, index: int, lease: str, delay: float = 0.0) -> bool:
    """The event was not tried: anybody may have it."""
    return request.write(handler, lambda queue: queue.release(Position(position, index), lease, delay))


def _renew(request: HandlerRequest, handler: str, leases: list[str], lease_seconds: float = 30.0) -> list[str]:
    """Keep leases; those that still are."""
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
    """What handlers have still to do or could not do, oldest first."""
    owner = request.owner(user)
    with request.store.reading() as connection:
        names = [handler] if handler is not None else _names(request, connection, owner)
        queues = [request.queue(connection, name, user) for name in names]
        found = [each for queue in queues for each in queue.deliveries(state, event_id, limit)]
        found.sort(key=lambda each: each.event.position or Position(0, 0))
        events = _told_now(request, connection, found[:limit])
    return [evolve(each, event=event).plain() for each, event in zip(found, events) if event is not None]


def _status(request: HandlerRequest, user: str | None = None) -> list[dict[str, Any]]:
    """How each handler does: how far it has read, how much it has to do, since when its oldest event waits."""
    owner, now = request.owner(user), request.clock()
    with request.store.reading() as connection:
        last = log.last_position(request.store, connection)
        return [_told(request, connection, row, last, now) for row in _rows(request, connection, owner)]


def _told(request: HandlerRequest, connection: Connection, row: Row[Any], last: int, now: datetime) -> dict[str, Any]:
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
    """Dead letters become ready again: one event's, or all of the handler; how many."""
    return request.write(handler, lambda queue: queue.replay(event_id), user)


def _skip(request: HandlerRequest, handler: str, event_id: str, user: str | None = None) -> int:
    """Drop an event that nobody is working on; how many deliveries that were."""
    return request.write(handler, lambda queue: queue.skip(event_id), user)


def _remove(request: HandlerRequest, handler: str, user: str | None = None) -> None:
    """Forget a handler or a schedule with all it has not done; its next claim begins anew."""
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
    """Whether an argument has the type and the bounds its name stands for."""
    if value is None and (name in _OPTIONAL or (name == "handler" and action == "handlers.deliveries")):
        return
    if name in _NUMBERS:
        least, most = _NUMBERS[name]
        right = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        told = f"an integer from {least:,} to {most:,}"
    elif name in ("lease_seconds", "delay"):
        least = 1 if name == "lease_seconds" else 0
        right = isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= 86_400
        told = f"a number of seconds from {least} to 86,400"
    elif name in ("ignore_own", "from_start"):
        right, told = isinstance(value, bool), "true or false"
    elif name in ("known", "leases"):
        right = isinstance(value, list | tuple) and len(value) <= 10_000 and all(isinstance(i, str) for i in value)
        told = "a list of at most 10,000 leases"
    elif name == "state":
        right, told = value in STATES, f"one of {', '.join(STATES)}"
    elif name == "due":
        right = isinstance(value, list | tuple) and len(value) <= schedules.MOST and all(map(_is_second, value))
        told = f"a list of at most {schedules.MOST:,} numbers of seconds since 1970"
    elif name == "missed":
        right, told = value in schedules.POLICIES, f"one of {', '.join(schedules.POLICIES)}"
    elif name in ("handler", "schedule", "worker", "zone"):
        right = isinstance(value, str) and 0 < len(value) <= NAME and value.isprintable()
        told = f"1 to {NAME} printable characters"
    else:
        right, told = isinstance(value, str), "text"
    if not right:
        raise Invalid(f"{action}: `{name}` is {told}, not {value!r:.80}")


def _is_second(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**40
