"""Why a number of a cube changed: by which commits, of whom, and how much; in this process and over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from test_drill import DOCUMENT, filled

from callsheet import AsyncSession, Session
from callsheet.errors import CallsheetError, Invalid, UsageError
from callsheet.model.operation import handler_origin
from callsheet.server.process import serve


@pytest.fixture(params=["memory", "http"])
def show(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    if request.param == "memory":
        with Session("memory:", schema=DOCUMENT) as session:
            yield filled(session)
        return
    with (
        serve(DOCUMENT, f"sqlite:///{tmp_path / 'jobs.db'}") as server,
        Session(server.url, api_user="admin", api_key=server.admin_key) as session,
    ):
        yield filled(session)


def changed(session: Session) -> int:
    """Three commits after the first one; gives the position before them."""
    begun = session.commits()[-1].position
    lay = session.query("Job where name is lay").one()
    entry = session.query("Entry where hours is 2").one()
    entry["hours"] = 2.5
    session.commit()
    session.create("Entry", {"hours": 10.0, "job": lay})
    session.origin = handler_origin("roll-up")
    session.commit()
    session.origin = ""
    lay["bid"] = 11.0
    session.commit()
    return begun


def test_commits_are_ranked_by_how_much_they_moved_a_number(show: Session) -> None:
    """With who made them and which handler; the effects add up; what changed nothing is not among them."""
    begun = changed(show)
    cube = show.tables["Entry"].cube("Job", {"Hours": "sum(Hours)", "Median": "median(Hours)"}, totals=True)
    found = cube.why({"Job": "lay"}, since=begun)
    assert found.additive
    assert (found.before, found.after, found.difference) == (5.0, 15.5, 10.5)
    assert [(cause.effect, cause.handler, cause.user) for cause in found] == [
        (10.0, "roll-up", found.causes[0].user),
        (0.5, "", found.causes[0].user),
    ]
    assert [len(cause.entities) for cause in found] == [1, 1]
    assert len(cube.why({"Job": "comp"}, since=begun)) == 0
    median = cube.why(-1, since=begun, measure="Median")
    assert not median.additive
    assert [cause.before for cause in median.in_order] == [2.5, 2.75]
    assert len(cube.why(-1, since=datetime(2000, 1, 1, tzinfo=UTC))) == 3
    assert cube.why(-1, since=begun, until=begun + 1).difference == 0.5


def test_a_change_of_what_facts_refer_to_counts(show: Session) -> None:
    """A job that is renamed takes its entries to another cell."""
    begun = show.commits()[-1].position
    cube = show.tables["Entry"].cube("Job", {"Hours": "sum(Hours)"})
    job = show.query("Job where name is lay").one()
    job["name"] = "comp"
    show.commit()
    (cause,) = cube.why({"Job": "comp"}, since=begun)
    assert (cause.before, cause.after) == (5.0, 10.0)
    assert cause.entities == (job.identity,)
    (cause,) = cube.why({"Job": "lay"}, since=begun)
    assert (cause.before, cause.after) == (5.0, 0)


def test_positions_that_are_none_are_refused(show: Session) -> None:
    """The error says which there are."""
    cube = show.tables["Entry"].cube("Job", {"Hours": "sum(Hours)"})
    with pytest.raises(Invalid, match="`since` is a position from 0 to"):
        cube.why(0, since=10_000)
    with pytest.raises(CallsheetError):
        cube.why(0, since="monday")


def test_cells_that_differ_are_named_with_both_values(show: Session) -> None:
    """Of a live cube, between two positions, the largest difference first."""
    begun = changed(show)
    cube = show.create_cube("Entry", "Work", mode="manual")
    cube.hierarchies["Job"] = ["job.name"]
    cube.measures["Hours"] = "sum(hours)"
    level = next(iter(cube.levels))
    frame = cube.explain_changes(begun, None, "Hours", levels=[level])
    assert [(row["Measure"], row["Before"], row["After"], row["Difference"]) for row in frame] == [
        ("Hours", 5.0, 15.5, 10.5)
    ]
    assert len(cube.explain_changes(begun, begun, "Hours", levels=[level])) == 0
    frame = cube.query("Hours", levels=[level])
    assert len(cube.drill(frame[-1]).all()) == len(frame.drill(-1).all()) > 0
    moved = [cause.effect for row in frame.to_rows() for cause in frame.why(row, since=begun)]
    assert moved == [cause.effect for place in range(len(frame)) for cause in cube.why(frame[place], since=begun)]
    assert sum(moved) == 10.5
    then = datetime.now(UTC)
    assert len(cube.explain_changes(then, None, "Hours", levels=[level])) == 0
    with pytest.raises(UsageError, match=r"this takes a row of an answer of Work, such as `frame\[3\]`"):
        cube.why({"Job": "lay"}, since=begun)


def test_it_is_awaited_where_the_session_is() -> None:
    """The same answer from an `AsyncSession`."""

    async def story() -> Any:
        async with AsyncSession("memory:", schema=DOCUMENT) as session:
            session.create("Entry", {"hours": 2.0})
            await session.commit()
            cube = await session.tables["Entry"].cube((), {"Hours": "sum(Hours)"})
            return await cube.why(0, since=0)

    assert [cause.effect for cause in asyncio.run(story())] == [2.0]
