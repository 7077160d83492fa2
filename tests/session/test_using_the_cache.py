"""A query with `use_cache` uses what the session has; one without gets everything from the server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from plain_model import DOCUMENT
from test_savepoints import SEED

from callsheet import AsyncSession, Session
from callsheet.errors import ForbiddenRequest
from callsheet.model.operation import ChangeSet
from callsheet.session.connection import over
from callsheet.testing import memory_service

TASKS = {"__model__": "Task", "__query__": {"id": ["t2", "t1", "nowhere"]}}


@pytest.fixture
def session() -> Iterator[Session]:
    with memory_service(DOCUMENT) as service:
        service.commit(ChangeSet("seed", SEED), "admin")
        with Session(connection=over(service.backend("admin"))) as opened:
            yield opened


def keys(entities: Any) -> list[str]:
    return [each["id"] for each in entities]


def requests(session: Session) -> int:
    return session.statistics.requests


@pytest.mark.parametrize("query", [TASKS, 'Task where id in ("t2", "t1", "nowhere")'])
def test_only_what_is_missing_is_requested(session: Session, query: Any) -> None:
    """The result is that of the server: by key, without what is not there. Text and JSON mean the same."""
    plain = keys(session.query(query).all())
    assert plain == ["t1", "t2"]
    before = requests(session)
    assert keys(session.query(query, use_cache=True).all()) == plain
    assert requests(session) == before + 1  # for the key that nobody has
    here = 'Task where id in ("t2", "t1")'
    assert keys(session.query(here, use_cache=True)) == plain
    assert session.query(here, use_cache=True)[1]["id"] == "t2"
    assert keys(session.query(here, use_cache=True).limit(1).offset(1).all()) == ["t2"]
    assert session.query("Task where id is t1", use_cache=True).one()["id"] == "t1"
    assert requests(session) == before + 1
    fork = session.fork()
    assert keys(fork.query(here, use_cache=True).all()) == plain


def test_without_it_values_come_from_the_server(session: Session) -> None:
    """With it they are as they are here, whatever others did meanwhile."""
    task = session.get("Task", "t1")
    other = session.fork()
    other.get("Task", "t1")["name"] = "theirs"
    other.commit()
    assert session.query("Task where id is t1", use_cache=True).one() is task
    assert task["name"] == "t1"
    assert session.query("Task where id is t1").one()["name"] == "theirs"


def test_projections_that_are_not_here_are_loaded(session: Session) -> None:
    """For all entities in one request, as a query does, and once."""
    session.query("Task").all()
    before = requests(session)
    query = 'select name, status.name from Task where id in ("t1", "t2")'
    found = session.query(query, use_cache=True).all()
    assert requests(session) == before + 1
    assert [each["status"]["name"] for each in found] == [each["status"]["name"] for each in session.query(query)]
    before = requests(session)
    session.query(query, use_cache=True).all()
    assert requests(session) == before


def test_what_is_changed_and_deleted_here_is_so_in_the_result(session: Session) -> None:
    """Pending work is part of what the session has."""
    first, second = session.query("Task where id in (t1, t2)").all()
    first["name"] = "pending"
    session.delete(second)
    assert [each["name"] for each in session.query("Task where id in (t1, t2)", use_cache=True)] == ["pending"]


def test_the_server_decides_about_every_other_condition(session: Session) -> None:
    """A part of the data does not say what fulfils a condition, or how all of it is ordered."""
    session.query("Task").all()
    for query in (
        "Task where name is t1",
        "Task where id in (t1, t2) and name is t1",
        "Task where id in (t1, t2) order by name",
        "Task where not id is t1",
        "Task where id in (t1, t2) limit 1 by name",
    ):
        before = requests(session)
        assert keys(session.query(query, use_cache=True).all()) == keys(session.query(query).all())
        assert requests(session) == before + 2, query
    assert session.query("Task where id in (t1, t2)", use_cache=True).count() == 2
    rows = session.query({**TASKS, "__json__": True}, use_cache=True).all()
    assert rows == session.query({**TASKS, "__json__": True}).all()


def test_a_session_that_may_not_talk_answers_from_it(session: Session) -> None:
    """Everything else is refused there."""
    session.query("Task").all()
    with session.with_cache(using_requests=False) as offline:
        assert keys(offline.query("Task where id in (t1, t2)", use_cache=True)) == ["t1", "t2"]
        with pytest.raises(ForbiddenRequest):
            offline.query("Task where id in (t1, t2)").all()
        with pytest.raises(ForbiddenRequest):
            offline.query("Task where id in (t1, nowhere)", use_cache=True).all()


def test_an_asynchronous_session_has_it_too() -> None:
    async def story() -> list[Any]:
        with memory_service(DOCUMENT) as service:
            service.commit(ChangeSet("seed", SEED), "admin")
            async with AsyncSession(connection=over(service.backend("admin"))) as session:
                await session.query("Task").all()
                before = session.statistics.requests
                found = await session.query({"__model__": "Task", "__query__": {"id": ["t2", "t1"]}}, None, True).all()
                streamed = [each async for each in session.query("Task where id in (t1, t2)", use_cache=True)]
                return [keys(found), found == streamed, session.statistics.requests - before]

    assert asyncio.run(story()) == [["t1", "t2"], True, 0]
