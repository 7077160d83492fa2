"""How measures are joined, compared and ordered, and the levels that groups are made by.

`Measure` is what all kinds of measures have in common; ``measure.py`` says what they mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from callsheet.errors import UsageError
from callsheet.model.query import Combinable, Condition, Literal, Path
from callsheet.model.scalar import shown

__all__ = [
    "ARITHMETIC",
    "AggregateOrder",
    "Arithmetic",
    "BANDS",
    "COMPARISONS",
    "Constant",
    "Having",
    "HavingAll",
    "HavingAny",
    "HavingNot",
    "Level",
    "Measure",
    "MeasureComparison",
    "as_level_path",
    "as_levels",
    "as_measure",
    "as_path",
]

BANDS: Final = ("year", "quarter", "month", "week", "day")
ARITHMETIC: Final = ("+", "-", "*", "/")
COMPARISONS: Final = ("=", "!=", "<", "<=", ">", ">=")


class Measure:
    """A number about a group of entities; ``+ - * /`` join measures, and measures with numbers.

    >>> from callsheet.model.measure import AggregateFunction
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

    >>> from callsheet.model.measure import AggregateFunction
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


def as_level_path(given: Any) -> Path:
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

    path: Path = field(converter=as_level_path)
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


def as_levels(given: Iterable[Level | Path | str]) -> tuple[Level, ...]:
    return tuple(each if isinstance(each, Level) else Level(each) for each in given)
