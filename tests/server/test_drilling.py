"""A cell of an aggregate is drilled to its entities: as many as it counts, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from attrs import evolve
from brute_force import Brute
from databases import postgres_database
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_matches_equals_sql import DOCUMENT, NOW, SETTINGS, View, fill, keys_of, memory, worlds
from test_measures_equal_python import World, aggregates, functions, like, small

from callsheet.errors import QueryError, UsageError
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.checking import check
from callsheet.model.language.drilling import drilled, drilled_owners
from callsheet.model.language.relative import fixed_aggregate, fixed_select
from callsheet.model.measure import TOTAL, Aggregate, AggregateFunction, Level
from callsheet.model.query import Path, Select
from callsheet.model.schema import Schema
from callsheet.server.reading.aggregates import read_aggregate
from callsheet.server.store.store import Store

COUNT = AggregateFunction("count")


def plain(aggregate: Aggregate, function: AggregateFunction = COUNT) -> Aggregate:
    """The same groups with one measure, and all of them."""
    return Aggregate(aggregate.select, (function,), aggregate.group, totals=aggregate.totals)


def cells_agree(store: Store, world: World, aggregate: Aggregate) -> None:
    """Each cell has as many entities as it counts; all cells together, and each total, have all of them."""
    fill(store, world)
    checked = fixed_aggregate(check_aggregate(plain(aggregate), store.schema), NOW)
    brute = Brute(store.schema, [View(world, key) for key in world])
    levels = len(checked.group)
    union: set[str] = set()
    for row in brute.rows(checked):
        select = fixed_select(check(drilled(checked, row, store.schema), store.schema), NOW)
        keys = keys_of(store, select)
        assert len(keys) == row[levels], (checked, row, select)
        if TOTAL not in row[:levels]:
            union.update(keys)
    assert sorted(union) == sorted(each["id"] for each in brute.selected(checked.select)), checked


@settings(SETTINGS, max_examples=60)
@given(worlds(), aggregates())
def test_a_cell_has_as_many_entities_as_it_counts(world: World, aggregate: Aggregate) -> None:
    """Levels through collections, casts, bands, None, totals, and bounded queries."""
    with memory() as store:
        cells_agree(store, small(world), aggregate)


@pytest.mark.deep
@pytest.mark.timeout(3_600)
@settings(SETTINGS, max_examples=1_500)
@given(worlds(), aggregates())
def test_a_cell_has_as_many_entities_as_it_counts_deeply(world: World, aggregate: Aggregate) -> None:
    """The same law, with many more examples."""
    with memory() as store:
        cells_agree(store, small(world), aggregate)


def owners_agree(store: Store, world: World, aggregate: Aggregate, function: AggregateFunction) -> None:
    """The owners of a measure's values have the values that the cell has."""
    fill(store, world)
    question = fixed_aggregate(check_aggregate(plain(aggregate, function), store.schema), NOW)
    (checked,) = question.functions
    assert isinstance(checked, AggregateFunction)
    assert checked.path is not None
    levels = len(question.group)
    brute = Brute(store.schema, [View(world, key) for key in world])
    for row in brute.rows(question):
        try:
            select = drilled_owners(question, row, store.schema, checked)
        except UsageError:
            assume(len(brute.kinds(store.schema.types[question.select.entity_type], checked.path)) > 1)
            return
        whole = brute.owner(store.schema.types[question.select.entity_type], checked.path)
        rest = Path(checked.path.steps[len(whole) :])
        own = Aggregate(select, (AggregateFunction(checked.name, rest),))
        own = fixed_aggregate(check_aggregate(own, store.schema), NOW)
        with store.reading() as connection:
            ((found,),) = read_aggregate(store, connection, own)
        assert like(found, row[levels]), (question, row, select)


@settings(SETTINGS, max_examples=60)
@given(worlds(), aggregates(), st.data())
def test_owners_have_the_values_of_the_cell(world: World, aggregate: Aggregate, data: st.DataObject) -> None:
    """The measure of the owners alone is that of the cell: each owner is found once."""
    function = data.draw(functions(aggregate.select.entity_type, True))
    assume(function.path is not None)
    # SQLite's parser takes no top of a sample three queries deep.
    question = evolve(aggregate, select=evolve(aggregate.select, top=None, sample=None))
    with memory() as store:
        owners_agree(store, small(world), question, evolve(function, repeated=False))


@pytest.fixture(scope="module")
def postgres() -> Iterator[Store]:
    """One store on PostgreSQL, filled anew for each example."""
    with postgres_database() as url:
        store = Store.open(url, DOCUMENT)
        yield store
        store.close()


def test_cells_agree_on_postgres(postgres: Store) -> None:
    """The same law on PostgreSQL."""

    @settings(SETTINGS, max_examples=15)
    @given(worlds(), aggregates())
    def law(world: World, aggregate: Aggregate) -> None:
        cells_agree(postgres, small(world), aggregate)

    law()


SCHEMA = Schema(DOCUMENT)
BY_DAY = Aggregate(Select("Leaf"), group=(Level("at", "month", zone="Asia/Tokyo"), "kind"), totals=True)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ((date(2026, 1, 1),), "has 2 values"),
        ("ab", "has 2 values"),
        ((TOTAL, "a"), "no such total"),
        ((date(2026, 1, 2), "a"), "its first day"),
        (("2026-01-01", "a"), "its first day"),
    ],
)
def test_what_is_no_cell_is_refused(cell: Any, reason: str) -> None:
    """The error says what a cell is."""
    with pytest.raises(UsageError, match=reason):
        drilled(BY_DAY, cell, SCHEMA)


def test_a_value_of_the_wrong_type_is_refused_by_the_query() -> None:
    """Values are those of conditions, checked as any other."""
    assert check(drilled(BY_DAY, (TOTAL, TOTAL), SCHEMA), SCHEMA).where is None
    with pytest.raises(QueryError, match="takes one of"):
        check(drilled(BY_DAY, (date(2026, 1, 1), 5), SCHEMA), SCHEMA)


def test_a_measures_condition_holds_too() -> None:
    """The entities that the measure is about."""
    from callsheet.model.language.parser import parse_condition

    late = AggregateFunction("count", None, parse_condition("flag is true"))
    asked = Aggregate(Select("Leaf"), (late,), group=("kind",))
    assert drilled(asked, ("a",), SCHEMA, late).where == parse_condition('kind is "a" and flag is true')
