"""A shot's status follows its tasks, by the code that `callsheet listen` runs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callsheet.server.service import Service
from callsheet.testing.events import FakeEvents

PLUGIN = Path(__file__).parents[2] / "plugins" / "status_rollup.py"


@pytest.fixture
def callsheet_service() -> Iterator[Service]:
    """A server with the standard statuses."""
    with Service.open("memory:", seed=True) as service:
        yield service


@pytest.fixture
def shot(callsheet_session: Any, fake_events: FakeEvents) -> Any:
    """A shot with two tasks that have not begun."""
    project = callsheet_session.create("Project", {"name": "p"})
    start = status(callsheet_session, "Not started")
    made = callsheet_session.create("Shot", {"name": "010", "parent": project, "status": start})
    for name in ("layout", "animation"):
        callsheet_session.create("Task", {"name": name, "parent": made, "status": start})
    callsheet_session.commit()
    fake_events.load(PLUGIN)
    return made


def status(session: Any, name: str) -> Any:
    return session.query("Status").where(name=name).one()


def after(session: Any, fake: FakeEvents, shot: Any, **statuses: str) -> str:
    """The shot's status after its tasks got theirs."""
    for name, wanted in statuses.items():
        task = session.query("Task").where(name=name, parent=shot).one()
        task["status"] = status(session, wanted)
    session.commit()
    fake.run()
    session.refresh(shot)
    return str(shot["status"]["name"])


def test_a_shot_is_under_way_when_a_task_is(shot: Any, callsheet_session: Any, fake_events: FakeEvents) -> None:
    """One is enough; and again when only some are done."""
    assert after(callsheet_session, fake_events, shot, layout="In progress") == "In progress"
    assert after(callsheet_session, fake_events, shot, layout="Approved") == "In progress"


def test_a_shot_is_done_when_all_tasks_are(shot: Any, callsheet_session: Any, fake_events: FakeEvents) -> None:
    """The first status that means done; omitted tasks do not count."""
    assert after(callsheet_session, fake_events, shot, layout="Done", animation="Omitted") == "Approved"
    assert after(callsheet_session, fake_events, shot, animation="Not started") == "In progress"


def test_what_says_more_of_the_same_stays(shot: Any, callsheet_session: Any, fake_events: FakeEvents) -> None:
    """A shot in review is under way already."""
    shot["status"] = status(callsheet_session, "Pending review")
    callsheet_session.commit()
    assert after(callsheet_session, fake_events, shot, layout="In progress") == "Pending review"


def test_a_decision_stands(shot: Any, callsheet_session: Any, fake_events: FakeEvents) -> None:
    """An omitted shot stays omitted whatever its tasks do."""
    shot["status"] = status(callsheet_session, "Omitted")
    callsheet_session.commit()
    assert after(callsheet_session, fake_events, shot, layout="In progress") == "Omitted"


def test_moving_a_task_updates_both_shots(shot: Any, callsheet_session: Any, fake_events: FakeEvents) -> None:
    """The shot it left and the shot it joined."""
    other = callsheet_session.create("Shot", {"name": "020", "parent": shot["parent"], "status": shot["status"]})
    callsheet_session.commit()
    task = callsheet_session.query("Task").where(name="layout", parent=shot).one()
    assert after(callsheet_session, fake_events, shot, layout="In progress") == "In progress"
    task["parent"] = other
    callsheet_session.commit()
    fake_events.run()
    callsheet_session.refresh([shot, other])
    assert (shot["status"]["name"], other["status"]["name"]) == ("Not started", "In progress")


def test_deleting_the_last_open_task_finishes_the_shot(
    shot: Any, callsheet_session: Any, fake_events: FakeEvents
) -> None:
    """What is left is all done."""
    after(callsheet_session, fake_events, shot, layout="Done")
    callsheet_session.delete(callsheet_session.query("Task").where(name="animation").one())
    assert after(callsheet_session, fake_events, shot) == "Approved"
