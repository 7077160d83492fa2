"""The present code reads the journals of released versions, finishes what they hold, and continues their queues."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from dialogue import once, refused, undone
from present import NAMES, opened
from releases import Release

from callsheet.listening.declaration import Handler
from callsheet.listening.state import StateFile
from callsheet.model.event import Event
from callsheet.testing import session_on
from callsheet.transport.journal import Journal


def test_a_journal_is_read(release: Release, tmp_path: Path) -> None:
    """Every operation, value, policy and refusal that a release wrote to its journal is read as it was written."""
    journal = Journal(release.copy("journal.sqlite", tmp_path))
    entries = journal.entries()
    assert [entry.changes for entry in entries[:3]] == [once(NAMES), undone(NAMES), refused(NAMES)]
    assert [(entry.server, entry.user) for entry in entries] == [("https://callsheet.example", "anna")] * 4
    assert [entry.refusal for entry in entries] == [None] * 3 + ["nothing was committed: there is no Task nobody"]
    assert len(journal.left_behind()) == 3
    journal.close()


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_what_a_journal_holds_is_finished(release: Release, engine: str, tmp_path: Path) -> None:
    """`resume` does what had not been done, once; knows what had; keeps what is refused, with the reason."""
    path = release.copy("journal.sqlite", tmp_path)
    with opened(release, engine, tmp_path) as service:
        with session_on(service, "anna", journal=path) as anna:
            done = anna.resume()
            assert [(each.commit_id, each.outcome) for each in done] == [
                ("known-commit", "had finished"),
                ("not-done-yet", "finished now"),
                ("to-be-refused", "refused"),
            ]
            task = anna.get("Task", "journalled")
            assert (task["name"], task["due_date"]) == ("from the journal", date(2026, 6, 9))
            assert task["custom_attributes"]["delivery"] == date(2026, 6, 10)
            assert dict(task["metadata"].items()) == {"$date": "text"}
            assert anna.get("Note", "journalled")["drawing"] == {"$identity": [1, 2.5, None]}
            assert anna.resume() == []
        with session_on(service, "anna", journal=path) as later:
            assert later.resume() == []
            assert later.query("Task where name is 'from the journal'").count() == 1
    journal = Journal(path)
    assert [entry.changes.commit_id for entry in journal.entries()] == ["to-be-refused", "seen-already"]
    assert journal.unfinished() == []
    journal.close()


def test_queues_in_a_file_are_continued(eventful: Release, tmp_path: Path) -> None:
    """Deliveries in a file keep their states and order; a known event is recorded once, a new one handed out."""
    handler = Handler("notes", "topic=callsheet.update", lambda event, session: None, from_start=True)
    with StateFile(eventful.copy("queues.sqlite", tmp_path)) as state:
        assert states(state) == {
            "event-1": "dead",
            "event-2": "ready",
            "event-3": "leased",
            "event-4": "ready",
            "event-5": "ready",
        }
        assert not state.record(Event("callsheet.update", {}, "event-0"))
        assert state.record(Event("callsheet.update", {"entity": {"type": "Shot", "id": "shot-9"}}, "event-6"))
        later = state._service.clock() + timedelta(days=3650)
        state._service.clock = lambda: later
        queue = state.queue("worker-2")
        given = []
        for _ in range(3):
            claimed = queue.claim(handler, 10)
            assert all(queue.settle(each) for each in claimed)
            given += claimed
        assert sorted(each.event.id for each in given) == ["event-2", "event-3", "event-4", "event-5", "event-6"]
        (known,) = [each for each in given if each.event.id == "event-3"]
        assert known.event.data["changes"]["due"] == {"old": None, "new": date(2026, 5, 4)}
        assert (known.attempt, dict(known.event.source)["host"]) == (2, "farm")
        assert set(states(state).values()) == {"dead"}


def states(state: Any) -> dict[str, str]:
    """The state of each delivery, by its event."""
    found = state._session.call("handlers.deliveries", handler="notes")
    return {each["event"]["id"]: each["state"] for each in found}
