"""A token bucket for each place: it empties with use, and refills with time."""

from __future__ import annotations

import threading
from collections.abc import Callable

from attrs import define

from callsheet.bounded import BoundedDict

__all__ = ["Allowance"]

PLACES = 4096


@define
class _Bucket:
    """The amount left at a time."""

    left: float
    at: float


class Allowance:
    """Each place (an address, an account) may use ``most``, which refills completely within ``seconds``.

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
        self._buckets: BoundedDict[str, _Bucket] = BoundedDict(PLACES)

    def wait(self, place: str, amount: float) -> float:
        """Seconds until a place has this amount; 0 if it has it now."""
        with self._lock:
            return max(0.0, (amount - self._bucket(place).left) / self._rate)

    def spend(self, place: str, amount: float) -> None:
        """Use an amount; the rest is never below 0."""
        with self._lock:
            bucket = self._bucket(place)
            bucket.left = max(0.0, bucket.left - amount)

    def take(self, place: str, amount: float) -> float:
        """Use an amount if the place has it, and return 0; else use nothing, and return the seconds until it has it."""
        with self._lock:
            bucket = self._bucket(place)
            missing = amount - bucket.left
            if missing <= 0:
                bucket.left -= amount
            return max(0.0, missing / self._rate)

    def give_back(self, place: str, amount: float) -> None:
        """Undo a `take`."""
        with self._lock:
            bucket = self._bucket(place)
            bucket.left = min(self.most, bucket.left + amount)

    def _bucket(self, place: str) -> _Bucket:
        now = self._clock()
        bucket = self._buckets.get(place) or _Bucket(self.most, now)
        bucket.left = min(self.most, bucket.left + (now - bucket.at) * self._rate)
        bucket.at = now
        self._buckets.renew(place, bucket)
        return bucket
