"""How far a commit or a plan is: a function that is called with it, a bar on a terminal, or lines of the log.

A flow reports to a `Meter`. What becomes of a report is decided by what the user passed: a function is called with the
number of operations that are done and how many there are; True draws a bar with rate and time left where standard
error is a terminal (and the package rich is installed), and elsewhere writes a line to the log now and then.

What shows progress ends no commit: an error of it is logged, and the commit goes on unseen.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Protocol, TypeAlias

from attrs import define, field

from callsheet.deferred import abandon, deferred
from callsheet.errors import UsageError
from callsheet.flow import Call, Flow

__all__ = ["Meter", "ProgressFunction", "ProgressLines", "meter_for"]

#: Called with how many operations are done, and how many there are.
ProgressFunction: TypeAlias = Callable[[int, int], Any]
SECONDS = 5.0
"""Between two lines of the log."""

log = logging.getLogger("callsheet.progress")


class _Display(Protocol):
    """Shows progress, until it is closed."""

    def show(self, done: int, total: int) -> Any: ...

    def applying(self, total: int) -> None:
        """All is sent, and the server applies it; its progress is unknown."""

    def close(self) -> None: ...


@define
class Meter:
    """A flow reports to it how many of the operations are done."""

    total: int = 0
    display: _Display | None = None

    def report(self, done: int) -> Flow[None]:
        """So many operations are done."""
        if (display := self.display) is not None:
            yield from self._show(lambda: display.show(done, self.total))

    def applying(self) -> Flow[None]:
        """All parts of a commit are sent; what follows takes the server the longest."""
        if (display := self.display) is not None:
            yield from self._show(lambda: display.applying(self.total))

    def _show(self, function: Callable[[], Any]) -> Flow[None]:
        try:
            result = yield Call(function)
            if kind := deferred(result):
                abandon(result)
                raise UsageError(f"the function of `progress` returned {kind}, which would not be run")
        except Exception:
            log.exception("progress is not shown any more; the commit goes on")
            self.display = None

    def close(self) -> None:
        """Leave the display as it is."""
        if self.display is not None:
            self.display.close()


def meter_for(progress: ProgressFunction | bool | None, total: int, what: str) -> Meter:
    """The meter for an argument ``progress``. Raises `UsageError` if it is neither a function nor True or False."""
    if progress is None or progress is False:
        return Meter(total)
    if progress is True:
        return Meter(total, _bar(what, total) if _on_terminal() else ProgressLines(what))
    if not callable(progress):
        raise UsageError(f"progress is a function of two numbers (done, total), or True, not {progress!r:.80}")
    return Meter(total, _CalledDisplay(progress))


def _on_terminal() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and find_spec("rich") is not None


def _bar(what: str, total: int) -> _Display:
    from callsheet.core.progress_bar import ProgressBar

    return ProgressBar(what, total)


@define
class _CalledDisplay:
    """A user's function."""

    show: ProgressFunction

    def applying(self, total: int) -> None:
        """Its numbers stay as they are."""

    def close(self) -> None:
        """Nothing is held."""


@define
class ProgressLines:
    """Lines of the log: the first report, one every few seconds, and the end, each with its numbers as facts."""

    what: str
    clock: Callable[[], float] = time.monotonic
    seconds: float = SECONDS
    _began: float = field(init=False)
    _next: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self._next = self.clock()

    def show(self, done: int, total: int) -> None:
        """Write a line, if it is time to."""
        now = self.clock()
        if now < self._next and done < total:
            return
        self._next = now + self.seconds
        rate = done / (now - self._began) if now > self._began else 0.0
        left = (total - done) / rate if rate else None
        facts = {"what": self.what, "done": done, "total": total, "rate": round(rate, 1), "seconds_left": left}
        pace = f", {rate:,.0f} a second, {left:,.0f} s left" if left else ""
        log.info("%s: %s of %s operations%s", self.what, f"{done:,}", f"{total:,}", pace, extra={"facts": facts})

    def applying(self, total: int) -> None:
        """Write that all is sent."""
        facts = {"what": self.what, "done": total, "total": total}
        log.info("%s: %s operations are sent, the server applies them", self.what, f"{total:,}", extra={"facts": facts})

    def close(self) -> None:
        """Nothing is held."""
