"""Cubes whose dimensions and measures are of tables below: an entity is in the group of each of its children.

In each group an owner of values counts once, however many ways lead to it.
"""

from __future__ import annotations

from typing import Any

from brute import World
from holidays import TYPES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_cubes import BANDS, DATES, FUNCTIONS, NUMERIC, SELECTORS, first_day, near

CHAIN = ("Households", "People", "Bookings")
Question = tuple[str, list[tuple[str, str, str | None]], list[tuple[str, str, str]]]


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """A table, dimensions (table, attribute, band) and measures (function, table, attribute) of the whole chain."""
    anywhere = st.sampled_from(CHAIN)
    plain = anywhere.flatmap(lambda each: st.tuples(st.just(each), st.sampled_from(SELECTORS[each]), st.none()))
    banded = anywhere.flatmap(
        lambda each: st.tuples(st.just(each), st.sampled_from(DATES[each]), st.sampled_from(BANDS))
    )
    dimensions = draw(st.lists(plain | banded, max_size=2, unique=True))
    numbers = anywhere.flatmap(
        lambda each: st.tuples(st.sampled_from(sorted(FUNCTIONS)), st.just(each), st.sampled_from(NUMERIC[each]))
    )
    return draw(anywhere), dimensions, draw(st.lists(numbers, min_size=1, max_size=3, unique=True))


def chains(world: World) -> list[dict[str, str | None]]:
    """Each household, person and booking that belong together; None where there is none below."""
    rows, found = world.rows, []
    people, bookings = world.below["People", "household"], world.below["Bookings", "person"]
    for household in rows["Households"]:
        for person in people.get(household) or [None]:
            for booking in (bookings.get(person) if person else None) or [None]:
                found.append({"Households": household, "People": person, "Bookings": booking})
    return found


def expected(world: World, question: Question) -> dict[tuple[Any, ...], list[Any]]:
    """The numbers of each group: how many entities of the table it has, then the measures."""
    table, dimensions, measured = question
    groups: dict[tuple[Any, ...], list[dict[str, str | None]]] = {}
    for chain in chains(world):
        if chain[table] is None:
            continue
        group = []
        for owner, name, band in dimensions:
            value = None if chain[owner] is None else world.rows[owner][chain[owner]][name]
            group.append(first_day(value, band) if band else value)
        groups.setdefault(tuple(group), []).append(chain)
    found = {}
    for group, members in groups.items():
        numbers: list[Any] = [len({chain[table] for chain in members})]
        for function, owner, name in measured:
            owners = {chain[owner] for chain in members} - {None}
            values = [world.rows[owner][key][name] for key in owners]
            numbers.append(FUNCTIONS[function]([value for value in values if value is not None]))
        found[group] = numbers
    return found


def check_children(session: Any, world: World, question: Question) -> None:
    """One cube: its groups, and their numbers."""
    table, dimensions, measured = question
    tables = session.tables
    asked = [getattr(tables[owner][name], band) if band else tables[owner][name] for owner, name, band in dimensions]
    verbs = {"min": "smallest", "max": "largest"}
    named: dict[str, Any] = {"count": "count"}
    for place, (function, owner, name) in enumerate(measured):
        named[f"m{place}"] = getattr(tables[owner][name], verbs.get(function, function))()
    cube = tables[table].cube(asked, named)
    right = expected(world, question)
    found = {tuple(row.values())[: len(asked)]: list(row.values())[len(asked) :] for row in cube.to_rows()}
    assert set(found) == set(right)
    for group, numbers in right.items():
        assert all(near(one, other) for one, other in zip(found[group], numbers)), (group, found[group], numbers)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(question=questions())
def test_a_cube_of_children_is_what_brute_force_computes(question: Question, small: Any, small_world: World) -> None:
    """Dimensions and measures of the table, of tables above and of tables below, in any mixture."""
    check_children(small, small_world, question)


def test_all_tables_of_the_chain_are_one_line() -> None:
    """Each of them belongs to the one before it."""
    assert [TYPES[name].get("belongs_to") for name in CHAIN] == [None, "household", "person"]
