"""A running attempt for its supervisor: when it began, and what to do if it exceeds its timeout.

A thread cannot be ended from outside. So an attempt that exceeds its handler's ``timeout`` is given up: its failure is
reported like any other, with the thread's present stack as traceback, and another thread replaces this one. The server
refuses a later commit of the attempt. The thread itself ends only with the process.
"""

from __future__ import annotations

import sys
import time
import traceback
from threading import Event as Flag
from threading import Thread, current_thread

from attrs import define, field

from callsheet.failure import TRACEBACK, FailureText, writable
from callsheet.listening.attempt import Outcome, Supervision, report
from callsheet.listening.declaration import Declared
from callsheet.listening.work import Claimed, WorkQueue

__all__ = ["UnderWay", "give_up"]


@define(eq=False)
class UnderWay:
    """An attempt in a thread, with its handler and its event."""

    handler: Declared
    claimed: Claimed
    supervision: Supervision
    thread: Thread = field(factory=current_thread)
    since: float = field(factory=time.monotonic)

    @property
    def is_late(self) -> bool:
        """Whether it exceeds its timeout. Waiting for the server's reply does not count."""
        return not self.supervision.in_doubt and time.monotonic() - self.since > self.handler.timeout

    @property
    def stack(self) -> str:
        """The present stack of the thread."""
        frame = sys._current_frames().get(self.thread.ident or 0)
        lines = [] if frame is None else traceback.format_stack(frame)
        return writable("".join(["The handler was running here:\n", *lines]))[-TRACEBACK:]


def give_up(late: UnderWay, queue: WorkQueue, stopping: Flag) -> Outcome:
    """Report that an attempt exceeded its timeout; returns the outcome."""
    handler, claimed = late.handler, late.claimed
    failure = FailureText(f"Timeout: the handler did not end within its {handler.timeout:g} s", late.stack)
    delay = handler.pause(claimed.failures + 1)
    try:
        kind = _kind(report(claimed, queue, failure, delay, stopping), delay)
    except Exception:
        kind = "interrupted"
    return Outcome(kind, error=failure.error, seconds=time.monotonic() - late.since)


def _kind(noted: bool, delay: float | None) -> str:
    if not noted:
        return "overtaken"
    return "dead" if delay is None else "failed"
