"""Limits of a query: time, and tuples."""

from __future__ import annotations

import time

from attrs import field, frozen

from callsheet.analytics.mdx.errors import MdxLimit

__all__ = ["MdxLimits", "QueryClock"]


@frozen
class MdxLimits:
    """What one query may cost.

    ``seconds`` of time; ``tuples`` in any set that is made, and cells in the result; ``turns``, the number of times
    that cells are read from the cube.
    """

    seconds: float = field(default=60.0)
    tuples: int = field(default=1_000_000)
    turns: int = field(default=500)


class QueryClock:
    """Stops a query that passes one of its limits."""

    def __init__(self, limits: MdxLimits) -> None:
        self.limits = limits
        self._end = time.monotonic() + limits.seconds
        self._count = 0

    def tick(self) -> None:
        """Called once in each iteration; reads the time now and then."""
        self._count += 1
        if not self._count & 127:
            self.check()

    def check(self) -> None:
        """Raise `MdxLimit` if the time is over."""
        if time.monotonic() > self._end:
            raise MdxLimit(f"the query was stopped after {self.limits.seconds:g} seconds (limit `seconds`)")

    def take(self, tuples: int) -> None:
        """Raise `MdxLimit` if a set of this size may not be made; called before it is made."""
        if tuples > self.limits.tuples:
            raise MdxLimit(
                f"a set of {tuples:,} tuples is more than the limit `tuples` of {self.limits.tuples:,}: "
                "restrict the sets that are joined, or use NonEmptyCrossJoin"
            )
