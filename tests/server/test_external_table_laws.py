"""Questions about external tables mean what they mean about the same rows in Python, on every engine."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from brute_force import Brute
from external_worlds import CODES, DAYS, ENGINES, POOLS, TEXTS, Fill, World, entities, external_store, opened, worlds
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callsheet.errors import Invalid
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.checking import check
from callsheet.model.measure import Aggregate, AggregateFunction, AggregateOrder, Level, Measure
from callsheet.model.query import And, Comparison, Condition, Not, Or, Order, Sample, Select, Top
from callsheet.model.query import Path as Way
from callsheet.model.window import Window
from callsheet.server.reading.aggregates import read_aggregate
from callsheet.server.reading.pages import read_page

SETTINGS = settings(
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)
SHARES = [pytest.param(3, id="share"), pytest.param(60, id="whole", marks=pytest.mark.deep)]
"""How many examples, each with several questions: a share each time, the whole if ``-m deep`` asks for it."""
TYPES = {
    "item": "string",
    "amount": "integer",
    "cents": "integer",
    "price": "number",
    "weight": "number",
    "paid": "boolean",
    "day": "date",
    "at": "datetime",
}
LITERALS: dict[str, list[Any]] = {
    "string": TEXTS,
    "integer": [*POOLS["cents"], 3, 1.5],
    "number": [*POOLS["weight"], 1.25, -2.25],
    "boolean": [True, False],
    "date": DAYS,
}
PATTERNS = ["%", "a%", "%B", "A_B", r"a\%b", "\\\\", "é", "É%", "%%a", "", "\\", "_", "k", '%"%', "% "]


def place_of(name: str) -> tuple[Way, str]:
    return Way.of(name), {"shop.city": "string", "shop.opened": "date", "shop": "key"}.get(name, TYPES.get(name, "key"))


PLACES = [place_of(name) for name in (*TYPES, "id", "shop", "shop.city", "shop.opened", "shop.id")]


@st.composite
def conditions(draw: st.DrawFn, depth: int = 2) -> Condition:
    shape = draw(st.sampled_from(["compare"] * 4 + ["and", "or", "not"])) if depth else "compare"
    if shape in ("and", "or"):
        parts = tuple(draw(st.lists(conditions(depth - 1), min_size=2, max_size=3)))
        return And(parts) if shape == "and" else Or(parts)
    if shape == "not":
        return Not(draw(conditions(depth - 1)))
    path, data_type = draw(st.sampled_from([each for each in PLACES if each[1] != "datetime"]))
    values = st.sampled_from(LITERALS.get(data_type, [*CODES, "0", "1", "7"]))
    operators = ["=", "!=", "in", "not_in"] + (["<", "<=", ">", ">="] if data_type != "boolean" else [])
    if data_type in ("string", "key"):
        operators += ["like", "not_like"]
    operator = draw(st.sampled_from(operators))
    if operator in ("in", "not_in"):
        return Comparison(path, operator, tuple(draw(st.lists(st.one_of(st.none(), values), max_size=3))))
    if operator in ("like", "not_like"):
        return Comparison(path, operator, draw(st.sampled_from(PATTERNS)))
    return Comparison(path, operator, draw(st.one_of(st.none(), values) if operator in ("=", "!=") else values))


def orders() -> st.SearchStrategy[tuple[Order, ...]]:
    ways = st.sampled_from([path for path, _ in PLACES if path.names != ("id",)])
    return st.lists(st.builds(Order, ways, st.booleans()), max_size=2).map(tuple)


@st.composite
def selects(draw: st.DrawFn) -> Select:
    where = draw(st.one_of(st.none(), conditions()))
    limit, offset = draw(st.one_of(st.none(), st.integers(0, 6))), draw(st.integers(0, 2))
    chosen = draw(st.sampled_from(["", "", "", "top", "sample"]))
    top = Top(draw(st.integers(1, 2)), draw(orders()), Way.of("item")) if chosen == "top" else None
    sample = Sample(draw(st.integers(1, 4)), seed=draw(st.integers(0, 3))) if chosen == "sample" else None
    return Select("Sale", (), where, draw(orders()), limit, offset, top=top, sample=sample)


@st.composite
def functions(draw: st.DrawFn) -> AggregateFunction:
    condition = draw(st.one_of(st.none(), st.none(), conditions(1)))
    name = draw(st.sampled_from(["count", "sum", "average", "minimum", "maximum", "distinct", "variance", "deviation"]))
    if name in ("sum", "average", "variance", "deviation"):
        path = draw(st.sampled_from(["amount", "price"]))
    else:
        path = draw(st.sampled_from([*TYPES, "shop.city", "shop.opened"]))
    if name in ("minimum", "maximum") and path == "paid":
        path = "day"
    return AggregateFunction(name, Way.of(path), condition)


@st.composite
def levels(draw: st.DrawFn) -> Level:
    name = draw(st.sampled_from(["item", "paid", "shop.city", "shop", "day", "at", "shop.opened", "amount"]))
    band = draw(st.sampled_from([None, "year", "quarter", "month", "week", "day"]))
    return Level(Way.of(name), band if name in ("day", "at", "shop.opened") else None)


@st.composite
def aggregates(draw: st.DrawFn) -> Aggregate:
    group = tuple(draw(st.lists(levels(), max_size=2, unique=True)))
    shown: list[Measure] = draw(st.lists(functions(), min_size=1, max_size=3))
    if draw(st.booleans()):
        shown.append(shown[0].__class__("count") / AggregateFunction("distinct", Way.of("item")))
    if draw(st.booleans()):
        name = draw(st.sampled_from(["share", "rank", "previous", "following", "cumulative", "moving"]))
        count = AggregateFunction("count")
        if name in ("share", "rank") or not group:
            shown.append(Window("share" if name == "share" else "rank", count, group[:1]))
        else:
            shown.append(Window(name, count, (draw(st.sampled_from(group)),), draw(st.integers(1, 2))))
    order = tuple(AggregateOrder(level, draw(st.booleans())) for level in group if draw(st.booleans()))
    where = draw(st.one_of(st.none(), conditions(1)))
    totals = draw(st.sampled_from([False, True]))
    limit = draw(st.sampled_from([None, None, 3]))
    return Aggregate(Select("Sale", (), where), tuple(shown), group, None, order, limit, 0, totals)


@pytest.fixture(scope="module", params=ENGINES)
def place(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Fill]]:
    """A database of each engine with empty tables."""
    with opened(request.param, tmp_path_factory.mktemp("external")) as found:
        yield found


def keys_of(store: Any, select: Select, size: int) -> list[str]:
    """The keys of all pages."""
    found: list[str] = []
    cursor = None
    with store.reading() as connection:
        while True:
            page = read_page(store, connection, select, size, cursor)
            found += [row[0] for block in page.records[: page.roots] for row in block.rows]
            cursor = page.cursor
            if cursor is None:
                return found


@contextmanager
def filled(place: tuple[str, Fill], world: World) -> Iterator[Any]:
    url, fill = place
    fill(world)
    with external_store(url) as store:
        yield store


def same(found: Any, expected: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
    return type(found) is type(expected) and found == expected


@pytest.mark.parametrize("examples", SHARES)
def test_queries_of_external_tables_mean_the_same_in_python(place: tuple[str, Fill], examples: int) -> None:
    """All pages together are what Python selects of the same rows, in order."""

    @settings(SETTINGS, max_examples=examples)
    @given(worlds(), st.lists(selects(), min_size=1, max_size=8), st.integers(1, 4))
    def law(world: World, asked: list[Select], size: int) -> None:
        with filled(place, world) as store:
            for select in asked:
                checked = check(select, store.schema)
                expected = [each["id"] for each in Brute(store.schema, entities(world)).selected(checked)]
                assert keys_of(store, checked, size) == expected, checked

    law()


@pytest.mark.parametrize("examples", SHARES)
def test_numbers_of_external_tables_mean_the_same_in_python(place: tuple[str, Fill], examples: int) -> None:
    """Every group and measure is what Python computes of the same rows."""

    @settings(SETTINGS, max_examples=examples)
    @given(worlds(), st.lists(aggregates(), min_size=1, max_size=8))
    def law(world: World, asked: list[Aggregate]) -> None:
        with filled(place, world) as store:
            brute = Brute(store.schema, entities(world))
            for aggregate in asked:
                try:
                    checked = check_aggregate(aggregate, store.schema)
                except Invalid:
                    continue
                expected = brute.rows(checked)
                with store.reading() as connection:
                    found = read_aggregate(store, connection, checked)
                shown = f"{checked}\n{found}\n{expected}"
                assert len(found) == len(expected), shown
                for row, right in zip(found, expected):
                    assert len(row) == len(right), shown
                    assert all(map(same, row, right)), shown

    law()
