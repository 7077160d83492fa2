"""The pytest plugin: fixtures for tests that need an entity server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

__all__ = ["callsheet_connect", "callsheet_service", "callsheet_session", "fake_events"]


@pytest.fixture
def callsheet_service() -> Iterator[Any]:
    """An embedded server in memory, new for each test."""
    from callsheet.testing import memory_service

    service = memory_service()
    yield service
    service.close()


@pytest.fixture
def callsheet_connect(callsheet_service: Any) -> Iterator[Callable[..., Any]]:
    """Gives sessions on the test's server; they are closed with it."""
    from callsheet.testing import session_on

    opened = []

    def connect(user: str = "admin", **options: Any) -> Any:
        opened.append(session_on(callsheet_service, user, **options))
        return opened[-1]

    yield connect
    for session in opened:
        session.close()


@pytest.fixture
def fake_events(callsheet_service: Any) -> Iterator[Any]:
    """Runs durable handlers in the test's own thread: `callsheet.testing.events.FakeEvents`."""
    from callsheet.testing.events import FakeEvents

    fake = FakeEvents(callsheet_service)
    yield fake
    fake.close()


@pytest.fixture
def callsheet_session(callsheet_connect: Callable[..., Any]) -> Any:
    """A session on the test's server, as its administrator."""
    return callsheet_connect()
