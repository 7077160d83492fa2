"""Tables, selections and grids of a session that is awaited: what talks is awaited, and gives the same numbers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from brute import Both, Compared, World, counts, selected
from holidays import HOLIDAYS, generated

from callsheet import AsyncSession, Selection, Session, StateError, Table
from callsheet.analytics.datagrids import AsyncDataGrid, DataGrid
from callsheet.analytics.quantified import AsyncQuantified, Quantified
from callsheet.analytics.selections import AsyncSelection
from callsheet.analytics.tables import AsyncTable
from callsheet.analytics.variables import AsyncVariable, Variable

WORLD = World(generated(150))


async def filled(session: Any) -> None:
    """The rows of a small company, committed."""
    for name, found in WORLD.rows.items():
        for key, row in found.items():
            given = {
                (f"{each}_id" if each in ("household", "person", "boAgen", "communication") else each): value
                for each, value in row.items()
            }
            session.create(name, {"id": key, **given})
    await session.commit()


def test_everything_that_talks_is_awaited() -> None:
    """The same answers as brute force, and as a session that blocks."""

    async def story() -> None:
        async with AsyncSession("memory:", schema=HOLIDAYS) as session:
            await filled(session)
            tables = session.tables
            assert len(tables) == 9
            assert {table.name: await table.total_records for table in tables} == {
                name: len(rows) for name, rows in WORLD.rows.items()
            }
            people, bookings = tables["People"], tables["Bookings"]
            chosen = people["Occupation"].is_in(["Sales", "Retired"]) & (bookings["Cost"] > 200)
            term = Both(
                "&",
                Compared("People", "peOccu", "is_in", ["Sales", "Retired"]),
                Compared("Bookings", "boCost", ">", 200.0),
            )
            expected = selected(WORLD, term)
            assert await chosen.count() == len(expected)
            assert await chosen.counts == counts(WORLD, "People", expected)
            assert sorted([entity["id"] async for entity in chosen]) == expected
            assert await bookings.any(bookings["Cost"] > 200).count() >= len(expected)
            costs = [row["boCost"] for row in WORLD.rows["Bookings"].values() if row["boCost"] is not None]
            assert (await bookings["Cost"].minimum, await bookings["Cost"].maximum) == (min(costs), max(costs))
            assert sum(code.count or 0 for code in await people["Occupation"].counts()) == len(WORLD.rows["People"])
            grid = await bookings.datagrid(["Cost", "Region"], max_rows=3)
            assert (len(grid), grid.truncated, grid.total) == (3, True, len(WORLD.rows["Bookings"]))
            assert [row["Cost"] async for row in grid.stream()] == [
                WORLD.rows["Bookings"][key]["boCost"] for key in sorted(WORLD.rows["Bookings"])
            ]
            assert session.selection(chosen.to_json()).select_statement == chosen.select_statement

    asyncio.run(story())


def test_an_unopened_session_says_that_it_is_not_open() -> None:
    """Its tables need the schema."""
    with pytest.raises(StateError, match="not open yet"):
        AsyncSession("memory:", schema=HOLIDAYS).tables  # noqa: B018


PAIRS = [
    (Table, AsyncTable),
    (Variable, AsyncVariable),
    (Selection, AsyncSelection),
    (Quantified, AsyncQuantified),
    (DataGrid, AsyncDataGrid),
]
ONLY = {"__iter__", "__aiter__"}


@pytest.mark.parametrize(("blocking", "awaiting"), PAIRS)
def test_both_kinds_have_the_same_names(blocking: type, awaiting: type) -> None:
    """But for iteration."""
    assert {name for name in dir(blocking) if not name.startswith("_")} == {
        name for name in dir(awaiting) if not name.startswith("_")
    }


def test_a_session_of_the_past_counts_the_past() -> None:
    """All tables by one request, there too."""
    with Session("memory:", schema=HOLIDAYS) as session:
        session.create("Households", {"id": "a"})
        first = session.commit()
        session.create("Households", {"id": "b"})
        session.commit()
        assert session.tables["Households"].total_records == 2
        with session.at(first.position) as past:
            assert past.tables["Households"].total_records == 1
            assert past.tables["Households"].everything.count() == 1
