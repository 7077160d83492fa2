"""A dictionary of bounded size, for what is kept so that it need not be made again."""

from __future__ import annotations

from typing import TypeVar

__all__ = ["BoundedDict"]

K = TypeVar("K")
V = TypeVar("V")


class BoundedDict(dict[K, V]):
    """At most ``size`` entries: a new one takes the place of the oldest. Threads may share it.

    >>> kept = BoundedDict[str, int](2)
    >>> kept["a"], kept["b"], kept["a"], kept["c"] = 1, 2, 3, 4
    >>> kept
    {'b': 2, 'c': 4}

    An entry that is set anew keeps its age, unless `renew` sets it.

    >>> kept.renew("b", 5)
    >>> kept["d"] = 6
    >>> kept
    {'b': 5, 'd': 6}
    """

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def __setitem__(self, key: K, value: V) -> None:
        if key not in self:
            while len(self) >= self.size:
                self._drop_oldest()
        super().__setitem__(key, value)

    def renew(self, key: K, value: V) -> None:
        """Set an entry, which is the youngest from now on."""
        self.pop(key, None)
        self[key] = value

    def _drop_oldest(self) -> None:
        try:
            self.pop(next(iter(self)), None)
        except (StopIteration, RuntimeError):
            pass  # Another thread was faster.
