"""A holiday company of 100,000 rows: counts, selections, samples, grids and cubes equal brute force over the rows."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import md5
from typing import Any

import pytest
from brute import Both, Compared, Of, Opposite, Ranked, Some, World, counts, selected
from holidays import HOLIDAYS, LARGE, generated, load, sizes
from test_cubes import check
from test_grid_laws import expected_rows

from callsheet import Session

DEAR = Compared("Bookings", "boCost", ">", 2_000.0)


@pytest.fixture(scope="module")
def rows() -> World:
    return World(generated(LARGE))


@pytest.fixture(scope="module")
def agency(rows: World) -> Iterator[Any]:
    """A session on the whole company, which is only read."""
    with Session("memory:", schema=HOLIDAYS) as session:
        load(session, rows.rows)
        yield session


def test_the_totals_of_all_tables(agency: Any) -> None:
    """One request counts 100,001 entities: each table has one at least."""
    before = agency.statistics.requests
    assert {table.name: table.total_records for table in agency.tables} == sizes(LARGE)
    assert sum(sizes(LARGE).values()) == 100_001
    assert agency.statistics.requests == before + 1


@pytest.mark.parametrize(
    "term",
    [
        DEAR,
        Both("&", Compared("People", "peOccu", "is_in", ["Sales", "Retired", None]), DEAR),
        Opposite(Some("all", "Bookings", DEAR, "People")),
        Some("none", "Bookings", Compared("Bookings", "boDest", "==", "Greece"), "Households"),
        Of("Bookings", Compared("Households", "hhRegion", "==", "North")),
        Compared("People", "peSurn", "contains", "100%"),
    ],
    ids=str,
)
def test_selections_and_their_counts(agency: Any, rows: World, term: Any) -> None:
    """Over one table, over children and parents, joined and negated."""
    expected = selected(rows, term)
    selection = term.build(agency)
    assert selection.count() == len(expected) > 500
    assert selection.counts == counts(rows, term.table, expected)


def test_a_sample_is_the_same_for_the_same_seed(agency: Any, rows: World) -> None:
    """The thousand keys whose hashes with the seed are the smallest."""
    drawn = sorted(rows.rows["Bookings"], key=lambda key: md5(f"7:{key}".encode()).digest())[:1_000]
    sample = agency.tables["Bookings"].everything.sample(1_000, seed=7)
    assert sorted(row["id"] for row in sample.to_query().select("id").records()) == sorted(drawn)


def test_the_dearest_of_each_person(agency: Any, rows: World) -> None:
    """Two at most, of equal ones the smaller key."""
    bookings = rows.rows["Bookings"]
    costs = Ranked({key: row["boCost"] for key, row in bookings.items()})
    found: dict[str, list[str]] = {}
    for key in costs.sorted(bookings, ascending=False):
        found.setdefault(bookings[key]["person"], []).append(key)
    expected = sorted(key for keys in found.values() for key in keys[:2])
    limited = agency.tables["Bookings"].everything.limit(2, by="Cost", per="People")
    assert limited.count() == len(expected)
    first = limited.datagrid([agency.variables["Bookings.id"]], max_rows=1_000)
    assert [key for row in first for key in row.values()] == expected[:1_000]


def test_a_grid_of_three_tables(agency: Any, rows: World) -> None:
    """The first thousand rows of a selection, and how many there are."""
    columns = [("Bookings", "boCost"), ("People", "peOccu"), ("Households", "hhRegion"), ("Bookings", "boDate")]
    chosen = [agency.tables[table][name] for table, name in columns]
    grid = agency.tables["Bookings"].datagrid(chosen, DEAR.build(agency))
    expected = expected_rows(rows, ("Bookings", columns, DEAR, 1_000))
    assert [tuple(row.values()) for row in grid] == expected[:1_000]
    assert (grid.total, grid.truncated) == (len(expected), True)


@pytest.mark.parametrize(
    "question",
    [
        ("Bookings", [("Bookings", "boDest", None), ("Bookings", "boDate", "month")], ["sum", "median"], DEAR, True),
        ("Bookings", [("Households", "hhRegion", None)], ["mean", "variance", "upper_quartile"], None, False),
        ("Bookings", [("Bookings", "boTrav", "week")], ["max", "mode", "distinct"], None, False),
    ],
    ids=lambda each: " by ".join(name for _, name, _ in each[1]),
)
def test_cubes(agency: Any, rows: World, question: Any) -> None:
    """Of destinations by month with totals; by a table above; by week."""
    table, dimensions, functions, selection, totals = question
    measured = [(function, "Bookings", "boCost") for function in functions]
    check(agency, rows, (table, dimensions, measured, selection, totals))
