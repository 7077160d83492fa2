"""The nightly job runs a sync file in one commit with its checkpoint, by the code that `callsheet listen` runs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from callsheet.server.service import Service
from callsheet.testing.events import FakeEvents

PLUGIN = Path(__file__).parents[2] / "plugins" / "nightly_sync.py"
NIGHT = datetime(2026, 12, 1, 1, tzinfo=UTC)
FILE = """
name = "nightly"

[[sync]]
type = "Sequence"
rows = "shots.csv"
key = ["parent.name", "name"]
columns = { Seq = "name", Show = "parent.name" }

[[sync]]
type = "Shot"
rows = "shots.csv"
key = ["project.name", "parent.name", "name"]
columns = { Shot = "name", Seq = "parent.name", Show = "project.name", In = "fstart" }
"""


@pytest.fixture
def callsheet_service() -> Iterator[Service]:
    """A server with the standard types."""
    with Service.open("memory:", seed=True) as service:
        yield service


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, callsheet_session: Any, fake_events: FakeEvents) -> Path:
    """The table that somebody keeps, and a project for its rows."""
    callsheet_session.create("Project", {"name": "sintel"})
    callsheet_session.commit()
    (tmp_path / "nightly.toml").write_text(FILE)
    monkeypatch.setenv("STUDIO_NIGHTLY_SYNC", str(tmp_path / "nightly.toml"))
    fake_events.load(PLUGIN)
    path = tmp_path / "shots.csv"
    path.write_text("Show;Seq;Shot;In\nsintel;sq1;sh10;1001\nsintel;sq1;sh20;1001\n")
    return path


def test_the_table_goes_in_as_one_run(table: Path, callsheet_session: Any, fake_events: FakeEvents) -> None:
    """The second night finds one change, the third none."""
    (first,) = fake_events.tick("nightly-sync", NIGHT)
    table.write_text(table.read_text().replace("sh20;1001", "sh20;1009"))
    (second,) = fake_events.tick("nightly-sync")
    assert (first.operations, second.operations) == (3, 1)
    runs = callsheet_session.sync_runs("nightly")
    assert [(run.count("create"), run.count("update"), len(run.commits)) for run in runs] == [(0, 1, 1), (3, 0, 1)]
    assert callsheet_session.call("handlers.schedules")[0]["done"] is not None


def test_a_night_without_changes_is_done_too(table: Path, callsheet_session: Any, fake_events: FakeEvents) -> None:
    """It is settled without a commit."""
    fake_events.tick("nightly-sync", NIGHT)
    count = len(callsheet_session.commits())
    assert [each.kind for each in fake_events.tick("nightly-sync")] == ["handled"]
    assert len(callsheet_session.commits()) == count


def test_rows_that_cannot_go_in_are_a_dead_letter(table: Path, callsheet_session: Any, fake_events: FakeEvents) -> None:
    """The error names them, nothing was changed, and the mended table is brought in by a replay."""
    good = table.read_text()
    table.write_text(good.replace("sh20;1001", "sh20;soon"))
    outcomes = fake_events.tick("nightly-sync", NIGHT, check=False)
    assert [each.kind for each in outcomes] == ["failed", "failed", "dead"]
    (dead,) = callsheet_session.call("handlers.deliveries", state="dead")
    assert "row 3, In: 'soon' is not a number" in dead["error"]
    assert callsheet_session.query("Shot").all() == []
    table.write_text(good)
    assert callsheet_session.call("handlers.replay", handler="nightly-sync", event_id=dead["event"]["id"]) == 1
    fake_events.tick("nightly-sync")
    assert len(callsheet_session.query("Shot").all()) == 2
