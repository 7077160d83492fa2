"""A session's watch of a cube: in a blocking loop, an awaited one and by a callback; it ends when it should."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from callsheet import AsyncSession, Session, UsageError
from callsheet.analytics.cube_watching import CubeChange
from callsheet.errors import Closed, Invalid
from callsheet.server.process import serve

PATIENCE = 30.0


EVERYWHERE = pytest.mark.parametrize("session", ["memory", "file", "server"], indirect=True)


@pytest.fixture
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    """A session with a server in its process, on a file, and elsewhere; it has a project with a shot."""
    kind = getattr(request, "param", "memory")
    if kind == "server":
        with serve("production") as server, Session(server.url, "admin", server.admin_key) as opened:
            yield filled(opened)
        return
    where = "memory:" if kind == "memory" else f"sqlite:///{(tmp_path / 'show.db').as_posix()}"
    with Session(where) as opened:
        yield filled(opened)


def filled(session: Session) -> Session:
    project = session.create("Project", {"name": "sintel"})
    session.create("Shot", {"name": "sh1", "parent": project})
    session.commit()
    return session


def tasks(session: Session) -> Any:
    return session.create_cube("Task", "Work", keep=False)


def add(session: Any, name: str, bid: float = 1.0) -> int:
    """Commit one more task; gives the position."""
    session.create("Task", {"name": name, "parent": session.query("Shot").first(), "bid": bid})
    return int(session.commit().position)


@EVERYWHERE
def test_a_loop_gets_the_answer_and_what_changes(session: Session) -> None:
    """Frames are those of `query`; cells say which rows are new, different or gone, and where."""
    cube, count = tasks(session), 0
    with cube.watch("Tasks", "Sum(bid)", levels=["Task"], filter="bid < 9") as changes:
        for change in changes:
            frame = cube.query("Tasks", "Sum(bid)", levels=["Task"], filter="bid < 9")
            assert change.frame.to_rows() == frame.to_rows()
            assert change.position == frame.position
            kinds = [(cell.kind, cell.levels["Task"], cell.earlier_place, cell.place) for cell in change.cells]
            if count == 0:
                assert (change.first, kinds, change.before) == (True, [], None)
                before = add(session, "anim")
            elif count == 1:
                assert kinds == [("added", "anim", None, 0)]
                session.query('Task where name is "anim"').one()["bid"] = 2.0
                session.commit()
            elif count == 2:
                assert (kinds, change.before) == ([("changed", "anim", 0, 0)], before)
                assert change.cells[0].before == {"Tasks": 1, "Sum(bid)": 1.0}
                assert change.cells[0].after == {"Tasks": 1, "Sum(bid)": 2.0}
                session.undo(session.commits()[-1])
                session.query('Task where name is "anim"').one()["bid"] = 9.0
                session.commit()
            else:
                # The undo may have come as a change of its own.
                if kinds and kinds[0][0] == "changed":
                    continue
                assert kinds == [("removed", "anim", 0, None)]
                break
            count += 1
    assert changes.closed
    assert changes.next() is None


@EVERYWHERE
def test_a_watch_continues_from_a_change_or_a_position(session: Session) -> None:
    """The first change is what differs from there; without a difference, it waits."""
    cube = tasks(session)
    with cube.watch("Tasks") as changes:
        first = changes.next(PATIENCE)
    assert first is not None
    assert first.frame.to_rows() == [{"Tasks": 0}]
    add(session, "anim")
    for since in (first, first.position, first.frame):
        with cube.watch("Tasks", since=since) as changes:
            change = changes.next(PATIENCE)
            assert change is not None
            assert (change.before, change.first, len(change.cells)) == (first.position, False, 1)
            assert (change.cells[0].before, change.cells[0].after) == ({"Tasks": 0}, {"Tasks": 1})
    with cube.watch("Tasks", since=change) as changes:
        position = add(session, "light")
        later = changes.next(PATIENCE)
        assert later is not None
        assert (later.before, later.position, later.frame.to_rows()) == (change.position, position, [{"Tasks": 2}])


def test_a_slow_loop_gets_one_change(session: Session) -> None:
    """It leads from the frame that was had last to the newest."""
    cube = tasks(session)
    with cube.watch("Tasks") as changes:
        first = changes.next(PATIENCE)
        positions = [add(session, f"task{number}") for number in range(4)]
        seen = first
        while seen is None or seen.position < positions[-1]:
            last, seen = seen, changes.next(PATIENCE)
            assert seen is not None
            assert last is not None
            assert seen.before == last.position
        assert seen.frame.to_rows() == [{"Tasks": 4}]


def test_a_callback_is_called_with_each_change(session: Session) -> None:
    """In a thread of its own; one that fails is called again."""
    cube, seen = tasks(session), Queue[tuple[CubeChange, str]]()

    def note(change: CubeChange) -> None:
        seen.put((change, threading.current_thread().name))
        if change.first:
            raise ValueError("not now")

    watch = cube.watch("Tasks", callback=note)
    change, thread = seen.get(timeout=PATIENCE)
    assert change.first
    assert thread == "callsheet-watch"
    add(session, "anim")
    change, _ = seen.get(timeout=PATIENCE)
    assert change.frame.to_rows() == [{"Tasks": 1}]
    watch.close()
    with pytest.raises(UsageError, match="`callback` is a function"):
        cube.watch("Tasks", callback="note")


def test_a_watch_ends_with_its_session(session: Session) -> None:
    """The loop ends, and the session makes no other watch."""
    cube = tasks(session)
    watch = cube.watch("Tasks")
    assert watch.next(PATIENCE) is not None
    ended = threading.Thread(target=lambda: [None for _ in watch], daemon=True)
    ended.start()
    session.close()
    ended.join(PATIENCE)
    assert watch.closed
    assert not ended.is_alive()
    with pytest.raises(Closed):
        cube.watch("Tasks")


@EVERYWHERE
def test_what_is_wrong_is_said_at_once_or_by_the_loop(session: Session) -> None:
    """What the schema shows at the call; what only the server knows when it is waited for."""
    cube = tasks(session)
    with pytest.raises(UsageError, match="there is no level"):
        cube.watch("Tasks", levels=["Statsu"])
    with pytest.raises(UsageError, match="`since` takes a change"):
        cube.watch("Tasks", since="monday")
    with cube.watch("Tasks") as changes:
        first = changes.next(PATIENCE)
    with pytest.raises(UsageError, match="another question"):
        cube.watch("Tasks", levels=["Task"], since=first)
    with cube.watch("Tasks", since=10_000) as changes, pytest.raises(Invalid, match="10000"):
        changes.next(PATIENCE)
    with session.at(1) as past, pytest.raises(Invalid, match="of the present"):
        past.create_cube("Task", "Work", keep=False).watch("Tasks").next(PATIENCE)


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_an_awaited_loop_gets_the_same(anyio_backend: str) -> None:
    """Under asyncio and trio; the loop ends when the watch is closed."""
    async with AsyncSession("memory:") as session:
        project = session.create("Project", {"name": "sintel"})
        shot = session.create("Shot", {"name": "sh1", "parent": project})
        await session.commit()
        cube, seen = session.create_cube("Task", "Work", keep=False), []
        async with cube.watch("Tasks") as changes:
            async for change in changes:
                seen.append([row["Tasks"] for row in change.frame])
                if len(seen) == 3:
                    await changes.close()
                else:
                    session.create("Task", {"name": f"task{len(seen)}", "parent": shot})
                    await session.commit()
        assert seen == [[0], [1], [2]]
        assert await changes.next(0.01) is None


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_awaited_callback_may_be_async(anyio_backend: str) -> None:
    """It is called in a task, which ends with the watch."""
    import anyio

    async with AsyncSession("memory:") as session:
        cube, called = session.create_cube("Task", "Work", keep=False), anyio.Event()

        async def note(change: CubeChange) -> None:
            called.set()

        watch = cube.watch("Tasks", callback=note)
        with anyio.fail_after(PATIENCE):
            await called.wait()
        await watch.close()
        assert watch.closed
