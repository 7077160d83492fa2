"""Measures of a group beside other groups of the same answer: shares, ranks, and values along a level.

All groups of the answer are seen, before ``having``, order and limit. A row of totals is seen beside rows of its own
kind: those in which the same levels are totals. The meaning, the same on every server:

- **share** is the part of the total of all groups that agree at the ``levels``; without levels, of all. The total is
  computed from the entities, so that the share of a count of distinct values is right.
- **rank** is the place among the groups that agree at the ``levels``, the largest value first, equal values alike.
  None has no rank.
- **previous** and **following** are the value of the group that is ``number`` places before or after along one level,
  and the same at all others. In a band (month, week …) places are periods of the calendar: what has no group is None.
  Other levels have a place for each of their values, in order.
- **cumulative** is the sum from the first group along a level to this one, **moving** the sum of the last ``number``
  places. They take only what adds up: sums and counts of each entity's own values, and sums and differences of such.

Along a level, a row in which the level is a total is None; so is a date's group of None, which has no period, except
that it comes first in a cumulative sum.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import evolve, field, frozen

from callsheet.model.measure import Aggregate, Level, Measure, as_levels, as_measure, measures_of
from callsheet.model.query import Condition

__all__ = ["ALONG", "WINDOWS", "Window", "windows_of"]

ALONG: Final = ("previous", "following", "cumulative", "moving")
"""What is computed along one level."""
WINDOWS: Final = ("share", "rank", *ALONG)


@frozen(order=False)
class Window(Measure):
    """A measure of a group beside other groups, by a name of `WINDOWS`.

    ``levels`` are those that the groups agree at (share, rank), or the one that it is computed along. ``number`` are
    the places that it goes back or on, or the places that it sums up.

    >>> from callsheet.model.measure import AggregateFunction
    >>> Window("share", AggregateFunction("sum", "bid")).levels
    ()
    """

    name: str
    of: Measure = field(converter=as_measure)
    levels: tuple[Level, ...] = field(default=(), converter=as_levels)
    number: int = 1

    @property
    def parts(self) -> tuple[Measure, ...]:
        return (self.of,)

    def where(self, condition: Condition) -> Window:
        """The same of only those entities that fulfil a condition."""
        return evolve(self, of=self.of.where(condition))


def windows_of(aggregate: Aggregate) -> Iterator[Window]:
    """All measures beside other groups that an aggregate has anywhere."""
    for measure in measures_of(aggregate):
        yield from _windows_in(measure)


def _windows_in(measure: Measure) -> Iterator[Window]:
    if isinstance(measure, Window):
        yield measure
    for part in measure.parts:
        yield from _windows_in(part)
