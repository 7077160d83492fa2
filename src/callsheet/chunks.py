"""Items in slices of a bounded size, because statements and requests are bounded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

__all__ = ["chunks"]

T = TypeVar("T")


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in order, in lists of at most ``size``; no items give no list.

    >>> list(chunks("abcde", 2))
    [['a', 'b'], ['c', 'd'], ['e']]
    """
    found = list(items)
    for start in range(0, len(found), size):
        yield found[start : start + size]
