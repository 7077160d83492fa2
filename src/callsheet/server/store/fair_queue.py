"""A queue of jobs in which accounts take turns: an account with many jobs delays only its own."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from threading import Condition
from typing import Generic, TypeVar

__all__ = ["FairQueue"]

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Jobs by account, those of each account in order.

    >>> queue = FairQueue[int]()
    >>> for account, job in [("anna", 1), ("anna", 2), ("anna", 3), ("ben", 4)]:
    ...     queue.put(account, job)
    >>> queue.take(3)
    [('anna', 1), ('ben', 4), ('anna', 2)]
    >>> queue.close()
    >>> queue.take(3), queue.take(3)
    ([('anna', 3)], [])
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._jobs: OrderedDict[str, deque[T]] = OrderedDict()
        self._count = 0
        self._closed = False

    def __len__(self) -> int:
        return self._count

    def put(self, account: str, job: T) -> None:
        """Append a job to those of its account."""
        with self._changed:
            self._jobs.setdefault(account, deque()).append(job)
            self._count += 1
            self._changed.notify()

    def put_back(self, jobs: Iterable[tuple[str, T]]) -> None:
        """Return jobs that were taken and not run; they come before all others of their accounts, in order."""
        with self._changed:
            for account, job in reversed(list(jobs)):
                self._jobs.setdefault(account, deque()).appendleft(job)
                self._jobs.move_to_end(account, last=False)
                self._count += 1

    def wait(self) -> bool:
        """Wait for a job; whether there is one: without one the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._count or self._closed)
            return self._count > 0

    def take(self, most: int) -> list[tuple[str, T]]:
        """One to ``most`` jobs, accounts in turn; blocks until there is one. Empty when the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._count or self._closed)
            return [self._next() for _ in range(min(most, self._count))]

    def close(self) -> None:
        """Accept no more jobs; `take` still returns those in the queue."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _next(self) -> tuple[str, T]:
        account, jobs = next(iter(self._jobs.items()))
        job = jobs.popleft()
        self._count -= 1
        if jobs:
            self._jobs.move_to_end(account)
        else:
            del self._jobs[account]
        return account, job
