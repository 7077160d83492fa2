"""Hypothesis strategies for what the rooms share: values, paths, conditions and selects.

Names and values are random, so these know no schema; pass your own strategies for ``paths`` and ``values``
to stay within one.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

from callsheet.model.choice import Choice, Scoped
from callsheet.model.measure import (
    BANDS,
    FUNCTIONS,
    Aggregate,
    AggregateFunction,
    AggregateOrder,
    Arithmetic,
    Constant,
    HavingAll,
    HavingAny,
    HavingNot,
    Level,
    Measure,
    MeasureComparison,
)
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Order, Path, Sample, Select, Step, Top
from callsheet.model.relative_time import MOST, STARTS, UNITS, RelativeTime
from callsheet.model.window import WINDOWS, Window

__all__ = ["EXAMPLES", "conditions", "datetimes", "literals", "names", "paths", "selects", "type_names"]

EXAMPLES = int(os.environ.get("CALLSHEET_EXAMPLES", "1"))
"""How many times as many examples the long laws and machines try as they do by default."""

_WORDS = ["and", "or", "not", "select", "from", "where", "order", "by", "limit", "asc", "is", "in", "any", "None", "_x"]
_PLAIN = st.from_regex(r"[a-z_][a-z0-9_]{0,6}", fullmatch=True)
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_AWKWARD = st.text(st.sampled_from("\\%\"'\n\t nu0. dD8()"), max_size=8)
_ZONES = st.one_of(st.just(UTC), st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes))))


def names(plain: bool = False) -> st.SearchStrategy[str]:
    """Names of attributes; not only plain ones: keywords, blanks and quotes, too."""
    return _PLAIN if plain else st.one_of(_PLAIN, st.sampled_from(_WORDS), _TEXT, _AWKWARD)


def type_names() -> st.SearchStrategy[str]:
    """Names of entity types; rarely odd ones."""
    return st.one_of(st.sampled_from(["Task", "Shot", "AssetVersion"]), names())


def datetimes() -> st.SearchStrategy[datetime]:
    """Moments with a time zone, which exist in UTC, too."""
    return st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=_ZONES)


def literals() -> st.SearchStrategy[Any]:
    """Every value that may stand in a condition."""
    return st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False, allow_infinity=False),
        _TEXT,
        _AWKWARD,
        st.sampled_from(["Done", "2026-01-01", "12", "none", r"50\%", "\\", r"\u0041"]),
        st.dates(),
        datetimes(),
    )


def compared_values() -> st.SearchStrategy[Any]:
    """What a condition may compare with: values, and times relative to now."""
    return st.one_of(literals(), relative_times())


def relative_times() -> st.SearchStrategy[RelativeTime]:
    """Times relative to now."""
    units = st.fixed_dictionaries({}, optional={unit: st.integers(-MOST, MOST) for unit in UNITS})
    starts, zones = st.sampled_from(["", *STARTS]), st.sampled_from(["", "", "Europe/Berlin", "UTC"])
    return st.builds(lambda units, start, zone: RelativeTime(**units, start=start, zone=zone), units, starts, zones)


@st.composite
def paths(draw: st.DrawFn, plain: bool = False) -> Path:
    """Paths of one to three steps; casts where not plain."""
    cast = st.none() if plain else st.one_of(st.none(), st.none(), type_names())
    steps = draw(st.lists(st.builds(Step, names(plain), cast), min_size=1, max_size=3))
    return Path(tuple(steps))


def _comparisons(
    where: st.SearchStrategy[Path], values: st.SearchStrategy[Any], inner: st.SearchStrategy[Select]
) -> st.SearchStrategy[Condition]:
    signs = st.sampled_from(["=", "!=", "<", "<=", ">", ">=", "like", "not_like"])
    lists = st.one_of(st.lists(values, max_size=4).map(tuple), inner)
    return st.one_of(
        st.builds(Comparison, where, signs, values),
        st.builds(Comparison, where, st.sampled_from(["in", "not_in"]), lists),
        st.builds(Any_, where, st.none(), st.sampled_from(["any", "has"])),
    )


def _larger(part: st.SearchStrategy[Condition], where: st.SearchStrategy[Path]) -> st.SearchStrategy[Condition]:
    several = st.lists(part, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(And, several),
        st.builds(Or, several),
        st.builds(Not, part),
        st.builds(Any_, where, part, st.sampled_from(["any", "has"])),
    )


def conditions(
    where: st.SearchStrategy[Path] | None = None,
    values: st.SearchStrategy[Any] | None = None,
    queries: bool = True,
    leaves: int = 6,
) -> st.SearchStrategy[Condition]:
    """Condition trees over paths and values; ``queries``: with queries in parentheses after ``in``."""
    where = paths() if where is None else where
    values = compared_values() if values is None else values
    inner: st.SearchStrategy[Select] = st.nothing()
    if queries:
        projected = st.lists(where, max_size=1).map(tuple)
        simple = st.one_of(st.none(), st.builds(Comparison, where, st.just("="), values))
        inner = st.builds(Select, type_names(), projected, simple)
    paths_used = where
    return st.recursive(_comparisons(where, values, inner), lambda part: _larger(part, paths_used), max_leaves=leaves)


def selects(
    where: st.SearchStrategy[Path] | None = None, values: st.SearchStrategy[Any] | None = None
) -> st.SearchStrategy[Select]:
    """Whole selects."""
    where = paths() if where is None else where
    return st.builds(
        Select,
        type_names(),
        st.lists(where, max_size=3).map(tuple),
        st.one_of(st.none(), conditions(where, values)),
        st.lists(st.builds(Order, where, st.booleans()), max_size=2).map(tuple),
        st.one_of(st.none(), st.integers(0, 2**63 - 1)),
        st.one_of(st.just(0), st.integers(0, 2**63 - 1)),
        st.one_of(st.none(), tops(where)),
        st.one_of(st.none(), samples(where)),
    )


def _orders(where: st.SearchStrategy[Path]) -> st.SearchStrategy[tuple[Order, ...]]:
    return st.lists(st.builds(Order, where, st.booleans()), max_size=2).map(tuple)


def tops(where: st.SearchStrategy[Path]) -> st.SearchStrategy[Top]:
    """So many for each value at a path, or by an order."""
    found = st.builds(Top, st.integers(0, 2**63 - 1), _orders(where), st.one_of(st.none(), where))
    return found.filter(lambda top: bool(top.by or top.per))


def samples(where: st.SearchStrategy[Path]) -> st.SearchStrategy[Sample]:
    """Samples of each method."""
    sizes = st.one_of(st.tuples(st.integers(0, 2**63 - 1), st.none()), st.tuples(st.none(), st.floats(0, 1)))
    methods = st.one_of(
        st.tuples(st.sampled_from(["random", "first"]), st.none()), st.tuples(st.just("stratified"), where)
    )
    seeds = st.one_of(st.just(0), st.integers(0, 2**63 - 1))
    return st.builds(
        lambda size, method, seed: Sample(size[0], size[1], method[0], seed, method[1]), sizes, methods, seeds
    )


def measures(where: st.SearchStrategy[Path]) -> st.SearchStrategy[Measure]:
    """Functions with conditions, and arithmetic with them and with numbers."""
    condition = st.builds(Comparison, where, st.just("="), compared_values())
    place = st.one_of(st.none(), st.floats(0, 1))
    function = st.builds(
        AggregateFunction,
        st.sampled_from(FUNCTIONS),
        st.one_of(st.none(), where),
        st.one_of(st.none(), condition),
        place,
        st.booleans(),
        st.one_of(st.none(), where),
        st.one_of(st.just(""), type_names()),
    )
    leaf = st.one_of(function, st.builds(Constant, st.one_of(st.integers(-9, 9), st.floats(-9, 9))))
    levels = st.lists(st.builds(Level, where, st.sampled_from([None, "month"])), max_size=2).map(tuple)
    return st.recursive(
        leaf,
        lambda part: st.one_of(
            st.builds(Arithmetic, st.sampled_from("+-*/"), part, part),
            st.builds(Window, st.sampled_from(WINDOWS), part, levels, st.integers(1, 9)),
            st.builds(Choice, st.builds(MeasureComparison, part, st.sampled_from(["=", ">"]), literals()), part),
            st.builds(Scoped, part, part, levels),
        ),
        max_leaves=4,
    )


def aggregates() -> st.SearchStrategy[Aggregate]:
    """Whole aggregates."""
    where = paths()
    level = st.builds(Level, where, st.one_of(st.none(), st.sampled_from(BANDS)), zone=st.sampled_from(["UTC", "x"]))
    measured = measures(where)
    compared = st.builds(MeasureComparison, measured, st.sampled_from(["=", ">"]), literals())
    having = st.recursive(
        compared,
        lambda part: st.one_of(st.builds(HavingNot, part), *(_joined(kind, part) for kind in (HavingAll, HavingAny))),
        max_leaves=4,
    )
    kept = st.lists(st.lists(st.integers(0, 3), max_size=2).map(tuple), max_size=2).map(tuple)
    return st.builds(
        Aggregate,
        selects(where),
        st.lists(measured, max_size=3).map(tuple),
        st.lists(level, max_size=3).map(tuple),
        st.one_of(st.none(), having),
        st.lists(st.builds(AggregateOrder, st.one_of(level, measured), st.booleans()), max_size=2).map(tuple),
        st.one_of(st.none(), st.integers(0, 9)),
        st.integers(0, 9),
        st.one_of(st.booleans(), kept),
        st.dictionaries(type_names(), st.lists(st.tuples(where, where), max_size=2).map(tuple), max_size=2),
        st.booleans(),
    )


def _joined(kind: Any, part: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, st.lists(part, max_size=2).map(tuple))
