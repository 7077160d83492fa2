"""Measures that are one of two others: by a condition on measures, or by the levels that a row tells apart.

- A **choice** is one measure in the groups that fulfil a condition on measures, and another one, or None, elsewhere.
- A **scoped** measure is one measure in rows that tell all of its levels apart, and another one in all other rows:
  totals over one of the levels, and answers that are not grouped by it.

Both measures are of one kind: numbers, or values of one type.
"""

from __future__ import annotations

from attrs import evolve, field, frozen

from callsheet.model.measure import Having, Level, Measure, as_levels, as_measure, compared_measures
from callsheet.model.query import Condition

__all__ = ["Choice", "Scoped"]


def _as_optional_measure(given: Measure | float | None) -> Measure | None:
    return None if given is None else as_measure(given)


@frozen(order=False)
class Choice(Measure):
    """``then`` in groups that fulfil the condition, else ``otherwise`` (None: no value).

    >>> from callsheet.model.measure import AggregateFunction
    >>> Choice(AggregateFunction("count") > 3, 1, 0).otherwise
    Constant(value=0)
    """

    condition: Having
    then: Measure = field(converter=as_measure)
    otherwise: Measure | None = field(default=None, converter=_as_optional_measure)

    @property
    def parts(self) -> tuple[Measure, ...]:
        shown = (self.then,) if self.otherwise is None else (self.then, self.otherwise)
        return (*compared_measures(self.condition), *shown)

    def where(self, condition: Condition) -> Choice:
        """The same with both measures of only those entities that fulfil a condition; the choice stays."""
        otherwise = None if self.otherwise is None else self.otherwise.where(condition)
        return evolve(self, then=self.then.where(condition), otherwise=otherwise)


@frozen(order=False)
class Scoped(Measure):
    """``then`` in rows that tell all the ``levels`` apart, else ``otherwise``.

    >>> from callsheet.model.measure import AggregateFunction
    >>> Scoped(AggregateFunction("average", "bid"), AggregateFunction("sum", "bid"), ("status",)).levels[0].path.names
    ('status',)
    """

    then: Measure = field(converter=as_measure)
    otherwise: Measure = field(converter=as_measure)
    levels: tuple[Level, ...] = field(converter=as_levels)

    @property
    def parts(self) -> tuple[Measure, ...]:
        return self.then, self.otherwise

    def where(self, condition: Condition) -> Scoped:
        """The same with both measures of only those entities that fulfil a condition."""
        return evolve(self, then=self.then.where(condition), otherwise=self.otherwise.where(condition))
