"""An attempt under way, as its supervisor sees it: since when, and what to do when it takes too long.

A thread cannot be ended from outside. So an attempt that takes longer than its handler's ``timeout`` is given up: its
failure is reported like any other, with what the thread does right now as the traceback, and another thread takes the
place of this one. The server refuses what it would still commit. The thread itself ends with the process only.
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
    """An attempt in a thread: which handler it began with, on which event."""

    handler: Declared
    claimed: Claimed
    supervision: Supervision
    thread: Thread = field(factory=current_thread)
    since: float = field(factory=time.monotonic)

    @property
    def is_late(self) -> bool:
        """Whether its time is over. While the server does not answer, that is not the handler's time."""
        return not self.supervision.in_doubt and time.monotonic() - self.since > self.handler.timeout

    @property
    def stack(self) -> str:
        """What the thread does right now."""
        frame = sys._current_frames().get(self.thread.ident or 0)
        lines = [] if frame is None else traceback.format_stack(frame)
        return writable("".join(["The handler was at work here:\n", *lines]))[-TRACEBACK:]


def give_up(late: UnderWay, queue: WorkQueue, stopping: Flag) -> Outcome:
    """Report that an attempt takes too long; what became of it."""
    handler, claimed = late.handler, late.claimed
    told = FailureText(f"Timeout: the handler did not end within its {handler.timeout:g} s", late.stack)
    delay = handler.pause(claimed.failures + 1)
    try:
        kind = _kind(report(claimed, queue, told, delay, stopping), delay)
    except Exception:
        kind = "interrupted"
    return Outcome(kind, error=told.error, seconds=time.monotonic() - late.since)


def _kind(noted: bool, delay: float | None) -> str:
    if not noted:
        return "overtaken"
    return "dead" if delay is None else "failed"
