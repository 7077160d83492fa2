"""Threads that run functions for an event loop.

What anyio and `concurrent.futures` do for each call costs more than the statements of a small commit. Here a call is an
entry in a queue implemented in C, a future of the loop, and a callback.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread
from typing import Any, NamedTuple, TypeVar

__all__ = ["Workers"]

T = TypeVar("T")


class _Call(NamedTuple):
    loop: asyncio.AbstractEventLoop
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    finish: Callable[[Any, BaseException | None], None]


class Workers:
    """Up to ``most`` threads, each started when all others are busy. They end when this object is collected.

    Its methods are called in the thread of the event loop. Calls wait in order when all threads are busy.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._busy = 0
        weakref.finalize(self, _end, self._calls, self._threads)

    async def run(self, after: Callable[[], object], function: Callable[..., T], *arguments: Any) -> T:
        """Call the function in a thread; returns its result. ``after`` is called when it ends, even if cancelled."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def finish(result: Any, error: BaseException | None) -> None:
            self._busy -= 1
            after()
            if future.cancelled():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        self._busy += 1
        if self._busy > len(self._threads) < self._most:
            self._start()
        self._calls.put(_Call(loop, function, arguments, finish))
        return await future

    def _start(self) -> None:
        thread = Thread(target=_work, args=(self._calls,), name="callsheet-worker", daemon=True)
        self._threads.append(thread)
        thread.start()


def _work(calls: SimpleQueue[_Call | None]) -> None:
    while (call := calls.get()) is not None:
        result: Any = None
        error: BaseException | None = None
        try:
            result = call.function(*call.arguments)
        except BaseException as raised:
            error = raised
        try:
            call.loop.call_soon_threadsafe(call.finish, result, error)
        except RuntimeError:
            pass  # The loop is closed: no task waits for the result.
        # Release the call before waiting for the next one.
        del call, result, error


def _end(calls: SimpleQueue[_Call | None], threads: list[Thread]) -> None:
    for _ in threads:
        calls.put(None)
