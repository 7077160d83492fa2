"""Functions that PostgreSQL has and SQLite lacks, registered with each connection to SQLite.

Values are kept in arrays of eight bytes each while a group is read. Against window functions, which sort all rows for
each of them, a median by group takes a third of the time.
"""

from __future__ import annotations

import math
import sqlite3
from array import array
from collections import Counter
from datetime import datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

try:
    # Built into Python: on short texts it takes a third of the time of OpenSSL's, which `hashlib` gives.
    from _md5 import md5  # type: ignore[import-not-found]
except ImportError:
    from hashlib import md5

__all__ = [
    "DEVIATION",
    "DRAW",
    "FIRST",
    "LATEST",
    "LOCAL_DAY",
    "MODE",
    "QUANTILE",
    "VARIANCE",
    "quantile_of",
    "register",
    "variance_of",
]

QUANTILE, MODE = "callsheet_quantile", "callsheet_mode"
VARIANCE, DEVIATION = "callsheet_variance", "callsheet_deviation"
LATEST, FIRST = "callsheet_latest", "callsheet_first"
LOCAL_DAY, DRAW = "callsheet_local_day", "callsheet_draw"


def quantile_of(values: list[float], place: float) -> float | None:
    """The value at a place of sorted values, interpolated linearly; None of no values.

    >>> quantile_of([1.0, 2.0, 4.0], 0.75)
    3.0
    """
    if not values:
        return None
    position = place * (len(values) - 1)
    below = math.floor(position)
    if position == below:
        return values[below]
    low, high = values[below], values[below + 1]
    return low + (position - below) * (high - low)


def variance_of(values: array[float]) -> float | None:
    """The variance of a sample; None of fewer than two values.

    >>> variance_of(array("d", [1, 2, 4])) == 7 / 3
    True
    """
    number = len(values)
    if number < 2:
        return None
    try:
        mean = math.fsum(values) / number
        return math.fsum((value - mean) * (value - mean) for value in values) / (number - 1)
    except OverflowError:
        return math.inf


class _Numbers:
    """The numbers of a group."""

    def __init__(self) -> None:
        self.values = array("d")


class _Quantile(_Numbers):
    place = 0.5

    def step(self, value: float | None, place: float) -> None:
        if value is not None:
            self.place = place
            self.values.append(value)

    def finalize(self) -> float | None:
        return quantile_of(sorted(self.values), self.place)


class _Variance(_Numbers):
    def step(self, value: float | None) -> None:
        if value is not None:
            self.values.append(value)

    def finalize(self) -> float | None:
        return variance_of(self.values)


class _Deviation(_Variance):
    def finalize(self) -> float | None:
        found = variance_of(self.values)
        return None if found is None else math.sqrt(found)


class _Mode:
    """How often each value of a group occurs."""

    def __init__(self) -> None:
        self.counts: Counter[Any] = Counter()

    def step(self, value: Any) -> None:
        if value is not None:
            self.counts[value] += 1

    def finalize(self) -> Any:
        most = max(self.counts.values(), default=0)
        return min((value for value, count in self.counts.items() if count == most), key=_in_order, default=None)


class _Latest:
    """The value with the largest place and key; those of None are left out."""

    def __init__(self) -> None:
        self.place: tuple[Any, str] | None = None
        self.value: Any = None

    def step(self, value: Any, by: Any, key: str) -> None:
        if value is None or by is None:
            return
        if self.place is None or self.after((by, key), self.place):
            self.place, self.value = (by, key), value

    @staticmethod
    def after(place: Any, other: Any) -> bool:
        return bool(place > other)

    def finalize(self) -> Any:
        return self.value


class _First(_Latest):
    """The value with the smallest place and key."""

    @staticmethod
    def after(place: Any, other: Any) -> bool:
        return bool(place < other)


def _in_order(value: Any) -> Any:
    """SQLite's order of texts is that of their bytes."""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value


def _draw(key: bytes | None) -> bytes | None:
    """The place of a key in a random order."""
    return None if key is None else md5(key, usedforsecurity=False).digest()


_zone = lru_cache(maxsize=64)(ZoneInfo)


def _local_day(moment: str | None, zone: str) -> str | None:
    """The day of a moment by the calendar of a zone."""
    return None if moment is None else datetime.fromisoformat(moment).astimezone(_zone(zone)).date().isoformat()


def register(connection: sqlite3.Connection) -> None:
    """Register all functions with a connection."""
    aggregates: tuple[tuple[str, int, Any], ...] = (
        (QUANTILE, 2, _Quantile),
        (MODE, 1, _Mode),
        (VARIANCE, 1, _Variance),
        (DEVIATION, 1, _Deviation),
        (LATEST, 3, _Latest),
        (FIRST, 3, _First),
    )
    for name, arguments, function in aggregates:
        connection.create_aggregate(name, arguments, function)
    connection.create_function(DRAW, 1, _draw, deterministic=True)
    connection.create_function(LOCAL_DAY, 2, _local_day, deterministic=True)
