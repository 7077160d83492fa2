"""Worker threads, shared fairly: whose requests hold the fewest gets the next one that is free."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from callsheet.server.limits import Limits

__all__ = ["Turns"]

T = TypeVar("T")


class Turns:
    """The worker threads of one application, for one event loop. No account gets all of them."""

    def __init__(self, limits: Limits) -> None:
        self._all, self._most = limits.threads, min(limits.account_threads, limits.threads)
        self.running: Counter[str] = Counter()
        self._waiting: dict[str, deque[anyio.Event]] = {}
        self._limiter: CapacityLimiter | None = None

    async def run(self, account: str, function: Callable[..., T], *arguments: Any) -> T:
        """What the function returns, called in a thread when it is the account's turn."""
        async with self._turn(account):
            self._limiter = self._limiter or CapacityLimiter(self._all)
            return await to_thread.run_sync(function, *arguments, limiter=self._limiter)

    @asynccontextmanager
    async def _turn(self, account: str) -> AsyncIterator[None]:
        if self._may_run(account):
            self.running[account] += 1
        else:
            await self._wait(account)
        try:
            yield
        finally:
            self._end(account)

    async def _wait(self, account: str) -> None:
        turn = anyio.Event()
        self._waiting.setdefault(account, deque()).append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                # It was given while whoever waited was cancelled.
                self._end(account)
            else:
                self._leave(account, turn)
            raise

    def _leave(self, account: str, turn: anyio.Event) -> None:
        waiting = self._waiting[account]
        waiting.remove(turn)
        if not waiting:
            del self._waiting[account]

    def _may_run(self, account: str) -> bool:
        return self.running.total() < self._all and self.running[account] < self._most

    def _end(self, account: str) -> None:
        self.running[account] -= 1
        if not self.running[account]:
            del self.running[account]
        able = [each for each in self._waiting if self._may_run(each)]
        if able:
            chosen = min(able, key=lambda each: self.running[each])
            turn = self._waiting[chosen][0]
            self._leave(chosen, turn)
            self.running[chosen] += 1
            turn.set()
