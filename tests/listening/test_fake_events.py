"""`fake_events`: handlers in tests, by the code that runs them in production."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

import callsheet
from callsheet.errors import QueryError, UsageError
from callsheet.model.event import Event, event_to_plain
from callsheet.model.values import pack
from callsheet.testing.events import FakeEvents, HandlerFailed


@callsheet.handler("topic=callsheet.update and entity.type=Shot and changes.description", name="describe")
def describe(event: Any, session: Any) -> None:
    shot = session.get("Shot", event.entity["id"])
    if event.changes["description"]["new"] == "bad":
        raise ValueError("no such luck")
    shot["metadata"]["said"] = event.changes["description"]["new"]


@pytest.fixture
def shot(callsheet_session: Any) -> Any:
    project = callsheet_session.create("Project", {"name": "sintel"})
    made = callsheet_session.create("Shot", {"name": "010", "parent": project})
    callsheet_session.commit()
    return made


def said(session: Any, shot: Any) -> Any:
    with session.fork() as fork:
        return dict(fork.get("Shot", shot.id)["metadata"]).get("said")


def test_a_made_up_event_runs_the_handler(fake_events: FakeEvents, callsheet_session: Any, shot: Any) -> None:
    """Its changes are committed."""
    assert fake_events.add(describe) == ["describe"]
    (outcome,) = fake_events.emit("callsheet.update", entity=shot, changes={"description": ("", "wide")})
    assert (outcome.kind, outcome.operations) == ("handled", 1)
    assert said(callsheet_session, shot) == "wide"


def test_an_event_for_nobody_does_nothing(fake_events: FakeEvents, shot: Any) -> None:
    """Expressions are asked as on the server."""
    fake_events.add(describe)
    assert fake_events.emit("callsheet.update", entity=shot, changes={"name": "020"}) == []
    assert fake_events.emit("studio.other", entity=shot, changes={"description": "x"}) == []


def test_what_could_never_happen_is_refused(fake_events: FakeEvents, shot: Any) -> None:
    """A handler's expression and a made-up event are held against the topics and the schema."""

    @callsheet.handler("topic=callsheet.update and entity.type=Shto", name="shto")
    def shto(event: Any, session: Any) -> None: ...

    with pytest.raises(QueryError, match="there is no entity type `Shto`; did you mean `Shot`"):
        fake_events.add(shto)
    with pytest.raises(UsageError, match="Shot has no attribute `descripton` that changes; did you mean `description`"):
        fake_events.emit("callsheet.update", entity=shot, changes={"descripton": "x"})
    with pytest.raises(UsageError, match="there is no entity type `Shto`"):
        fake_events.emit("callsheet.update", entity={"type": "Shto", "id": "1"})
    with pytest.raises(UsageError, match=r"there is no topic `callsheet\.updates`"):
        fake_events.emit("callsheet.updates", entity=shot)


def test_what_happens_can_be_handled_too(fake_events: FakeEvents, callsheet_session: Any, shot: Any) -> None:
    """Events of real commits, and of what handlers themselves write."""
    fake_events.add(describe)
    shot["description"] = "close"
    callsheet_session.commit()
    assert [each.kind for each in fake_events.run()] == ["handled"]
    assert said(callsheet_session, shot) == "close"


def test_a_failure_is_raised_with_its_traceback(fake_events: FakeEvents, shot: Any) -> None:
    """Or told, where the test wants it so."""
    fake_events.add(describe)
    with pytest.raises(HandlerFailed, match='raise ValueError\\("no such luck"\\)'):
        fake_events.emit("callsheet.update", entity=shot, changes={"description": "bad"})
    outcomes = fake_events.emit("callsheet.update", entity=shot, changes={"description": "bad"}, check=False)
    assert outcomes[-1].error == "ValueError: no such luck"


def test_a_plugin_file_is_used_as_it_is(fake_events: FakeEvents, shot: Any, tmp_path: Path) -> None:
    """The one that listeners run."""
    path = tmp_path / "plugin.py"
    path.write_text(
        dedent(
            """
            import callsheet
            @callsheet.handler("topic=studio.done", name="from-file")
            def run(event, session):
                assert event.data["take"] == 3
            """
        )
    )
    assert fake_events.load(path) == ["from-file"]
    assert [each.kind for each in fake_events.emit("studio.done", data={"take": 3})] == ["handled"]
    (tmp_path / "other.py").write_text("x = 1\n")
    with pytest.raises(UsageError, match="marks no function"):
        fake_events.load(tmp_path / "other.py")


def test_recorded_events_are_replayed(
    fake_events: FakeEvents, callsheet_session: Any, shot: Any, tmp_path: Path
) -> None:
    """One JSON object a line, as `callsheet events list --json` prints them."""
    fake_events.add(describe)
    event = Event(
        "callsheet.update",
        {"entity": {"type": "Shot", "id": shot.id, "types": ["Shot"]}, "changes": {"description": {"new": "kept"}}},
    )
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(pack(event_to_plain(event))) + "\n\n")
    assert [each.kind for each in fake_events.replay(path)] == ["handled"]
    assert said(callsheet_session, shot) == "kept"


def test_a_handler_cannot_interrupt_a_test_and_a_person_can(fake_events: FakeEvents, interruptible: None) -> None:
    """What it raises is a failure of it; a real Ctrl-C is one of the program."""

    @callsheet.handler("topic=studio.done", name="interrupts", retries=0)
    def interrupts(event: Any, session: Any) -> None:
        if event.data["real"]:
            signal.raise_signal(signal.SIGINT)
        raise KeyboardInterrupt

    fake_events.add(interrupts)
    (outcome,) = fake_events.emit("studio.done", data={"real": False}, check=False)
    assert outcome.kind == "dead"
    with pytest.raises(KeyboardInterrupt):
        fake_events.emit("studio.done", data={"real": True}, check=False)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
