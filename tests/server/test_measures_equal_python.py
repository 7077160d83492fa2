"""Measures, groups, tops and samples mean the same in SQL and in Python, on every database."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve
from brute_force import Brute
from databases import postgres_database
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_matches_equals_sql import (
    DOCUMENT,
    NOW,
    SETTINGS,
    View,
    conditions,
    fill,
    keys_of,
    memory,
    perhaps,
    ways,
    worlds,
)

from callsheet.errors import QueryError
from callsheet.model.choice import Choice, Scoped
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.checking import check
from callsheet.model.language.relative import fixed_aggregate, fixed_select
from callsheet.model.language.resolution import resolve
from callsheet.model.measure import (
    BANDS,
    FUNCTIONS,
    IN_TIME,
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
from callsheet.model.query import Order, Path, Sample, Select, Top
from callsheet.model.schema import Schema
from callsheet.model.window import WINDOWS, Window
from callsheet.server.reading.aggregates import read_aggregate
from callsheet.server.store.store import Store

World = dict[str, dict[str, Any]]
COLLECTIONS = {"children", "tags", "leaves"}
EXACT = ("count", "sum", "minimum", "maximum", "distinct")


def small(world: World) -> World:
    """The world with numbers of which floats hold every sum exactly."""
    tamed = {1e300: 100.0, 2**53 + 1: 53}

    def value(given: Any) -> Any:
        if isinstance(given, dict):
            return {name: value(each) for name, each in given.items()}
        return tamed.get(given, given) if isinstance(given, int | float) else given

    return {key: value(entity) for key, entity in world.items()}


@st.composite
def functions(draw: st.DrawFn, type_name: str, exact: bool = False) -> AggregateFunction:
    """A function of what it can be of; with ``exact``, one whose numbers have no rounding."""
    condition = draw(perhaps(conditions(type_name, 1)))
    if draw(st.integers(0, 3)) == 0:
        return AggregateFunction("count", None, condition)
    path, data_type = draw(ways(type_name, "value"))
    names = ["count", "distinct"]
    if data_type in ("number", "integer"):
        names = list(EXACT) if exact else [name for name in FUNCTIONS if name not in IN_TIME]
    elif not exact:
        names += ["mode"] + ([] if data_type == "boolean" else ["minimum", "maximum"])
    if not exact and not COLLECTIONS & set(path.names) and draw(st.integers(0, 3)) == 0:
        by = draw(ordering(type_name))
        return AggregateFunction(draw(st.sampled_from(IN_TIME)), path, condition, by=by)
    name = draw(st.sampled_from(names))
    place = draw(st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0])) if name == "quantile" else None
    return AggregateFunction(name, path, condition, place, draw(st.booleans()))


@st.composite
def ordering(draw: st.DrawFn, type_name: str) -> Path:
    """What the latest and the first can be ordered by."""
    path, data_type = draw(ways(type_name, "value"))
    plain = not COLLECTIONS & set(path.names) and data_type != "boolean"
    return path if plain else Path.of("id")


@st.composite
def chosen_measures(draw: st.DrawFn, type_name: str, group: tuple[Level, ...]) -> Measure:
    """Choices by a condition on measures, and by the levels of a row, of numbers or of anything."""
    number = st.one_of(numbers(type_name), st.sampled_from([Constant(2), Constant(-0.5)]))
    if draw(st.booleans()):
        part, otherwise = (draw(number), draw(number))
    else:
        part = otherwise = draw(functions(type_name))
    if draw(st.booleans()):
        return Choice(draw(having(type_name)), part, draw(st.sampled_from([otherwise, None])))
    told = [*group, Level("name")]
    return Scoped(part, otherwise, tuple(draw(st.lists(st.sampled_from(told), min_size=1, max_size=2))))


@st.composite
def measures(draw: st.DrawFn, type_name: str, exact: bool = False) -> Measure:
    """Functions, and arithmetic of those that give numbers."""
    if draw(st.integers(0, 2)):
        return draw(functions(type_name, exact))
    sides = [
        draw(st.one_of(functions(type_name, True), st.sampled_from([Constant(2), Constant(-0.5)]))) for _ in range(2)
    ]
    return Arithmetic(draw(st.sampled_from("+-*/")), *sides)


@st.composite
def levels(draw: st.DrawFn, type_name: str) -> Level:
    path, data_type = draw(ways(type_name, "value"))
    if data_type not in ("date", "datetime") or draw(st.booleans()):
        return Level(path)
    return Level(path, draw(st.sampled_from(BANDS)), zone=draw(st.sampled_from(["UTC", "Asia/Tokyo"])))


def single(draw: st.DrawFn, type_name: str) -> Path | None:
    """A path to one value."""
    path, _ = draw(ways(type_name, "value"))
    return None if COLLECTIONS & set(path.names) else path


@st.composite
def chosen(draw: st.DrawFn, type_name: str) -> Select:
    """A select with condition, order, limit and offset, top and sample."""

    def orders() -> tuple[Order, ...]:
        return tuple(
            Order(path, draw(st.booleans())) for path in (single(draw, type_name), single(draw, type_name)) if path
        )

    where = draw(perhaps(conditions(type_name, 1)))
    limit, offset = draw(st.sampled_from([(None, 0), (None, 0), (2, 0), (3, 1), (None, 2)]))
    top, sample = None, None
    if draw(st.booleans()):
        per, by = single(draw, type_name), orders()
        top = Top(draw(st.integers(0, 3)), by, per) if per or by else None
    if draw(st.booleans()):
        per = draw(st.one_of(st.none(), st.just(single(draw, type_name))))
        method = "stratified" if per else draw(st.sampled_from(["random", "first"]))
        size = draw(st.sampled_from([(0, None), (2, None), (4, None), (2**62, None), (None, 0.5), (None, 1 / 3)]))
        sample = Sample(size[0], size[1], method, draw(st.integers(0, 3)), per)
    return Select(type_name, (), where, orders(), limit, offset, top, sample)


@st.composite
def having(draw: st.DrawFn, type_name: str) -> Any:
    def compared() -> MeasureComparison:
        function = draw(functions(type_name, True))
        operator = draw(st.sampled_from(["=", "!=", "<", "<=", ">", ">="]))
        values = [0, 1, 2, 1.5, *([None] if operator in ("=", "!=") else [])]
        return MeasureComparison(function, operator, draw(st.sampled_from(values)))

    match draw(st.integers(0, 3)):
        case 0:
            return HavingNot(compared())
        case 1:
            return HavingAll((compared(), compared()))
        case 2:
            return HavingAny((compared(), compared()))
        case _:
            return compared()


@st.composite
def windows(draw: st.DrawFn, type_name: str, group: tuple[Level, ...]) -> Window:
    """A measure beside other groups."""
    name = draw(st.sampled_from(WINDOWS))
    plain = [level for level in group if not COLLECTIONS & set(level.path.names)]
    if name in ("cumulative", "moving") and not plain:
        name = "rank"
    if name in ("cumulative", "moving"):
        number = st.sampled_from([AggregateFunction("count"), AggregateFunction("count", "name")])
        of: Measure = draw(st.one_of(number, st.builds(lambda a, b: a - b, number, number)))
        return Window(name, of, (draw(st.sampled_from(plain)),), draw(st.integers(1, 3)))
    of = draw(st.one_of(st.just(AggregateFunction("count")), numbers(type_name)))
    if name in ("share", "rank") or not group:
        levels = tuple(draw(st.sets(st.sampled_from(group), max_size=2))) if group else ()
        return Window(name if name in ("share", "rank") else "rank", of, levels)
    return Window(name, of, (draw(st.sampled_from(group)),), draw(st.integers(1, 3)))


def numbers(type_name: str) -> st.SearchStrategy[AggregateFunction]:
    """Functions that give numbers without rounding."""
    return functions(type_name, True).filter(lambda each: each.name in ("count", "sum", "distinct"))


@st.composite
def second_facts(draw: st.DrawFn, type_name: str, group: tuple[Level, ...]) -> tuple[list[Measure], dict[str, Any]]:
    """Measures of other tables, and where these have what the levels are about."""
    found: list[Measure] = []
    shared: dict[str, Any] = {}
    for table in draw(st.lists(st.sampled_from(["Node", "Leaf", "Status", "Thing"]), min_size=1, max_size=2)):
        pairs: dict[Path, Path] = {}
        for level in group:
            for _ in range(draw(st.integers(0, 4))):
                path, data_type = draw(ways(table, "value"))
                if data_type == kind_at(level.path, type_name) and is_item(path) == is_item(level.path):
                    pairs[level.path] = path
        if draw(st.booleans()):
            reference = "status" if table == "Status" and type_name == "Leaf" else "parent"
            pairs[Path.of(reference)] = Path.of("id")
        shared[table] = pairs
        one, other = draw(functions(table)), draw(numbers(table))
        found += [evolve(one, table=table), Arithmetic("/", draw(numbers(type_name)), evolve(other, table=table))]
        found.append(Window("share", evolve(other, table=table), group[:1]))
    return found, shared


def kind_at(path: Path, type_name: str) -> str:
    schema = Schema(DOCUMENT)
    return resolve(path, schema.types[type_name], schema).attribute.data_type


def is_item(path: Path) -> bool:
    return bool({"metadata", "custom_attributes"} & set(path.names))


@st.composite
def aggregates(draw: st.DrawFn) -> Aggregate:
    """Any aggregate of the schema."""
    type_name = draw(st.sampled_from(["Thing", "Node", "Leaf"]))
    select = draw(st.one_of(chosen(type_name), st.builds(Select, st.just(type_name))))
    group = tuple(draw(st.lists(levels(type_name), max_size=2)))
    orders = [AggregateOrder(level, draw(st.booleans())) for level in group if draw(st.booleans())]
    if draw(st.booleans()):
        orders.insert(0, AggregateOrder(draw(functions(type_name, True)), draw(st.booleans())))
    totals = draw(st.sampled_from([False, False, True, ((),), ((1,),)][: 5 if len(group) == 2 else 4]))
    limit, offset = draw(st.sampled_from([(None, 0), (None, 0), (2, 0), (3, 1)]))
    shown: list[Measure] = draw(st.lists(measures(type_name), min_size=1, max_size=3))
    if draw(st.booleans()):
        shown.append(draw(windows(type_name, group)))
    if draw(st.integers(0, 2)) == 0:
        shown.append(draw(chosen_measures(type_name, group)))
    if draw(st.integers(0, 3)) == 0:
        orders.insert(0, AggregateOrder(draw(windows(type_name, group)), draw(st.booleans())))
    shared: dict[str, Any] = {}
    if draw(st.integers(0, 2)) == 0:
        select = Select(type_name, where=select.where)
        more, shared = draw(second_facts(type_name, group))
        shown += more
    return Aggregate(
        select,
        tuple(shown),
        group,
        draw(perhaps(having(type_name))),
        tuple(orders),
        limit,
        offset,
        totals,
        shared,
        draw(st.integers(0, 3)) == 0,
    )


def like(found: Any, expected: Any) -> bool:
    if isinstance(expected, float) and isinstance(found, float):
        return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)
    return type(found) is type(expected) and found == expected


def numbers_agree(store: Store, world: World, aggregate: Aggregate) -> None:
    fill(store, world)
    try:
        checked = fixed_aggregate(check_aggregate(aggregate, store.schema), NOW)
    except QueryError:
        assume(False)
    brute = Brute(store.schema, [View(world, key) for key in world])
    expected = brute.rows(checked)
    with store.reading() as connection:
        found = read_aggregate(store, connection, checked)
    shown = f"{checked}\n{found}\n{expected}"
    assert len(found) == len(expected), shown
    for row, right in zip(found, expected):
        assert len(row) == len(right), shown
        assert all(map(like, row, right)), shown


def choices_agree(store: Store, world: World, select: Select, size: int) -> None:
    fill(store, world)
    checked = fixed_select(check(select, store.schema), NOW)
    expected = [each["id"] for each in Brute(store.schema, [View(world, key) for key in world]).selected(checked)]
    assert keys_of(store, checked, size) == expected, checked
    nested = Select("Thing", (Path.of("id"),), None)
    inside = check(Select("Thing", where=_inside(checked)), store.schema)
    assert keys_of(store, inside) == sorted(expected), (checked, nested)


def _inside(select: Select) -> Any:
    from callsheet.model.query import Comparison

    return Comparison(Path.of("id"), "in", select)


@pytest.mark.proof
@pytest.mark.timeout(1_800)
@settings(SETTINGS, max_examples=150)
@given(worlds(), aggregates())
def test_numbers_mean_the_same_in_sqlite_and_in_python(world: World, aggregate: Aggregate) -> None:
    """Every group, in order, with every measure and total, equals what Python computes of the entities."""
    with memory() as store:
        numbers_agree(store, small(world), aggregate)


@pytest.mark.proof
@pytest.mark.timeout(1_800)
@settings(SETTINGS, max_examples=60)
@given(worlds(), st.sampled_from(["Thing", "Node", "Leaf"]).flatmap(chosen), st.integers(1, 4))
def test_tops_and_samples_mean_the_same_in_sqlite_and_in_python(world: World, select: Select, size: int) -> None:
    """All pages together, and a query inside a query, keep what Python keeps."""
    with memory() as store:
        choices_agree(store, small(world), select, size)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Store]:
    """One store on PostgreSQL, filled anew for each example."""
    with postgres_database() as url:
        store = Store.open(url, DOCUMENT)
        yield store
        store.close()


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_numbers_mean_the_same_in_postgres_and_in_python(postgres: Store) -> None:
    """Every group, in order, with every measure and total, equals what Python computes of the entities."""

    @settings(SETTINGS, max_examples=30)
    @given(worlds(), aggregates())
    def law(world: World, aggregate: Aggregate) -> None:
        numbers_agree(postgres, small(world), aggregate)

    law()


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_tops_and_samples_mean_the_same_in_postgres_and_in_python(postgres: Store) -> None:
    """All pages together, and a query inside a query, keep what Python keeps."""

    @settings(SETTINGS, max_examples=20)
    @given(worlds(), st.sampled_from(["Thing", "Node", "Leaf"]).flatmap(chosen), st.integers(1, 4))
    def law(world: World, select: Select, size: int) -> None:
        choices_agree(postgres, small(world), select, size)

    law()
