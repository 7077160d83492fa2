"""The thread that feeds a mirror: turn by turn, so that a request that gives up leaves the work undisturbed.

A commit only rings. The turn that follows reads all commits there are by then, so many commits share one turn. Under
load, turns that nobody waits for leave the processor to the commits for `SHARE` times as long as the last one took. A
question that needs a turn does not wait for that. Between turns the thread sleeps.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from time import monotonic

from callsheet.errors import Closed

__all__ = ["Feeder"]

_log = logging.getLogger("callsheet.server")

SHARE = 2.0
"""The least pause after a turn that nobody waited for, in its own length."""
PAUSE = 0.5
"""The longest pause, in seconds."""


class Feeder:
    """Calls ``turn`` in a thread, once after each `ring`, and at once for a `wait`; rings in between are one.

    >>> done = []
    >>> feeder = Feeder(lambda: done.append("fed"))
    >>> feeder.wait(5.0)
    >>> feeder.close()
    >>> done
    ['fed']
    """

    def __init__(self, turn: Callable[[], object]) -> None:
        self._turn = turn
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._rung = False
        self._waiting = 0
        self._begun = self._done = 0
        """How many turns have begun, and how many are over."""
        self._errors: dict[int, BaseException] = {}
        """The errors of turns that somebody waits for."""

    def ring(self) -> None:
        """A turn is due soon; returns at once."""
        with self._changed:
            if not self._rung and not self._closed:
                self._rung = True
                self._start()

    def wait(self, seconds: float) -> None:
        """Wait for a turn that begins after this call; raises its error, or `TimeoutError`."""
        with self._changed:
            wanted, until = self._begun + 1, monotonic() + seconds
            self._rung, self._waiting = True, self._waiting + 1
            self._start()
            try:
                while self._done < wanted and not self._closed:
                    if not self._changed.wait(max(0.0, until - monotonic())) and monotonic() >= until:
                        raise TimeoutError
                if self._done < wanted:
                    raise Closed("the mirror is closed")
                if error := self._errors.get(wanted):
                    raise error
            finally:
                self._waiting -= 1
                if not self._waiting:
                    self._errors.clear()

    def close(self) -> None:
        """Wait for the running turn, then end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        if self._thread is None and not self._closed:
            self._thread = threading.Thread(target=self._work, name="callsheet-mirror", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _work(self) -> None:
        pause = 0.0
        while self._next(pause):
            began, error = monotonic(), None
            try:
                self._turn()
            except BaseException as raised:
                error = raised
            pause = min(PAUSE, SHARE * (monotonic() - began))
            self._finished(error)

    def _next(self, pause: float) -> bool:
        """Wait until a turn is due, and begin it; false once closed."""
        until = monotonic() + pause
        with self._changed:
            while not self._closed:
                left = until - monotonic()
                if self._rung and (self._waiting or left <= 0):
                    self._rung = False
                    self._begun += 1
                    return True
                self._changed.wait(left if self._rung else None)
            return False

    def _finished(self, error: BaseException | None) -> None:
        with self._changed:
            self._done = self._begun
            if error is not None and self._waiting:
                self._errors[self._done] = error
            elif error is not None and not self._closed:
                _log.warning("the mirror was not fed, and will be at the next commit or question: %s", error)
            self._changed.notify_all()
