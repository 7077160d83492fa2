"""What a large plan consists of, on disk: lists that are appended to and read again, and rows sorted by key.

Theory. A list keeps what was added last in memory, and the rest in blocks of a temporary file without a name, which is
removed with the process, however that ends. Rows are sorted in runs of a bounded number, and the runs are merged as
they are read: an external merge sort. The order is that of the keys' texts, our own, since collations of databases
differ.
"""

from __future__ import annotations

import pickle
import weakref
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import chain
from operator import itemgetter
from tempfile import TemporaryFile
from typing import IO, Any, Generic, TypeVar, overload

__all__ = ["BLOCK", "Joined", "SortedSpill", "SpilledList", "joined"]

T = TypeVar("T")

BLOCK = 500
"""Items that are written, and read, at once."""
KEPT = 4
"""Blocks that are in memory at most before any is written."""

Placed = tuple[tuple[str, ...], int, T]
"""An item with what it is sorted by: the texts of its key, then a number."""


class SpilledList(Sequence[T], Generic[T]):
    """A sequence that can be appended to, most of it on disk; iterating reads it in order, as often as needed.

    >>> numbers = SpilledList(range(10_000))
    >>> len(numbers), numbers[9_999], sum(numbers), numbers[2:4]
    (10000, 9999, 49995000, [2, 3])
    """

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._last: list[T] = []
        self._file: IO[bytes] | None = None
        # Where each block on disk begins, and ends.
        self._places: list[int] = [0]
        self.extend(items)

    def append(self, item: T) -> None:
        """Add an item at the end."""
        self._last.append(item)
        if len(self._last) >= BLOCK * (1 if self._file else KEPT):
            self._write()

    def extend(self, items: Iterable[T]) -> None:
        """Add items at the end."""
        for item in items:
            self.append(item)

    def _write(self) -> None:
        if self._file is None:
            self._file = TemporaryFile(prefix="callsheet-")  # noqa: SIM115
            weakref.finalize(self, self._file.close)
        self._file.seek(self._places[-1])
        while len(self._last) >= BLOCK:
            self._file.write(pickle.dumps(self._last[:BLOCK], pickle.HIGHEST_PROTOCOL))
            self._places.append(self._file.tell())
            del self._last[:BLOCK]

    def _block(self, number: int) -> list[T]:
        assert self._file is not None
        start, end = self._places[number : number + 2]
        self._file.seek(start)
        found: list[T] = pickle.loads(self._file.read(end - start))
        return found

    @property
    def _blocks(self) -> int:
        return len(self._places) - 1

    def __len__(self) -> int:
        return self._blocks * BLOCK + len(self._last)

    def __iter__(self) -> Iterator[T]:
        for number in range(self._blocks):
            yield from self._block(number)
        yield from self._last

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        if not 0 <= place < len(self):
            raise IndexError(f"there is no item {index} of {len(self)}")
        number, rest = divmod(place, BLOCK)
        return self._block(number)[rest] if number < self._blocks else self._last[place - self._blocks * BLOCK]

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self):,}>"


class Joined(Sequence[T], Generic[T]):
    """Several sequences as one, without a copy."""

    def __init__(self, parts: Sequence[Sequence[T]]) -> None:
        self._parts = tuple(parts)

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    def __iter__(self) -> Iterator[T]:
        return chain.from_iterable(self._parts)

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        place = index + len(self) if index < 0 else index
        for part in self._parts if place >= 0 else ():
            if place < len(part):
                return part[place]
            place -= len(part)
        raise IndexError(f"there is no item {index} of {len(self)}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self):,}>"


def joined(parts: Sequence[Sequence[T]]) -> Sequence[T]:
    """Several sequences as one: a tuple, unless one of them is on disk."""
    if all(isinstance(part, tuple) for part in parts):
        return tuple(chain.from_iterable(parts))
    return parts[0] if len(parts) == 1 else Joined(parts)


class SortedSpill(Generic[T]):
    """Items that come out in the order of their keys; of one key, in the order of their numbers."""

    def __init__(self, run: int) -> None:
        self._run = run
        self._runs: list[SpilledList[Placed[T]]] = []
        self._open: list[Placed[T]] = []

    def add(self, key: Sequence[Any], number: int, item: T) -> None:
        """Add an item."""
        self._open.append((tuple(map(str, key)), number, item))
        if len(self._open) >= self._run:
            self._close_run()

    def _close_run(self) -> None:
        if self._open:
            self._open.sort(key=itemgetter(0, 1))
            self._runs.append(SpilledList(self._open))
            self._open = []

    def items(self) -> Iterator[T]:
        """The items in no order, which takes no merging."""
        return (item for run in (*self._runs, self._open) for _, _, item in run)

    def __iter__(self) -> Iterator[Placed[T]]:
        self._close_run()
        return merge(*self._runs, key=itemgetter(0, 1))
