"""One handler at work in this process: a thread that claims, and threads that handle.

Each handler has threads of its own, so that one that hangs or fails holds up nobody else. What it has claimed
beyond what it works on is bounded, and so is what the server has ready for it; all else waits in the log. A lease
is renewed while its event waits or is worked on; one that was lost is dropped before its turn. One whose attempt was
interrupted is neither renewed nor given back: the server gives the event to somebody when the lease runs out, so an
event whose outcome cannot be reported is tried once in the time of a lease, and not at once again.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from threading import Condition, Thread
from threading import Event as Flag

from attrs import define

from callsheet.errors import CallsheetError
from callsheet.listening.attempt import Outcome, attempt
from callsheet.listening.declaration import Handler
from callsheet.listening.failure import failure_of
from callsheet.listening.metrics import Metrics
from callsheet.listening.work import Claimed, WorkQueue
from callsheet.session.blocking import Session

__all__ = ["Pace", "Station"]

AHEAD = 4
"""Events claimed for each worker."""
LONGEST_PAUSE = 5.0

log = logging.getLogger("callsheet.listening")


@define
class Pace:
    """How many events of a handler are handled at once, how often an idle one looks for more (seconds), and how many
    of its events the server has ready at most."""

    workers: int = 4
    poll: float = 0.5
    outstanding: int = 1_000


class Station:
    """A handler's threads. ``start`` it, ``replace`` its code, ``stop`` it; ``wake`` it when something happened."""

    def __init__(self, handler: Handler, session: Session, queue: WorkQueue, pace: Pace) -> None:
        self.handler, self.metrics = handler, Metrics()
        self.problem = ""
        self._session, self._queue, self._pace = session, queue, pace
        self._change = Condition()
        self._waiting: deque[Claimed] = deque()
        self._held: dict[str, Claimed] = {}
        # Leases of interrupted attempts, and when each will have run out.
        self._left: dict[str, float] = {}
        self._stopping, self._woken = Flag(), False
        self._threads: list[Thread] = []
        self._renewed = time.monotonic()

    def start(self) -> None:
        self._thread(self._claim_on, "claim")

    def replace(self, handler: Handler) -> None:
        """Handle what comes from now on with this; what is being handled ends as it began."""
        self.handler = handler
        self.wake()

    def wake(self) -> None:
        """There may be something to claim."""
        with self._change:
            self._woken = True
            self._change.notify_all()

    @property
    def busy(self) -> int:
        """How many events this process has a lease on."""
        return len(self._held)

    def begin_stop(self) -> None:
        """Take nothing up any more."""
        self._stopping.set()
        self.wake()

    def stop(self, until: float) -> bool:
        """Let what is being handled end, until a time of the monotonic clock; whether it did. Leases are given back."""
        self.begin_stop()
        self._give_back(self._drained())
        for thread in list(self._threads):
            thread.join(max(0.0, until - time.monotonic()))
        left = list(self._held.values())
        if self._queue.joined:
            # What these would still commit is refused, so somebody else may have their events now.
            self._give_back(left)
        return not left

    # -- the thread that claims ------------------------------------------------------------------------------

    def _claim_on(self) -> None:
        pause = self._pace.poll
        while not self._stopping.is_set():
            try:
                found = self._turn()
                pause, self.problem = self._pace.poll, ""
            except CallsheetError as error:
                found, pause = False, min(LONGEST_PAUSE, max(pause, 0.1) * 2)
                if str(error) != self.problem:
                    log.warning("%s: %s; trying again", self.handler.name, error, extra={"facts": self._facts(error)})
                self.problem = str(error)
            except BaseException as error:
                found, pause, self.problem = False, LONGEST_PAUSE, failure_of(error).error
                log.exception("%s: claiming failed", self.handler.name, extra={"facts": self._facts(error)})
            if not found:
                self._rest(pause)

    def _facts(self, error: BaseException) -> dict[str, str]:
        return {"handler": self.handler.name, "error": failure_of(error).error}

    def _turn(self) -> bool:
        """Renew and claim; whether there was anything."""
        if time.monotonic() - self._renewed > self._queue.lease / 3:
            self._renew()
        room = self._pace.workers * AHEAD - len(self._held)
        if room < self._pace.workers * AHEAD // 2:
            return False
        claimed = self._queue.claim(self.handler, room, self._known(), self._pace.outstanding)
        with self._change:
            for each in claimed:
                self._held[each.lease] = each
                self._waiting.append(each)
            self._change.notify_all()
        while claimed and len(self._threads) <= min(self._pace.workers, len(self._held)):
            self._thread(self._work_on, "work")
        return bool(claimed)

    def _known(self) -> list[str]:
        """The leases of this process, also those it lets run out."""
        now = time.monotonic()
        with self._change:
            self._left = {lease: end for lease, end in self._left.items() if end > now}
            return [*self._held, *self._left]

    def _renew(self) -> None:
        self._renewed = time.monotonic()
        leases = list(self._held)
        if not leases:
            return
        kept = self._queue.renew(self.handler.name, leases)
        with self._change:
            lost = [each for each in self._waiting if each.lease in leases and each.lease not in kept]
            for each in lost:
                self._waiting.remove(each)
                del self._held[each.lease]

    def _rest(self, pause: float) -> None:
        """Wait until it is time again: sooner when woken."""
        with self._change:
            if not self._woken and not self._stopping.is_set():
                self._change.wait_for(lambda: self._woken or self._stopping.is_set(), pause)
            self._woken = False

    # -- the threads that handle -----------------------------------------------------------------------------

    def _work_on(self) -> None:
        while (claimed := self._next()) is not None:
            outcome = attempt(self.handler, claimed, self._session, self._queue, self._stopping)
            self.metrics.count(outcome, claimed.attempt, claimed.place)
            self._finished(claimed, outcome)

    def _next(self) -> Claimed | None:
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._stopping.is_set())
            return self._waiting.popleft() if self._waiting and not self._stopping.is_set() else None

    def _finished(self, claimed: Claimed, outcome: Outcome) -> None:
        with self._change:
            self._held.pop(claimed.lease, None)
            if outcome.kind == "interrupted":
                self._left[claimed.lease] = time.monotonic() + self._queue.lease
            # What it held back may be free now.
            self._woken = True
            self._change.notify_all()

    def _drained(self) -> list[Claimed]:
        """What was claimed and not begun."""
        with self._change:
            found = list(self._waiting)
            self._waiting.clear()
            for each in found:
                self._held.pop(each.lease, None)
            return found

    def _give_back(self, claimed: list[Claimed]) -> None:
        for each in claimed:
            try:
                self._queue.release(each)
            except CallsheetError:
                # The lease runs out by itself.
                return

    def _thread(self, target: object, what: str) -> None:
        thread = Thread(target=target, name=f"callsheet-{what}-{self.handler.name}", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()
