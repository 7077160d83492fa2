"""`ensure`: what is there is found, what differs is changed, what is missing is made; once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from callsheet import ConflictError, Session
from callsheet.errors import MultipleResults, SchemaError, UsageError
from production.making import again, make_project, make_shot, make_task, make_user

NOON = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)


def test_found_or_made(session: Session) -> None:
    """The second time finds what the first made; nothing is pending then."""
    data = {"name": "sh010", "parent": make_project(session), "description": "wide"}
    made = session.ensure("Shot", data, ["name", "parent"])
    assert made.state == "created"
    session.commit()
    assert session.ensure("Shot", data, ["name", "parent"]) is made
    assert session.pending == ()
    found = session.ensure("Shot", {**data, "description": "close"}, ["name", "parent"])
    assert found is made
    assert found["description"] == "close"
    session.commit()
    assert again(session, made)["description"] == "close"


def test_twice_before_a_commit(session: Session) -> None:
    """What is pending is found too, below parents that are pending themselves."""
    project = make_project(session)
    sequence = session.create("Sequence", {"name": "sq", "parent": project})
    one = session.ensure("Shot", {"name": "sh010", "parent": sequence}, ["name", "parent"])
    two = session.ensure("Shot", {"name": "sh010", "parent": sequence}, ["name", "parent"])
    assert one is two
    session.rollback()


@pytest.mark.parametrize("name", ['it"s', "a\\b", "50%", "None", "x and y", "'q'"])
def test_any_text_identifies(session: Session, name: str) -> None:
    """Quotes, percent signs and words of the query language are just text."""
    project = make_project(session)
    made = session.ensure("Shot", {"name": name, "parent": project}, ["name", "parent"])
    session.commit()
    assert (
        session.fork().ensure("Shot", {"name": name, "parent_id": project["id"]}, ["name", "parent_id"])["id"]
        == made["id"]
    )


@pytest.mark.parametrize(
    "start",
    [NOON, NOON.astimezone(timezone(timedelta(hours=5))), NOON.replace(microsecond=123456), date(2026, 5, 4)],
)
def test_equal_times_are_no_change(vendor: Session, start: Any) -> None:
    """The same instant in another zone, a fraction of a second that the server drops, a date for its midnight."""
    stored = datetime(2026, 5, 4, tzinfo=UTC) if type(start) is date else NOON
    task = make_task(vendor)
    task["start_date"] = stored
    vendor.commit()
    fresh = vendor.fork()
    found = fresh.ensure("Task", {"id": task["id"], "start_date": start}, ["id"])
    assert fresh.pending == ()
    assert found["start_date"] == stored


def test_times_identify(vendor: Session) -> None:
    """A time finds what has it, in whatever zone it is told."""
    user, comment = make_user(vendor), "from noon"
    log = vendor.create("Timelog", {"user": user, "start": NOON, "duration": 60.0, "comment": comment})
    vendor.commit()
    start = NOON.astimezone(timezone(timedelta(hours=-7)))
    data = {"user": user, "start": start, "duration": 60, "comment": comment}
    assert (
        vendor.fork().ensure("Timelog", {**data, "user": None, "user_id": user["id"]}, ["start", "user_id"])["id"]
        == log["id"]
    )


def test_equal_numbers_are_no_change(either: Session) -> None:
    """24 is 24.0; True is not 1."""
    task = make_task(either)
    task["bid"] = 24.0
    either.commit()
    fresh = either.fork()
    fresh.ensure("Task", {"id": task["id"], "bid": 24}, ["id"])
    assert fresh.pending == ()
    fresh.ensure("Task", {"id": task["id"], "bid": 25}, ["id"])
    assert len(fresh.pending) == 1


def test_mappings(session: Session) -> None:
    """Items that differ are set, others stay; an item can identify."""
    shot = make_shot(session)
    shot["metadata"]["lens"], shot["metadata"]["slate"] = "35mm", "12"
    session.commit()
    fresh = session.fork()
    data = {"id": shot["id"], "metadata": {"lens": "35mm"}}
    found = fresh.ensure("Shot", data, ["id"])
    assert fresh.pending == ()
    fresh.ensure("Shot", {"id": shot["id"], "metadata": {"lens": "50mm"}}, ["id"])
    fresh.commit()
    assert dict(again(fresh, found)["metadata"]) == {"lens": "50mm", "slate": "12"}
    data = {"project_id": shot["project"]["id"], "metadata": {"slate": "12"}}
    assert session.fork().ensure("Shot", data, ["project_id", "metadata.slate"])["id"] == shot["id"]


def test_custom_attributes(vendor: Session) -> None:
    """Custom attributes are compared like anything else."""
    data = {"name": "sh010", "parent": make_project(vendor), "custom_attributes": {"fstart": 990}}
    shot = vendor.ensure("Shot", data, ["name", "parent"])
    vendor.commit()
    fresh = vendor.fork()
    fresh.ensure("Shot", {"id": shot["id"], "custom_attributes": {"fstart": 990.0}}, ["id"])
    assert fresh.pending == ()


def test_what_cannot_be_ensured(session: Session) -> None:
    """Several that fit, a key without a value, a name that is none: each says so, and nothing is recorded."""
    project = make_project(session)
    make_shot(session, project, "one")
    make_shot(session, project, "two")
    with pytest.raises(MultipleResults, match="several Shot"):
        session.ensure("Shot", {"parent": project, "name": "x"}, ["parent"])
    with pytest.raises(UsageError, match="no value"):
        session.ensure("Shot", {"name": "x"}, ["parent"])
    with pytest.raises(SchemaError, match="did you mean `name`"):
        session.ensure("Shot", {"nmae": "x"}, ["nmae"])
    assert session.pending == ()


def test_without_keys_everything_plain_identifies(either: Session) -> None:
    """All plain values are the key then."""
    project = make_project(either)
    made = either.ensure("Shot", {"name": "sh010", "parent": project})
    either.commit()
    assert either.ensure("Shot", {"name": "sh010", "parent": project}) is made


def test_nothing_else_is_committed(either: Session) -> None:
    """By itself ensure commits nothing."""
    shot = make_shot(either)
    shot["name"] = "other"
    either.ensure("Shot", {"name": "new", "parent": shot["parent"]}, ["name", "parent"])
    assert len(either.pending) == 2
    either.rollback()


@pytest.mark.parametrize("name", ["vendor", "over_wire"])
def test_two_at_the_same_moment_make_one(request: pytest.FixtureRequest, name: str) -> None:
    """With ``commit`` the one who is later finds what the other made; what else was pending is committed too."""
    session = request.getfixturevalue(name)
    wire = session._connection.transport
    shot = make_shot(session)
    late = session.fork()
    late.get("Shot", shot["id"])["description"] = "also"
    data = {"username": f"user-{shot['id'][-12:]}"}
    done: list[Any] = []

    def meanwhile(request: Any) -> None:
        if b'"create"' in request.content and not done:
            done.append(True)
            done.append(session.ensure("User", {**data, "email": "theirs"}, ["username"], commit=True))

    wire.before = meanwhile
    found = late.ensure("User", {**data, "email": "mine"}, ["username"], commit=True)
    assert found["id"] == done[1]["id"]
    wire.before = lambda request: None
    assert late.pending == ()
    assert again(session, done[1])["email"] == "mine"
    assert again(session, shot)["description"] == "also"
    assert session.fork().query(f'User where username is "{data["username"]}"').count() == 1


def test_two_who_ensure_the_same_number(session: Session) -> None:
    """Whoever is second finds the value there: who ensures a value did not count on from the one before."""
    task = make_task(session)
    session.populate(task, "bid")
    task["description"] = "pending, so that the session keeps to the bid it has read"
    task["bid"] = 4.0
    other = session.fork()
    other.get("Task", task.id)["bid"] = 4.0
    other.commit()
    data = {"name": task["name"], "parent": task["parent"], "bid": 4.0}
    assert session.ensure("Task", data, ["name", "parent"], commit=True) is task
    assert (session.pending, again(session, task)["bid"]) == ((), 4.0)


def test_ensure_overwrites_nobody(preset: Session) -> None:
    """What somebody else wrote is a conflict, also the very value that is pending, where it is not to be ensured."""
    task = make_task(preset)
    preset.populate(task, "bid")
    other = preset.fork()
    other.get("Task", task.id)["bid"] = 4.0
    other.commit()
    task["bid"] = 4.0
    data = {"name": task["name"], "parent": task["parent"], "description": "wide"}
    with pytest.raises(ConflictError) as caught:
        preset.ensure("Task", data, ["name", "parent"], commit=True)
    assert [each.attribute for each in caught.value.conflicts] == ["bid"]
