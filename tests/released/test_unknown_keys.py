"""Readers of answers, logs and journals ignore keys of a later version; requests and settings with one are refused."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from dialogue import once, refused, undone
from exchanges import ADMIN_KEY, Understanding, ask, keys_on, recorded
from meaning import covers, plain
from present import NAMES, opened
from releases import RELEASES, Release

from callsheet import Session
from callsheet.errors import SchemaError, UsageError
from callsheet.flow import Response
from callsheet.model.record import Identity
from callsheet.server.child import ServerSettings
from callsheet.server.process import serve
from callsheet.server.service import Service
from callsheet.testing import session_on
from callsheet.transport.journal import Journal

LATER = "of_a_later_version"


def later(value: Any) -> Any:
    """The data as a later version might write them: a new key in every object, tagged values and schemas aside."""
    if isinstance(value, list):
        return [later(item) for item in value]
    if not isinstance(value, dict) or any(name.startswith("$") for name in value):
        return value
    return {**{name: item if name == "schema" else later(item) for name, item in value.items()}, LATER: [1]}


def objects(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The place of every object whose keys are of the wire, not of the data."""
    if isinstance(value, dict):
        if any(name.startswith("$") for name in value):
            return
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        if name not in ("values", "before", "added", "removed", "data", "source", "value"):
            yield from objects(item, (*path, name))


def widened(value: Any, path: tuple[Any, ...]) -> bytes:
    """The JSON, with a key of a later version in the object at this place."""
    copy = json.loads(json.dumps(value))
    place = copy
    for name in path:
        place = place[name]
    place[LATER] = 1
    return json.dumps(copy).encode()


def test_unknown_keys_of_answers_are_ignored(release: Release) -> None:
    """An answer with new keys in every object means what it meant without."""
    client, faults = Understanding(), []
    for exchange in recorded(release):
        answer = exchange["response"]
        content = answer["content"].encode("latin-1")
        if answer["headers"]["content-type"] == "application/json":
            content = json.dumps(later(json.loads(content))).encode()
        faults += client.faults(exchange, Response(answer["status"], content, answer["headers"]))
    assert faults == []


def test_unknown_keys_of_the_log_are_ignored(release: Release, tmp_path: Path) -> None:
    """History and undo read changes that hold keys of a later version."""
    release.studio(tmp_path)
    widen_log(tmp_path / "studio.sqlite")
    with Service.open(f"sqlite:///{tmp_path / 'studio.sqlite'}") as service, session_on(service, "anna") as anna:
        known = release.json("expected.json")
        assert covers(plain(anna.history(Identity("Task", "task"))), known["history"]) == []
        anna.undo(8)
        anna.commit()
        assert anna.get("Shot", "shot")["fend"] == 1100


def widen_log(path: Path) -> None:
    """Put a new key into each change of the log."""
    connection = sqlite3.connect(path)
    with connection:
        for position, changes in connection.execute("SELECT position, changes FROM _log").fetchall():
            found = [{**change, LATER: {"more": 1}} for change in json.loads(zlib.decompress(changes))]
            wider = zlib.compress(json.dumps(found).encode())
            connection.execute("UPDATE _log SET changes = ? WHERE position = ?", (wider, position))
    connection.close()


def test_unknown_keys_of_a_journal_are_ignored(release: Release, tmp_path: Path) -> None:
    """A change set with keys of a later version, in it and in its operations, is read without them."""
    path = release.copy("journal.sqlite", tmp_path)
    connection = sqlite3.connect(path)
    with connection:
        for number, changes in connection.execute("SELECT number, changes FROM entry").fetchall():
            found = json.loads(changes)
            wider = {**found, "operations": [{**each, LATER: 1} for each in found["operations"]], LATER: [2]}
            connection.execute("UPDATE entry SET changes = ? WHERE number = ?", (json.dumps(wider).encode(), number))
    connection.close()
    journal = Journal(path)
    assert [entry.changes for entry in journal.entries()[:3]] == [once(NAMES), undone(NAMES), refused(NAMES)]
    journal.close()


def test_unknown_keys_of_deliveries_are_ignored(eventful: Release, tmp_path: Path) -> None:
    """A delivery that holds an event with a key of a later version is handed out."""
    with opened(eventful, "sqlite", tmp_path) as service, session_on(service, "anna") as anna:
        connection = sqlite3.connect(tmp_path / "studio.sqlite")
        with connection:
            for row, event in connection.execute("SELECT rowid, event FROM _delivery").fetchall():
                wider = json.dumps({**json.loads(event), LATER: 1})
                connection.execute("UPDATE _delivery SET event = ? WHERE rowid = ?", (wider, row))
        connection.close()
        known = eventful.json("expected.json")["deliveries"]
        assert covers(plain(anna.call("handlers.deliveries", handler="tell")), known) == []


def test_unknown_keys_of_requests_are_refused(tmp_path: Path) -> None:
    """A request with an unknown key, in whichever object, is refused with the key's name, and nothing is done."""
    release, refusals = RELEASES[-1], 0
    with (
        serve("production", release.studio(tmp_path), admin_key=ADMIN_KEY, files=release.files(tmp_path)) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        keys = keys_on(client)
        for exchange in recorded(release):
            if (
                exchange["request"]["headers"].get("content-type") != "application/json"
                or exchange["step"] == "a wrong key"
            ):
                continue
            body = json.loads(exchange["request"]["content"])
            for path in objects(body):
                wider = {**exchange, "request": {**exchange["request"], "content": widened(body, path).decode()}}
                answer = ask(client, wider, keys)
                assert answer.status in (400, 404, 422), (exchange["step"], path, answer)
                if exchange["step"] != "no such action":
                    assert LATER.encode() in answer.content, (exchange["step"], path, answer)
                refusals += 1
        positions = client.post("/v1/call/commits", json={}, headers={"authorization": f"Bearer {ADMIN_KEY}"}).json()
    assert refusals >= 50
    assert [each["position"] for each in positions["result"]["commits"]] == list(range(1, 11))


@pytest.mark.parametrize("place", ["", "types.Thing", "types.Thing.attributes.name"])
def test_unknown_keys_of_settings_are_refused(place: str) -> None:
    """A schema, a session's options and a server process's settings name the key that they do not know."""
    document: dict[str, Any] = {"name": "x", "types": {"Thing": {"attributes": {"name": {"type": "string"}}}}}
    target: Any = document
    for name in filter(None, place.split(".")):
        target = target[name]
    target[LATER] = 1
    with pytest.raises(SchemaError, match=LATER):
        Service.open("memory:", document)
    with pytest.raises(UsageError, match=LATER):
        Session("memory:", **{LATER: 1})
    settings = msgspec.to_builtins(
        ServerSettings("production", "memory:", "127.0.0.1", 0, None, None, None, None, False)
    )
    with pytest.raises(msgspec.ValidationError, match=LATER):
        msgspec.convert({**settings, LATER: 1}, ServerSettings)
