"""Every later event is told once, in order, to those who may know of it; what nobody asked for is not told."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from studio import Create, Delete, Identity, Studio, Update, open_studio, project, shot, status, task, update

from callsheet.errors import QueryError
from callsheet.model.event import Event, Position
from callsheet.server.log import events
from callsheet.server.log.events import beginning, end_of, events_after
from callsheet.server.log.filters import filter_of
from callsheet.server.log.recent import Recent

P, Q, S, A, B = (
    Identity("Project", "p"),
    Identity("Project", "q"),
    Identity("Shot", "s"),
    Identity("Task", "a"),
    Identity("Task", "b"),
)


def read(
    studio: Studio, after: Position | int = 0, limit: int = 100, *expressions: str, by: str = "admin", **options: Any
) -> tuple[list[Event], Position]:
    """One batch."""
    with studio.store.reading() as connection:
        access = studio.service.access(by)
        return events_after(studio.store, connection, access, after, limit, filter_of(expressions), **options)


def read_all(
    studio: Studio, after: Position | int = 0, limit: int = 100, *expressions: str, by: str = "admin", **options: Any
) -> list[Event]:
    """All batches."""
    found: list[Event] = []
    place = beginning(after)
    while True:
        batch, reached = read(studio, place, limit, *expressions, by=by, **options)
        found += batch
        assert len(batch) <= limit
        if reached == place:
            return found
        assert reached > place, "a place that does not grow would be read for ever"
        place = reached


def places(found: Sequence[Event]) -> list[str]:
    return [str(event.position) for event in found]


def test_a_change_is_told_with_old_and_new_and_who(studio: Studio) -> None:
    """One event for each entity of a commit, as the page of topics says."""
    studio.commit(status("done"), project("p"), shot("s", P), task("a", S, bid=1.0, due=date(2026, 5, 4)))
    studio.commit(
        Update(A, {"bid": 2.0, "status": Identity("Status", "done")}, added={"watchers": (Identity("User", "u"),)}),
        Create(Identity("User", "u"), {"username": "u"}),
        user="anna",
        origin="session-1",
        commit_id="mine",
    )
    told = {event.entity["id"]: event for event in read_all(studio, 1)}
    event = told["a"]
    assert event.topic == "callsheet.update"
    assert event.position is not None
    assert event.id == f"mine:{event.position.index}"
    assert event.position.commit == 2
    assert event.sent == datetime(2026, 5, 1, 12, 0, 2, tzinfo=UTC)
    assert event.source == {"id": "session-1", "user": {"username": "anna"}}
    changes = event.data.pop("changes")
    assert changes["bid"] == {"old": 1.0, "new": 2.0}
    assert changes["status"] == {"old": None, "new": {"type": "Status", "id": "done"}}
    assert event.data == {
        "entity": {"type": "Task", "id": "a", "types": ["Task", "Node"]},
        "action": "update",
        "added": {"watchers": [{"type": "User", "id": "u"}]},
        "removed": {},
        "user": "anna",
        "commit_id": "mine",
        "origin": "session-1",
        "time": datetime(2026, 5, 1, 12, 0, 2, tzinfo=UTC),
        "entity_type": "Task",
        "entity_id": "a",
        "project_id": "p",
        "version": 2,
    }
    assert told["u"].data["action"] == "create"
    assert told["u"].data["project_id"] is None


def test_created_has_no_old_and_deleted_no_new(studio: Studio) -> None:
    studio.commit(task("a", bid=1.0, due=date(2026, 5, 4)))
    studio.commit(Delete(A))
    created, deleted = read_all(studio)
    assert (created.data["action"], deleted.data["action"]) == ("create", "delete")
    assert created.changes["due"] == {"old": None, "new": date(2026, 5, 4)}
    assert deleted.changes["due"] == {"old": date(2026, 5, 4), "new": None}


def test_batches_end_anywhere_and_leave_nothing_out(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within a commit or between two; whatever bounds the batch."""
    studio.commit(*(task(f"t{number}") for number in range(7)))
    studio.commit(task("u"))
    studio.commit(*(update(Identity("Task", f"t{number}"), bid=1.0) for number in range(5)))
    whole = read_all(studio)
    assert places(whole) == [*(f"1.{n}" for n in range(7)), "2.0", *(f"3.{n}" for n in range(5))]
    for limit in range(1, 14):
        assert places(read_all(studio, 0, limit)) == places(whole)
    monkeypatch.setattr(events, "STEP", 2)
    monkeypatch.setattr(events, "CHANGES_READ", 3)
    monkeypatch.setattr(events, "READ", 1)
    monkeypatch.setattr(events, "READ_BYTES", 1)
    for limit in (1, 2, 5, 100):
        assert [event.id for event in read_all(studio, 0, limit)] == [event.id for event in whole]
    assert places(read_all(studio, Position(1, 4))) == places(whole)[5:]
    assert places(read_all(studio, 1)) == places(whole)[7:]


def test_a_batch_is_bounded_by_what_it_looks_at(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """A large commit that nobody asks for is not read at one go; the place tells how far it was."""
    monkeypatch.setattr(events, "STEP", 2)
    monkeypatch.setattr(events, "CHANGES_READ", 4)
    studio.commit(*(task(f"t{number}") for number in range(9)))
    found, place = read(studio, 0, 100, "entity.type=Shot")
    assert (found, place) == ([], Position(1, 3))
    found, place = read(studio, place, 100, "entity.type=Shot")
    assert (found, place) == ([], Position(1, 7))
    assert read(studio, place, 100, "entity.type=Shot") == ([], end_of(1))


def test_all_is_read_when_the_place_stays(studio: Studio) -> None:
    """Also before the first commit, and where a reader is ahead."""
    assert read(studio, 0) == ([], end_of(0))
    studio.commit(task("a"))
    assert read(studio, 1) == ([], end_of(1))
    assert read(studio, 7) == ([], end_of(7))
    assert read(studio, Position(1, 0)) == ([], end_of(1))


def test_until_bounds_what_is_read(studio: Studio) -> None:
    for key in "abc":
        studio.commit(task(key))
    assert places(read_all(studio, 0, until=2)) == ["1.0", "2.0"]
    assert read(studio, 2, until=2) == ([], end_of(2))


def test_the_condition_is_asked_here(studio: Studio) -> None:
    studio.commit(project("p"), task("a", P, bid=1.0), task("b", P))
    studio.commit(update(A, bid=5.0), update(B, note="x"))
    assert [event.entity["id"] for event in read_all(studio, 1, 9, "topic=callsheet.update and changes.bid")] == ["a"]
    assert [event.entity["id"] for event in read_all(studio, 1, 9, "entity.type=Task and action=update")] == ["a", "b"]
    either = read_all(studio, 1, 9, "changes.note", "data.entity_id=a")
    assert sorted(event.entity["id"] for event in either) == ["a", "b"]
    with pytest.raises(QueryError):
        filter_of(["topic = and"])


def test_who_may_not_read_is_not_told(studio: Studio) -> None:
    """Of other projects nothing, deleted entities included; a reference to what is hidden is as one to nothing."""
    studio.service.accounts.add("gina", "guest")
    studio.commit(project("p"), project("q"))
    studio.service.roles.grant("gina", "reader", "p")
    studio.commit(task("a", P), task("b", Q))
    studio.commit(update(A, about=B, bid=1.0), update(B, bid=2.0))
    studio.commit(Delete(A), Delete(B))
    told = read_all(studio, 1, by="gina")
    assert {event.entity["id"] for event in told} == {"a"}
    assert [event.data["action"] for event in told] == ["create", "update", "delete"]
    assert told[1].changes["about"] == {"old": None, "new": None}
    assert {event.data["project_id"] for event in told} == {"p"}
    everybody = read_all(studio, 1)
    assert len(everybody) == 6
    assert {str(event.position) for event in told} < set(places(everybody))


def test_a_project_is_known_of_what_hangs_from_something(studio: Studio) -> None:
    """A version's is its task's, also when both are gone."""
    version = Identity("Version", "v")
    studio.commit(project("p"), task("a", P))
    studio.commit(Create(version, {"task": A}))
    assert [event.data["project_id"] for event in read_all(studio, 1)] == ["p"]
    studio.commit(Delete(A))
    told = read_all(studio, 1)
    assert {(event.data["entity_id"], event.data["action"], event.data["project_id"]) for event in told} == {
        ("v", "create", "p"),
        ("v", "delete", "p"),
        ("a", "delete", "p"),
    }


def test_readers_of_the_same_commits_share_what_is_decoded(studio: Studio) -> None:
    """What is kept is bounded, and what is not kept is read again."""
    for number in range(5):
        studio.commit(*(task(f"t{number}-{each}") for each in range(4)))
    recent = Recent(kept=10)
    first = read_all(studio, 0, 3, recent=recent)
    assert len(first) == 20
    assert len(recent) == 2
    assert [event.id for event in read_all(studio, 0, 7, recent=recent)] == [event.id for event in first]


def test_an_older_database_gets_the_table(tmp_path: Any) -> None:
    url = f"sqlite:///{(tmp_path / 'old.db').as_posix()}"
    with open_studio(url) as studio:
        studio.commit(task("a"))
        studio.store.write(lambda connection: studio.store.table("_event").drop(connection))
    with open_studio(url) as studio:
        assert places(read_all(studio)) == ["1.0"]
