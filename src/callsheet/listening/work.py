"""The queue of events for a worker: claims, and reports of their outcomes."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Any

from attrs import frozen

from callsheet.errors import UsageError
from callsheet.listening.declaration import Handler
from callsheet.listening.schedule import Schedule
from callsheet.model.event import Event, Position, event_from_plain
from callsheet.model.operation import Effect
from callsheet.session.blocking import Session

__all__ = ["Claimed", "Ticks", "WorkQueue"]


@frozen
class Claimed:
    """An event leased to this worker. ``attempt`` counts from 1; ``failures`` counts earlier reported failures."""

    handler: str
    event: Event
    lease: str
    attempt: int
    failures: int

    @property
    def place(self) -> Position:
        """The position of the event in the log."""
        assert self.event.position is not None
        return self.event.position

    @property
    def effect(self) -> Effect:
        """The checkpoint for the commit that answers the event."""
        return Effect(self.handler, *self.place, self.lease)


@frozen
class Ticks:
    """The result of a claim of a schedule.

    ``due`` is the time up to which ticks are deliveries, ``now`` the server's time (both in seconds since 1970), and
    ``claimed`` are the ticks leased to this worker.
    """

    due: int
    now: int
    claimed: list[Claimed]


class WorkQueue:
    """The queues on a server, for one worker process.

    ``joined`` is true if this is also the server of the handlers' sessions, so that an effect and its checkpoint are
    one commit. Each thread has a session of its own, because a session belongs to one thread.
    """

    def __init__(self, session: Session, worker: str, lease: float = 30.0, joined: bool = True) -> None:
        self.session, self.worker, self.lease, self.joined = session, worker, lease, joined
        self._own = threading.local()

    def call(self, action: str, **arguments: Any) -> Any:
        """Call an action of the server."""
        session = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = self.session.fork()
        return session.call(f"handlers.{action}", **arguments)

    def claim(
        self, handler: Handler, most: int, known: Collection[str] = (), outstanding: int = 1_000
    ) -> list[Claimed]:
        """At most ``most`` events, one of each entity; ``known`` are the leases that this worker has."""
        given = self.call(
            "claim",
            handler=handler.name,
            expression=handler.expression,
            ignore_own=handler.ignore_own,
            from_start=handler.from_start,
            worker=self.worker,
            most=most,
            lease_seconds=self.lease,
            outstanding=outstanding,
            known=list(known),
        )
        return [_claimed(handler.name, each) for each in given]

    def claim_tick(self, schedule: Schedule, due: Collection[int], known: Collection[str] = ()) -> Ticks:
        """At most one tick of a schedule; ``due`` are the ticks that this worker considers due."""
        if not self.session.features.schedules:
            raise UsageError(
                f"schedule `{schedule.name}`: this server has no schedules; keep them in a local file: --state FILE"
            )
        found = self.call(
            "claim_ticks",
            schedule=schedule.name,
            expression=schedule.expression,
            zone=schedule.zone,
            missed=schedule.missed,
            due=list(due),
            worker=self.worker,
            lease_seconds=self.lease,
            known=list(known),
        )
        return Ticks(found["due"], found["now"], [_claimed(schedule.name, each) for each in found["ticks"]])

    def settle(self, claimed: Claimed) -> bool:
        """The event was handled."""
        return bool(self._about(claimed, "settle"))

    def fail(self, claimed: Claimed, error: str, traceback: str, delay: float | None) -> bool:
        """The attempt failed: retry the event after a delay, or not again (None)."""
        return bool(self._about(claimed, "fail", error=error, traceback=traceback, delay=delay))

    def release(self, claimed: Claimed) -> bool:
        """The event was not tried."""
        return bool(self._about(claimed, "release"))

    def renew(self, handler: str, leases: Collection[str]) -> set[str]:
        """Extend leases; returns those that still exist."""
        return set(self.call("renew", handler=handler, leases=list(leases), lease_seconds=self.lease))

    def status(self) -> list[dict[str, Any]]:
        """The state of each handler of the account."""
        found: list[dict[str, Any]] = self.call("status")
        return found

    def schedules(self) -> list[dict[str, Any]]:
        """The state of each schedule of the account."""
        found: list[dict[str, Any]] = self.call("schedules") if self.session.features.schedules else []
        return found

    def _about(self, claimed: Claimed, action: str, **arguments: Any) -> Any:
        place = claimed.place
        return self.call(
            action, handler=claimed.handler, position=place.commit, index=place.index, lease=claimed.lease, **arguments
        )


def _claimed(name: str, given: dict[str, Any]) -> Claimed:
    return Claimed(name, event_from_plain(given["event"]), given["lease"], given["attempt"], given["failures"])
