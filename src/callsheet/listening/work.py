"""The queue of events as a worker sees it: claims, and what is told of what became of them."""

from __future__ import annotations

import threading
from collections.abc import Collection
from typing import Any

from attrs import frozen

from callsheet.listening.declaration import Handler
from callsheet.model.event import Event, Position, event_from_plain
from callsheet.model.operation import Effect
from callsheet.session.blocking import Session

__all__ = ["Claimed", "WorkQueue"]


@frozen
class Claimed:
    """An event this worker has a lease on. ``attempt`` counts from 1; ``failures`` were told of before."""

    handler: str
    event: Event
    lease: str
    attempt: int
    failures: int

    @property
    def place(self) -> Position:
        """Where the event is in the log."""
        assert self.event.position is not None
        return self.event.position

    @property
    def effect(self) -> Effect:
        """What a commit that answers it bears."""
        return Effect(self.handler, *self.place, self.lease)


class WorkQueue:
    """Talks to the server that keeps the queues, in the name of one worker process.

    ``joined`` says that this is the server the handlers work on, so that an effect and its checkpoint are one
    commit. Each thread has a session of its own, since a session belongs to one thread.
    """

    def __init__(self, session: Session, worker: str, lease: float = 30.0, joined: bool = True) -> None:
        self.session, self.worker, self.lease, self.joined = session, worker, lease, joined
        self._own = threading.local()

    def call(self, action: str, **arguments: Any) -> Any:
        """An action of the server's."""
        session = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = self.session.fork()
        return session.call(f"handlers.{action}", **arguments)

    def claim(
        self, handler: Handler, most: int, known: Collection[str] = (), outstanding: int = 1_000
    ) -> list[Claimed]:
        """At most so many events, one of each entity; ``known`` are the leases this worker has already."""
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
        return [
            Claimed(handler.name, event_from_plain(each["event"]), each["lease"], each["attempt"], each["failures"])
            for each in given
        ]

    def settle(self, claimed: Claimed) -> bool:
        """It is handled."""
        return bool(self._about(claimed, "settle"))

    def fail(self, claimed: Claimed, error: str, traceback: str, delay: float | None) -> bool:
        """It failed, and is to be tried again after a delay, or not again (None)."""
        return bool(self._about(claimed, "fail", error=error, traceback=traceback, delay=delay))

    def release(self, claimed: Claimed) -> bool:
        """It was not tried."""
        return bool(self._about(claimed, "release"))

    def renew(self, handler: str, leases: Collection[str]) -> set[str]:
        """The leases that are still held, for longer now."""
        return set(self.call("renew", handler=handler, leases=list(leases), lease_seconds=self.lease))

    def status(self) -> list[dict[str, Any]]:
        """How each handler of the account does."""
        found: list[dict[str, Any]] = self.call("status")
        return found

    def _about(self, claimed: Claimed, action: str, **arguments: Any) -> Any:
        place = claimed.place
        return self.call(
            action, handler=claimed.handler, position=place.commit, index=place.index, lease=claimed.lease, **arguments
        )
