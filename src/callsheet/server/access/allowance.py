"""How much each place may use up in a time: a bucket that empties with use, and fills again as time goes by."""

from __future__ import annotations

import threading
from collections.abc import Callable

from attrs import define

__all__ = ["Allowance"]

PLACES = 4096


@define
class _Bucket:
    """How much is left, as of a moment."""

    left: float
    at: float


class Allowance:
    """So much for each place (an address, an account), all of which comes back within so many seconds.

    >>> now = [0.0]
    >>> allowance = Allowance(10, 20.0, lambda: now[0])
    >>> allowance.spend("anna", 9)
    >>> allowance.wait("anna", 1), allowance.wait("anna", 3), allowance.wait("ben", 10)
    (0.0, 4.0, 0.0)
    >>> now[0] = 4.0
    >>> allowance.wait("anna", 3)
    0.0
    """

    def __init__(self, most: float, seconds: float, clock: Callable[[], float]) -> None:
        self.most = most
        self._rate, self._clock = most / seconds, clock
        self._lock = threading.Lock()
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, place: str, amount: float) -> float:
        """Seconds until a place has so much: 0 where it has it now."""
        with self._lock:
            return max(0.0, (amount - self._bucket(place).left) / self._rate)

    def spend(self, place: str, amount: float) -> None:
        """Take so much off; nobody owes more than all of it."""
        with self._lock:
            bucket = self._bucket(place)
            bucket.left = max(0.0, bucket.left - amount)

    def _bucket(self, place: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.pop(place, None) or _Bucket(self.most, now)
        bucket.left = min(self.most, bucket.left + (now - bucket.at) * self._rate)
        bucket.at = now
        while len(self._buckets) >= PLACES:
            self._buckets.pop(next(iter(self._buckets)))
        self._buckets[place] = bucket
        return bucket
