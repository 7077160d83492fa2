"""A value that several threads need at the same time is computed once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, Generic, TypeVar

from attrs import define, field

__all__ = ["Shared"]

T = TypeVar("T")


@define(eq=False)
class _Made:
    lock: Any = field(factory=Lock)
    done: bool = False
    value: Any = None


class Shared(Generic[T]):
    """A cache of the last ``kept`` values by key; only values for which ``keep`` returns true are stored.

    >>> shared = Shared[str](kept=2, keep=bool)
    >>> shared.get("a", lambda: "made"), shared.get("a", lambda: "made again")
    ('made', 'made')
    """

    def __init__(self, kept: int, keep: Callable[[T], bool]) -> None:
        self._kept, self._keep = kept, keep
        self._made: dict[Hashable, _Made] = {}
        self._lock = Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The cached value; if absent, ``make`` is called once, and other threads with the same key wait for it."""
        with self._lock:
            made = self._made.setdefault(key, _Made())
            while len(self._made) > self._kept:
                del self._made[next(iter(self._made))]
        with made.lock:
            if made.done:
                value: T = made.value
                return value
            value = make()
            if self._keep(value):
                made.value, made.done = value, True
            return value
