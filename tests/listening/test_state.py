"""Queues in a file, for servers that keep none: the same code, and effects that are known again."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from desk import SHOTS, Desk, until

from callsheet.errors import StateError, StorageError
from callsheet.listening.attempt import attempt
from callsheet.listening.declaration import Handler
from callsheet.listening.keys import key_maker
from callsheet.listening.runner import Runner
from callsheet.listening.shelf import Shelf
from callsheet.listening.state import StateFile
from callsheet.listening.station import Pace
from callsheet.model.event import Event
from dialects.embedded import Direct, session_over


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "handlers.db"


@pytest.fixture
def state(path: Path) -> Iterator[StateFile]:
    with StateFile(path) as opened:
        yield opened


def made(name: str, key: str) -> Event:
    return Event("callsheet.update", {"entity": {"type": "Shot", "id": key}, "changes": {"name": {"new": name}}}, name)


def note(event: Any, session: Any) -> None:
    session.create("Note", {"text": event.changes["name"]["new"]})


def test_an_event_is_recorded_once(state: StateFile) -> None:
    """However often a hub hears of it."""
    assert state.record(made("a", "1"))
    assert not state.record(made("a", "1"))


def test_events_wait_in_the_file(path: Path) -> None:
    """For the next process to handle them, an entity's in order."""
    handler = Handler("h", "topic=callsheet.update", note)
    with StateFile(path) as state:
        state.queue("w1").claim(handler, 10)
        for name, key in (("a1", "a"), ("b1", "b"), ("a2", "a")):
            state.record(made(name, key))
    with StateFile(path) as state:
        queue = state.queue("w2")
        assert [each.event.id for each in queue.claim(handler, 10)] == ["a1", "b1"]


def test_a_file_belongs_to_one_process(path: Path, state: StateFile) -> None:
    """Two would hear every event twice."""
    with pytest.raises(StorageError, match="in use by another process"):
        StateFile(path)


def test_what_was_done_and_not_settled_is_not_done_again(desk: Desk, state: StateFile) -> None:
    """A listener was killed between effect and checkpoint: the commit of the second attempt is known to the server."""
    handler = Handler("h", "topic=callsheet.update", note)
    queue = state.queue("w1")
    queue.claim(handler, 1)
    state.record(made("a", "1"))
    (first,) = queue.claim(handler, 1)
    assert attempt(handler, first, desk.session, DeafQueue(queue)).kind == "handled"
    (again,) = queue.claim(handler, 1)
    assert again.event == first.event
    assert attempt(handler, again, desk.session, queue).kind == "handled"
    assert desk.notes() == ["a"]
    assert queue.claim(handler, 1) == []


class DeafQueue:
    """Settles nothing: what it is told is lost."""

    joined = False

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def settle(self, claimed: Any) -> bool:
        return True


def elsewhere(session: Any, url: str, workspace: str = "") -> Any:
    """The session as one on another server, or in another workspace."""
    found = session.fork()
    found._connection = evolve(found._connection, server=url, workspace=workspace)
    return found


def test_a_file_belongs_to_one_workspace(path: Path, desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """Its events are of that one: a session elsewhere is refused, and a server that has moved is noted."""
    lab = elsewhere(desk.session, "https://a.example/workspaces/lab", "lab")
    with StateFile(path) as state:
        state.belong_to(lab)
        state.record(made("a", "1"))
    with StateFile(path) as state:
        state.belong_to(lab)
        with pytest.raises(StateError, match=r"of the workspace `lab` \(https://a.example\), and .* is in `default`"):
            state.belong_to(elsewhere(desk.session, "https://a.example"))
        assert caplog.messages == []
        state.belong_to(elsewhere(desk.session, "https://b.example/workspaces/lab", "lab"))
        assert "was used with https://a.example before, and is used with https://b.example now" in caplog.messages[0]
        runner = Runner(elsewhere(desk.session, "https://b.example"), Shelf([desk.folder]), state)
        with pytest.raises(StateError, match="give each workspace a state file of its own"):
            runner.run()


def test_a_file_without_a_workspace_is_taken_over(path: Path, desk: Desk) -> None:
    """Files of versions before 0.3 name none: the first session that uses one is the one whose events it holds."""
    with StateFile(path) as state:
        state.record(made("a", "1"))
        handler = Handler("h", "topic=callsheet.update", note)
        state.belong_to(elsewhere(desk.session, "https://a.example/workspaces/lab", "lab"))
        assert not state.record(made("a", "1"))
        state.queue("w1").claim(handler, 1)
        with pytest.raises(StateError, match="of the workspace `lab`"):
            state.belong_to(desk.session)


def test_keys_are_made_of_handler_event_and_ordinal() -> None:
    """The same each time, and UUIDs."""
    first, again, other = key_maker("h", "e"), key_maker("h", "e"), key_maker("h", "f")
    made = [first(), first()]
    assert made == [again(), again()]
    assert len({*made, other()}) == 3
    assert made[0][14] == "8"
    assert made[0][19] in "89ab"


def test_a_listener_with_a_file_hears_the_hub(desk: Desk, state: StateFile) -> None:
    """Its handlers get what the session's hub hears."""
    desk.plugin(
        f"""
        @callsheet.handler("{SHOTS} and changes.name", name="notes")
        def notes(event, session):
            session.create("Note", {{"text": event.changes["name"]["new"]}})
        """
    )
    session = desk.connect()
    runner = Runner(session, Shelf([desk.folder]), state, Pace(2, poll=0.05))
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    desk.runners.append((runner, thread))
    until(lambda: runner.health()["handlers"] and session.event_hub.connected)
    desk.shots("a", "b")
    until(lambda: desk.notes() == ["a", "b"])
    session.event_hub.disconnect()


@pytest.mark.parametrize("settled", [True, False])
def test_on_ftrack_a_repeated_create_is_found_out(state: StateFile, callsheet_service: Any, settled: bool) -> None:
    """The server knows no commit ids: the second attempt looks for what the first has made, and settles."""
    session = session_over(Direct(callsheet_service), plugin_paths=False)
    handler = Handler("h", "topic=callsheet.update", tag)
    queue = state.queue("w1")
    queue.claim(handler, 1)
    state.record(made("a", "1"))
    (first,) = queue.claim(handler, 1)
    outcomes = [attempt(handler, first, session, queue if settled else DeafQueue(queue)).kind]
    # The listener was killed; a minute later there is another one.
    now = state._service.clock() + timedelta(minutes=1)
    state._service.clock = lambda: now
    again = state.queue("w2")
    for claimed in again.claim(handler, 1):
        assert claimed.attempt == 2
        outcomes.append(attempt(handler, claimed, session, again).kind)
    assert outcomes == ["handled"] * (1 if settled else 2)
    assert [each["name"] for each in session.query("Tag").all()] == ["a"]
    assert again.claim(handler, 1) == []
    session.close()


def tag(event: Any, session: Any) -> None:
    session.create("Tag", {"name": event.changes["name"]["new"]})
