"""The vendor's event hub and ours, side by side on one server: both are told the same, and hear each other.

The vendor's hub runs in its own process (``vendor/hub.py``), which does what it is told line by line.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from callsheet import Session
from callsheet.model.event import Event
from callsheet.server.process import serve

HERE = Path(__file__).parent
KEY = "the key of these tests"


class VendorHub:
    """The vendor's hub in a process of its own."""

    def __init__(self, python: Path, url: str) -> None:
        self._process = subprocess.Popen(
            [str(python), "-W", "ignore", str(HERE / "vendor" / "hub.py"), url, "admin", KEY],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )

    def ask(self, verb: str, *arguments: Any) -> Any:
        """Have it do something; what came of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([verb, *arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the vendor's process has ended"
        told = json.loads(line)
        assert "error" not in told, told["error"]
        return told["result"]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(20)
        self._process.stdout.close()


def until(done: Callable[[], Any], seconds: float = 30.0) -> Any:
    """What holds at last."""
    end = time.monotonic() + seconds
    while not (found := done()) and time.monotonic() < end:
        time.sleep(0.05)
    assert found, "it did not come"
    return found


@pytest.fixture
def server() -> Iterator[Any]:
    with serve("production", admin_key=KEY, seed=True) as one:
        yield one


@pytest.fixture
def vendor(vendor_python: Path, server: Any) -> Iterator[VendorHub]:
    hub = VendorHub(vendor_python, server.url)
    try:
        yield hub
    finally:
        hub.close()


def opened(server: Any, dialect: str) -> Session:
    return Session(server.url, api_user="admin", api_key=KEY, dialect=dialect)


def test_both_get_the_same_events(server: Any, vendor: VendorHub) -> None:
    """What one hub is told of changes and of what others publish, the other is told too, in the same order."""
    told: list[Event] = []
    with opened(server, "ftrack") as session, opened(server, "native") as writer:
        session.event_hub.subscribe("topic=ftrack.update or topic=demo.*", told.append)
        session.event_hub.connect()
        session.event_hub.start()
        vendor.ask("subscribe", "topic=ftrack.update or topic=demo.*")
        project = writer.create("Project", {"name": "sintel", "full_name": "Sintel"})
        writer.commit()
        project["full_name"] = "Sintel 2"
        writer.commit()
        vendor.ask("publish", "demo.theirs", {"take": 1})
        # The vendor's client does not wait until the server has it.
        until(lambda: [event for event in told if event.topic == "demo.theirs"])
        session.event_hub.publish(Event("demo.ours", {"take": 2}))
        until(lambda: [each for each in vendor.ask("events") if each["topic"] == "demo.ours"])
        theirs = vendor.ask("events")
        until(lambda: [event for event in told if event.topic == "demo.ours"])
        session.event_hub.disconnect()
    assert [each["topic"] for each in theirs] == ["ftrack.update", "ftrack.update", "demo.theirs", "demo.ours"]
    assert [(event.topic, event.id, event.data) for event in told] == [
        (each["topic"], each["id"], each["data"]) for each in theirs
    ]
    (entity,) = theirs[1]["data"]["entities"]
    assert entity["changes"]["full_name"] == {"old": "Sintel", "new": "Sintel 2"}


@pytest.mark.parametrize("dialect", ["ftrack", "native"])
def test_events_reach_each_other(server: Any, vendor: VendorHub, dialect: str) -> None:
    """An event of the vendor's reaches ours on both wires, and the other way round; so do replies, and targets hold."""
    told: list[Event] = []
    with opened(server, dialect) as session:
        session.event_hub.subscribe(
            "topic=demo.ask and data.number > 9", lambda event: {"answer": event.data["number"]}
        )
        session.event_hub.subscribe("topic=demo.aimed", told.append, subscriber={"role": "farm-1"})
        session.event_hub.connect()
        session.event_hub.start()
        vendor.ask("subscribe", "topic=demo.question", {"answer": "yes"})
        replies = vendor.ask("publish_and_wait", "demo.ask", {"number": 10}, "")
        assert [reply["data"] for reply in replies] == [{"answer": 10}]
        vendor.ask("publish", "demo.aimed", {"to": "nobody"}, "role=farm-2")
        vendor.ask("publish", "demo.aimed", {"to": "us"}, "role=farm-1")
        until(lambda: told)
        assert [event.data for event in told] == [{"to": "us"}]
        assert told[0].source["user"]["username"] == "admin"
        answer = session.event_hub.request(Event("demo.question"), timeout=20)
        assert answer.data == {"answer": "yes"}
        session.event_hub.disconnect()


def test_a_handler_for_our_updates_works_on_an_ftrack_server(server: Any) -> None:
    """An ``ftrack.update`` is told as our own update too, as far as ftrack tells it."""
    told: list[Event] = []
    with opened(server, "ftrack") as session, opened(server, "native") as writer:
        session.event_hub.subscribe("topic=callsheet.update and entity.type=Context and changes.parent", told.append)
        session.event_hub.connect()
        session.event_hub.start()
        project = writer.create("Project", {"name": "sintel", "full_name": "Sintel"})
        shot = writer.create("Shot", {"name": "010", "parent": project})
        writer.commit()
        until(lambda: told)
        session.event_hub.disconnect()
        (event,) = told
        assert event.topic == "callsheet.update"
        assert event.data["entity"] == {"type": "Shot", "id": shot.id, "types": ["Shot", "TypedContext", "Context"]}
        assert event.changes["parent"] == {"old": None, "new": {"type": "Context", "id": project.id}}
        assert event.changes["name"] == {"old": None, "new": "010"}
        assert (event.data["action"], event.data["user"], event.data["version"]) == ("create", "admin", None)
        assert event.data["project_id"] == project.id


def test_both_connect_again(tmp_path: Path, vendor_python: Path) -> None:
    """After the server was started again both hubs are there again, with their subscriptions."""
    url = f"sqlite:///{(tmp_path / 'again.db').as_posix()}"
    with serve("production", url, admin_key=KEY) as first:
        port = int(first.url.rpartition(":")[2])
        told: list[Event] = []
        hub = VendorHub(vendor_python, first.url)
        session = opened(first, "ftrack")
        try:
            session.open()
            session.event_hub.subscribe("topic=demo.again", told.append)
            session.event_hub.connect()
            session.event_hub.start()
            hub.ask("subscribe", "topic=demo.again")
            first.close()
            with serve("production", url, port=port):
                until(lambda: session.event_hub.connected)
                until(lambda: hub.ask("connected"))

                def heard() -> bool:
                    hub.ask("publish", "demo.again", {})
                    return bool(told) and bool(hub.ask("events"))

                until(heard)
                session.event_hub.disconnect()
        finally:
            hub.close()
            session.close()
