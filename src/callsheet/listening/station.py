"""One handler or schedule in this process: a thread that claims events, and threads that handle them.

Each handler has threads of its own, so that one that hangs or fails delays no other. The claimed events that wait are
limited, and so are the server's open deliveries; all other events wait in the log. A lease is renewed while its event
waits or is handled; an event whose lease was lost is dropped before its turn. After an interrupted attempt, the lease
is neither renewed nor released: the server leases the event again when it expires, so an event whose outcome cannot be
reported is tried once per lease time, not again at once.

An attempt that exceeds its handler's timeout is given up (``under_way.py``), and a new thread replaces its thread. If
all threads hang in the handler's present code, no further event is begun.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from threading import Condition, Thread
from threading import Event as Flag

from attrs import define

from callsheet.errors import CallsheetError
from callsheet.failure import failure_of
from callsheet.listening.attempt import Outcome, Supervision, attempt, note_outcome
from callsheet.listening.declaration import Declared
from callsheet.listening.metrics import Metrics
from callsheet.listening.source import source_of
from callsheet.listening.under_way import UnderWay, give_up
from callsheet.listening.work import Claimed, WorkQueue
from callsheet.session.blocking import Session

__all__ = ["Pace", "Station"]

AHEAD = 4
"""Events claimed for each worker."""
LONGEST_PAUSE = 5.0

log = logging.getLogger("callsheet.listening")


@define
class Pace:
    """The parallel attempts of a handler, the seconds between polls when idle, and the most open deliveries."""

    workers: int = 4
    poll: float = 0.5
    outstanding: int = 1_000


class Station:
    """The threads of a handler: ``start``, ``replace`` its code, ``stop``; ``wake`` it when there may be events.

    ``timeouts`` is how many attempts the previous process had given up.
    """

    def __init__(self, handler: Declared, session: Session, queue: WorkQueue, pace: Pace, timeouts: int = 0) -> None:
        self.handler, self.metrics = handler, Metrics(timeouts=timeouts)
        self.problem = ""
        # Whether the last finished attempt was given up.
        self._gave_up = bool(timeouts)
        self._session, self._queue, self._pace = session, queue, pace
        self._source = source_of(handler, queue, pace.outstanding)
        self._change = Condition()
        self._waiting: deque[Claimed] = deque()
        self._held: dict[str, Claimed] = {}
        # Leases of interrupted attempts, and when each expires.
        self._left: dict[str, float] = {}
        self._stopping, self._woken = Flag(), False
        self._running: list[UnderWay] = []
        self._hanging: list[UnderWay] = []
        self._workers = 0
        self._threads: list[Thread] = []
        self._renewed = time.monotonic()

    def start(self) -> None:
        self._thread(self._claim_on, "claim")

    def replace(self, handler: Declared) -> None:
        """Use this code for later events; running attempts finish with the old code."""
        self.handler, self._gave_up = handler, False
        self._source = source_of(handler, self._queue, self._pace.outstanding)
        self.wake()

    def wake(self) -> None:
        """Claim now: there may be events."""
        with self._change:
            self._woken = True
            self._change.notify_all()

    @property
    def busy(self) -> int:
        """The number of running attempts."""
        return len(self._running)

    @property
    def claimed(self) -> int:
        """The number of events that this process has leased."""
        return len(self._held)

    @property
    def hangs(self) -> bool:
        """Whether a thread still runs an attempt that was given up."""
        return bool(self._hanging)

    @property
    def stuck(self) -> bool:
        """Whether the handler does not end: a thread hangs, or the last attempt was given up."""
        return self.hangs or self._gave_up

    def begin_stop(self) -> None:
        """Begin no further attempts, and release the waiting events."""
        self._stopping.set()
        self.wake()
        self._release(self._drained())

    def stop(self, until: float) -> bool:
        """Wait for running attempts until a monotonic time; returns whether all ended. Leases are released."""
        self.begin_stop()
        hanging = {late.thread for late in self._hanging}
        for thread in [thread for thread in self._threads if thread not in hanging]:
            thread.join(max(0.0, until - time.monotonic()))
        left = list(self._held.values())
        if self._queue.joined:
            # A later commit of these attempts is refused, so their events may be leased by others now.
            self._release(left)
        return not left and not self.hangs

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
        """Renew leases and claim events; returns whether there were any."""
        self.renew()
        if self._is_blocked():
            self._release(self._drained())
            return False
        room = self._pace.workers * AHEAD - len(self._held)
        if room < self._pace.workers * AHEAD // 2:
            return False
        claimed = self._source.claim(room, self._known())
        with self._change:
            for each in claimed:
                self._held[each.lease] = each
                self._waiting.append(each)
            self._change.notify_all()
        while claimed and self._workers < min(self._pace.workers, len(self._held)):
            self._workers += 1
            self._thread(self._work_on, "work")
        return bool(claimed)

    def _is_blocked(self) -> bool:
        """Whether all threads hang in the handler's present code."""
        return sum(late.handler is self.handler for late in self._hanging) >= self._pace.workers

    def _known(self) -> list[str]:
        """The leases of this process, including those that it lets expire."""
        now = time.monotonic()
        with self._change:
            self._left = {lease: end for lease, end in self._left.items() if end > now}
            return [*self._held, *self._left]

    def renew(self) -> None:
        """Renew the leases if they are due."""
        if time.monotonic() - self._renewed <= self._queue.lease / 3:
            return
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
        """Wait for ``pause`` seconds, or until woken."""
        with self._change:
            if not self._woken and not self._stopping.is_set():
                self._change.wait_for(lambda: self._woken or self._stopping.is_set(), pause)
            self._woken = False

    # -- the threads that handle -----------------------------------------------------------------------------

    def _work_on(self) -> None:
        while (under_way := self._next()) is not None:
            claimed = under_way.claimed
            outcome = attempt(under_way.handler, claimed, self._session, self._queue, under_way.supervision)
            self.metrics.count(outcome, claimed.attempt, claimed.place)
            if not self._finished(under_way, outcome):
                # Another thread has replaced this one.
                return

    def _next(self) -> UnderWay | None:
        """Begin the next attempt, when there is an event; None when stopped."""
        with self._change:
            self._change.wait_for(lambda: self._stopping.is_set() or (self._waiting and not self._is_blocked()))
            if self._stopping.is_set():
                return None
            begun = UnderWay(self.handler, self._waiting.popleft(), Supervision(self._stopping))
            self._running.append(begun)
            return begun

    def _finished(self, ended: UnderWay, outcome: Outcome) -> bool:
        """Record the end of an attempt; returns whether it was in time."""
        with self._change:
            # The next event of the same stream may be due now.
            self._woken = True
            self._change.notify_all()
            if ended in self._hanging:
                self._hanging.remove(ended)
                return False
            self._running.remove(ended)
            self._forget(ended.claimed, outcome.kind == "interrupted")
            if ended.handler is self.handler:
                self._gave_up = False
            return True

    def _forget(self, claimed: Claimed, expires: bool) -> None:
        self._held.pop(claimed.lease, None)
        if expires:
            self._left[claimed.lease] = time.monotonic() + self._queue.lease

    # -- attempts that exceed their timeout --------------------------------------------------------------------

    def give_up_late(self) -> None:
        """Give up the attempts that exceed their timeout."""
        with self._change:
            late = [each for each in self._running if each.is_late]
            for each in late:
                each.supervision.given_up.set()
                self._running.remove(each)
                self._hanging.append(each)
                self._forget(each.claimed, True)
                self._gave_up |= each.handler is self.handler
        for each in late:
            self.metrics.count_timeout()
            self._thread(partial(self._replace_thread, each), "work")

    def _replace_thread(self, late: UnderWay) -> None:
        outcome = give_up(late, self._queue, self._stopping)
        note_outcome(late.claimed, outcome)
        self.metrics.count(outcome, late.claimed.attempt, late.claimed.place)
        self.wake()
        self._work_on()

    # -- the end -----------------------------------------------------------------------------------------------

    def _drained(self) -> list[Claimed]:
        """Remove and return the claimed events that were not begun."""
        with self._change:
            found = list(self._waiting)
            self._waiting.clear()
            for each in found:
                self._held.pop(each.lease, None)
            return found

    def _release(self, claimed: list[Claimed]) -> None:
        for each in claimed:
            try:
                self._queue.release(each)
            except CallsheetError:
                # The lease expires without it.
                return

    def _thread(self, target: Callable[[], None], what: str) -> None:
        thread = Thread(target=target, name=f"callsheet-{what}-{self.handler.name}", daemon=True)
        self._threads.append(thread)
        thread.start()
