"""One connection that watches questions: what it has of each, and what leads from there to the newest results.

A reader holds no queue. It is woken when a result is newer than the one it has, and takes the difference when it is
ready for more; so a slow reader gets one change for many commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from threading import Condition
from typing import Protocol

from attrs import define, evolve

from callsheet.errors import CallsheetError, Closed
from callsheet.model.question import Answer, Question
from callsheet.model.watching import LOST, PAST, ResultChange, Seen, Watch, difference
from callsheet.server.access.access import Access
from callsheet.server.watching.watched import KeptResult, WatchedQuestion

__all__ = ["WatchReader"]

NumberedChange = tuple[int, ResultChange]
"""The number of a watch, and a change of its result."""


class SharedQuestions(Protocol):
    """What a reader needs of all that is watched: see `Watches`."""

    @property
    def closed(self) -> bool: ...

    @property
    def rewinds(self) -> bool: ...

    def reached(self, watched: WatchedQuestion, sent: KeptResult | None, position: int) -> int: ...

    def join(self, reader: WatchReader, question: Question) -> WatchedQuestion: ...

    def leave(self, reader: WatchReader, watched: WatchedQuestion) -> None: ...


@define(eq=False)
class _Spot:
    """What a reader has of one question."""

    watch: Watch
    watched: WatchedQuestion
    sent: KeptResult | None = None
    """The result that the reader has; None before the first."""
    position: int = 0
    pending: KeptResult | None = None


class WatchReader:
    """A reader of an account; ``access`` gives its present rights, ``answer`` asks a question with them.

    Only one thread or task at a time may call it. `close` it at the end.
    """

    def __init__(
        self,
        hub: SharedQuestions,
        account: str,
        access: Callable[[], Access],
        answer: Callable[[Question], Answer],
        watches: Sequence[Watch],
    ) -> None:
        self._hub, self.account, self.access, self.answer = hub, account, access, answer
        self._changed = Condition()
        self._rung = True
        self._waker: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self.closed = False
        self._spots: list[_Spot] = []
        try:
            for watch in watches:
                self._spots.append(_Spot(watch, hub.join(self, watch.question)))
        except BaseException:
            self.close()
            raise

    @property
    def position(self) -> int:
        """The position up to which all results are known to hold."""
        return min((self._hub.reached(spot.watched, spot.sent, spot.position) for spot in self._spots), default=0)

    def changes(self) -> list[NumberedChange]:
        """What leads from the results that the reader has to the newest ones; call `delivered` once they are sent.

        Raises the error of a question that cannot be asked any more.
        """
        self._rung = False
        found: list[NumberedChange] = []
        audience = self.access().audience
        for number, spot in enumerate(self._spots):
            if spot.watched.audience != audience:
                left, spot.watched = spot.watched, self._hub.join(self, spot.watch.question)
                self._hub.leave(self, left)
            if spot.watched.error is not None:
                raise spot.watched.error
            newest = spot.watched.newest
            if newest is not spot.sent:
                found += [(number, step) for step in self._steps(spot, newest)]
                spot.pending = newest
        return found

    def delivered(self) -> None:
        """The reader has what `changes` returned last."""
        for spot in self._spots:
            if (pending := spot.pending) is not None:
                spot.sent, spot.pending, spot.position = pending, None, pending.position

    def _steps(self, spot: _Spot, newest: KeptResult) -> list[ResultChange]:
        levels = spot.watched.levels
        if spot.sent is not None:
            return _between(levels, spot.sent, spot.position, newest)
        seen = spot.watch.since
        if seen is None:
            return [_whole(newest)]
        earlier = self._earlier(spot.watched, seen)
        if earlier is None:
            return [_whole(newest, LOST)]
        begun = [] if seen.digest else [_whole(earlier, PAST)]
        return begun + _between(levels, earlier, seen.position, newest)

    def _earlier(self, watched: WatchedQuestion, seen: Seen) -> KeptResult | None:
        """The result that the reader has, or names; None if it is not known any more."""
        known = watched.known(seen.digest) if seen.digest else None
        if known is not None:
            return known
        if seen.digest and not self._hub.rewinds:
            return None
        try:
            answer = self.answer(evolve(watched.question, at=seen.position))
        except CallsheetError:
            if not seen.digest:
                raise
            return None
        found = KeptResult(answer.rows, seen.position, answer.truncated)
        return found if seen.digest in ("", found.digest) else None

    # -- waiting ---------------------------------------------------------------------------------------------

    def ring(self) -> None:
        """There is something new; from any thread."""
        with self._changed:
            self._rung = True
            self._changed.notify_all()
            if self._waker is not None:
                loop, event = self._waker
                try:
                    loop.call_soon_threadsafe(event.set)
                except RuntimeError:
                    self._waker = None  # The loop is closed.

    def wait(self, timeout: float) -> bool:
        """Whether there may be something new; blocks up to ``timeout`` seconds for it."""
        self._check_open()
        with self._changed:
            self._changed.wait_for(lambda: self._rung or self.closed, timeout)
            return self._rung

    async def wait_async(self, timeout: float) -> bool:
        """The same, awaited; asyncio only."""
        event = asyncio.Event()
        with self._changed:
            if self._rung or self.closed:
                return self._rung
            self._waker = asyncio.get_running_loop(), event
        try:
            async with asyncio.timeout(timeout):
                await event.wait()
        except TimeoutError:
            pass
        finally:
            with self._changed:
                self._waker = None
        return self._rung

    def close(self) -> None:
        """Watch no more."""
        self.closed = True
        for spot in self._spots:
            self._hub.leave(self, spot.watched)
        self.ring()

    def _check_open(self) -> None:
        if self._hub.closed:
            raise Closed("the service is closed; open it again to watch")


def _whole(result: KeptResult, reason: str = "") -> ResultChange:
    return ResultChange(result.position, result.rows, result.digest, truncated=result.truncated, reason=reason)


def _between(levels: int, old: KeptResult, before: int, new: KeptResult) -> list[ResultChange]:
    rows, places, gone = difference(levels, old.rows, new.rows)
    if not rows and not gone and old.truncated == new.truncated:
        return []
    return [ResultChange(new.position, rows, new.digest, before, places, gone, new.truncated)]
