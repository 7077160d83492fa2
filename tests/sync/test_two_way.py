"""Two ways: what one side changed goes to the other, and nobody's edit is lost without a word."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from callsheet import Session
from callsheet.errors import StateError
from callsheet.sync.two_way.pairing import TypePair
from callsheet.sync.two_way.session_side import SessionSide
from callsheet.sync.two_way.sync import Sync

STATUS = TypePair("Status", "Status", ["name"], adopt=["name"], creates="none")
PROJECT = TypePair("Project", "Project", ["name"], adopt=["name"], creates="none")
SEQUENCE = TypePair("Sequence", "Sequence", ["name", "parent"], adopt=["parent", "name"])
SHOT = TypePair(
    "Shot", "Shot", ["name", "parent", "fstart", "status", "tags", "metadata.lens"], adopt=["parent", "name"]
)
TAG = TypePair("Tag", "Tag", ["name"], adopt=["name"])


def pairs(**options: Any) -> list[TypePair]:
    from attrs import evolve

    return [STATUS, PROJECT, TAG, SEQUENCE, evolve(SHOT, **options)]


def studio(session: Session) -> Session:
    state = session.create("State", {"name": "Any", "short": "any"})
    for name in ("Ready", "Done", "Omitted"):
        session.create("Status", {"name": name, "state": state})
    session.create("Project", {"name": "sintel"})
    session.commit()
    return session


@pytest.fixture
def sides() -> Iterator[tuple[Session, Session]]:
    """Two servers with the project sintel and the same statuses."""
    with Session("memory:") as left, Session("memory:") as right:
        yield studio(left), studio(right)


def synced(left: Session, right: Session, **options: Any) -> Any:
    return Sync(left.fork(), SessionSide(right.fork(), "mirror"), pairs(**options))


def run(left: Session, right: Session, **options: Any) -> Any:
    plan = synced(left, right, **options).plan()
    result = plan.apply()
    assert result.refused == ()
    return plan


def shot(session: Session, name: str, sequence: str = "sq1", **values: Any) -> Any:
    project = session.query("Project").one()
    parent = session.ensure("Sequence", {"name": sequence, "parent": project}, ["name", "parent"])
    return session.create("Shot", {"name": name, "parent": parent, **values})


def state(session: Session) -> dict[str, tuple[Any, ...]]:
    text = "select name, parent.name, fstart, status.name, tags.name, metadata from Shot"
    return {
        each["name"]: (
            each["parent"]["name"],
            each["fstart"],
            each["status"] and each["status"]["name"],
            frozenset(tag["name"] for tag in each["tags"]),
            each["metadata"].get("lens"),
        )
        for each in session.fork().query(text)
    }


def test_rows_of_each_side_are_made_on_the_other(sides: Any) -> None:
    """With their references, members and items; the next plan is empty."""
    left, right = sides
    ready = left.query('Status where name is "Ready"').one()
    shot(left, "sh010", fstart=1001, status=ready, tags=[left.create("Tag", {"name": "hero"})])["metadata"]["lens"] = (
        "35"
    )
    left.commit()
    shot(right, "sh020", "sq2")
    right.commit()
    plan = run(left, right)
    assert ([each.kind for each in plan.left], [each.kind for each in plan.right]) == (["create"] * 2, ["create"] * 3)
    assert (
        state(left)
        == state(right)
        == {
            "sh010": ("sq1", 1001, "Ready", frozenset({"hero"}), "35"),
            "sh020": ("sq2", None, None, frozenset(), None),
        }
    )
    assert synced(left, right).plan().is_empty
    assert synced(left, right).plan(whole=True).is_empty


def both(left: Session, right: Session) -> None:
    shot(left, "sh010", fstart=1001)
    left.commit()
    run(left, right)


def change(session: Session, **values: Any) -> None:
    own = session.fork()
    entity = own.query("Shot").one()
    for name, value in values.items():
        entity[name] = value
    own.commit()


def test_edits_of_different_attributes_cross(sides: Any) -> None:
    """Each goes to the other side, and nothing is in conflict."""
    left, right = sides
    both(left, right)
    change(left, name="sh010_new")
    change(right, fstart=990)
    plan = run(left, right)
    assert (len(plan.left), len(plan.right), plan.conflicts) == (1, 1, ())
    assert state(left) == state(right) == {"sh010_new": ("sq1", 990, None, frozenset(), None)}
    assert synced(left, right).plan().is_empty


def test_a_conflict_stays_open_until_somebody_decides(sides: Any) -> None:
    """Both values stay, the plan shows them with the base in every run, and the rest goes on."""
    left, right = sides
    both(left, right)
    change(left, fstart=1, name="sh011")
    change(right, fstart=2)
    plan = run(left, right)
    assert "  ? sh011  fstart: the left has 1, the right 2 (was 1001)" in str(plan)
    assert (state(left)["sh011"][1], state(right)["sh011"][1]) == (1, 2)
    again = synced(left, right).plan()
    assert (len(again.conflicts), again.is_empty) == (1, True)
    change(right, fstart=1)
    run(left, right)
    assert synced(left, right).plan().conflicts == ()


@pytest.mark.parametrize(("policy", "value"), [("left", 1), ("right", 2)])
def test_a_policy_decides_and_says_so(sides: Any, policy: str, value: int) -> None:
    """Both sides get the value, and the other's edit is listed."""
    left, right = sides
    both(left, right)
    change(left, fstart=1)
    change(right, fstart=2)
    plan = run(left, right, conflicts=policy)
    (each,) = plan.overridden
    assert (each.attribute, each.base, each.left_value, each.right_value, each.kept) == ("fstart", 1001, 1, 2, policy)
    assert state(left) == state(right) == {"sh010": ("sq1", value, None, frozenset(), None)}


def test_the_own_changes_are_not_read_back(sides: Any) -> None:
    """What a run wrote is no change of anybody, so nothing is read again and nothing echoes."""
    left, right = sides
    both(left, right)
    change(right, fstart=990)
    run(left, right)
    plan = synced(left, right).plan()
    assert all(work.unchanged == 0 for work in plan.pairs)
    position = left.commits(limit=None)[-1].position
    synced(left, right).plan().apply()
    assert left.commits(after=position) == []


def test_a_row_without_its_place_is_not_made(sides: Any) -> None:
    """A shot whose sequence has no partner and gets none is refused with the reason; so is what is in it."""
    left, right = sides
    shot(left, "sh010")
    left.commit()
    plan = Sync(left.fork(), SessionSide(right.fork(), "mirror"), [PROJECT, SHOT]).plan()
    assert plan.right == ()
    (refused,) = plan.refused
    assert (refused.label, refused.attribute) == ("sh010", "parent")
    assert refused.reason.startswith("refers to Sequence ")
    assert refused.reason.endswith("which has no partner on the right")
    plan.apply()
    assert state(right) == {}
    run(left, right)
    assert state(right) == state(left)


def test_what_refers_to_what_has_no_partner_goes_without_it(sides: Any) -> None:
    """An attribute that cannot be carried is refused, the rest of the row goes."""
    left, right = sides
    shot(left, "sh010", fstart=7, tags=[left.create("Tag", {"name": "hero"})])
    left.commit()
    plan = Sync(left.fork(), SessionSide(right.fork(), "mirror"), [PROJECT, SEQUENCE, SHOT]).plan()
    assert [(each.label, each.attribute) for each in plan.refused] == [("sh010", "tags")]
    plan.apply()
    assert state(right) == {"sh010": ("sq1", 7, None, frozenset(), None)}


def test_rows_that_refer_to_each_other_are_made(sides: Any) -> None:
    """A reference in a circle waits until its row is there."""
    left, right = sides
    notes = TypePair("Note", "Note", ["content", "parent", "in_reply_to", "author"], adopt=[])
    users = TypePair("User", "User", ["username"], adopt=["username"])
    first = shot(left, "sh010")
    second = left.create("Note", {"content": "b", "parent": first})
    left.create("Note", {"content": "a", "parent": first, "in_reply_to": second})
    left.commit()
    sync = Sync(left.fork(), SessionSide(right.fork(), "mirror"), [*pairs(), users, notes])
    assert sync.plan().apply(chunk=1).refused == ()
    found = right.fork().query('select content, in_reply_to.content from Note where content is "a"').one()
    assert found["in_reply_to"]["content"] == "b"
    assert sync.plan(whole=True).is_empty


def test_a_side_that_refuses_one_row_takes_the_others(sides: Any) -> None:
    """The refused row has the server's reason, stays open, and is tried again by every run."""
    left, right = sides
    shot(left, "sh010")
    shot(left, "sh020")
    left.commit()
    project = right.query("Project").one()
    right.create("Sequence", {"name": "sq1", "parent": project})
    right.commit()
    never = TypePair("Sequence", "Sequence", ["name", "parent"], adopt=["name"])
    run(left, right)
    assert state(right) == state(left)
    own = right.fork()
    parent = own.query("Sequence").one()
    own.create("Shot", {"name": "sh030", "parent": parent})
    own.commit()
    shot(left, "sh030", fstart=3)
    left.commit()
    mapping = [STATUS, PROJECT, TAG, never, TypePair("Shot", "Shot", ["name", "parent", "fstart"])]
    result = Sync(left.fork(), SessionSide(right.fork(), "mirror"), mapping).plan().apply()
    assert len(result.refused) == 2
    assert all("exists already" in each.outcome.reason for each in result.refused)
    plan = synced(left, right).plan()
    assert [each.label for each in plan.linked] == ["sh030"]


def test_deletes_travel_by_policy(sides: Any) -> None:
    """Kept by default; deleted where that is wanted, and never too many."""
    left, right = sides
    for number in range(20):
        shot(left, f"sh{number:03}")
    left.commit()
    run(left, right)
    own = left.fork()
    own.delete(own.query('Shot where name is "sh000"').one())
    own.commit()
    assert synced(left, right).plan().is_empty
    plan = run(left, right, delete="delete")
    assert [(each.side, each.kind, each.label) for each in plan.right] == [("right", "delete", "sh000")]
    assert state(left) == state(right)
    assert synced(left, right, delete="delete").plan(whole=True).is_empty
    for entity in own.query("Shot").all()[:5]:
        own.delete(entity)
    own.commit()
    with pytest.raises(StateError, match="5 of 19 rows of Shot would go on the right: 26%"):
        synced(left, right, delete="delete").plan(whole=True).apply()


def test_what_was_edited_is_not_deleted_silently(sides: Any) -> None:
    """A delete here and an edit there are a conflict."""
    left, right = sides
    both(left, right)
    own = left.fork()
    own.delete(own.query("Shot").one())
    own.commit()
    change(right, fstart=5)
    plan = run(left, right, delete="delete", max_deleted=1)
    assert "  ? sh010 is gone on the left, and was changed on the right" in str(plan)
    assert state(right)["sh010"][1] == 5
    plan = run(left, right, delete="delete", max_deleted=1, conflicts="right")
    assert state(left) == state(right) == {"sh010": ("sq1", 5, None, frozenset(), None)}
    assert synced(left, right, delete="delete").plan(whole=True).is_empty


def omit(session: Session) -> None:
    own = session.fork()
    own.query("Shot").one()["status"] = own.query('Status where name is "Omitted"').one()
    own.commit()


def test_omitted_is_gone_on_both_sides(sides: Any) -> None:
    """Where a status means omitted, it travels as an end, and both rows stay where they are."""
    left, right = sides
    both(left, right)
    omit(left)
    ours, theirs = SessionSide(left.fork(), "ours", omitted="Omitted"), SessionSide(right.fork(), "mirror")
    (refused,) = Sync(ours, theirs, pairs(delete="omit", max_deleted=1)).plan().apply().refused
    assert "SessionSide(…, omitted=" in refused.outcome.reason
    theirs.omitted = "Omitted"
    assert Sync(ours, theirs, pairs(delete="omit", max_deleted=1)).plan().apply().refused == ()
    assert state(right)["sh010"][2] == "Omitted"
    assert Sync(ours, theirs, pairs(delete="omit")).plan(whole=True).is_empty


def test_without_that_omitted_is_a_status_as_any(sides: Any) -> None:
    """It is carried over like other values."""
    left, right = sides
    both(left, right)
    omit(left)
    run(left, right)
    assert state(left) == state(right)
    assert state(right)["sh010"][2] == "Omitted"


def test_what_is_there_on_both_sides_is_paired(sides: Any) -> None:
    """By its natural key, its parents first; different values are conflicts, since nobody knows the base."""
    left, right = sides
    shot(left, "sh010", fstart=1)
    shot(right, "sh010", fstart=2)
    left.commit()
    right.commit()
    plan = synced(left, right).plan()
    assert [each.label for each in plan.linked if each.label.startswith("s")] == ["sintel", "sq1", "sh010"]
    assert [(each.attribute, each.left_value, each.right_value) for each in plan.conflicts] == [("fstart", 1, 2)]
    plan.apply()
    assert (left.fork().query("Shot").count(), right.fork().query("Shot").count()) == (1, 1)
