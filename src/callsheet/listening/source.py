"""Where a station's work comes from: the events of a handler, or the ticks of a schedule."""

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
    """Gives what is to be done."""

    def claim(self, most: int, known: Collection[str]) -> list[Claimed]: ...


@define
class EventSource:
    """The events of a handler, as its queue has them."""

    queue: WorkQueue
    handler: Handler
    outstanding: int

    def claim(self, most: int, known: Collection[str]) -> list[Claimed]:
        """At most so many events, of which ``known`` are the leases that this process has."""
        return self.queue.claim(self.handler, most, known, self.outstanding)


@define
class TickSource:
    """The ticks of a schedule, which are computed here and arbitrated by the queue's clock and its row.

    What time it is there is known from the last answer and what has gone by since, so this machine's clock may be
    wrong. A clock that was set, and a machine that slept, are noticed with the next answer.
    """

    queue: WorkQueue
    schedule: Schedule
    monotonic: Callable[[], float] = time.monotonic
    #: Up to when ticks have been seen to, the queue's time, and when that was.
    _seen: tuple[int, int, float] | None = field(default=None, init=False)
    #: The first tick after the one that was seen to last.
    _next: tuple[int, float] | None = field(default=None, init=False)

    def claim(self, most: int, known: Collection[str]) -> list[Claimed]:
        """The tick that is due, if there is one and nobody else has it."""
        due = self._due()
        claimed = self._ask(due, known)
        if not claimed and not due and (due := self._due()):
            claimed = self._ask(due, known)
        return claimed

    def _ask(self, due: list[int], known: Collection[str]) -> list[Claimed]:
        at = self.monotonic()
        told = self.queue.claim_tick(self.schedule, due, known)
        self._seen = (told.due, told.now, at)
        return told.claimed

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
    """Where the work of a handler or a schedule comes from."""
    if isinstance(declared, Schedule):
        return TickSource(queue, declared)
    return EventSource(queue, declared, outstanding)
