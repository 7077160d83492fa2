"""Measures as data: numbers about groups of entities, and how the groups are made.

A measure is a leaf (`AggregateFunction`, `Constant`), an `Arithmetic` of two measures, or a measure of a group beside
other groups (``window.py``). ``Aggregate`` asks for measures of what a query selects, by `Level`.
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
- **Arithmetic** is done in floats with the numbers of a group: a ratio of sums, never a sum of ratios. It is None if
  one side is, and a division by zero gives None.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Final, TypeAlias

from attrs import evolve, field, frozen

from callsheet.errors import UsageError
from callsheet.model.query import And, Combinable, Condition, Literal, Path, Select
from callsheet.model.scalar import shown

__all__ = [
    "Aggregate",
    "AggregateFunction",
    "AggregateOrder",
    "Arithmetic",
    "BANDS",
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
BANDS: Final = ("year", "quarter", "month", "week", "day")
ARITHMETIC: Final = ("+", "-", "*", "/")
COMPARISONS: Final = ("=", "!=", "<", "<=", ">", ">=")


class Total(Enum):
    """The type of `TOTAL`."""

    TOTAL = "total"

    def __repr__(self) -> str:
        return "TOTAL"

    def __str__(self) -> str:
        return "total"


TOTAL: Final = Total.TOTAL
"""What a row of totals has in place of a group's value: all values of this level together. None is a value."""


class Measure:
    """A number about a group of entities; ``+ - * /`` join measures, and measures with numbers.

    >>> (AggregateFunction("sum", "bid") / AggregateFunction("count")).operator
    '/'
    """

    __slots__ = ()

    @property
    def parts(self) -> tuple[Measure, ...]:
        """The measures that this one is made of."""
        return ()

    def __add__(self, other: Measure | float) -> Arithmetic:
        return Arithmetic("+", self, other)

    def __radd__(self, other: float) -> Arithmetic:
        return Arithmetic("+", other, self)

    def __sub__(self, other: Measure | float) -> Arithmetic:
        return Arithmetic("-", self, other)

    def __rsub__(self, other: float) -> Arithmetic:
        return Arithmetic("-", other, self)

    def __mul__(self, other: Measure | float) -> Arithmetic:
        return Arithmetic("*", self, other)

    def __rmul__(self, other: float) -> Arithmetic:
        return Arithmetic("*", other, self)

    def __truediv__(self, other: Measure | float) -> Arithmetic:
        return Arithmetic("/", self, other)

    def __rtruediv__(self, other: float) -> Arithmetic:
        return Arithmetic("/", other, self)

    def __neg__(self) -> Arithmetic:
        return Arithmetic("-", 0, self)

    def __lt__(self, other: Any) -> MeasureComparison:
        return MeasureComparison(self, "<", other)

    def __le__(self, other: Any) -> MeasureComparison:
        return MeasureComparison(self, "<=", other)

    def __gt__(self, other: Any) -> MeasureComparison:
        return MeasureComparison(self, ">", other)

    def __ge__(self, other: Any) -> MeasureComparison:
        return MeasureComparison(self, ">=", other)

    def equals(self, value: Any) -> MeasureComparison:
        """The condition that the measure has this value (``==`` compares measures themselves)."""
        return MeasureComparison(self, "=", value)

    def differs(self, value: Any) -> MeasureComparison:
        """The condition that the measure does not have this value."""
        return MeasureComparison(self, "!=", value)

    def ascending(self) -> AggregateOrder:
        """Order groups by this measure, smallest first."""
        return AggregateOrder(self)

    def descending(self) -> AggregateOrder:
        """Order groups by this measure, largest first."""
        return AggregateOrder(self, True)

    def where(self, condition: Condition) -> Measure:
        """The measure of only those entities that fulfil a condition."""
        raise NotImplementedError

    def __bool__(self) -> bool:
        raise UsageError("a measure is neither true nor false; compare it: `total('bid') > 3`")


def as_path(given: Any) -> Path | None:
    """A path of a text, or of an expression (``Task.bid``)."""
    if given is None or isinstance(given, Path):
        return given
    if isinstance(given, str):
        return Path.of(given)
    try:
        path = object.__getattribute__(given, "_path")
    except AttributeError:
        path = None
    if not isinstance(path, Path):
        raise UsageError(f"a measure takes a path such as 'parent.bid', not {type(given).__name__}: {given!r:.80}")
    return path


@frozen(order=False)
class AggregateFunction(Measure):
    """One number about the entities of a group, by a function of `FUNCTIONS`.

    ``path`` leads to the values (``count`` can do without: it then counts entities). With a ``condition`` only
    entities that fulfil it count. ``argument`` is the place of a quantile, from 0 to 1. ``repeated`` takes a value once
    for each entity that leads to it, where it is otherwise taken once in a group. ``by`` is what ``latest`` and
    ``first`` are ordered by. ``table`` is what it is about, if not the query's type (see ``facts.py``).
    """

    name: str
    path: Path | None = field(default=None, converter=as_path)
    condition: Condition | None = None
    argument: float | None = None
    repeated: bool = False
    by: Path | None = field(default=None, converter=as_path)
    table: str = ""

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


@frozen(order=False)
class Constant(Measure):
    """A number."""

    value: float

    def where(self, condition: Condition) -> Constant:
        """The number itself: it is about no entities."""
        return self


def as_measure(given: Any) -> Measure:
    if isinstance(given, Measure):
        return given
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise UsageError(f"measures are joined with measures and numbers, not with {shown(given)}")
    return Constant(given)


@frozen(order=False)
class Arithmetic(Measure):
    """Two measures joined by one of ``+ - * /``."""

    operator: str
    left: Measure = field(converter=as_measure)
    right: Measure = field(converter=as_measure)

    @property
    def parts(self) -> tuple[Measure, ...]:
        return self.left, self.right

    def where(self, condition: Condition) -> Arithmetic:
        """Both measures of only those entities that fulfil a condition."""
        return Arithmetic(self.operator, self.left.where(condition), self.right.where(condition))


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


class _Joined(Combinable):
    """Conditions on measures are joined as other conditions are."""

    __slots__ = ()

    def __and__(self, other: Having) -> HavingAll:  # type: ignore[override]
        return HavingAll((self, other))  # type: ignore[arg-type]

    def __or__(self, other: Having) -> HavingAny:  # type: ignore[override]
        return HavingAny((self, other))  # type: ignore[arg-type]

    def __invert__(self) -> HavingNot:  # type: ignore[override]
        return HavingNot(self)  # type: ignore[arg-type]


@frozen
class MeasureComparison(_Joined):
    """``measure operator value``, with the meaning of a comparison of a query; an operator of ``= != < <= > >=``.

    >>> (AggregateFunction("count") > 3) & ~AggregateFunction("sum", "bid").equals(0)
    ... # doctest: +ELLIPSIS
    HavingAll(conditions=(MeasureComparison(...), HavingNot(...)))
    """

    measure: Measure
    operator: str
    value: Literal


@frozen
class HavingAll(_Joined):
    """All of these hold."""

    conditions: tuple[Having, ...]


@frozen
class HavingAny(_Joined):
    """One of these holds."""

    conditions: tuple[Having, ...]


@frozen
class HavingNot(_Joined):
    """This does not hold."""

    condition: Having


Having: TypeAlias = MeasureComparison | HavingAll | HavingAny | HavingNot


def _as_level_path(given: Any) -> Path:
    path = as_path(given)
    if path is None:
        raise UsageError("a level needs a path")
    return path


@frozen
class Level:
    """What is grouped by: the value at a path, None included.

    With a ``band`` (year, quarter, month, week, day) dates and datetimes are grouped by the period they are in; the
    group's value is the first day of the period, as a date. Weeks begin on Monday, as in ISO 8601. Datetimes are
    banded by the calendar of ``zone``. A path through a collection puts an entity into the group of each member, and
    into each group once; into that of None if there is no member. ``name`` is the level's name in results, and
    stays on the client.

    >>> Level("due_date", "month").band
    'month'
    """

    path: Path = field(converter=_as_level_path)
    band: str | None = None
    name: str = field(default="", eq=False)
    zone: str = "UTC"

    def ascending(self) -> AggregateOrder:
        """Order groups by this level, None first."""
        return AggregateOrder(self)

    def descending(self) -> AggregateOrder:
        """Order groups by this level, None last."""
        return AggregateOrder(self, True)


@frozen
class AggregateOrder:
    """Order groups by a level or a measure; None comes first when ascending, last when descending."""

    by: Level | Measure
    descending: bool = False


def _as_functions(given: Iterable[Measure | tuple[str, Path | None]]) -> tuple[Measure, ...]:
    return tuple(each if isinstance(each, Measure) else AggregateFunction(*each) for each in given)


def as_levels(given: Iterable[Level | Path | str]) -> tuple[Level, ...]:
    return tuple(each if isinstance(each, Level) else Level(each) for each in given)


def _as_orders(given: Iterable[AggregateOrder | Level | Measure]) -> tuple[AggregateOrder, ...]:
    return tuple(each if isinstance(each, AggregateOrder) else AggregateOrder(each) for each in given)


Shared: TypeAlias = tuple[tuple[str, tuple[tuple[Path, Path], ...]], ...]


def as_shared(given: Mapping[str, Mapping[Any, Any]] | Shared) -> Shared:
    """Pairs of paths for each table, of mappings."""
    tables = given.items() if isinstance(given, Mapping) else given
    return tuple((table, tuple(_as_pairs(pairs))) for table, pairs in tables)


def _as_pairs(given: Any) -> Iterator[tuple[Path, Path]]:
    for one, other in given.items() if isinstance(given, Mapping) else given:
        yield _as_level_path(one), _as_level_path(other)


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
                for each in self.functions
            )
            and all(level.band is None for level in self.group)
            and not (self.having or self.order or self.limit is not None or self.offset or self.totals or self.empty)
            and not (select.limit is not None or select.offset or select.top or select.sample)
        )
