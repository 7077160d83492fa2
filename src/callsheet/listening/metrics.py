"""The metrics of a listener by handler, for its health page and for Prometheus."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from threading import Lock
from typing import Any

from callsheet.listening.attempt import OUTCOMES, Outcome
from callsheet.model.event import Position

__all__ = ["Metrics", "prometheus"]

WINDOW = 60.0


class Metrics:
    """The counts of one handler in this process. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, timeouts: int = 0) -> None:
        self._clock, self._lock = clock, Lock()
        #: Attempts given up, including those of the process that this one replaced.
        self.timeouts = timeouts
        self._started = clock()
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.retries = 0
        self.seconds = 0.0
        self.last_position: Position | None = None
        self.last_error = ""
        # (second, events handled in it), for the rate.
        self._recent: deque[tuple[int, int]] = deque(maxlen=int(WINDOW) + 2)

    def count_timeout(self) -> None:
        """Count an attempt that was given up."""
        with self._lock:
            self.timeouts += 1

    def count(self, outcome: Outcome, attempt: int, position: Position) -> None:
        """Count an attempt."""
        with self._lock:
            self.outcomes[outcome.kind] += 1
            self.retries += attempt > 1
            self.seconds += outcome.seconds
            self.last_error = outcome.error or self.last_error
            if outcome.kind == "handled":
                self.last_position = max(position, self.last_position or position)
                self._tick()

    def _tick(self) -> None:
        now = int(self._clock())
        if self._recent and self._recent[-1][0] == now:
            self._recent.append((now, self._recent.pop()[1] + 1))
        else:
            self._recent.append((now, 1))

    def rate(self) -> float:
        """Handled events per second, over the last minute."""
        now = self._clock()
        with self._lock:
            counted = sum(count for second, count in self._recent if second >= now - WINDOW)
        return counted / max(1.0, min(WINDOW, now - self._started))

    def plain(self) -> dict[str, Any]:
        """All metrics as plain data."""
        with self._lock:
            plain: dict[str, Any] = {**self.outcomes, "retries": self.retries, "timeouts": self.timeouts}
            plain["seconds"] = round(self.seconds, 3)
            plain["last_position"] = None if self.last_position is None else str(self.last_position)
            plain["last_error"] = self.last_error
        return {**plain, "rate": round(self.rate(), 3)}


#: The metric's name, its kind, its key in the health of a handler, and its description.
_LINES = (
    ("handled_total", "counter", "handled", "Events handled"),
    ("failures_total", "counter", "failed", "Attempts that failed and are retried"),
    ("dead_letters_total", "counter", "dead", "Events given up after their last attempt"),
    ("retries_total", "counter", "retries", "Attempts after the first"),
    ("timeouts_total", "counter", "timeouts", "Attempts given up since they took longer than the handler's timeout"),
    ("overtaken_total", "counter", "overtaken", "Attempts whose event another worker had taken by the end"),
    ("interrupted_total", "counter", "interrupted", "Attempts whose connection to the server was lost"),
    ("handler_seconds_total", "counter", "seconds", "Seconds spent in attempts"),
    ("rate", "gauge", "rate", "Events handled in a second, over the last minute"),
    ("stuck", "gauge", "stuck", "1 if the handler does not end: its last attempt was given up"),
    ("busy", "gauge", "busy", "Events being handled in this process"),
    ("claimed", "gauge", "claimed", "Events this process has a lease on"),
    ("lag_commits", "gauge", "behind", "Commits of the log that were not read yet"),
    ("lag_seconds", "gauge", "waiting_seconds", "Age of the oldest event that is not handled"),
    ("queue", "gauge", "queued", "Events in the queue that are not handled"),
    ("dead_letters", "gauge", "dead_letters", "Events in the dead letters"),
    ("last_position", "gauge", "last_commit", "Position in the log of the last event handled"),
)


def prometheus(handlers: Iterable[Mapping[str, Any]]) -> str:
    """The health of handlers in the text format of Prometheus.

    >>> print(prometheus([{"name": "roll-up", "handled": 3}]), end="")
    # HELP callsheet_handler_handled_total Events handled
    # TYPE callsheet_handler_handled_total counter
    callsheet_handler_handled_total{handler="roll-up"} 3
    """
    known = list(handlers)
    lines: list[str] = []
    for name, kind, held, says in _LINES:
        rows = [(each["name"], each[held]) for each in known if each.get(held) is not None]
        if rows:
            full = f"callsheet_handler_{name}"
            lines += [f"# HELP {full} {says}", f"# TYPE {full} {kind}"]
            lines += [f'{full}{{handler="{_label(handler)}"}} {value}' for handler, value in rows]
    return "\n".join(lines) + "\n" if lines else ""


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
