"""Random selections equal brute force over the rows, survive text and JSON, and count what they give."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import pytest
from brute import Both, Compared, Of, Opposite, Some, World, counts, line, selected
from holidays import PARENTS, SURNAMES, TOWNS, TYPES
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from callsheet.errors import Invalid

FIXED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
TEXTS = ("", "s", "SM", "o'", "100%", "%", "\\", "_", "å", "ne", *TOWNS)


ANY_VALUE: dict[str, Any] = {
    "string": "Li",
    "boolean": False,
    "integer": 3,
    "number": 200.0,
    "date": date(2022, 3, 1),
    "datetime": datetime(2024, 1, 1, tzinfo=UTC),
}
"""A value for comparisons with a variable that has none in a small company; the choices of an enum are there anyway."""


def stored(table: str) -> list[str]:
    """The attributes of a table that hold a value."""
    attributes = TYPES[table]["attributes"]
    return [name for name, each in attributes.items() if each["type"] not in ("reference", "collection")]


@cache
def comparisons(world: World, table: str) -> st.SearchStrategy[Compared]:
    """Comparisons of any variable of a table with values that occur, or might."""
    return st.sampled_from(stored(table)).flatmap(lambda name: of_variable(world, table, name))


@cache
def of_variable(world: World, table: str, name: str) -> st.SearchStrategy[Compared]:
    attribute = TYPES[table]["attributes"][name]
    kind = attribute["type"]
    values = sorted({row[name] for row in world.rows[table].values()} - {None})
    extra = attribute.get("choices") or (list(SURNAMES) if kind == "string" else [])
    value = st.sampled_from([*values, *extra, *([] if values or extra else [ANY_VALUE[kind]])])
    options = [
        st.builds(Compared, st.just(table), st.just(name), st.sampled_from(["==", "!="]), st.none() | value),
        st.builds(
            Compared,
            st.just(table),
            st.just(name),
            st.sampled_from(["is_in", "is_not_in"]),
            st.lists(st.none() | value, max_size=4),
        ),
        st.builds(Compared, st.just(table), st.just(name), st.sampled_from(["is_null", "is_not_null"])),
    ]
    if kind != "boolean":
        options.append(
            st.builds(Compared, st.just(table), st.just(name), st.sampled_from(["<", "<=", ">", ">="]), value)
        )
        pairs = st.tuples(value, value).map(lambda both: tuple(sorted(both)))
        options.append(st.builds(Compared, st.just(table), st.just(name), st.just("between"), pairs))
    if kind in ("string", "enum"):
        words = st.sampled_from(["contains", "starts_with", "ends_with"])
        options.append(st.builds(Compared, st.just(table), st.just(name), words, st.sampled_from(TEXTS)))
        parts = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3).map(tuple)
        options.append(st.builds(Compared, st.just(table), st.just(name), st.just("matches"), parts))
    return st.one_of(options)


@cache
def terms(world: World) -> st.SearchStrategy[Any]:
    """Comparisons of any tables, joined, negated, carried over and quantified."""
    tables = st.sampled_from(list(TYPES))
    leaves = tables.flatmap(lambda table: comparisons(world, table))

    def longer(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        quantified = st.tuples(st.sampled_from(["any", "all", "none"]), st.sampled_from(sorted(PARENTS)), inner, tables)
        return st.one_of(
            st.builds(Both, st.sampled_from("&|"), inner, inner),
            st.builds(Opposite, inner),
            st.builds(Of, tables, inner),
            quantified.filter(lambda each: each[1] != each[3]).map(lambda each: Some(*each)),
        )

    return st.recursive(leaves, longer, max_leaves=4)


def check(session: Any, world: World, term: Any, counted: bool = True) -> None:
    """One term: the entities, their numbers (if ``counted``), and the way through text and JSON."""
    selection = term.build(session)
    expected = selected(world, term)
    assert selection.table.name == term.table
    try:
        found = [row["id"] for row in selection.to_query().select("id").records()]
        assert sorted(found) == expected, str(selection)
        if counted:
            assert selection.count() == len(expected), str(selection)
            assert selection.counts == counts(world, term.table, expected), str(selection)
    except Invalid as error:
        # A database reads no statement of any depth; the server says so.
        if "nested too deep" not in str(error):
            raise
        reject()
    again = session.selection(selection.to_json())
    assert again.select_statement == selection.select_statement
    assert session.selection(str(selection)).select_statement == selection.select_statement


@settings(max_examples=100, deadline=None, suppress_health_check=FIXED)
@given(data=st.data())
def test_a_selection_selects_what_brute_force_selects(data: st.DataObject, small: Any, small_world: World) -> None:
    """The same entities, the same counts of all tables above, whatever is joined, negated, carried over, quantified."""
    check(small, small_world, data.draw(terms(small_world)))


@pytest.mark.proof
@pytest.mark.timeout(3_000)
@settings(max_examples=2_000, deadline=None, suppress_health_check=FIXED)
@given(data=st.data())
def test_two_thousand_selections(data: st.DataObject, small: Any, small_world: World) -> None:
    """The same entities, 2,000 times; the counts, which take twice as long, are the subject of the other two tests."""
    check(small, small_world, data.draw(terms(small_world)), counted=False)


@pytest.mark.deep
@pytest.mark.timeout(7_200)
@settings(max_examples=5_000, deadline=None, suppress_health_check=FIXED)
@given(data=st.data())
def test_five_thousand_selections_and_their_counts(data: st.DataObject, small: Any, small_world: World) -> None:
    """The same entities and the same counts, 5,000 times."""
    check(small, small_world, data.draw(terms(small_world)))


def test_the_generator_leaves_people_without_anything(small_world: World) -> None:
    """So that `all` and `none` of nothing are tried, and values that are missing."""
    rows = small_world.rows
    assert {row["household"] for row in rows["People"].values()} < set(rows["Households"])
    assert {row["person"] for row in rows["Bookings"].values()} < set(rows["People"])
    assert None in {row["boCost"] for row in rows["Bookings"].values()}
    assert line("Responses") == ["Responses", "Communications", "People", "Households"]
