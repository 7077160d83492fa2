"""The source of a station's work: the events of a handler, or the ticks of a schedule."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from typing import Protocol

from attrs import define, field

from callsheet.listening.declaration import Declared, Handler
from callsheet.listening.schedule import Schedule
from callsheet.listening.work import Claimed, WorkQueue

__all__ = ["EventSource", "Source", "TickSource", "source_of"]


class Source(Protocol):
    """A source of claimed events or ticks."""

    def claim(self, most: int, known: Collection[str]) -> list[Claimed]: ...


@define
class EventSource:
    """The events of a handler, from its queue."""

    queue: WorkQueue
    handler: Handler
    outstanding: int

    def claim(self, most: int, known: Collection[str]) -> list[Claimed]:
        """At most ``most`` events; ``known`` are the leases that this process has."""
        return self.queue.claim(self.handler, most, known, self.outstanding)


@define
class TickSource:
    """The ticks of a schedule, which are computed here, and decided by the queue's clock and its row.

    The queue's time is the one in its last reply plus the time since then, so this machine's clock may be wrong. A
    clock that was changed, or a machine that slept, is noticed with the next reply.
    """

    queue: WorkQueue
    schedule: Schedule
    monotonic: Callable[[], float] = time.monotonic
    #: The time up to which ticks are deliveries, the queue's time, and this machine's monotonic time for it.
    _seen: tuple[int, int, float] | None = field(default=None, init=False)
    #: The first tick after the last one that is a delivery.
    _next: tuple[int, float] | None = field(default=None, init=False)

    def claim(self, most: int, known: Collection[str]) -> list[Claimed]:
        """The tick that is due, if there is one that no other worker has."""
        due = self._due()
        claimed = self._claim(due, known)
        if not claimed and not due and (due := self._due()):
            claimed = self._claim(due, known)
        return claimed

    def _claim(self, due: list[int], known: Collection[str]) -> list[Claimed]:
        at = self.monotonic()
        ticks = self.queue.claim_tick(self.schedule, due, known)
        self._seen = (ticks.due, ticks.now, at)
        return ticks.claimed

    def _due(self) -> list[int]:
        if self._seen is None:
            return []
        last, now, at = self._seen
        reckoned = now + (self.monotonic() - at)
        if self._next is None or self._next[0] != last:
            first = self.schedule.next_due(datetime.fromtimestamp(last, UTC))
            self._next = (last, math.inf if first is None else first.timestamp())
        return self.schedule.due(last, reckoned) if self._next[1] <= reckoned else []


def source_of(declared: Declared, queue: WorkQueue, outstanding: int) -> Source:
    """The source of a handler or a schedule."""
    if isinstance(declared, Schedule):
        return TickSource(queue, declared)
    return EventSource(queue, declared, outstanding)
