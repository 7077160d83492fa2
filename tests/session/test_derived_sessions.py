"""A derived session starts with what is known, may be kept from talking, and hands back what is moved only."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from plain_model import DOCUMENT
from test_savepoints import SEED, all_loaded

from callsheet import AsyncSession, Session
from callsheet.errors import Closed, Detached, ForbiddenRequest, StateError, UsageError
from callsheet.model.operation import ChangeSet
from callsheet.session.connection import over
from callsheet.testing import memory_service


@pytest.fixture
def session() -> Iterator[Session]:
    with memory_service(DOCUMENT) as service:
        service.commit(ChangeSet("seed", SEED), "admin")
        with Session(connection=over(service.backend("admin"))) as opened:
            yield opened


def test_what_is_known_is_there_without_a_request(session: Session) -> None:
    """Values, references, collections and items are those that were loaded; other entities of the session's own."""
    all_loaded(session)
    kept = list(session.identities)
    with session.with_cache(using_requests=False) as offline:
        task = offline.get("Task", "t1")
        assert task is not session.get("Task", "t1")
        assert (task["name"], task["bid"], task["parent"]["name"]) == ("t1", 5, "p1")
        assert [tag["name"] for tag in task["tags"]] == ["g1"]
        assert [each["name"] for each in task["status"]["tasks"]] == ["t1", "t2"]
        assert len(list(offline.identities)) == len(kept)
        assert offline.statistics.requests == 0
    with pytest.raises(Closed):
        offline.get("Task", "t1")
    assert task["name"] == "t1"


def test_every_verb_that_needs_the_server_is_refused_with_its_line(session: Session) -> None:
    """Queries, lazy reads, commits, calls, events: the message names the request and the caller's file and line."""
    session.get("Task", "t1")
    with session.with_cache(using_requests=False) as offline:
        task = offline.get("Task", "t1")
        task["name"] = "changed"
        for act in (
            lambda: offline.query("Task where name is t2").all(),
            lambda: offline.query("Task").count(),
            lambda: offline.get("Task", "t2"),
            lambda: list(task["tags"]),
            lambda: offline.commit(),
            lambda: offline.call("users.list"),
            lambda: offline.refresh([task]),
        ):
            with pytest.raises(
                ForbiddenRequest, match=r"may not talk to its server, and would have sent \w+.*"
            ) as raised:
                act()
            assert f"{__file__}, line {act.__code__.co_firstlineno}" in str(raised.value)
        with pytest.raises(ForbiddenRequest, match="would have sent events"):
            offline.event_hub.connect()
        assert task["name"] == "changed"


def test_nothing_comes_back_that_was_not_asked_for(session: Session) -> None:
    """The parent keeps its entities, their values and its pending work, and gets none of the block's."""
    task = session.get("Task", "t1")
    task["bid"] = 9
    before = len(session.identities)
    with session.with_cache() as derived:
        assert derived.get("Task", "t1")["bid"] == 5
        derived.get("Task", "t1")["name"] = "lost"
        derived.query("Tag").all()
        derived.create("Tag", {"name": "lost"})
    assert len(session.identities) == before
    assert (task["name"], task["bid"]) == ("t1", 9)
    assert [operation.identity.key for operation in session.pending] == ["t1"]


def test_a_derived_session_answers_like_any_other(session: Session) -> None:
    """There is one interface: first, last, queries and edits are not served by what happens to be cached."""
    all_loaded(session)
    other = session.fork()
    with session.with_cache() as derived:
        derived.get("Task", "t1")["name"] = "edited"
        other.get("Task", "t2")["name"] = "theirs"
        other.commit()
        names = [task["name"] for task in derived.query("Task order by id").all()]
        assert names == ["edited", "theirs"]
        assert derived.query("Task order by id").first()["id"] == "t1"
    with session.with_cache(using_models=False, using_requests=False) as empty:
        assert list(empty.identities) == []
        with pytest.raises(ForbiddenRequest):
            empty.get("Task", "t1")


def test_moved_work_is_pending_there_and_not_here(session: Session) -> None:
    """Values, items, links, adjustments, creates and deletes; one commit there does it all."""
    all_loaded(session)
    kept = list(session.identities)
    with session.with_cache(using_requests=False) as offline:
        task, other = offline.get("Task", "t1"), offline.get("Task", "t2")
        task["name"] = "moved"
        task["metadata"]["colour"] = "red"
        task["tags"].append(offline.get("Tag", "g2"))
        offline.increment(task, "bid", 2)
        offline.delete(other)
        made = offline.create("Task", {"name": "new", "parent": task, "status": offline.get("Status", "s2")})
        left = offline.get("Project", "p1")
        left["name"] = "stays"
        assert offline.move([], to=session) == []
        moved = offline.move([task, other, made, offline.get("Tag", "g2")], to=session)
        assert moved[0] is session.get("Task", "t1")
        assert [operation.identity.key for operation in offline.pending] == ["p1"]
        with pytest.raises(Detached):
            made["name"]
    assert len(kept) > 0
    session.commit()
    fresh = session.fork()
    task = fresh.get("Task", "t1")
    assert (task["name"], task["bid"], dict(task["metadata"])) == ("moved", 7, {"colour": "red"})
    assert sorted(tag["name"] for tag in task["tags"]) == ["g1", "g2"]
    assert fresh.query("Task where name is new").one()["parent"] is task
    assert fresh.get("Task", "t2") is None
    assert fresh.get("Project", "p1")["name"] == "p1"


def test_what_cannot_be_moved_moves_nothing(session: Session) -> None:
    """A new entity that others refer to moves with them; entities stay on their server."""
    fork = session.fork()
    parent = fork.create("Task", {"name": "above"})
    child = fork.create("Task", {"name": "below", "parent": parent})
    for alone in (child, parent):
        with pytest.raises(StateError, match="move both, or commit first"):
            fork.move(alone, to=session)
    assert (session.pending, len(fork.pending)) == ((), 2)
    with pytest.raises(UsageError, match="this is the same one"):
        fork.move(parent, to=fork)
    with pytest.raises(StateError, match="belongs to another session"):
        session.move(parent, to=fork)
    with (
        memory_service({"types": {"Dot": {}}}) as service,
        Session(connection=over(service.backend("admin"))) as other,
        pytest.raises(UsageError, match="another schema"),
    ):
        fork.move(parent, to=other)
    assert [each["name"] for each in fork.move([parent, child], to=session)] == ["above", "below"]
    session.commit()
    assert session.query("Task where name is below").one()["parent"]["name"] == "above"


def test_an_asynchronous_session_derives_and_moves() -> None:
    async def story() -> list[Any]:
        with memory_service(DOCUMENT) as service:
            service.commit(ChangeSet("seed", SEED), "admin")
            async with AsyncSession(connection=over(service.backend("admin"))) as session:
                held = await session.get("Task", "t1")
                with session.with_cache(using_requests=False) as offline:
                    task = await offline.get("Task", "t1")
                    task["name"] = "moved"
                    refused = ""
                    try:
                        await offline.commit()
                    except ForbiddenRequest as error:
                        refused = str(error)
                    offline.move(task, to=session)
                await session.commit()
                return [held["name"], "would have sent commit(" in refused]

    assert asyncio.run(story()) == ["moved", True]
