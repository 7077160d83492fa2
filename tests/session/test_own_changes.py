"""What a session did itself is never somebody else's change, and never shown twice or half."""

from __future__ import annotations

from typing import Any

import pytest
from plain_model import DOCUMENT

from callsheet import ConflictError, StateError
from callsheet.dialects.protocol import Touched
from callsheet.testing import memory_service, session_on


@pytest.fixture
def session() -> Any:
    service = memory_service(DOCUMENT)
    with session_on(service) as session:
        yield session
    service.close()


@pytest.fixture
def task(session: Any) -> Any:
    """A task with a status, below a project, committed."""
    status = session.create("Status", {"name": "ready"})
    task = session.create("Task", {"name": "t", "status": status, "parent": session.create("Project", {"name": "p"})})
    session.commit()
    return task


def test_what_was_born_since_the_last_commit_is_not_deleted_by_the_next(session: Any) -> None:
    """It never happened."""
    session.delete(session.create("Tag", {"name": "x"}))
    assert (session.created, session.deleted, session.pending) == ([], [], ())


def test_a_reference_emptied_by_the_same_batch_may_be_set(session: Any, task: Any) -> None:
    """The delete emptied it before; nobody else did."""
    session.delete(task["status"])
    task["status"] = session.create("Status", {"name": "done"})
    session.commit()
    assert session.fork().get("Task", task.id)["status"]["name"] == "done"


def test_a_reference_emptied_by_an_earlier_commit_may_be_set(session: Any, task: Any) -> None:
    """The session shows that it is empty."""
    session.delete(task["status"])
    session.commit()
    assert task.peek("status") is None
    task["status"] = session.create("Status", {"name": "done"})
    session.commit()
    assert session.fork().get("Task", task.id)["status"]["name"] == "done"


def test_an_entity_whose_reference_was_emptied_may_be_deleted(session: Any, task: Any) -> None:
    """Its version was raised by this session's own commit, whose answer tells so."""
    session.delete(task["status"])
    result = session.commit()
    assert result.touched == (Touched(task.identity, 2, ("status",)),)
    session.delete(task)
    session.commit()
    assert session.fork().get("Task", task.id) is None


def test_an_entity_whose_reference_was_emptied_may_be_changed(session: Any, task: Any) -> None:
    """Nothing of it counts as somebody else's change, and nothing has to be fetched again."""
    session.delete(task["status"])
    task["bid"] = 1
    session.commit()
    task["name"] = "changed"
    result = session.commit()
    assert (result.merged, result.versions) == ((), (3,))
    assert (task.peek("name"), task.peek("status")) == ("changed", None)


def test_what_others_changed_before_a_reference_was_emptied_is_still_found(session: Any, task: Any) -> None:
    """The new version stands for their change too, so it is not taken over."""
    other = session.fork()
    other.get("Task", task.id)["name"] = "theirs"
    other.commit()
    session.delete(task["status"])
    session.commit()
    session.delete(task)
    with pytest.raises(ConflictError):
        session.commit()


def test_what_was_told_while_a_change_was_pending_shows_when_it_is_taken_back(session: Any, task: Any) -> None:
    """Of a scalar, of JSON and of a reference."""
    assert task["data"] is None
    other = session.fork()
    theirs = other.get("Task", task.id)
    old, new = task["status"], other.create("Status", {"name": "done"})
    theirs["name"], theirs["data"], theirs["status"] = "theirs", {"a": [1]}, new
    other.commit()
    task["name"], task["data"], task["status"] = "ours", [2], None
    session.query("Task").all()
    assert (task["name"], task["data"], task["status"]) == ("ours", [2], None)
    task["name"], task["data"], task["status"] = "t", None, old
    assert (task["name"], task["data"], task["status"].id) == ("theirs", {"a": [1]}, new.id)
    assert (task.state, session.pending) == ("clean", ())
    task["name"] = "ours"
    assert session.pending[0].before == {"name": "theirs"}


def test_json_that_is_set_back_to_what_it_was_is_no_change(session: Any, task: Any) -> None:
    """Equal all the way down is the same, and True is not 1."""
    task["data"] = {"a": [1]}
    session.commit()
    task["data"] = {"a": [True]}
    assert session.pending[0].before == {"data": {"a": [1]}}
    task["data"] = {"a": [1]}
    assert (task.state, session.modified, session.pending) == ("clean", [], ())
    assert session.commit() is None


def test_setting_a_scalar_finds_the_concrete_type_first(session: Any, task: Any) -> None:
    """Of what refers to a parent, only the key is known; the operation names its type."""
    fresh = session.fork()
    ghost = fresh.unit.refer(fresh.schema.types["Task"].attributes["parent"], task["parent"].id)
    assert ghost.entity_type == "Context"
    ghost["name"] = "renamed"
    assert (ghost.entity_type, fresh.pending[0].identity) == ("Project", task["parent"].identity)
    fresh.commit()
    assert session.fork().get("Project", task["parent"].id)["name"] == "renamed"


def test_a_key_that_is_to_be_deleted_can_be_used_again_after_the_commit(session: Any, task: Any) -> None:
    """Not in the same commit; the error names the cure."""
    session.delete(task)
    with pytest.raises(StateError, match="commit the delete first"):
        session.create("Task", {"id": task.id, "name": "again"})
    assert len(session.pending) == 1
    session.commit()
    again = session.create("Task", {"id": task.id, "name": "again"})
    session.commit()
    assert session.fork().get("Task", again.id)["name"] == "again"


def test_a_change_is_based_on_what_was_shown(session: Any, task: Any) -> None:
    """Also where the same attribute was changed and taken back before."""
    other = session.fork()
    task["name"] = "passing"
    task["name"] = "t"
    other.get("Task", task.id)["name"] = "theirs"
    other.commit()
    session.query("Task").all()
    assert task["name"] == "theirs"
    task["name"] = "ours"
    assert session.pending[0].before == {"name": "theirs"}
    session.commit()
    assert task["name"] == "ours"


def test_what_others_changed_to_the_same_is_no_change_after_a_refresh(session: Any, task: Any) -> None:
    """Of an attribute, and of an item."""
    session.populate(task, "metadata")
    other = session.fork()
    theirs = other.get("Task", task.id)
    theirs["name"], theirs["metadata"]["colour"] = "same", "red"
    other.commit()
    task["name"], task["metadata"]["colour"] = "same", "red"
    session.refresh(task)
    assert (task.state, session.modified, session.pending) == ("clean", [], ())
    assert (task["name"], dict(task["metadata"])) == ("same", {"colour": "red"})


def test_a_refresh_bases_items_and_deletes_on_what_is_there_now(session: Any, task: Any) -> None:
    """So that the next commit overwrites what it knows of."""
    session.populate(task, "metadata")
    other = session.fork()
    theirs = other.get("Task", task.id)
    task["metadata"]["colour"] = "ours"
    theirs["metadata"]["colour"] = "theirs"
    other.commit()
    session.refresh(task)
    session.commit()
    assert dict(session.fork().get("Task", task.id)["metadata"]) == {"colour": "ours"}
    session.delete(task)
    theirs["name"] = "changed again"
    other.commit(conflicts="ours")
    session.refresh(task)
    session.commit()
    assert task.state == "detached"


def test_a_member_that_was_moved_here_stays_away_when_its_owner_is_refreshed(session: Any, task: Any) -> None:
    """The pending move is kept, on both sides."""
    project, second = task["parent"], session.create("Project", {"name": "q"})
    third = session.create("Project", {"name": "r"})
    session.commit()
    assert list(project["children"]) == [task]
    assert list(third["children"]) == []
    other = session.fork()
    other.get("Task", task.id)["parent"] = other.get("Project", third.id)
    other.commit()
    task["parent"] = second
    session.refresh([task, project, second, third])
    assert (list(project["children"]), list(second["children"]), list(third["children"])) == ([], [task], [])
    session.rollback()
    assert task["parent"] is third
    assert list(third["children"]) == [task]


def test_what_is_moved_below_a_deleted_entity_goes_with_all_below_it(session: Any) -> None:
    """A delete takes along the children of what the same batch moved there; no orphan stays."""
    project, moved = session.create("Project", {"name": "p"}), session.create("Task", {"name": "moved"})
    child = session.create("Task", {"name": "child", "parent": moved})
    grandchild = session.create("Task", {"name": "grandchild", "parent": child})
    session.commit()
    moved["parent"] = project
    session.delete(project)
    session.commit()
    assert [entity.state for entity in (project, moved, child, grandchild)] == ["detached"] * 4
    assert session.fork().query("Context").count() == 0
