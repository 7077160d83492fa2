"""A webhook is told of events, signed; one that fails is told again."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from callsheet.testing.events import FakeEvents, HandlerFailed

PLUGIN = Path(__file__).parents[2] / "plugins" / "notify.py"
URL = "https://hooks.example.org/callsheet"
STATUS = {"status": (None, {"type": "Status", "id": "s2"})}
TASK = {"type": "Task", "id": "t1"}


@pytest.fixture
def fake(fake_events: FakeEvents, monkeypatch: pytest.MonkeyPatch) -> FakeEvents:
    """The plugin, with a webhook and a secret."""
    monkeypatch.setenv("CALLSHEET_WEBHOOK_URL", URL)
    monkeypatch.setenv("CALLSHEET_WEBHOOK_SECRET", "a secret")
    fake_events.load(PLUGIN)
    return fake_events


@respx.mock
def test_the_body_is_the_event_and_the_signature_proves_it(fake: FakeEvents) -> None:
    """The receiver can tell who sent it, and which event it is."""
    route = respx.post(URL).mock(return_value=httpx.Response(204))
    fake.emit("callsheet.update", entity=TASK, changes=STATUS)
    (call,) = route.calls
    told = json.loads(call.request.content)
    assert (told["topic"], told["data"]["entity"]["id"]) == ("callsheet.update", "t1")
    assert call.request.headers["x-callsheet-event"] == told["id"]
    expected = hmac.new(b"a secret", call.request.content, hashlib.sha256).hexdigest()
    assert call.request.headers["x-callsheet-signature"] == f"sha256={expected}"


@respx.mock
def test_other_events_are_not_told(fake: FakeEvents) -> None:
    """A task that changes its name, a shot that changes its status."""
    route = respx.post(URL).mock(return_value=httpx.Response(204))
    fake.emit("callsheet.update", entity=TASK, changes={"name": "x"})
    fake.emit("callsheet.update", entity={"type": "Shot", "id": "x"}, changes=STATUS)
    assert not route.called


@respx.mock
@pytest.mark.parametrize(
    ("answer", "told"),
    [({"return_value": httpx.Response(500)}, "answered 500"), ({"side_effect": httpx.ConnectError}, "did not answer")],
)
def test_a_receiver_that_fails_is_told_again(fake: FakeEvents, answer: dict[str, Any], told: str) -> None:
    """The handler fails with the reason, and the queue tells it again."""
    respx.post(URL).mock(**answer)
    with pytest.raises(HandlerFailed, match=told):
        fake.emit("callsheet.update", entity=TASK, changes=STATUS)


@respx.mock
def test_without_an_address_nothing_is_sent(fake: FakeEvents, monkeypatch: pytest.MonkeyPatch) -> None:
    """And nothing fails."""
    monkeypatch.delenv("CALLSHEET_WEBHOOK_URL")
    fake.emit("callsheet.update", entity=TASK, changes=STATUS)
    assert respx.calls.call_count == 0
