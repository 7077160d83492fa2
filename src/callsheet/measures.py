"""Measures are made by name: ``total("bid") / count()`` is data that ``query.aggregate`` and cubes take.

What each measure means (None, empty groups, samples, ties) is stated in `callsheet.model.measure`. A path is a text, or
an attribute of a type (``Task.bid``); ``where`` is a condition, or its text. ``table`` is the entity type that it is
about, if not that of the query.

>>> from callsheet import measures
>>> measures.total("bid", where="status.name is Done") / measures.count()  # doctest: +ELLIPSIS
Arithmetic(operator='/', left=AggregateFunction(name='sum', ...), right=AggregateFunction(name='count', ...))
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import evolve

from callsheet.errors import UsageError
from callsheet.model.choice import Choice, Scoped
from callsheet.model.language.having import parse_having
from callsheet.model.language.measures import parse_level, parse_measure
from callsheet.model.language.parser import parse_condition, parse_path
from callsheet.model.measure import TOTAL, AggregateFunction, Arithmetic, Having, Level, Measure
from callsheet.model.parameter import Parameter
from callsheet.model.query import Condition, Path
from callsheet.model.window import Window

__all__ = [
    "TOTAL",
    "Level",
    "Measure",
    "choice",
    "count",
    "cumulative",
    "deviation",
    "distinct",
    "first",
    "following",
    "high",
    "inter_quartile_range",
    "latest",
    "level",
    "low",
    "lower_quartile",
    "mean",
    "measure",
    "median",
    "mode",
    "moving",
    "parameter",
    "previous",
    "quantile",
    "rank",
    "scoped",
    "share",
    "total",
    "upper_quartile",
    "variance",
]

Where = Condition | str | None
MeasureGiven = Measure | str
LevelGiven = Level | Path | str


def _function(
    name: str, path: Any, where: Where, repeated: bool = False, at: float | None = None, table: str = ""
) -> AggregateFunction:
    if isinstance(path, str):
        path = parse_path(path)
    if path is None and name != "count":
        raise UsageError(f"{name} needs a path, such as 'bid' or 'parent.bid'")
    condition = parse_condition(where) if isinstance(where, str) else where
    return AggregateFunction(name, path, condition, at, repeated, table=table)


def count(path: Any = None, where: Where = None, *, repeated: bool = False, table: str = "") -> AggregateFunction:
    """How many entities; with a path, how many values that are not None.

    >>> count(where="bid > 3").name
    'count'
    """
    return _function("count", path, where, repeated, table=table)


def distinct(path: Any, where: Where = None, *, table: str = "") -> AggregateFunction:
    """How many different values, without None."""
    return _function("distinct", path, where, table=table)


def total(path: Any, where: Where = None, *, repeated: bool = False, table: str = "") -> AggregateFunction:
    """The sum of the values; 0 of no values.

    >>> total("bid").path.names
    ('bid',)
    """
    return _function("sum", path, where, repeated, table=table)


def mean(path: Any, where: Where = None, *, repeated: bool = False, table: str = "") -> AggregateFunction:
    """The arithmetic mean of the values."""
    return _function("average", path, where, repeated, table=table)


def low(path: Any, where: Where = None, *, table: str = "") -> AggregateFunction:
    """The smallest value."""
    return _function("minimum", path, where, table=table)


def high(path: Any, where: Where = None, *, table: str = "") -> AggregateFunction:
    """The largest value."""
    return _function("maximum", path, where, table=table)


def latest(path: Any, by: Any, where: Where = None, *, table: str = "") -> AggregateFunction:
    """The value of the entity with the largest value at ``by``, such as a time; of several, that with the largest key.

    >>> latest("status.name", by="created_at").by.names
    ('created_at',)
    """
    return _in_time("latest", path, by, where, table)


def first(path: Any, by: Any, where: Where = None, *, table: str = "") -> AggregateFunction:
    """The value of the entity with the smallest value at ``by``; of several, that with the smallest key."""
    return _in_time("first", path, by, where, table)


def _in_time(name: str, path: Any, by: Any, where: Where, table: str) -> AggregateFunction:
    if by is None:
        raise UsageError(f"{name} needs a path that it is ordered by, such as 'created_at'")
    return evolve(_function(name, path, where, table=table), by=parse_path(by) if isinstance(by, str) else by)


def median(path: Any, where: Where = None, *, repeated: bool = False, table: str = "") -> AggregateFunction:
    """The value in the middle, interpolated between two: the quantile 0.5."""
    return _function("median", path, where, repeated, table=table)


def mode(path: Any, where: Where = None, *, repeated: bool = False, table: str = "") -> AggregateFunction:
    """The most frequent value; of equally frequent ones the smallest."""
    return _function("mode", path, where, repeated, table=table)


def variance(path: Any, where: Where = None, *, repeated: bool = False, table: str = "") -> AggregateFunction:
    """The variance of a sample: divided by n - 1."""
    return _function("variance", path, where, repeated, table=table)


def deviation(path: Any, where: Where = None, *, repeated: bool = False, table: str = "") -> AggregateFunction:
    """The standard deviation of a sample: the root of the variance."""
    return _function("deviation", path, where, repeated, table=table)


def quantile(
    path: Any, place: float, where: Where = None, *, repeated: bool = False, table: str = ""
) -> AggregateFunction:
    """The value at a place from 0 (the smallest) to 1 (the largest), interpolated linearly.

    >>> quantile("bid", 0.9).argument
    0.9
    """
    if isinstance(place, bool) or not isinstance(place, int | float) or not 0 <= place <= 1:
        raise UsageError(f"a quantile is at a number from 0 to 1, not {place!r:.80}")
    return _function("quantile", path, where, repeated, float(place), table)


def lower_quartile(path: Any, where: Where = None, *, repeated: bool = False, table: str = "") -> AggregateFunction:
    """The quantile 0.25."""
    return _function("lower_quartile", path, where, repeated, table=table)


def upper_quartile(path: Any, where: Where = None, *, repeated: bool = False, table: str = "") -> AggregateFunction:
    """The quantile 0.75."""
    return _function("upper_quartile", path, where, repeated, table=table)


def inter_quartile_range(path: Any, where: Where = None, *, repeated: bool = False, table: str = "") -> Arithmetic:
    """The upper quartile minus the lower one.

    >>> inter_quartile_range("bid").operator
    '-'
    """
    upper = upper_quartile(path, where, repeated=repeated, table=table)
    return upper - lower_quartile(path, where, repeated=repeated, table=table)


def parameter(name: str, *levels: LevelGiven) -> Parameter:
    """The values of a parameter table, to multiply measures with: each value has that of its own entity.

    ``levels`` say where the entities have the table's keys, in their order; by default the table says it.

    >>> (total("duration") * parameter("Rates", "user.username")).right.name
    'Rates'
    """
    return Parameter(name, tuple(level(each) if not isinstance(each, Level) else each for each in levels))


def share(of: MeasureGiven, *within: LevelGiven) -> Window:
    """The part of the total of all groups that agree at the levels ``within``; without levels, of all groups.

    >>> share(total("bid"), "parent.name").levels[0].path.names
    ('parent', 'name')
    """
    return Window("share", measure(of), _levels(within))


def rank(of: MeasureGiven, *within: LevelGiven) -> Window:
    """The place among the groups that agree at the levels ``within``: 1 is the largest value, equal values are alike.

    >>> rank("sum(bid)").name
    'rank'
    """
    return Window("rank", measure(of), _levels(within))


def previous(of: MeasureGiven, along: LevelGiven, number: int = 1) -> Window:
    """The value of the group ``number`` places before along a level: of the month before, for months.

    >>> total("bid") - previous("sum(bid)", "month(due_date)")  # doctest: +ELLIPSIS
    Arithmetic(operator='-', left=AggregateFunction(name='sum', ...), right=Window(name='previous', ...))
    """
    return Window("previous", measure(of), _levels((along,)), number)


def following(of: MeasureGiven, along: LevelGiven, number: int = 1) -> Window:
    """The value of the group ``number`` places after along a level.

    >>> following("count", "week(due_date)").number
    1
    """
    return Window("following", measure(of), _levels((along,)), number)


def cumulative(of: MeasureGiven, along: LevelGiven) -> Window:
    """The sum of all groups along a level up to this one; of sums and counts of the entities' own values.

    >>> cumulative("sum(bid)", "month(due_date)").levels[0].band
    'month'
    """
    return Window("cumulative", measure(of), _levels((along,)))


def moving(of: MeasureGiven, along: LevelGiven, number: int) -> Window:
    """The sum of the last ``number`` places along a level, this one included.

    >>> moving("count", "week(due_date)", 4).number
    4
    """
    return Window("moving", measure(of), _levels((along,)), number)


def choice(
    condition: Having | str, then: MeasureGiven | float, otherwise: MeasureGiven | float | None = None
) -> Choice:
    """One measure in groups that fulfil a condition on measures, and another one, or None, elsewhere.

    >>> choice("count > 3", mean("bid"))  # doctest: +ELLIPSIS
    Choice(condition=MeasureComparison(...), then=AggregateFunction(name='average', ...), otherwise=None)
    """
    when = parse_having(condition) if isinstance(condition, str) else condition
    return Choice(when, _number(then), None if otherwise is None else _number(otherwise))


def scoped(then: MeasureGiven | float, otherwise: MeasureGiven | float, *levels: LevelGiven) -> Scoped:
    """One measure in rows that tell all of the levels apart, and another one in all others, such as totals.

    >>> scoped(mean("bid"), total("bid"), "parent.name").levels[0].path.names
    ('parent', 'name')
    """
    if not levels:
        raise UsageError("scoped needs a level, such as 'parent.name'")
    return Scoped(_number(then), _number(otherwise), _levels(levels))


def _number(given: MeasureGiven | float) -> Any:
    return measure(given) if isinstance(given, str) else given


def _levels(given: Iterable[LevelGiven]) -> tuple[Level, ...]:
    return tuple(each if isinstance(each, Level) else level(each) for each in given)


def measure(given: Measure | str) -> Measure:
    """The measure of a short text, such as ``"count"``, ``"sum(bid)"``, ``"quantile(bid, 0.9)"``.

    >>> measure("mean(bid)").name
    'average'
    """
    return parse_measure(given) if isinstance(given, str) else given


def level(path: Any, band: str | None = None, name: str = "", zone: str = "UTC") -> Level:
    """What is grouped by: a path, or the year, quarter, month, week or day of a date at it.

    >>> level("month(due_date)") == level("due_date", "month")
    True
    """
    if hasattr(type(path), "as_level"):
        # A level of a cube.
        found = path.as_level()
        return found if isinstance(found, Level) else Level(path, band, name, zone)
    if not isinstance(path, str):
        return Level(path, band, name, zone)
    if band is None:
        found = parse_level(path)
        return Level(found.path, found.band, name or found.name, zone)
    return Level(parse_path(path), band, name, zone)
