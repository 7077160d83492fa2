"""What people write for measures, groups and orders becomes an `Aggregate`, with the names of its results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from attrs import evolve

from callsheet.core.core import Core
from callsheet.entity.expressions import Expression
from callsheet.errors import UsageError
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.having import parse_having
from callsheet.model.language.measures import level_text, measure_text, parse_level, parse_measure, parse_order
from callsheet.model.measure import Aggregate, AggregateOrder, Having, Level, Measure
from callsheet.model.query import Path, Select

__all__ = ["GroupOrdersGiven", "HavingGiven", "LevelsGiven", "MeasureGiven", "TotalsGiven", "aggregate"]

LevelGiven: TypeAlias = str | Level | Path | Expression
LevelsGiven: TypeAlias = LevelGiven | Iterable[LevelGiven]
MeasureGiven: TypeAlias = str | Measure | Mapping[str, str | Measure]
GroupOrderGiven: TypeAlias = str | AggregateOrder | Level | Measure
GroupOrdersGiven: TypeAlias = GroupOrderGiven | Iterable[GroupOrderGiven]
HavingGiven: TypeAlias = Having | str | None
TotalsGiven: TypeAlias = bool | Iterable[Iterable[LevelGiven]]


def aggregate(
    core: Core,
    select: Select,
    measures: Iterable[MeasureGiven],
    group_by: LevelsGiven,
    having: HavingGiven,
    order_by: GroupOrdersGiven,
    limit: int | None,
    offset: int,
    totals: TotalsGiven,
) -> tuple[Aggregate, list[str]]:
    """The checked aggregate, and the names of levels and measures in its rows; names must differ."""
    named = dict(_named(measures)) or {"count": parse_measure("count")}
    levels = tuple(_level(each) for each in _each(group_by))
    names = [*(level.name or level_text(level) for level in levels), *named]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise UsageError(f"two results are called `{min(twice)}`; name them: `Level(…, name=…)`, `{{name: measure}}`")
    orders = tuple(_order(each, levels, named) for each in _each(order_by))
    kept = totals if isinstance(totals, bool) else tuple(_places(each, levels) for each in totals)
    kept_groups = parse_having(having, named) if isinstance(having, str) else having
    question = Aggregate(
        evolve(select, projections=()), tuple(named.values()), levels, kept_groups, orders, limit, offset, kept
    )
    return check_aggregate(question, core.schema), names


def _each(given: Any) -> Iterable[Any]:
    """A single level or order, or several."""
    single = isinstance(given, str | Level | Path | Expression | Measure | AggregateOrder)
    return [given] if single else given


def _named(measures: Iterable[MeasureGiven]) -> Iterable[tuple[str, Measure]]:
    for given in measures:
        if isinstance(given, Mapping):
            for name, each in given.items():
                yield name, parse_measure(each) if isinstance(each, str) else each
        elif isinstance(given, str):
            yield given, parse_measure(given)
        elif isinstance(given, Measure):
            yield measure_text(given), given
        else:
            raise UsageError(f"a measure is a text such as 'sum(bid)', or one of `callsheet.measures`: {given!r:.80}")


def _level(given: LevelGiven) -> Level:
    if isinstance(given, Level):
        return given
    return parse_level(given) if isinstance(given, str) else Level(given)


def _order(given: GroupOrderGiven, levels: tuple[Level, ...], named: Mapping[str, Measure]) -> AggregateOrder:
    if isinstance(given, AggregateOrder):
        return given
    if isinstance(given, Level | Measure):
        return AggregateOrder(given)
    body, _, direction = given.strip().rpartition(" ")
    descending = direction.lower() in ("desc", "descending")
    name = body.strip() if descending or direction.lower() in ("asc", "ascending") else given.strip()
    if name in named:
        return AggregateOrder(named[name], descending)
    return parse_order(given, levels)


def _places(kept: Iterable[LevelGiven], levels: tuple[Level, ...]) -> tuple[int, ...]:
    """The places of the levels that stay in a total."""
    found = []
    for given in [kept] if isinstance(kept, str) else kept:
        level = _level(given)
        named = [place for place, each in enumerate(levels) if given == each.name or level == each]
        if not named:
            raise UsageError(f"`{level_text(level)}` of the totals is no level of the groups")
        found.append(named[0])
    return tuple(found)
