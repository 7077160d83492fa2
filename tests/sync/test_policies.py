"""Conflict policies: no policy loses an edit without a word, and what was decided is not decided on again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import callsheet
from callsheet import Column, ConflictError, RowMapping, Session
from callsheet.errors import UsageError

EXTERNAL = callsheet.external("tracker", column="id")
MAPPING = RowMapping(
    {"name": "name", "note": "description", "bid": "bid", "tags": Column("tags.name", split=",")},
    constants={"parent.name": "show"},
)
POLICIES = ["source", "target", "newest", "raise", "merge"]
VALUES = {
    "note": st.sampled_from(["", "x", "y"]),
    "bid": st.sampled_from([0.0, 1.0, 2.0]),
    "tags": st.sampled_from(["", "t1", "t2", "t1,t2", "t3", "t1,t3"]),
}
STATE = st.fixed_dictionaries(VALUES)


@pytest.fixture(scope="module")
def server() -> Iterator[Session]:
    """One server for all examples."""
    with Session("memory:") as session:
        for name in ("t1", "t2", "t3"):
            session.create("Tag", {"name": name})
        session.create("Project", {"name": "show"})
        session.commit()
        yield session


def emptied(server: Session) -> Session:
    session = server.fork()
    for kind in ("Task", "ExternalId"):
        for entity in session.query(kind).all():
            session.delete(entity)
    session.commit()
    return server.fork()


def row(state: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": 1, "name": "a"} | state | more


def plan(session: Session, state: dict[str, Any], policy: Any, external: bool = True, **more: Any) -> Any:
    key: Any = EXTERNAL if external else ("parent.name", "name")
    rows = [row(state, **more)]
    return session.plan("Task", rows, key, MAPPING, conflicts=policy, on_error="skip", updated_at="at")


def edited(session: Session, state: dict[str, Any]) -> None:
    """Somebody edits the task in the server."""
    own = session.fork()
    task = own.query("Task").one()
    task["description"], task["bid"] = state["note"] or None, state["bid"]
    task["tags"] = [own.query(f'Tag where name is "{name}"').one() for name in tags(state)]
    if own.pending:
        own.commit()


def held(session: Session) -> dict[str, Any]:
    task = session.fork().query("select description, bid, tags.name from Task").one()
    names = ",".join(sorted(tag["name"] for tag in task["tags"]))
    return {"note": task["description"] or "", "bid": task["bid"], "tags": names}


def tags(state: dict[str, Any]) -> list[str]:
    return [name for name in state["tags"].split(",") if name]


ATTRIBUTES = {"note": "description", "bid": "bid", "tags": "tags"}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(base=STATE, source=STATE, target=STATE, policy=st.sampled_from(POLICIES), external=st.booleans())
def test_no_policy_loses_an_edit_silently(
    server: Session, base: Any, source: Any, target: Any, policy: str, external: bool
) -> None:
    """An edit that does not stand in the end is listed in the plan, and the next plan is empty."""
    session = emptied(server)
    plan(session, base, policy, external).apply()
    edited(session, target)
    made = plan(session, source, policy, external, at=datetime(2030, 1, 1, tzinfo=UTC))
    listed = {each.attribute: each for each in (*made.overridden, *made.conflicts)}
    made.apply()
    after = held(session)
    for column, name in ATTRIBUTES.items():
        there, mine, old, now = (
            frozenset(each[column].split(",")) if column == "tags" else each[column]
            for each in (target, source, base, after)
        )
        if policy == "merge" and column == "tags":
            wanted = {
                tag for tag in (there | mine) if tag and not (tag in old and (tag not in mine or tag not in there))
            }
            assert {tag for tag in now if tag} == wanted
            continue
        lost = [edit for edit in (mine, there) if edit not in (old, now)]
        assert not lost or name in listed, (column, old, mine, there, now)
        if mine != old and there == old:
            assert now == mine
    again = plan(session, source, policy, external, at=datetime(2030, 1, 1, tzinfo=UTC))
    assert again.is_empty
    assert again.overridden == ()
    assert {each.attribute for each in again.conflicts} == {each.attribute for each in made.conflicts}


def brought(server: Session, policy: Any, base: Any, target: Any) -> Session:
    """A session after a run with the base, and an edit in the server."""
    session = emptied(server)
    plan(session, base, policy).apply()
    edited(session, target)
    return session.fork()


BASE = {"note": "old", "bid": 1.0, "tags": "t1"}


def test_the_source_overrides_and_says_so(server: Session) -> None:
    """The target's edit is in the plan with all three values."""
    session = brought(server, "source", BASE, {**BASE, "note": "theirs"})
    made = plan(session, BASE, "source")
    (each,) = made.overridden
    assert (each.attribute, each.base, each.source, each.target, each.kept) == (
        "description", "old", "old", "theirs", "source",
    )  # fmt: skip
    assert "  < 1  description: 'old' of the source overrides 'theirs' (was 'old')" in str(made)
    made.apply()
    assert held(session)["note"] == "old"


def test_the_target_keeps_its_edit_for_good(server: Session) -> None:
    """Also in later runs, until the source is edited; then that edit is listed as overridden, once."""
    session = brought(server, "target", BASE, {**BASE, "note": "theirs"})
    assert plan(session, BASE, "target").is_empty
    made = plan(session, {**BASE, "note": "mine"}, "target")
    assert [each.kept for each in made.overridden] == ["target"]
    made.apply()
    assert held(session)["note"] == "theirs"
    assert plan(session, {**BASE, "note": "mine"}, "target").overridden == ()


def test_a_conflict_stops_the_plan_until_somebody_decides(server: Session) -> None:
    """`apply` raises with the values, and writes nothing; with on_error="skip" only the attribute is left."""
    session = brought(server, "raise", BASE, {**BASE, "note": "theirs"})
    rows = [row({**BASE, "note": "mine", "bid": 2.0})]
    with pytest.raises(ConflictError, match="the source has 'mine', the target 'theirs' \\(was 'old'\\)") as caught:
        session.plan("Task", rows, EXTERNAL, MAPPING, conflicts="raise").apply()
    (change,) = caught.value.conflicts
    assert (change.attribute, change.base, change.ours, change.theirs) == ("description", "old", "mine", "theirs")
    assert held(session)["bid"] == 1.0
    session.plan("Task", rows, EXTERNAL, MAPPING, conflicts="raise", on_error="skip").apply()
    assert held(session) == {"note": "theirs", "bid": 2.0, "tags": "t1"}
    edited(session, {"note": "mine", "bid": 2.0, "tags": "t1"})
    assert session.plan("Task", rows, EXTERNAL, MAPPING, conflicts="raise").conflicts == ()


def test_collections_merge_three_ways(server: Session) -> None:
    """What either side added is there, what either removed is not."""
    session = brought(server, "merge", {**BASE, "tags": "t1,t2"}, {**BASE, "tags": "t1"})
    plan(session, {**BASE, "tags": "t1,t2,t3"}, "merge").apply()
    assert held(session)["tags"] == "t1,t3"
    assert plan(session, {**BASE, "tags": "t1,t2,t3"}, "merge").is_empty


@pytest.mark.parametrize(("hours", "note", "kept"), [(1, "mine", "source"), (-1, "theirs", "target")])
def test_the_later_edit_stands(server: Session, hours: int, note: str, kept: str) -> None:
    """By the time in the row, against the time of the edit in the server's log."""
    session = brought(server, "newest", BASE, {**BASE, "note": "theirs"})
    made = plan(session, {**BASE, "note": "mine"}, "newest", at=datetime.now(UTC) + timedelta(hours=hours))
    assert [each.kept for each in made.overridden] == [kept]
    made.apply()
    assert held(session)["note"] == note


def test_without_a_time_nobody_knows_which_edit_is_newer(server: Session) -> None:
    """The attribute is a conflict."""
    session = brought(server, "newest", BASE, {**BASE, "note": "theirs"})
    assert [each.attribute for each in plan(session, {**BASE, "note": "mine"}, "newest").conflicts] == ["description"]


def test_each_attribute_has_its_policy(server: Session) -> None:
    """By the path that the mapping writes; the others follow the source."""
    session = brought(server, {"description": "target"}, BASE, {"note": "theirs", "bid": 5.0, "tags": "t1"})
    plan(session, BASE, {"description": "target", "tags.name": "merge"}).apply()
    assert held(session) == {"note": "theirs", "bid": 1.0, "tags": "t1"}


def test_without_a_policy_nothing_is_noted(server: Session) -> None:
    """The row decides, as ever."""
    session = emptied(server)
    session.plan("Task", [row(BASE)], ("parent.name", "name"), MAPPING).apply()
    assert session.query("ExternalId").count() == 0
    edited(session, {**BASE, "note": "theirs"})
    assert len(session.fork().plan("Task", [row(BASE)], ("parent.name", "name"), MAPPING).changed) == 1


def test_the_first_run_with_a_policy_notes_what_is_equal(server: Session) -> None:
    """Rows that change nothing are noted, so the plan is not empty, and the next one is."""
    session = emptied(server)
    session.plan("Task", [row(BASE)], ("parent.name", "name"), MAPPING).apply()
    made = plan(session.fork(), BASE, "raise", external=False)
    assert (made.is_empty, len(made.unchanged), len(made.operations)) == (False, 1, 1)
    assert str(made) == "Task: 0 created, 0 changed, 1 unchanged, 1 noted"
    made.apply()
    assert plan(session.fork(), BASE, "raise", external=False).is_empty


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"conflicts": "mine"}, "'mine' is no policy; they are source, target, newest, raise, merge"),
        (
            {"conflicts": {"descripton": "target"}},
            "`descripton` gets no value from the rows; did you mean `description`",
        ),
        ({"conflicts": "newest"}, 'the policy "newest" needs updated_at'),
        ({"updated_at": 3}, "updated_at is the column"),
    ],
)
def test_policies_that_make_no_sense_are_refused(server: Session, options: Any, message: str) -> None:
    """With what they can be."""
    with pytest.raises(UsageError, match=message):
        server.fork().plan("Task", [row(BASE)], EXTERNAL, MAPPING, **options)
