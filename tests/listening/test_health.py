"""How a listener does can be read by people and by Prometheus, on this machine."""

from __future__ import annotations

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Iterator

import pytest
from desk import Desk, until

from callsheet.cli.logs import JsonLines
from callsheet.errors import UsageError
from callsheet.listening.attempt import Outcome
from callsheet.listening.health import HealthPage, address_of
from callsheet.listening.metrics import Metrics
from callsheet.model.event import Position

PLUGIN = """
@callsheet.handler("topic=callsheet.update and entity.type=Shot", name="notes", retries=0)
def notes(event, session):
    if event.changes["name"]["new"] == "bad":
        raise ValueError("no")
    session.create("Note", {"text": event.changes["name"]["new"]})
"""


@pytest.fixture
def page(desk: Desk) -> Iterator[HealthPage]:
    desk.plugin(PLUGIN)
    opened = HealthPage(desk.listen(), ("127.0.0.1", 0))
    yield opened
    opened.close()


def read(page: HealthPage, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{page.port}{path}") as answer:
        return str(answer.read().decode())


def test_health_tells_of_each_handler(desk: Desk, page: HealthPage) -> None:
    """What it did here, and how far it is on the server."""
    desk.shots("a", "bad", "c")
    until(lambda: len(desk.notes()) == 2 and desk.dead() and desk.idle())
    runner = desk.runners[0][0]
    until(lambda: runner.health()["handlers"][0].get("dead_letters") == 1)
    told = json.loads(read(page, "/health"))
    assert told["status"] == "ok"
    (handler,) = told["handlers"]
    facts = {name: handler[name] for name in ("name", "handled", "dead", "behind", "queued", "dead_letters", "busy")}
    assert facts == {"name": "notes", "handled": 2, "dead": 1, "behind": 0, "queued": 0, "dead_letters": 1, "busy": 0}
    assert (handler["last_position"], handler["last_error"]) == ("1.2", "ValueError: no")


def test_metrics_are_for_prometheus(desk: Desk, page: HealthPage) -> None:
    """Lag, rate, failures, retries and the last position of each handler."""
    desk.shots("a")
    until(lambda: desk.notes() == ["a"] and desk.idle())
    until(lambda: 'callsheet_handler_last_position{handler="notes"} 1\n' in read(page, "/metrics"))
    text = read(page, "/metrics")
    assert 'callsheet_handler_handled_total{handler="notes"} 1\n' in text
    for name in ("lag_commits", "lag_seconds", "rate", "failures_total", "retries_total", "dead_letters"):
        assert f'callsheet_handler_{name}{{handler="notes"}} ' in text


def test_other_pages_are_not_there(page: HealthPage) -> None:
    """Only health and metrics."""
    with pytest.raises(urllib.error.HTTPError, match="404") as refused:
        read(page, "/secrets")
    refused.value.close()


def test_the_page_is_for_this_machine() -> None:
    """It asks for no key."""
    with pytest.raises(UsageError, match="only for this machine"):
        address_of("0.0.0.0:9100")
    with pytest.raises(UsageError, match="is not an address"):
        address_of("here")


def test_a_rate_is_that_of_the_last_minute() -> None:
    """By a clock that is a number."""
    now = 0.0
    metrics = Metrics(lambda: now)
    for second in range(120):
        now = float(second)
        for _ in range(3):
            metrics.count(Outcome("handled"), 1, Position(second, 0))
    assert round(metrics.rate()) == 3
    now = 300.0
    assert metrics.rate() == 0.0
    assert metrics.plain()["handled"] == 360


def test_a_log_line_bears_event_and_commit(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """As JSON, for whoever collects it."""
    desk.plugin(PLUGIN)
    with caplog.at_level(logging.INFO, "callsheet.listening"):
        desk.listen()
        desk.shots("a")
        until(lambda: desk.notes() == ["a"] and desk.idle())
        (record,) = until(lambda: [each for each in caplog.records if "handled" in each.getMessage()])
    told = json.loads(JsonLines().format(record))
    commits = desk.session.commits()
    assert told["event_id"] == f"{commits[0].commit_id}:0"
    assert told["commit_id"] == commits[-1].commit_id
    assert (told["handler"], told["outcome"], told["attempt"], told["position"]) == ("notes", "handled", 1, "1.0")
