"""Watches: the answer to a question, again and again, whenever commits have changed it.

A listener (``transport/listen.py``) reads the server's changes in a thread and folds them into the newest result. Who
iterates takes the difference between what it had last and that result; so a slow loop gets one change for many, and
holds nothing up. Broken connections are opened again, with the result that is here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from time import monotonic
from typing import Any, Generic, Self, TypeVar

from attrs import define, frozen

from callsheet.dialects.protocol import EventStream, WatchingDialect
from callsheet.errors import Closed, StateError, UsageError
from callsheet.model.event import Event, Position
from callsheet.model.question import Question
from callsheet.model.watching import PAST, Rows, Seen, Watch, folded

__all__ = ["AsyncWatch", "BlockingWatch", "ResultStep", "WatchedResult", "check_watchable"]

C = TypeVar("C")

_log = logging.getLogger("callsheet.watching")


@frozen
class WatchedResult:
    """A result: its rows as of a position, and the server's limit, if it cut them there."""

    rows: Rows
    position: int
    digest: str
    truncated: int | None = None


@frozen
class ResultStep:
    """From what somebody had last (None: nothing) to the newest result; ``reason`` says why it was sent whole."""

    before: WatchedResult | None
    now: WatchedResult
    reason: str = ""


@define(eq=False)
class _Folding:
    """The newest result of a question, and the one that was taken last. Thread-safe by the lock of its `changed`."""

    question: Question
    newest: WatchedResult | None
    taken: WatchedResult | None
    reason: str = ""
    fresh: bool = False
    over: bool = False
    error: Exception | None = None

    def fold(self, events: Sequence[Event]) -> None:
        levels = len(self.question.aggregate.group)
        for event in events:
            _, change = event.data
            had = () if self.newest is None else self.newest.rows
            rows = folded(levels, had, change)
            self.newest = WatchedResult(rows, change.position, change.digest, change.truncated)
            if change.reason == PAST:
                self.taken = self.newest
            else:
                self.fresh, self.reason = True, change.reason or self.reason

    def take(self) -> ResultStep | None:
        """What is new, if anything is; afterwards it is not."""
        if not self.fresh or self.newest is None:
            return None
        before, reason = self.taken, self.reason
        self.taken, self.fresh, self.reason = self.newest, False, ""
        same = before is not None and (before.rows, before.truncated) == (self.newest.rows, self.newest.truncated)
        return None if same else ResultStep(before, self.newest, reason)


def check_watchable(core: Any) -> None:
    """Raise `UsageError` for a session whose answers cannot be watched."""
    if core._closed:
        raise Closed("the session is closed")
    if not (core.features.watches and isinstance(core._dialect, WatchingDialect)):
        raise UsageError(
            "this server sends no answers again when they have changed; ask with `query`, as often as needed"
        )


class _Watch(Generic[C]):
    """What both kinds of watches share; ``make`` makes of a step what people get."""

    def __init__(
        self, core: Any, question: Question, make: Callable[[ResultStep], C], since: Seen | WatchedResult | None
    ) -> None:
        check_watchable(core)
        self._dialect, self._make = core._dialect, make
        had = since if isinstance(since, WatchedResult) else None
        self._first = since if isinstance(since, Seen) else None
        self._results = _Folding(question, had, had)
        self._changed = threading.Condition()
        self._stream: EventStream | None = None
        self._listener = core._connection.transport.listen(self._open_stream, self._deliver, self._on_state)
        core._watching(self)
        self._listener.start()

    def __repr__(self) -> str:
        state = "closed" if self._results.over else "connected" if self.connected else "not connected"
        return f"<{type(self).__name__} as of {self.position} ({state})>"

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the server now."""
        return bool(self._listener.connected)

    @property
    def closed(self) -> bool:
        """Whether nothing more will come."""
        return self._results.over

    @property
    def error(self) -> Exception | None:
        """The error for which the server ended the watch, if it did."""
        return self._results.error

    @property
    def position(self) -> int | None:
        """The position of the newest result here; None before the first."""
        newest = self._results.newest
        return None if newest is None else newest.position

    def _stop(self, timeout: float) -> None:
        self._listener.stop(timeout)
        self._finish(None)

    def _finish(self, error: Exception | None) -> None:
        with self._changed:
            if not self._results.over:
                self._results.over, self._results.error = True, error
            self._wake()

    def _wake(self) -> None:
        self._changed.notify_all()

    # -- in the listener's thread ----------------------------------------------------------------------------

    def _open_stream(self, _: Position | None) -> EventStream:
        """A stream that continues from the result that is here."""
        newest, seen = self._results.newest, self._first
        if newest is not None:
            # The server may have said meanwhile that the result holds up to a later position.
            place = getattr(self._stream, "position", None)
            seen = Seen(max(newest.position, 0 if place is None else place.commit), newest.digest)
        self._stream = self._dialect.watch([Watch(self._results.question, seen)])
        return self._stream

    def _deliver(self, events: Sequence[Event]) -> None:
        with self._changed:
            self._results.fold(events)
            self._wake()

    def _on_state(self, state: Any) -> None:
        if state.kind == "failed":
            self._finish(state.error)

    # -- in the thread of who watches ------------------------------------------------------------------------

    def _take(self) -> C | None:
        """What is new, if anything is. Raises the error that ended the watch, once what came before it is taken."""
        step = self._results.take()
        if step is not None:
            return self._make(step)
        error, self._results.error = self._results.error, None
        if error is not None:
            raise error
        return None


class BlockingWatch(_Watch[C]):
    """An iterator of changes that blocks: ``for change in watch``. `close` it, or use it as a context manager."""

    def __iter__(self) -> Iterator[C]:
        return self

    def __next__(self) -> C:
        found = self.next()
        if found is None:
            raise StopIteration
        return found

    def next(self, timeout: float | None = None) -> C | None:
        """The next change; None if there is none within ``timeout`` seconds, or once the watch is closed."""
        until = None if timeout is None else monotonic() + timeout
        with self._changed:
            while True:
                found = self._take()
                left = None if until is None else until - monotonic()
                if found is not None or self._results.over or (left is not None and left <= 0):
                    return found
                self._changed.wait(left)

    def close(self) -> None:
        """End the watch: the loop that iterates it ends, too. From any thread."""
        self._stop(1.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def call(self, callback: Callable[[C], object]) -> Self:
        """Call a function with each change, in a thread of its own, until the watch is closed."""

        def work() -> None:
            try:
                for change in self:
                    _called(callback, change)
            except Exception as error:
                _log.error("a watch has ended: %s", error)
                self._results.error = error

        threading.Thread(target=work, name="callsheet-watch", daemon=True).start()
        return self


def _called(callback: Callable[[Any], object], change: Any) -> None:
    try:
        callback(change)
    except Exception:
        _log.exception("the callback of a watch failed with the change as of %s", change.position)


class AsyncWatch(_Watch[C]):
    """An iterator of changes that is awaited: ``async for change in watch``, under asyncio and trio."""

    def __init__(
        self, core: Any, question: Question, make: Callable[[ResultStep], C], since: Seen | WatchedResult | None
    ) -> None:
        self._woken: Any = None
        self._soon: Callable[..., object] | None = None
        self._task: Any = None
        super().__init__(core, question, make, since)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> C:
        found = await self.next()
        if found is None:
            raise StopAsyncIteration
        return found

    async def next(self, timeout: float | None = None) -> C | None:
        """The next change; None if there is none within ``timeout`` seconds, or once the watch is closed."""
        import anyio

        with anyio.move_on_after(timeout):
            while True:
                with self._changed:
                    found = self._take()
                    if found is not None or self._results.over:
                        return found
                    self._woken, self._soon = anyio.Event(), _soon()
                await self._woken.wait()
        return None

    def _wake(self) -> None:
        woken, soon, self._woken, self._soon = self._woken, self._soon, None, None
        if woken is not None and soon is not None:
            try:
                soon(woken.set)
            except RuntimeError:
                pass  # The loop is closed.

    async def close(self) -> None:
        """End the watch: the loop that iterates it ends, too."""
        self._stop(0.0)
        task, self._task = self._task, None
        if task is not None:
            task.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def call(self, callback: Callable[[C], Awaitable[object] | object]) -> Self:
        """Call a function with each change, in a task of its own (asyncio), until the watch is closed."""
        import asyncio

        async def work() -> None:
            try:
                async for change in self:
                    await _awaited(callback, change)
            except Exception as error:
                _log.error("a watch has ended: %s", error)
                self._results.error = error

        try:
            self._task = asyncio.get_running_loop().create_task(work())
        except RuntimeError:
            self._stop(0.0)
            raise StateError("a callback needs a running loop of asyncio; use `async for` under trio") from None
        return self


async def _awaited(callback: Callable[[Any], Any], change: Any) -> None:
    from inspect import isawaitable

    try:
        result = callback(change)
        if isawaitable(result):
            await result
    except Exception:
        _log.exception("the callback of a watch failed with the change as of %s", change.position)


def _soon() -> Callable[..., object]:
    """A function that calls another one in the running loop soon, from any thread."""
    import asyncio

    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        import trio

        return trio.lowlevel.current_trio_token().run_sync_soon
