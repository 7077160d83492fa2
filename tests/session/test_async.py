"""`AsyncSession` under asyncio and under trio: the verbs are awaited, and nothing is fetched behind one's back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from anyio import to_thread

from callsheet import AsyncSession, CommitError, StateError
from callsheet.errors import Closed, MultipleResults, NoResult, NotLoaded
from callsheet.flow import Work
from callsheet.session.connection import over

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def session(callsheet_service: Any) -> AsyncIterator[AsyncSession]:
    """A session on a server that holds a project with three shots."""
    async with AsyncSession(connection=over(callsheet_service.backend("admin"))) as origin:
        project = origin.create("Project", {"name": "sintel"})
        for number in (1, 2, 3):
            origin.create("Shot", {"name": f"sh{number}", "parent": project, "fstart": 1000 + number})
        await origin.commit()
        fork = origin.fork()
        yield fork
        await fork.close()


async def test_reading_what_is_not_loaded_names_the_cure(session: AsyncSession) -> None:
    """The error's text is what to await; done, the value is there, for one or for many."""
    shots = await session.query("select name from Shot order by name").all()
    with pytest.raises(NotLoaded, match=r"await session\.populate\(entity, 'fstart'\)"):
        shots[0]["fstart"]
    with pytest.raises(NotLoaded, match="'parent'"):
        shots[0].parent  # noqa: B018
    await session.populate(shots, "fstart, parent.name, parent.children.name")
    session.statistics.reset()
    assert [shot["fstart"] for shot in shots] == [1001, 1002, 1003]
    assert {shot["parent"]["name"] for shot in shots} == {"sintel"}
    assert [child["name"] for child in shots[0]["parent"]["children"]] == ["sh1", "sh2", "sh3"]
    assert session.statistics.requests == 0


async def test_a_collection_that_is_not_loaded_names_the_cure(session: AsyncSession) -> None:
    """Adding to it needs no load; reading it does."""
    project = await session.query("Project").one()
    with pytest.raises(NotLoaded, match="'children'"):
        len(project["children"])
    project["children"].append(session.create("Shot", {"name": "sh4"}))
    await session.commit()
    await session.populate(project, "children.name")
    assert [shot["name"] for shot in project["children"]] == ["sh1", "sh2", "sh3", "sh4"]


async def test_results_stream(session: AsyncSession) -> None:
    """``async for`` takes page by page; the other questions are awaited."""
    query = session.query("Shot order by name", page_size=2)
    assert [shot["name"] async for shot in query] == ["sh1", "sh2", "sh3"]
    assert session.statistics.by_verb["select"] == 2
    assert [record["name"] async for record in session.query("select name from Shot order by name").records()] == [
        "sh1",
        "sh2",
        "sh3",
    ]
    assert (await query.count(), await query.exists()) == (3, True)
    assert [shot["name"] for shot in await query.slice(1, 3)] == ["sh2", "sh3"]
    assert (await query.first())["name"] == "sh1"
    assert await session.query("Shot where name is none_such").first() is None
    with pytest.raises(NoResult):
        await session.query("Shot where name is none_such").one()
    with pytest.raises(MultipleResults):
        await query.one()
    assert await query.aggregate("sum(fstart)") == [{"sum(fstart)": 3006}]


async def test_a_commit_is_awaited(session: AsyncSession) -> None:
    """What was created can be read at once; what the server computes is populated."""
    project = await session.query("Project").one()
    shot = session.create("Shot", {"name": "sh9", "parent": project})
    result = await session.commit()
    assert result is not None
    assert list(result.versions) == [1]
    assert shot["name"] == "sh9"
    await session.populate(shot, "created_at")
    assert shot["created_at"].tzinfo is not None
    assert await session.commit() is None
    assert await session.get("Shot", shot.id) is shot


async def test_a_refused_commit_leaves_everything_pending(session: AsyncSession) -> None:
    """As in the blocking session."""
    shot = session.create("Shot", {"name": "orphan"})
    with pytest.raises(CommitError, match="parent"):
        await session.commit()
    assert session.created == [shot]
    shot["parent"] = await session.query("Project").one()
    await session.commit()
    assert shot.state == "clean"


async def test_two_tasks_cannot_talk_at_once(session: AsyncSession) -> None:
    """The second is refused, and the first is not disturbed."""
    entered, leave = anyio.Event(), anyio.Event()

    def slow() -> Any:
        yield Work(lambda: to_loop(entered))
        return "done"

    def to_loop(event: anyio.Event) -> None:
        anyio.from_thread.run_sync(event.set)
        anyio.from_thread.run(leave.wait)

    answers = []

    async def first() -> None:
        answers.append(await session.run(slow()))

    async with anyio.create_task_group() as group:
        group.start_soon(first)
        await entered.wait()
        with pytest.raises(StateError, match="running another request"):
            await session.commit()
        leave.set()
    assert answers == ["done"]
    assert await session.query("Shot").count() == 3


async def test_another_thread_is_refused(session: AsyncSession) -> None:
    """A session belongs to the thread that uses it first; `fork` gives another one its own."""
    await session.query("Tag").count()
    with pytest.raises(StateError, match="another thread"):
        await to_thread.run_sync(lambda: session.create("Tag", {"name": "x"}))


async def test_a_cancelled_commit_is_not_settled(session: AsyncSession) -> None:
    """Nothing local has changed; committing again sends the same, which is done once."""
    session.create("Tag", {"name": "night"})
    with anyio.CancelScope() as scope:
        scope.cancel()
        await session.commit()
    assert len(session.pending) == 1
    await session.commit()
    assert session.pending == ()
    assert await session.query("Tag").count() == 1


async def test_an_unopened_session_says_how_to_open_it(callsheet_service: Any) -> None:
    """Recording needs the schema; every awaited verb fetches it."""
    session = AsyncSession(connection=over(callsheet_service.backend("admin")))
    with pytest.raises(StateError, match=r"await session\.open\(\)"):
        session.create("Tag", {"name": "x"})
    await session.open()
    session.create("Tag", {"name": "x"})
    await session.close()
    with pytest.raises(Closed):
        await session.commit()
