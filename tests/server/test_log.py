"""The commit log tells what happened, in order, and each entity's history."""

from __future__ import annotations

from datetime import UTC, date, datetime

from studio import Create, Delete, Identity, Studio, Update, project, shot, task, update

from callsheet.server.log.commits import EntityChange, entity_history, entries, last_position

P, S, A = Identity("Project", "p"), Identity("Shot", "s"), Identity("Task", "a")
TAG = Identity("Tag", "t")


def test_a_create_tells_what_it_holds(studio: Studio) -> None:
    """Values given, defaults and computed ones, references with their concrete type; no empty ones."""
    studio.commit(project("p"), task("a", Identity("Node", "p"), bid=1, due=date(2026, 6, 1), note=None))
    change = studio.changes(1)[A]
    at = datetime(2026, 5, 1, 12, 0, 1, tzinfo=UTC)
    assert change == EntityChange(
        A,
        "create",
        None,
        {},
        {
            "name": "a",
            "parent": P,
            "bid": 1.0,
            "due": date(2026, 6, 1),
            "started": at,
            "project": P,
            "created_at": at,
            "updated_at": at,
        },
        version=1,
    )


def test_an_update_tells_before_and_after(studio: Studio) -> None:
    """Only what differs is told; the change names the one before it."""
    studio.commit(task("a", None, bid=1, note="n", **{"metadata.k": "1"}))
    studio.commit(Update(A, {"bid": 2, "note": "n", "metadata.k": None, "data": {"$date": "just data"}}))
    change = studio.changes(2)[A]
    at = datetime(2026, 5, 1, 12, 0, 1, tzinfo=UTC)
    assert (change.kind, change.previous) == ("update", 1)
    assert change.before == {"bid": 1.0, "metadata.k": "1", "data": None, "updated_at": at}
    assert change.after["data"] == {"$date": "just data"}
    assert change.after["metadata.k"] is None


def test_a_delete_tells_all_there_was(studio: Studio) -> None:
    """From the change alone the entity can be made again."""
    studio.commit(Create(TAG), shot("s"), Create(A, {"name": "a", "parent": S, "metadata.k": "1"}, {"tags": (TAG,)}))
    studio.commit(Delete(S))
    change = studio.changes(2)[A]
    at = datetime(2026, 5, 1, 12, 0, 1, tzinfo=UTC)
    assert change.kind == "delete"
    assert change.before == {
        "name": "a",
        "parent": S,
        "metadata.k": "1",
        "started": at,
        "created_at": at,
        "updated_at": at,
    }
    assert change.removed == {"tags": (TAG,)}


def test_entries_come_in_order_of_commit(studio: Studio) -> None:
    """Positions count up by one; a reader asks for what comes after the last it saw."""
    for number in range(5):
        studio.commit(task(f"t{number}"), user="anna", origin="here")
    with studio.store.reading() as connection:
        found = entries(studio.store, connection, 1, 3)
        assert last_position(studio.store, connection) == 5
    assert [entry.position for entry in found] == [2, 3, 4]
    assert (found[0].user, found[0].origin, found[0].commit_id) == ("anna", "here", "commit-2")
    assert found[0].time == datetime(2026, 5, 1, 12, 0, 2, tzinfo=UTC)


def test_the_history_of_an_entity(studio: Studio) -> None:
    """Newest first, through other people's commits, past its end and its second beginning."""
    studio.commit(task("a"), task("b"))
    studio.commit(update(Identity("Task", "b"), bid=1))
    studio.commit(update(A, bid=1))
    studio.commit(Delete(A))

    def history() -> list[tuple[int, str]]:
        with studio.store.reading() as connection:
            found = entity_history(studio.store, connection, "Node", "a")
            return [(entry.position, change.kind) for entry, change in found]

    assert history() == [(4, "delete"), (3, "update"), (1, "create")]
    studio.commit(task("a"))
    assert history() == [(5, "create"), (4, "delete"), (3, "update"), (1, "create")]


def test_nothing_is_logged_of_what_was_never_there(studio: Studio) -> None:
    """An unknown entity has no history."""
    with studio.store.reading() as connection:
        assert list(entity_history(studio.store, connection, "Node", "x")) == []
