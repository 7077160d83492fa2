"""What released clients sent is answered as it was, and what released servers answered is understood as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from dialogue import EVENTS_READ, FILTER
from exchanges import ADMIN_KEY, ANNA_KEY, Understanding, ask, keys_on, recorded
from meaning import covers, plain
from releases import Release

from callsheet.dialects.native.client import NativeDialect
from callsheet.flow import Response
from callsheet.model.event import Position
from callsheet.server.process import serve


def test_the_present_server_answers_recorded_requests(release: Release, tmp_path: Path) -> None:
    """Each request, sent as the release sent it, gets the recorded status, and an answer that means as much or more."""
    known = recorded(release)
    statuses, faults, client_side = [], [], Understanding()
    with (
        serve("production", release.studio(tmp_path), admin_key=ADMIN_KEY, files=release.files(tmp_path)) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        keys = keys_on(client)
        for exchange in known:
            response = ask(client, exchange, keys)
            statuses.append((exchange["step"], response.status))
            faults += client_side.faults(exchange, response)
        if release.events:
            faults += stream_faults(client, release.json("events.json")[0])
    assert statuses == [(exchange["step"], exchange["response"]["status"]) for exchange in known]
    assert [status for _, status in statuses].count(200) >= 18
    assert faults == []


def stream_faults(client: httpx.Client, known: dict[str, Any]) -> list[str]:
    """The beginning of the stream of events as the release asked for it."""
    opened, events = NativeDialect().events(Position(2, 0), FILTER, {"id": "talker"}), []
    request = known["request"]
    headers = {**request["headers"], "authorization": f"Bearer {ANNA_KEY}"}
    with client.stream(request["method"], request["path"], headers=headers) as answer:
        for chunk in answer.iter_raw():
            events += opened.receive(chunk)
            if len(events) >= EVENTS_READ:
                break
    return covers(plain(events[:EVENTS_READ]), known["meaning"][:EVENTS_READ], "events")


def test_recorded_answers_are_understood(release: Release) -> None:
    """The present client understands each recorded answer, errors among them, as the release's client did."""
    client, faults = Understanding(), []
    for exchange in recorded(release):
        faults += client.faults(exchange, answer_of(exchange))
    assert faults == []


def test_recorded_events_are_understood(eventful: Release) -> None:
    """The present client reads a recorded stream of events, however it is cut into chunks."""
    (known,) = eventful.json("events.json")
    content = known["response"]["content"].encode("latin-1")
    for size in (1, 7, len(content)):
        opened, events = NativeDialect().events(Position(2, 0), FILTER, {"id": "talker"}), []
        for start in range(0, len(content), size):
            events += opened.receive(content[start : start + size])
        assert covers(plain(events), known["meaning"]) == []
        assert [event.topic for event in events[:2]] == ["callsheet.update"] * 2


def answer_of(exchange: dict[str, Any]) -> Response:
    answer = exchange["response"]
    return Response(answer["status"], answer["content"].encode("latin-1"), answer["headers"])


@pytest.mark.parametrize("seen", ["recorded", "with keys of a later version"])
def test_the_comparison_finds_what_differs(seen: str) -> None:
    """`covers` accepts keys that are new, and finds a value that is lost, changed, or of another type."""
    known = {"a": [1, {"b": "x"}], "time": "then"}
    found: Any = {"a": [1, {"b": "x"}], "time": "now"}
    if seen != "recorded":
        found = {**found, "new": 1, "a": [1, {"b": "x", "more": None}]}
    assert covers(found, known) == []
    for worse in ({}, {"a": [1]}, {"a": [1.0, {"b": "x"}]}, {"a": [1, {"b": "y"}]}, {"a": [1, {}]}, None):
        assert covers(worse, known) != []
