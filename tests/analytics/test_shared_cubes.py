"""Cubes are entities: a commit shares them, they have a history and are undone, and people edit different measures."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

import callsheet
from callsheet import AsyncSession, Session
from callsheet.errors import ConflictError, UnknownName, UsageError
from callsheet.model.cube import CubeFormula
from callsheet.server.service import Service
from callsheet.testing import session_on

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))

from databases import new_database

Opener = Callable[[], Session]
OLD = {
    "types": {
        "Job": {"attributes": {"name": {"required": True}, "cost": {"type": "number"}, "day": {"type": "date"}}},
    }
}


@pytest.fixture
def opened() -> Iterator[Opener]:
    """What opens further sessions on one database in memory."""
    with Service.open("memory:", "production", administrator=False) as service:
        yield lambda: session_on(service, "anna")


@pytest.fixture(params=["postgres", "http"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """The same on PostgreSQL, and over HTTP."""
    kind = {"http": "file"}.get(request.param, request.param)
    with new_database(kind, tmp_path) as url:
        if request.param == "http":
            with callsheet.serve("production", url, admin_key="a key of these tests") as server:
                options: Any = {"schema_cache": False, "plugin_paths": False}
                yield lambda: Session(server.url, api_key="a key of these tests", **options)
            return
        with Service.open(url, "production", administrator=False) as service:
            yield lambda: session_on(service, "anna")


def new_cube(session: Session) -> Any:
    cube = session.create_cube("Task", "Work", filter='name != "x"')
    cube.measures["Bid"] = "sum(bid) / 3600"
    cube.measures["Each"] = "[Bid] / [Tasks]"
    cube.measures["Each"].format = "0.0"
    cube.measures["Part"] = callsheet.measures.share(cube.measures["Bid"], cube.levels["Project"])
    cube.hierarchies["When"] = {"Year of work": "year(start_date)", "Name": "name"}
    cube.description, cube.folder = "Work as bid", "Planning"
    return cube


def test_a_commit_shares_a_cube(opened: Opener) -> None:
    """Others find the cube as it was made, with equal answers; names, formats and levels included."""
    check_shared(opened)


def test_a_commit_shares_a_cube_elsewhere(elsewhere: Opener) -> None:
    """On another engine, and over a wire."""
    check_shared(elsewhere)


def check_shared(opened: Opener) -> None:
    with opened() as mine, opened() as other:
        cube = new_cube(mine)
        assert "Work" not in other.cubes
        mine.commit()
        found = other.cubes["Work"]
        assert found.definition == cube.definition
        assert (found.description, found.folder, found.measures["Each"].text) == (
            "Work as bid",
            "Planning",
            "[Bid] / [Tasks]",
        )
        assert list(found.hierarchies["When"]) == ["Year of work", "Name"]
        project = other.create("Project", {"name": "sintel"})
        other.create("Task", {"name": "anim", "parent": project, "bid": 7200.0})
        other.commit()
        for each in (cube, found):
            assert each.query("Bid", "Each", "Part", levels=["Project"]).to_rows() == [
                {"Project": "sintel", "Bid": 2.0, "Each": 2.0, "Part": 1.0}
            ]


def test_two_people_edit_different_measures(opened: Opener) -> None:
    """Neither is in conflict; of the same measure the second one is."""
    with opened() as mine, opened() as other:
        new_cube(mine)
        mine.commit()
        here, there = mine.cubes["Work"], other.cubes["Work"]
        here.measures["Bid"] = "sum(bid) / 60"
        here.measures["Mine"] = "count"
        there.measures["Each"].format = "0.000"
        there.measures["Other"] = "count"
        del there.hierarchies["When"]
        mine.commit()
        other.commit()
        found = mine.cubes["Work"]
        assert found is here
        assert {"Mine", "Other"} < {*found.measures}
        assert (found.measures["Bid"].text, found.measures["Each"].format) == ("sum(bid) / 60", "0.000")
        assert "When" not in found.hierarchies
        here.measures["Bid"] = "sum(bid) / 2"
        there.measures["Bid"] = "sum(bid) / 3"
        mine.commit()
        with pytest.raises(ConflictError):
            other.commit()


def test_changes_are_ordinary_work(opened: Opener) -> None:
    """What is pending is seen, taken back, committed, in the history, and undone."""
    with opened() as session:
        cube = new_cube(session)
        session.commit()
        assert session.pending == ()
        cube.measures["Bid"].format = cube.measures["Bid"].format
        assert session.pending == ()
        cube.measures["Bid"] = "sum(bid)"
        (pending,) = session.pending
        assert (pending.identity.entity_type, pending.values) == ("CubeMeasure", {"definition": "sum(bid)"})
        session.rollback()
        assert cube.measures["Bid"].text == "sum(bid) / 3600"
        cube.measures["Bid"] = "sum(bid)"
        session.commit()
        position = session.commits(limit=None)[-1].position
        assert [each.kind for each in session.history(cube.entity["measures"][-3])] != []
        session.undo(position)
        session.commit()
        assert session.cubes["Work"].measures["Bid"].text == "sum(bid) / 3600"


def test_cubes_are_removed(opened: Opener) -> None:
    """With all that they are made of, for all; one that was never committed vanishes with a rollback."""
    with opened() as mine, opened() as other:
        new_cube(mine)
        mine.rollback()
        assert "Work" not in mine.cubes
        new_cube(mine)
        mine.commit()
        assert "Work" in other.cubes
        del mine.cubes["Work"]
        assert "Work" not in mine.cubes
        mine.commit()
        assert "Work" not in other.cubes
        assert other.query("CubeMeasure").count() == other.query("CubeHierarchy").count() == 0
        with pytest.raises(UnknownName):
            del mine.cubes["Work"]


def test_a_definition_replaces_a_cube(opened: Opener) -> None:
    """Only what differs is recorded."""
    with opened() as session:
        cube = new_cube(session)
        session.commit()
        session.cubes["Work"] = cube.definition
        # `Each` named other measures; as data it does not.
        assert [each.identity.entity_type for each in session.pending] == ["CubeMeasure", "CubeMeasure"]
        session.rollback()
        formulas = [CubeFormula("[Measures].[Twice]", "[Measures].[Bid] * 2", "0.0", 3)]
        changed = evolve(cube._raw, formulas=formulas, measures=cube._raw.measures[:2], where=None)
        session.cubes["Work"] = changed
        session.commit()
        assert session.cubes["Work"]._raw == changed


def test_cubes_of_one_session(opened: Opener) -> None:
    """With ``keep=False`` nothing is recorded; a cube that is not shared is listed for its owner only."""
    with opened() as session, opened() as other:
        session.create_cube("Task", "Mine", keep=False)
        assert session.pending == ()
        assert session.cubes["Mine"].entity is None
        assert session.cubes["Mine"].query("Tasks")[0]["Tasks"] == 0
        owner = session.create("User", {"username": "somebody"})
        cube = new_cube(session)
        cube.entity.update(is_shared=False, owner=owner)
        session.commit()
        assert "Work" not in other.cubes
        assert other.query("Cube").count() == 1


def test_what_cannot_be_read_is_named(opened: Opener) -> None:
    """A text that somebody wrote by hand breaks its cube with a clear error, and no other."""
    with opened() as session, opened() as other:
        cube = new_cube(session)
        session.create_cube("Shot", "Shots")
        measure = next(each for each in cube.entity["measures"] if each["name"] == "Bid")
        measure["definition"] = "sum(bid"
        session.commit()
        assert {*other.cubes} == {"Work", "Shots"}
        with pytest.raises(UsageError, match="the measure `Bid` of the cube `Work` cannot be read"):
            other.cubes["Work"].query()
        assert "cannot be read" in repr(other.cubes)
        assert len(other.cubes["Shots"].query("Shots")) == 1


def test_a_schema_without_the_types() -> None:
    """Cubes live in the session then."""
    with Session("memory:", schema=OLD) as session:
        session.create("Job", {"name": "a", "cost": 2.0})
        session.commit()
        cube = session.create_cube("Job")
        cube.measures["Twice"] = "[Sum(cost)] * 2"
        assert session.pending == ()
        assert session.cubes["Jobs"].query("Twice", levels="Day").to_rows() == [{"Day": None, "Twice": 4.0}]
        assert cube.entity is None


def test_the_past_has_its_cubes() -> None:
    """A session of the past reads the cubes of then; what is made there is the session's own."""
    with Session("memory:") as session:
        cube = new_cube(session)
        session.commit()
        position = session.commits(limit=None)[-1].position
        cube.measures["Bid"] = "count"
        session.commit()
        with session.at(position) as past:
            assert past.cubes["Work"].measures["Bid"].text == "sum(bid) / 3600"
            assert past.create_cube("Shot").entity is None


@pytest.mark.anyio
async def test_cubes_are_awaited() -> None:
    """What talks is awaited; edits are not."""
    async with AsyncSession("memory:") as session:
        project = session.create("Project", {"name": "sintel"})
        session.create("Task", {"name": "anim", "parent": project, "bid": 60.0})
        cube = session.create_cube("Task", "Work")
        cube.measures["Minutes"] = cube.measures["Sum(bid)"] / 60
        await session.commit()
        assert (await cube.query("Minutes", levels=["Project"]))[0] == {"Project": "sintel", "Minutes": 1.0}
        cubes = await session.cubes
        assert list(cubes) == ["Work"]
        assert cubes["Work"] is cube


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def test_one_request_finds_all_cubes() -> None:
    """With all that they are made of; a question is one more, whatever axes it has."""
    with Session("memory:") as session:
        new_cube(session)
        session.commit()
        session.statistics.reset()
        session.cubes["Work"].query("Bid", at=[0, None])
        assert session.statistics.by_verb == {"select": 1, "ask": 1}
