"""Whatever happens on the socket, a session raises an error of the transport and loses nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from raw_server import FAULTS, RawServer

import callsheet
from callsheet import AsyncSession, Session
from callsheet.errors import CommitError, TransportError
from callsheet.transport.patience import Timeouts
from callsheet.transport.retry import RetryPolicy

KEY = "a key for these tests"
each_fault = pytest.mark.parametrize("name", FAULTS)
IMPATIENT = {"timeout": Timeouts(connect=3.0, read=5.0), "schema_cache": False, "plugin_paths": False}


@pytest.fixture(scope="module")
def server() -> Iterator[RawServer]:
    """A server with a socket before it that goes wrong on demand."""
    with callsheet.serve(admin_key=KEY) as running, RawServer(urlsplit(running.url).port or 0) as raw:
        yield raw


def patience(retries: int) -> dict[str, Any]:
    return {**IMPATIENT, "retries": RetryPolicy(retries=retries, deadline=5.0, first=0.01)}


@pytest.fixture
def opened(server: RawServer) -> Iterator[Callable[[int], Session]]:
    """Gives sessions that repeat so often what fails."""
    sessions: list[Session] = []

    def open_session(retries: int) -> Session:
        sessions.append(Session(server.url, "admin", KEY, **patience(retries)))
        return sessions[-1].__enter__()

    yield open_session
    server.faulty = 0
    for session in sessions:
        session.close()


def projects(server: RawServer, name: str) -> int:
    """How many projects of this name there are, as another session sees it."""
    server.faulty = 0
    with Session(server.url, "admin", KEY, schema_cache=False, plugin_paths=False) as other:
        return other.query(f"Project where name is {name}").count()


def check(error: TransportError) -> None:
    """It says which server, which request and what happened, in a line, and names no library and no key."""
    text = str(error)
    place, path, reason = re.fullmatch(r"(127\.0\.0\.1:\d+: )?(POST /v1/\w+[^:]*: )?(.{10,})", text).groups()  # type: ignore[union-attr]
    assert (place and path) or reason.startswith("the server's answer cannot be read")
    assert KEY not in text
    assert "httpx" not in text
    assert "h11" not in text


@each_fault
def test_reading_raises_an_error_of_the_transport(
    name: str, server: RawServer, opened: Callable[[int], Session]
) -> None:
    """Without repetition; the same session reads what is there right afterwards."""
    session = opened(0)
    server.break_next(FAULTS[name], "/v1/select")
    with pytest.raises(TransportError) as raised:
        session.query("Project").all()
    check(raised.value)
    assert server.hit == 1
    assert server.over.wait(10)
    assert session.query("Project where name is nobody").all() == []


@each_fault
def test_awaited_reading_raises_the_same(name: str, server: RawServer) -> None:
    """Also under an event loop."""

    async def read() -> None:
        async with AsyncSession(server.url, "admin", KEY, **patience(0)) as session:
            server.break_next(FAULTS[name], "/v1/select")
            with pytest.raises(TransportError) as raised:
                await session.query("Project").all()
            check(raised.value)
            assert await asyncio.to_thread(server.over.wait, 10)
            assert await session.query("Project where name is nobody").all() == []

    asyncio.run(read())


@each_fault
def test_a_commit_is_in_doubt_and_then_done_once(
    name: str, server: RawServer, opened: Callable[[int], Session]
) -> None:
    """The server has done the work; the session keeps it, says so, and sending it again does nothing twice."""
    session, project = opened(0), f"p{uuid4().hex}"
    entity = session.create("Project", {"name": project})
    server.break_next(FAULTS[name], "/v1/commits")
    with pytest.raises(CommitError, match="sends the same again, which is safe") as raised:
        session.commit()
    assert isinstance(raised.value.__cause__, TransportError)
    check(raised.value.__cause__)
    assert len(session.pending) == 1
    assert server.over.wait(10)
    session.commit()
    assert not session.pending
    assert entity["name"] == project
    assert projects(server, project) == 1


@each_fault
def test_what_fails_twice_is_done_by_the_third_attempt(
    name: str, server: RawServer, opened: Callable[[int], Session]
) -> None:
    """Unseen by the caller, and once, where the fault can be told from an answer."""
    session, project = opened(3), f"p{uuid4().hex}"
    session.create("Project", {"name": project})
    server.break_next(FAULTS[name], "/v1/commits", times=2)
    try:
        session.commit()
    except CommitError:
        # What looks like an answer, or does not end in time, is told at once; the work stays.
        server.faulty = 0
        assert server.over.wait(10)
        session.commit()
    assert not session.pending
    assert projects(server, project) == 1
