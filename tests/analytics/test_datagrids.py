"""Grids: columns of a table and of those above, rows that say when some are missing, and frames of every kind."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from brute import Compared, World, selected

from callsheet import Session, UsageError
from callsheet.errors import StorageError, UnknownName

COLUMNS = ["Booking Reference", "Destination", "Cost", "Booking Date", "Occupation", "Region", "Sold by"]


def rows_of(world: World, keys: list[str]) -> list[dict[str, Any]]:
    """The rows of the grid of COLUMNS by brute force."""
    found = []
    for key in keys:
        booking = world.rows["Bookings"][key]
        person = world.rows["People"][booking["person"]]
        seller = world.rows["People"].get(booking["boAgen"], {})
        found.append(
            {
                "Booking Reference": booking["boRef"],
                "Destination": booking["boDest"],
                "Cost": booking["boCost"],
                "Booking Date": booking["boDate"],
                "Occupation": person["peOccu"],
                "Region": world.rows["Households"][person["household"]]["hhRegion"],
                "Sold by": seller.get("peSurn"),
            }
        )
    return found


def test_a_grid_has_columns_of_the_tables_above(holidays: Any, world: World) -> None:
    """By label; values equal brute force; one request, since nothing is missing."""
    chosen = Compared("Bookings", "boCost", "==", 200.0)
    bookings = holidays.tables["Bookings"]
    before = holidays.statistics.requests
    grid = bookings.datagrid(COLUMNS, bookings["Cost"] == 200)
    assert grid.to_rows() == rows_of(world, selected(world, chosen))
    assert (grid.truncated, grid.total, len(grid)) == (False, len(grid), len(selected(world, chosen)))
    assert holidays.statistics.requests == before + 1
    assert grid.columns == tuple(COLUMNS)
    assert grid[0] == next(iter(grid)) == grid.to_rows()[0]
    assert grid["Cost"] == [200.0] * len(grid)
    with pytest.raises(UnknownName, match="there is no column `Csot`; did you mean `Cost`"):
        grid["Csot"]


def test_a_grid_says_that_it_is_truncated(company: Any, world: World) -> None:
    """And how many rows there are; `stream` gives all of them."""
    bookings = company.tables["Bookings"]
    every = rows_of(world, sorted(world.rows["Bookings"]))
    grid = bookings.datagrid(COLUMNS, max_rows=10)
    assert (len(grid), grid.truncated, grid.total) == (10, True, len(every))
    assert grid.to_rows() == every[:10]
    assert repr(grid).startswith(f"10 of {len(every):,} rows\n")
    assert list(grid.stream()) == every
    default = bookings.datagrid(COLUMNS)
    assert (len(default), default.truncated) == (1_000, True)
    whole = bookings.datagrid(COLUMNS, max_rows=None)
    assert (whole.to_rows(), whole.truncated) == (every, False)
    exact = bookings.datagrid(COLUMNS, max_rows=len(every))
    assert (len(exact), exact.truncated) == (len(every), False)


def test_a_grid_of_a_limited_selection(company: Any) -> None:
    """Its total is what the limit leaves."""
    twenty = company.tables["Bookings"].everything.limit(20)
    grid = twenty.datagrid(["Cost"], max_rows=5)
    assert (len(grid), grid.total, grid.truncated) == (5, 20, True)
    first = company.tables["Bookings"].everything.limit(7).datagrid(["Cost"], max_rows=50)
    assert (len(first), first.total, first.truncated) == (7, 7, False)
    assert len(company.tables["Bookings"].everything.limit(0).datagrid(["Cost"])) == 0


def test_a_selection_of_another_table_is_carried_over(company: Any, world: World) -> None:
    """The bookings of people of an occupation."""
    people, bookings = company.tables["People"], company.tables["Bookings"]
    grid = bookings.datagrid(["Occupation"], people["Occupation"] == "Retired")
    expected = [
        key for key, row in world.rows["Bookings"].items() if world.rows["People"][row["person"]]["peOccu"] == "Retired"
    ]
    assert set(grid["Occupation"]) == {"Retired"}
    households = company.tables["Households"]
    north = households.any(households["Region"] == "North")
    assert set(people.datagrid(["Region"], north)["Region"]) == {"North"}
    assert people.cube(["Region"], selection=north)["Region"] == ["North"]
    assert len(grid) == len(expected)


def test_columns_of_equal_labels_keep_their_values() -> None:
    """They are named by their tables, then by their paths; elsewhere one hides the other."""
    document = {
        "types": {
            "Show": {"attributes": {"name": {"label": "Name"}}},
            "Shot": {
                "belongs_to": "show",
                "attributes": {
                    "name": {"label": "Name"},
                    "show": {"type": "reference", "target": "Show", "label": "Show"},
                },
            },
        }
    }
    with Session("memory:", schema=document) as session:
        session.create("Shot", {"name": "sh1", "show": session.create("Show", {"name": "sintel"})})
        session.commit()
        shots, shows = session.tables["Shot"], session.tables["Show"]
        grid = shots.datagrid([shots["Name"], shows["Name"], "Show", shots["Name"]])
        assert grid.columns == ("name", "Show: Name", "Show", "name (2)")
        assert grid[0] == {"name": "sh1", "Show: Name": "sintel", "Show": "sintel", "name (2)": "sh1"}
        assert shots.datagrid([shots["Name"], shows["Name"]]).columns == ("Shot: Name", "Show: Name")


def test_all_columns_that_have_one_value(company: Any) -> None:
    """Without any named: those of the table itself."""
    grid = company.tables["Content"].datagrid(max_rows=1)
    assert grid.columns == ("id", "Part of", "Content Name", "Kind", "Slot")


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        (["Contents"], {}, "is of type Array, which is no column"),
        ([], {}, "at least one column"),
        ("Cost", {}, r"a list, not the text 'Cost': write \['Cost'\]"),
        (["Channel"], {"max_rows": 0}, "`max_rows` is a whole number from 1"),
        (["Channel"], {"max_rows": True}, "`max_rows` is a whole number from 1"),
        (["Channel"], {"selection": "x"}, "a selection is needed, not 'x'"),
        ([3], {}, "a variable is needed, or its name, not 3"),
    ],
)
def test_a_wrong_grid_says_what_is_right(company: Any, columns: Any, options: dict[str, Any], message: str) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=message):
        company.tables["Communications"].datagrid(columns, **options)


def test_all_that_is_wrong_is_said_at_once(company: Any) -> None:
    """Each column with its reason."""
    with pytest.raises(UsageError) as caught:
        company.tables["People"].datagrid(["Surname", "Surnam", "Cost", "Bookings sold"])
    text = str(caught.value)
    assert "there is no variable `Surnam`; did you mean `Surname` or `peSurn`?" in text
    assert "`Bookings.boCost` (Cost) is no column of People: `People > bookings` leads to many" in text
    assert "`People.sold` (Bookings sold) is of type Array" in text


def test_frames_have_the_types_of_the_schema(company: Any, world: World) -> None:
    """Arrow, pandas and polars: dates are dates, numbers numbers, missing values missing."""
    import polars
    import pyarrow

    bookings = company.tables["Bookings"]
    grid = bookings.datagrid(COLUMNS, max_rows=50)
    expected = rows_of(world, sorted(world.rows["Bookings"])[:50])
    arrow = grid.to_arrow()
    assert arrow.schema.field("Cost").type == pyarrow.float64()
    assert arrow.schema.field("Booking Date").type == pyarrow.date32()
    assert arrow.to_pylist() == expected
    assert grid.to_polars().rows(named=True) == expected
    assert polars.DataFrame(grid).height == 50
    frame = grid.to_pandas()
    assert list(frame.columns) == COLUMNS
    assert frame["Cost"].isna().sum() == sum(row["Cost"] is None for row in expected)
    assert str(frame["Cost"].dtype) == "float64"
    empty = bookings.datagrid(COLUMNS, bookings["Cost"] < 0)
    assert empty.to_arrow().schema == arrow.schema
    assert len(empty) == 0


def test_a_grid_as_delimited_text(company: Any, tmp_path: Path) -> None:
    """With a head, dates as ISO 8601; in a file if there is a path."""
    grid = company.tables["Bookings"].datagrid(["Booking Reference", "Booking Date"], max_rows=3)
    path = tmp_path / "grid.csv"
    text = grid.to_csv(path)
    assert path.read_bytes().decode() == text
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["Booking Reference"] for row in rows] == grid["Booking Reference"]
    assert [date.fromisoformat(row["Booking Date"]) for row in rows if row["Booking Date"]] == [
        value for value in grid["Booking Date"] if value is not None
    ]
    with pytest.raises(StorageError, match="cannot be written"):
        grid.to_csv(tmp_path / "nowhere" / "grid.csv")


def test_a_grid_is_shown_as_a_table(company: Any) -> None:
    """In a notebook too, every text escaped."""
    grid = company.tables["People"].datagrid(["Surname", "Newsletter"], company.tables["People"]["Surname"] == "O'Neil")
    assert repr(grid).splitlines()[1].split() == ["Surname", "Newsletter"]
    assert "<td>O&#x27;Neil</td>" in grid._repr_html_()
