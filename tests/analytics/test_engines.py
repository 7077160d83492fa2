"""The same numbers over HTTP, on SQLite in a file and on PostgreSQL; for accounts that may not see everything."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from brute import Both, Compared, Of, Opposite, Some, World, counts, selected
from holidays import HOLIDAYS, generated, load
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_cubes import check as check_cube
from test_cubes import questions
from test_cubes_of_children import check_children
from test_cubes_of_children import questions as questions_below
from test_grid_laws import check_grid, grids
from test_selection_laws import check as check_selection
from test_selection_laws import terms

import callsheet
from callsheet import Session
from callsheet.errors import Invalid, TooLarge

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))

from databases import new_database

WORLD = World(generated(300))
DEAR = Compared("Bookings", "boCost", ">", 200.0)
TERMS = [
    DEAR,
    Both("&", Compared("People", "peOccu", "is_in", ["Sales", None]), DEAR),
    Both("|", Compared("Households", "hhRegion", "==", "North"), Of("People", DEAR)),
    Opposite(Some("all", "Bookings", DEAR, "People")),
    Some("none", "Bookings", Compared("Bookings", "boDest", "==", "Greece"), "Households"),
    Compared("People", "peSurn", "contains", "100%"),
    Compared("People", "peSurn", "<", "a"),
    Compared("WebVisits", "weSale", "!=", True),
    Of("Responses", Compared("People", "peNews", "is_null")),
]


@pytest.fixture(scope="module", params=["file", "postgres", "http"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session on a small company, kept or reached in one of three ways."""
    folder, key = tmp_path_factory.mktemp("company"), "the key of these tests"
    with new_database("file" if request.param == "http" else request.param, folder) as url:
        with Session(url, schema=HOLIDAYS) as opened:
            load(opened, WORLD.rows)
            if request.param != "http":
                yield opened
                return
        with (
            callsheet.serve(HOLIDAYS, url, admin_key=key) as server,
            Session(server.url, api_key=key, schema_cache=False, plugin_paths=False) as opened,
        ):
            yield opened


LAW = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@LAW
@given(data=st.data())
def test_random_selections(session: Any, data: st.DataObject) -> None:
    """The entities and counts of brute force, on each engine and over the wire."""
    check_selection(session, WORLD, data.draw(terms(WORLD)))


@LAW
@given(question=questions())
def test_random_cubes(session: Any, question: Any) -> None:
    """The numbers of brute force."""
    check_cube(session, WORLD, question)


@LAW
@given(question=questions_below())
def test_random_cubes_of_children(session: Any, question: Any) -> None:
    """The numbers of brute force, by dimensions of tables below."""
    check_children(session, WORLD, question)


@LAW
@given(data=st.data())
def test_random_grids(session: Any, data: st.DataObject) -> None:
    """The rows of brute force, and all of them as a stream."""
    check_grid(session, WORLD, data.draw(grids(WORLD)))


@pytest.mark.parametrize("term", TERMS, ids=str)
def test_selections(session: Any, term: Any) -> None:
    """The entities and the counts of brute force."""
    selection, expected = term.build(session), selected(WORLD, term)
    assert sorted(row["id"] for row in selection.to_query().select("id").records()) == expected
    assert selection.count() == len(expected)
    assert selection.counts == counts(WORLD, term.table, expected)


def test_totals_extremes_and_codes(session: Any) -> None:
    """Three requests for the whole company, one table's extremes, and one selector."""
    fresh = session.fork()
    before = fresh.statistics.requests
    assert [table.total_records for table in fresh.tables] == [len(rows) for rows in WORLD.rows.values()]
    dates = [row["boDate"] for row in WORLD.rows["Bookings"].values() if row["boDate"] is not None]
    assert fresh.variables["Booking Date"].maximum == max(dates)
    regions = [row["hhRegion"] for row in WORLD.rows["Households"].values()]
    assert {code.code: code.count for code in fresh.variables["Region"].counts()} == {
        region: regions.count(region) for region in {*regions}
    }
    assert fresh.statistics.requests == before + 3
    fresh.close()


def test_a_grid(session: Any) -> None:
    """Columns of three tables."""
    grid = session.tables["Bookings"].datagrid(["Cost", "Occupation", "Region", "Booking Date"], max_rows=None)
    rows = WORLD.rows
    assert grid.to_rows() == [
        {
            "Cost": rows["Bookings"][key]["boCost"],
            "Occupation": (person := rows["People"][rows["Bookings"][key]["person"]])["peOccu"],
            "Region": rows["Households"][person["household"]]["hhRegion"],
            "Booking Date": rows["Bookings"][key]["boDate"],
        }
        for key in sorted(rows["Bookings"])
    ]


def test_the_action_that_counts_checks_what_it_is_given(session: Any) -> None:
    """A list of types that there are, at most 200."""
    for wrong in ({}, {"types": "People"}, {"types": [3]}, {"types": [], "more": 1}):
        with pytest.raises(Invalid, match="takes `types`, a list of names of entity types"):
            session.call("counts", **wrong)
    with pytest.raises(TooLarge, match="the limit is 200"):
        session.call("counts", types=["People"] * 201)
    with pytest.raises(callsheet.CallsheetError, match="there is no entity type `Peple`"):
        session.call("counts", types=["Peple"])
    assert session.call("counts", types=["People", "People"]) == {"People": len(WORLD.rows["People"])}


def test_an_account_counts_what_it_may_read() -> None:
    """By one request as by its own query."""
    with Session("memory:", seed=True) as admin:
        admin.call("roles.add", name="shots", rules=["read:Shot,Project"])
        admin.create("Shot", {"name": "sh1", "parent": admin.create("Project", {"name": "sintel"})})
        admin.commit()
        admin.call("users.add", name="anna", role="shots")
        backend = admin._connection.service.backend("anna")
        assert backend.call("counts", {"types": ["Shot", "Project", "Status"]}) == {
            "Shot": 1,
            "Project": 1,
            "Status": 0,
        }
