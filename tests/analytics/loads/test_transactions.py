"""A transaction over tables, cubes and entities is one commit: all of it, or nothing, also when the reply is lost."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

import callsheet
from callsheet import AsyncSession, Session
from callsheet.core.opening import open_
from callsheet.errors import CallsheetError, CommitError, StateError
from callsheet.measures import parameter

sys.path.insert(0, str(Path(__file__).parents[2] / "server"))

from databases import new_database

pytest.importorskip("pyarrow")


@pytest.fixture(params=["memory", "postgres", "http"])
def sessions(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Session, Session]]:
    """Two sessions on one server."""
    kind = {"http": "file", "memory": "file"}.get(request.param, request.param)
    with new_database(kind, tmp_path) as url:
        if request.param == "http":
            with callsheet.serve("production", url, admin_key="a key of these tests") as server:
                options: Any = {"schema_cache": False, "plugin_paths": False}
                with (
                    Session(server.url, api_key="a key of these tests", **options) as one,
                    Session(server.url, api_key="a key of these tests", **options) as two,
                ):
                    yield one, two
            return
        from callsheet.server.service import Service
        from callsheet.testing import session_on

        with (
            Service.open(url, "production", administrator=False) as service,
            session_on(service, "anna") as one,
            session_on(service, "bert") as two,
        ):
            yield one, two


def fill(session: Session) -> Any:
    """A table with a row, a cube of tasks, and a project."""
    rates = session.create_table("Day rates", {"name": "text", "rate": "number"}, keys=["name"])
    rates += ("anna", 40.0)
    session.create("Project", {"name": "sintel"})
    session.create_cube("Task", "Work")
    session.commit()
    return rates


def state(session: Session) -> Any:
    """What another session reads: the rows, the measures of the cube, and the projects."""
    session.run(open_(session))
    table = session.tables["Day rates"]
    rows = {row["name"]: row["rate"] for row in table.query().to_rows()}
    names = sorted(each["name"] for each in session.query("select name from Project"))
    return rows, "Twice" in session.cubes["Work"].measures, names, "Extra" in [each.name for each in session.tables]


@contextmanager
def failing(session: Session, kind: type[Exception], match: str = "") -> Iterator[None]:
    """A transaction that ends with an error."""
    with pytest.raises(kind, match=match), session.start_transaction():
        yield


def change(session: Session) -> None:
    """A bit of everything."""
    session.tables["Day rates"].append(("bert", 50.0))
    extra = session.create_table("Extra", {"n": "integer"})
    extra.load([{"n": 1}])
    session.cubes["Work"].measures["Twice"] = "2 * count"
    session.create("Project", {"name": "elephant"})


BEFORE = ({"anna": 40.0}, False, ["sintel"], False)
AFTER = ({"anna": 40.0, "bert": 50.0}, True, ["elephant", "sintel"], True)


def test_everything_is_there_at_once(sessions: Any) -> None:
    """Another session reads the old state until the end, and then all of it, at one position of the log."""
    one, two = sessions
    fill(one)
    assert state(two) == BEFORE
    with one.start_transaction():
        change(one)
        with one.start_transaction():
            one.create("Project", {"name": "inner"})
        assert state(two) == BEFORE
    rows, measured, names, extra = state(two)
    assert (rows, measured, extra) == (AFTER[0], True, True)
    assert names == ["elephant", "inner", "sintel"]
    assert one.pending == ()
    assert one.tables["Extra"].row_count == 1


@pytest.mark.parametrize("late", [False, True])
def test_nothing_is_there_if_it_fails(sessions: Any, late: bool) -> None:
    """In the block, or on the server: neither rows nor measures nor entities, and nothing stays recorded."""
    one, two = sessions
    fill(one)
    with failing(one, CommitError if late else ZeroDivisionError):
        change(one)
        if late:
            one.create("Project", {"name": "sintel"})
        else:
            _ = 1 / 0
    assert state(two) == BEFORE
    assert one.pending == ()
    assert "Twice" not in one.cubes["Work"].measures
    with one.start_transaction():
        change(one)
    assert state(two) == AFTER


def test_a_step_that_fails_takes_the_entities_with_it(sessions: Any) -> None:
    """A table that is gone meanwhile."""
    one, two = sessions
    fill(one)
    with failing(one, CallsheetError, "no table `Day_rates`; nothing of the transaction remains"):
        one.create("Project", {"name": "elephant"})
        one.tables["Day rates"].append(("bert", 50.0))
        one.run(_dropped(one))
    assert [each["name"] for each in two.query("select name from Project")] == ["sintel"]
    assert one.pending == ()


def _dropped(session: Session) -> Any:
    """Take the table away by another change, while the transaction is open."""
    from callsheet.analytics.loads.sending import change as send
    from callsheet.model.table_steps import RemoveTable

    yield from send(session, [RemoveTable("Day rates")])


def test_what_was_pending_before_is_left_alone_or_goes_along(sessions: Any) -> None:
    """A block that records nothing leaves it; one that records commits all that is pending; a failure keeps it."""
    one, two = sessions
    fill(one)
    one.create("Project", {"name": "early"})
    with one.start_transaction():
        one.tables["Day rates"].append(("bert", 50.0))
    assert len(one.pending) == 1
    with failing(one, ZeroDivisionError):
        one.create("Project", {"name": "late"})
        _ = 1 / 0
    assert [each.values["name"] for each in one.pending] == ["early"]
    with failing(one, StateError, "savepoint|block"):
        one.commit()
    with one.start_transaction():
        one.create("Project", {"name": "late"})
    assert one.pending == ()
    assert state(two)[2] == ["early", "late", "sintel"]


def test_a_lost_reply_does_it_once(sessions: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commit is in doubt with its steps; the next one sends the very same again."""
    one, two = sessions
    fill(one)
    dialect = one._dialect
    sent = dialect.commit

    def lost(changes: Any) -> Any:
        yield from sent(changes)
        raise callsheet.errors.TransportError("the line is cut")

    monkeypatch.setattr(dialect, "commit", lost)
    with failing(one, CommitError, "in doubt|no answer"):
        change(one)
    monkeypatch.setattr(dialect, "commit", sent)
    assert state(two) == AFTER
    one.commit()
    assert state(two) == AFTER
    assert one.tables["Extra"].row_count == 1


def test_a_parameter_table_may_be_part_of_it(sessions: Any) -> None:
    """And a scenario cannot: tables are written outside of it."""
    one, two = sessions
    fill(one)
    with one.start_transaction():
        one.create_parameter_table("Rates", "Task", {"Name": "name"}, [({}, 2.0)])
        one.cubes["Work"].measures["Cost"] = one.cubes["Work"].measures["Tasks"] * parameter("Rates")
        with pytest.raises(StateError, match="nested"):
            one.start_transaction(allow_nested=False)
    assert two.parameters["Rates"].value() == 2.0
    one.create_scenario("what if")
    with one.scenario("what if") as plan, failing(plan, CallsheetError, "scenario"):
        plan.tables["Day rates"].append(("bert", 1.0))
        plan.create("Project", {"name": "x"})


def test_a_session_that_awaits_has_the_same() -> None:
    """`async with`; a failure takes back what was recorded."""

    async def story() -> None:
        async with AsyncSession("memory:") as session:
            table = await session.create_table("T", {"n": "integer"})
            with suppress(ZeroDivisionError):
                async with session.start_transaction():
                    session.create("Project", {"name": "a"})
                    _ = 1 / 0
            assert session.pending == ()
            async with session.start_transaction():
                session.create("Project", {"name": "a"})
                await session.tables["T"].append((1,))
            assert session.pending == ()
            assert await session.tables["T"].row_count == 1
            del table

    asyncio.run(story())
