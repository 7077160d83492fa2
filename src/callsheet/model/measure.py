"""Measures as data: numbers about groups of entities, and how the groups are made.

A measure is a leaf (`AggregateFunction`, `Constant`), an `Arithmetic` of two measures (``arithmetic.py``), or a measure
of a group beside other groups (``window.py``). ``Aggregate`` asks for measures of what a query selects, by `Level`.
``callsheet.measures`` builds measures; ``language/measures.py`` is their text; ``language/aggregates.py`` checks them
against a schema.

The meaning of a measure, the same on every server:

- **What is counted.** A function without a path counts the selected entities. One with a path takes values of the
  path's *owner*: the entity that has the last attribute of the path. A group takes the value of each owner that its
  entities reach **once**: ``sum(task.bid)`` of time entries adds the bid of each task once, however many entries it
  has. ``repeated`` takes it once for each entity instead. The key of a reference (``status``) belongs to the entity
  that refers. A path may lead through collections.
- **None.** Functions leave out values that are None. Of no values the count, the count of distinct values and the sum
  are 0; everything else is None.
- **Variance and deviation** are those of a sample (divided by n - 1), and None for fewer than two values.
- **Quantiles** are interpolated linearly between the two nearest values: ``quantile(p)`` of n sorted values is at
  place ``p * (n - 1)``, counted from 0. The median is the quantile 0.5, the quartiles are 0.25 and 0.75.
- **The mode** is the most frequent value; of equally frequent ones the smallest.
- **Latest and first** take the value of the entity whose value at the path ``by`` is the largest or the smallest; of
  several, that with the larger or the smaller key. Entities that lack one of both values are left out.
- **Types.** Sums of integers are integers; minimum, maximum, mode, latest and first have the type of the attribute;
  counts are integers; every other number is a float.
- **Weights.** A function with weights takes values that are multiplied with, or divided by, parameters of their own
  entities; a count then is the sum of these. The parameter's levels lead through the owner of the values.
- **Arithmetic** is done in floats with the numbers of a group: a ratio of sums, never a sum of ratios. It is None if
  one side is, and a division by zero gives None.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Final, TypeAlias

from attrs import evolve, field, frozen

from callsheet.errors import UsageError
from callsheet.model.arithmetic import (
    ARITHMETIC,
    BANDS,
    COMPARISONS,
    AggregateOrder,
    Arithmetic,
    Constant,
    Having,
    HavingAll,
    HavingAny,
    HavingNot,
    Level,
    Measure,
    MeasureComparison,
    as_level_path,
    as_levels,
    as_measure,
    as_path,
)
from callsheet.model.parameter import Weight
from callsheet.model.query import And, Condition, Path, Select

__all__ = [
    "ARITHMETIC",
    "Aggregate",
    "AggregateFunction",
    "AggregateOrder",
    "Arithmetic",
    "BANDS",
    "COMPARISONS",
    "Constant",
    "FUNCTIONS",
    "Having",
    "HavingAll",
    "HavingAny",
    "HavingNot",
    "Level",
    "Measure",
    "MeasureComparison",
    "TOTAL",
    "Total",
    "Shared",
    "as_levels",
    "as_measure",
    "as_path",
    "compared_measures",
    "functions_of",
    "measures_of",
]

FUNCTIONS: Final = (
    "count",
    "sum",
    "average",
    "minimum",
    "maximum",
    "distinct",
    "median",
    "mode",
    "variance",
    "deviation",
    "quantile",
    "lower_quartile",
    "upper_quartile",
    "latest",
    "first",
)
IN_TIME: Final = ("latest", "first")
"""Functions that take the value of one entity: the last or the first of them."""


class Total(Enum):
    """The type of `TOTAL`."""

    TOTAL = "total"

    def __repr__(self) -> str:
        return "TOTAL"

    def __str__(self) -> str:
        return "total"


TOTAL: Final = Total.TOTAL
"""What a row of totals has in place of a group's value: all values of this level together. None is a value."""


@frozen(order=False)
class AggregateFunction(Measure):
    """One number about the entities of a group, by a function of `FUNCTIONS`.

    ``path`` leads to the values (``count`` can do without: it then counts entities). With a ``condition`` only
    entities that fulfil it count. ``argument`` is the place of a quantile, from 0 to 1. ``repeated`` takes a value once
    for each entity that leads to it, where it is otherwise taken once in a group. ``by`` is what ``latest`` and
    ``first`` are ordered by. ``table`` is what it is about, if not the query's type (see ``facts.py``). ``weights`` are
    what each value is multiplied with before (see ``parameter.py``).
    """

    name: str
    path: Path | None = field(default=None, converter=as_path)
    condition: Condition | None = None
    argument: float | None = None
    repeated: bool = False
    by: Path | None = field(default=None, converter=as_path)
    table: str = ""
    weights: tuple[Weight, ...] = ()

    def where(self, condition: Condition) -> AggregateFunction:
        """The same function of only those entities that fulfil a condition, too.

        >>> from callsheet.model.language.parser import parse_condition
        >>> AggregateFunction("count").where(parse_condition("bid > 3")).condition.value
        3
        """
        if isinstance(condition, str):
            raise UsageError(
                f"a measure takes a condition, not a text; write `where={condition!r:.80}` when it is made"
            )
        both = condition if self.condition is None else And((self.condition, condition))
        return evolve(self, condition=both)


def functions_of(measure: Measure) -> Iterable[AggregateFunction]:
    """The functions in a measure, from left to right."""
    if isinstance(measure, AggregateFunction):
        yield measure
    for part in measure.parts:
        yield from functions_of(part)


def measures_of(aggregate: Aggregate) -> Iterable[Measure]:
    """All measures of an aggregate: those that it shows, orders by, and compares."""
    yield from aggregate.functions
    yield from (order.by for order in aggregate.order if isinstance(order.by, Measure))
    if aggregate.having is not None:
        yield from compared_measures(aggregate.having)


def compared_measures(having: Having) -> Iterable[Measure]:
    """The measures that a condition on measures compares."""
    if isinstance(having, MeasureComparison):
        yield having.measure
    elif isinstance(having, HavingNot):
        yield from compared_measures(having.condition)
    else:
        for part in having.conditions:
            yield from compared_measures(part)


def _as_functions(given: Iterable[Measure | tuple[str, Path | None]]) -> tuple[Measure, ...]:
    return tuple(each if isinstance(each, Measure) else AggregateFunction(*each) for each in given)


def _as_orders(given: Iterable[AggregateOrder | Level | Measure]) -> tuple[AggregateOrder, ...]:
    return tuple(each if isinstance(each, AggregateOrder) else AggregateOrder(each) for each in given)


Shared: TypeAlias = tuple[tuple[str, tuple[tuple[Path, Path], ...]], ...]


def as_shared(given: Mapping[str, Mapping[Any, Any]] | Shared) -> Shared:
    """Pairs of paths for each table, of mappings."""
    tables = given.items() if isinstance(given, Mapping) else given
    return tuple((table, tuple(_as_pairs(pairs))) for table, pairs in tables)


def _as_pairs(given: Any) -> Iterator[tuple[Path, Path]]:
    for one, other in given.items() if isinstance(given, Mapping) else given:
        yield as_level_path(one), as_level_path(other)


@frozen
class Aggregate:
    """Measures of the entities a query selects: the very ones, so limit, offset, top and sample bound them.

    Each of the ``functions`` is a measure; a pair ``(name, path)`` stands for one, too. One row comes back for each
    combination of the values at the levels of ``group``; without levels one row for all. ``having`` leaves out groups;
    ``order`` (then the levels), ``limit`` and ``offset`` apply to the groups that remain.

    ``totals`` are groups of fewer levels: True means all prefixes of ``group`` (the grand total, and one for each level
    but the last); else each tuple has the places of the levels that stay. Their rows have `TOTAL` in the other places,
    and come last among their like. They are computed from the entities, so that a total of a median is right.

    ``shared`` are, for each second table of the functions, paths of the selected entities with those that stand for
    them there. With ``empty`` groups without entities are there, too: of all members that the levels have, in all
    combinations. Levels that are reached by the same first relation are of one dimension, and their members are those
    of its entities; other levels are of dimensions of their own. A condition of the query leaves out members if it is
    about their dimension alone.

    >>> Aggregate(Select("Task"), (AggregateFunction("sum", "bid"),)).functions[0].name
    'sum'
    >>> Aggregate(Select("Task"), group=("status.name", "due_date"), totals=True).kept
    ((0, 1), (0,), ())
    """

    select: Select
    functions: tuple[Measure, ...] = field(default=(AggregateFunction("count"),), converter=_as_functions)
    group: tuple[Level, ...] = field(default=(), converter=as_levels)
    having: Having | None = None
    order: tuple[AggregateOrder, ...] = field(default=(), converter=_as_orders)
    limit: int | None = None
    offset: int = 0
    totals: bool | tuple[tuple[int, ...], ...] = False
    shared: Shared = field(default=(), converter=as_shared)
    empty: bool = False

    @property
    def kept(self) -> tuple[tuple[int, ...], ...]:
        """For each kind of row, the places of the levels that are distinguished; the full groups come first."""
        every = tuple(range(len(self.group)))
        if isinstance(self.totals, bool):
            asked: Iterable[tuple[int, ...]] = (every[:size] for size in reversed(every)) if self.totals else ()
        else:
            asked = self.totals
        return tuple(dict.fromkeys((every, *asked)))

    @property
    def counts_only(self) -> bool:
        """Whether it asks for nothing but the number of entities."""
        return not self.group and self.functions == (AggregateFunction("count"),)

    @property
    def is_plain(self) -> bool:
        """Whether servers that know only functions of attributes, and groups by paths, can answer it."""
        select = self.select
        return (
            all(
                isinstance(each, AggregateFunction)
                and each.name in FUNCTIONS[:5]
                and each.condition is None
                and not each.repeated
                and not each.table
                and not each.weights
                for each in self.functions
            )
            and all(level.band is None for level in self.group)
            and not (self.having or self.order or self.limit is not None or self.offset or self.totals or self.empty)
            and not (select.limit is not None or select.offset or select.top or select.sample)
        )
