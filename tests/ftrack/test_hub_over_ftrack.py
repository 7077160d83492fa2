"""Our hub on the vendor's wire, without the vendor: awaiting, over TLS, and without the library it needs."""

from __future__ import annotations

import builtins
from collections.abc import Iterator
from typing import Any

import anyio
import pytest

from callsheet import AsyncSession, Session
from callsheet.errors import Unauthorised, UsageError
from callsheet.model.event import Event
from callsheet.server.process import serve

KEY = "the key of these tests"


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with serve("production", admin_key=KEY, seed=True) as one:
        yield one


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_awaiting_hub(server: Any, backend: str) -> None:
    """Changes and published events come to an AsyncSession's hub, on either event loop."""

    async def listen() -> list[str]:
        told: list[str] = []
        opened = AsyncSession(server.url, api_user="admin", api_key=KEY, dialect="ftrack")
        async with anyio.create_task_group() as group, opened as session:
            await session.open()
            hub = session.event_hub
            hub.subscribe("topic=ftrack.update or topic=demo", lambda event: told.append(event.topic))
            await hub.connect(task_group=group)
            session.create("Project", {"name": f"project-{backend}", "full_name": "x"})
            await session.commit()
            await hub.publish(Event("demo"))
            with anyio.fail_after(30):
                while len(told) < 2:
                    await hub.wait(0.1)
            await hub.disconnect()
        return told

    assert anyio.run(listen, backend=backend) == ["ftrack.update", "demo"]


def hear(hub: Any, told: list[Any], count: int) -> None:
    """Wait until so many events have been told, or for half a minute."""
    for _ in range(300):
        if len(told) >= count:
            return
        hub.wait(0.1)


def test_subscriptions_may_change_while_connected(server: Any) -> None:
    """A subscription made later hears what comes later; the connection stays as it is."""
    told: list[Any] = []
    with Session(server.url, api_user="admin", api_key=KEY, dialect="ftrack") as session:
        session.open()
        hub = session.event_hub
        hub.connect()
        hub.subscribe("topic=later.one", told.append, subscriber={"role": "late"})
        hub.publish(Event("later.one", {"number": 1}, target="role=late"))
        hub.publish(Event("later.two", {"number": 2}))
        with hub.subscription("topic=later.two", told.append):
            hub.publish(Event("later.two", {"number": 3}))
            hear(hub, told, 2)
        hub.publish(Event("later.two", {"number": 4}))
        hub.publish(Event("later.one", {"number": 5}))
        hear(hub, told, 3)
        hub.disconnect()
    assert [event.data["number"] for event in told] == [1, 3, 5]


def test_keys_are_not_logged(server: Any) -> None:
    """Neither a session nor a key that came with a websocket's address is in the server's log."""
    import httpx
    from websockets.exceptions import InvalidStatus
    from websockets.sync.client import connect

    told = httpx.get(f"{server.url}/socket.io/1/", headers={"ftrack-user": "admin", "ftrack-api-key": KEY}).text
    name = told.split(":")[0]
    address = f"{server.url.replace('http', 'ws')}/socket.io/1/websocket/{name}?api_user=admin&api_key=a-key-of-ours"
    with connect(address, proxy=None) as socket:
        assert socket.recv() == "1::"
    with pytest.raises(InvalidStatus), connect(address, proxy=None):
        pass
    log = server.logs_path.read_text()
    assert name not in log
    assert "a-key-of-ours" not in log


def test_a_wrong_key(server: Any) -> None:
    """Connecting raises what the server refused with."""
    with Session(server.url, api_user="admin", api_key=KEY, dialect="ftrack") as session:
        session.open()
        session._connection.transport._settings.headers[b"ftrack-api-key"] = b"wrong"
        with pytest.raises(Unauthorised):
            session.event_hub.connect()


def test_without_the_library(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the extra to install."""
    known = builtins.__import__

    def without(name: str, *arguments: Any) -> Any:
        if name.startswith("websockets"):
            raise ImportError(name)
        return known(name, *arguments)

    with Session(server.url, api_user="admin", api_key=KEY, dialect="ftrack") as session:
        session.open()
        monkeypatch.setattr(builtins, "__import__", without)
        with pytest.raises(UsageError, match=r"callsheet\[events\]"):
            session.event_hub.connect()
