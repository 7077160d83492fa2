"""The queue of a durable handler: its deliveries, their leases, and their outcomes.

A delivery is *ready*, *leased* to one attempt until some time, or *dead*; its row is deleted when it is handled. For
each entity only the earliest delivery is leased, so that an entity's events are handled in order; a dead one does not
block those after it. A lease is a token: a request with another token is too late and has no effect. A commit that
answers an event settles the delivery in its own transaction (`take`), so that the effect of a handler and its
checkpoint are atomic.

The state is plain rows. All times come from the server's clock, which is passed in.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Any, Protocol, cast
from uuid import uuid4

import msgspec
from sqlalchemy import Connection, CursorResult, Executable, Row, Table

from callsheet.errors import AlreadyHandled
from callsheet.model.event import Event, Position, event_to_plain
from callsheet.model.operation import Effect
from callsheet.model.values import pack
from callsheet.server.queues.delivery import Delivery, delivery_of
from callsheet.server.queues.statements import statements_of

__all__ = ["ABANDONED", "TICKS", "Queue", "Tables", "take"]

TICKS = "ticks"
"""The stream of a schedule's ticks: one is done after the other. Streams of events are of two words."""
ABANDONED = 20
"""Consecutive attempts without any report from the worker, after which the event is considered the cause."""
TRACEBACK = 20_000


class Tables(Protocol):
    """What a queue needs of a store."""

    @property
    def engine_name(self) -> str: ...

    def table(self, name: str) -> Table: ...


class Queue:
    """The deliveries of one handler, in one transaction."""

    def __init__(self, store: Tables, connection: Connection, user: str, handler: str, now: datetime) -> None:
        self.store, self.connection = store, connection
        self.user, self.handler, self.now = user, handler, now
        self._do = statements_of(store.table("_handler"), store.table("_delivery"), store.table("_schedule"))

    def _run(self, statement: Executable, **values: Any) -> CursorResult[Any]:
        mine = {"the_user": self.user, "the_handler": self.handler, "the_time": self.now}
        return cast(CursorResult[Any], self.connection.execute(statement, {**mine, **values}))

    # -- the handler's own row -----------------------------------------------------------------------------

    def known(self, lock: bool = False) -> Row[Any] | None:
        """The handler's row: its last declaration and its position in the log; ``lock`` blocks other claims."""
        locked = lock and self.store.engine_name != "sqlite"
        return self._run(self._do.known_locked if locked else self._do.known).first()

    def declare(self, expression: str, ignore_own: bool, position: Position) -> None:
        """Create the handler, which begins after ``position``; an existing one is updated and keeps its position."""
        if self.known(lock=True) is not None:
            self._run(self._do.declare, the_expression=expression, the_guard=ignore_own)
            return
        declared = {"expression": expression, "ignore_own": ignore_own, "claimed": self.now, "created": self.now}
        place = {"position": position.commit, "event_index": position.index}
        self.connection.execute(self._do.begin, {"user_name": self.user, "name": self.handler, **declared, **place})

    def forget(self) -> bool:
        """Delete the handler with all its deliveries; returns whether it existed."""
        self._run(self._do.clear)
        return bool(self._run(self._do.forget).rowcount)

    # -- from the log to the queue -------------------------------------------------------------------------

    def unsettled(self) -> int:
        """How many deliveries are ready or leased."""
        return int(self._run(self._do.unsettled).scalar_one())

    def add(self, events: Sequence[tuple[Event, str]], until: Position) -> None:
        """Add a delivery for each event with its stream, and set the handler's position to ``until``."""
        self._save(events)
        self._run(self._do.advance, the_commit=until.commit, the_index=until.index)

    def _save(self, events: Sequence[tuple[Event, str]]) -> None:
        rows = [self._made(event, stream) for event, stream in events]
        if rows:
            self.connection.execute(self._do.add, rows)

    def _made(self, event: Event, stream: str) -> dict[str, Any]:
        assert event.position is not None
        return {
            "user_name": self.user,
            "handler": self.handler,
            "position": event.position.commit,
            "event_index": event.position.index,
            "event_id": event.id,
            "stream": stream,
            "state": "ready",
            "attempts": 0,
            "failures": 0,
            "next_try": self.now,
            "event": msgspec.json.encode(pack(event_to_plain(event))).decode(),
            "made": self.now,
            "changed": self.now,
        }

    # -- from a clock to the queue ---------------------------------------------------------------------------

    def schedule(self, lock: bool = False) -> Row[Any] | None:
        """The schedule's row: its last declaration, the time up to which ticks are deliveries, the last handled one."""
        locked = lock and self.store.engine_name != "sqlite"
        return self._run(self._do.schedule_locked if locked else self._do.schedule).first()

    def declare_schedule(self, expression: str, zone: str, missed: str, due: int) -> None:
        """Create the schedule, or change its declaration; its next tick is the first after ``due``."""
        declared = {"expression": expression, "zone": zone, "missed": missed, "due": due}
        if self.schedule() is None:
            made = {"user_name": self.user, "name": self.handler, "created": self.now}
            self.connection.execute(self._do.begin_schedule, {**made, **declared})
            return
        self._run(self._do.declare_schedule, **{f"the_{name}": value for name, value in declared.items()})

    def forget_schedule(self) -> bool:
        """Drop the schedule with all that it has not done; whether it was there."""
        self._run(self._do.clear)
        return bool(self._run(self._do.forget_schedule).rowcount)

    def add_ticks(self, ticks: Sequence[Event], until: int) -> None:
        """Ticks become deliveries, and those up to ``until`` (seconds since 1970) have been seen to."""
        self._save([(tick, TICKS) for tick in ticks])
        self._run(self._do.tick_queued, the_due=until)

    def drop_untried(self) -> int:
        """Drop the ticks that nobody has begun yet, for a later one stands for them; how many."""
        return self._run(self._do.drop_untried).rowcount

    # -- leases --------------------------------------------------------------------------------------------

    def is_waiting(self, worker: str, known: Collection[str]) -> bool:
        """Whether a claim of this worker would get a delivery that is in the queue."""
        return bool(self._run(self._do.is_waiting, the_worker=worker, the_known=list(known)).scalar())

    def lease(self, worker: str, most: int, seconds: float, known: Collection[str] = ()) -> list[Delivery]:
        """Lease at most ``most`` deliveries to a worker, at most one for each entity.

        ``known`` are the leases that the worker has. Other deliveries leased to it were in a reply that was lost, and
        are returned first.
        """
        reason = f"{ABANDONED} attempts ended without a report from their worker: this event may be what ends it"
        self._run(self._do.bury, the_bound=ABANDONED, the_error=reason)
        given = self._given(self._do.give_lost, worker, most, seconds, the_known=list(known))
        if len(given) < most:
            given += self._given(self._do.give_due, worker, most - len(given), seconds)
        return sorted(given, key=lambda each: each.event.position or Position(0, 0))

    def _given(self, statement: Executable, worker: str, most: int, seconds: float, **values: Any) -> list[Delivery]:
        token = f"{uuid4().hex}."
        values |= {"the_worker": worker, "the_most": most, "the_token": token, "the_end": self._later(seconds)}
        return [delivery_of(row) for row in self._run(statement, **values)]

    def _later(self, seconds: float) -> datetime:
        return self.now + timedelta(seconds=seconds)

    def renew(self, leases: Collection[str], seconds: float) -> list[str]:
        """Extend leases to ``seconds`` from now; returns those that still exist."""
        kept = self._run(self._do.renew, the_leases=list(leases), the_end=self._later(seconds))
        return sorted({row.lease for row in kept})

    # -- outcomes ------------------------------------------------------------------------------------------

    def settle(self, position: Position, lease: str) -> bool:
        """The event was handled: delete the delivery; returns whether this lease still held it.

        For a tick, the schedule's row records it as the last handled one.
        """
        place = {"the_commit": position.commit, "the_index": position.index, "the_lease": lease}
        row = self._run(self._do.settle, **place).first()
        if row is not None and row.stream == TICKS:
            self._run(self._do.tick_done, the_due=position.commit)
        return row is not None

    def fail(self, position: Position, lease: str, error: str, traceback: str, delay: float | None) -> bool:
        """The attempt failed: retry after ``delay`` seconds, or never (None); returns as `settle`."""
        values = {"the_state": "dead" if delay is None else "ready", "the_end": self._later(delay or 0.0)}
        values |= {"the_error": error[:2_000], "the_traceback": traceback[-TRACEBACK:]}
        return self._end(self._do.fail, position, lease, **values)

    def release(self, position: Position, lease: str, delay: float = 0.0) -> bool:
        """The event was not tried: make it ready again, not counted as an attempt; returns as `settle`."""
        return self._end(self._do.release, position, lease, the_end=self._later(delay))

    def _end(self, statement: Executable, position: Position, lease: str, **values: Any) -> bool:
        place = {"the_commit": position.commit, "the_index": position.index, "the_lease": lease}
        return bool(self._run(statement, **place, **values).rowcount)

    def replay(self, event_id: str | None = None) -> int:
        """Make dead letters ready again, those of one event or all; returns how many."""
        if event_id is None:
            return self._run(self._do.replay_all).rowcount
        return self._run(self._do.replay, the_event=event_id).rowcount

    def skip(self, event_id: str) -> int:
        """Delete the deliveries of an event unless they are leased; returns how many."""
        return self._run(self._do.skip, the_event=event_id).rowcount

    # -- views ---------------------------------------------------------------------------------------------

    def deliveries(self, state: str | None = None, event_id: str | None = None, limit: int = 100) -> list[Delivery]:
        """The deliveries in the queue, oldest first."""
        table, wanted = self.store.table("_delivery"), self._do.deliveries.limit(limit)
        if state is not None:
            wanted = wanted.where(table.c.state == state)
        if event_id is not None:
            wanted = wanted.where(table.c.event_id == event_id)
        return [delivery_of(row) for row in self._run(wanted)]

    def counts(self) -> dict[str, int]:
        """How many deliveries are in each state."""
        found = {"ready": 0, "leased": 0, "dead": 0}
        found.update((row._mapping["state"], row._mapping["count"]) for row in self._run(self._do.counts))
        return found

    def oldest(self) -> datetime | None:
        """When the oldest open delivery was added."""
        made: datetime | None = self._run(self._do.oldest).scalar()
        return made


def take(store: Tables, connection: Connection, user: str, effect: Effect, now: datetime) -> None:
    """Settle a delivery in the transaction of its answer; raises `AlreadyHandled` if the lease no longer holds it."""
    queue = Queue(store, connection, user, effect.handler, now)
    if not queue.settle(Position(effect.position, effect.index), effect.lease):
        raise AlreadyHandled(
            f"event {effect.position}.{effect.index} of the handler `{effect.handler}` no longer belongs to this "
            "attempt: it has been handled, or its lease expired and another worker has it; nothing was done"
        )
