"""Worker threads are shared fairly: the account with the fewest running requests gets the next free thread."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from callsheet.server.limits import Limits
from callsheet.server.web.workers import Workers

__all__ = ["Turns"]

T = TypeVar("T")


class Turns:
    """The worker threads of one application, for one event loop. No account can occupy all of them."""

    def __init__(self, limits: Limits) -> None:
        self._all, self._most = limits.threads, min(limits.account_threads, limits.threads)
        self.running: Counter[str] = Counter()
        self._count = 0
        self._waiting: dict[str, deque[asyncio.Event]] = {}
        self._workers = Workers(self._all)

    async def run(self, account: str, function: Callable[..., T], *arguments: Any) -> T:
        """Call the function in a thread when it is the account's turn; returns its result. The turn ends with it."""
        if self._may_run(account):
            self._begin(account)
        else:
            await self._wait(account)
        return await self._workers.run(partial(self._end, account), function, *arguments)

    async def _wait(self, account: str) -> None:
        turn = asyncio.Event()
        self._waiting.setdefault(account, deque()).append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                # The turn was granted while the waiting task was cancelled: pass it on.
                self._end(account)
            else:
                self._leave(account, turn)
            raise

    def _leave(self, account: str, turn: asyncio.Event) -> None:
        waiting = self._waiting[account]
        waiting.remove(turn)
        if not waiting:
            del self._waiting[account]

    def _may_run(self, account: str) -> bool:
        return self._count < self._all and self.running[account] < self._most

    def _begin(self, account: str) -> None:
        self._count += 1
        self.running[account] += 1

    def _end(self, account: str) -> None:
        self._count -= 1
        self.running[account] -= 1
        if not self.running[account]:
            del self.running[account]
        able = [each for each in self._waiting if self._may_run(each)]
        if able:
            chosen = min(able, key=lambda each: self.running[each])
            turn = self._waiting[chosen][0]
            self._leave(chosen, turn)
            self._begin(chosen)
            turn.set()
