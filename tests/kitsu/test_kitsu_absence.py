"""After a long absence the log is not relied on: if anything changed everything is read, and otherwise nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from kitsu_sync.log import KEPT, ProjectLog

from callsheet.transport.drive import run
from callsheet.transport.local import LocalTransport

TYPES = ["Shot", "Task"]


class Studio:
    """What the log needs of an account and of the lists: an ETag, the newest event, the names of statuses."""

    def __init__(self) -> None:
        self.etag, self.logged = "one", list[str]()

    def headers(self, path: str, **params: Any) -> Iterator[Any]:
        return {"etag": self.etag}
        yield

    def rows(self, path: str, **params: Any) -> Iterator[Any]:
        if "after" in params:
            self.logged.append(params["after"])
            return []
        return [{"created_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")}]
        yield

    def id(self) -> Iterator[Any]:
        return "me"
        yield

    def digest(self) -> Iterator[Any]:
        return "names"
        yield


@pytest.fixture
def studio() -> Studio:
    return Studio()


def changes(studio: Studio, since: Any, full_every: timedelta = timedelta(hours=1)) -> Any:
    log = ProjectLog(studio, studio, "p", full_every)  # type: ignore[arg-type]
    return run(log.changes(TYPES, since), LocalTransport())


def ago(position: dict[str, Any], away: timedelta) -> dict[str, Any]:
    """The position as it would be if it had been taken so long ago."""
    moment = datetime.now(UTC) - away
    return {**position, "time": moment.strftime("%Y-%m-%dT%H:%M:%S"), "full": moment.isoformat()}


def test_after_a_week_everything_is_read_if_anything_changed(studio: Studio) -> None:
    """The log may have missed what happened while a server was down; without a change nothing is read at all."""
    position = ago(changes(studio, None).position, timedelta(days=7))
    assert changes(studio, position).ids == {}
    studio.etag = "two"
    assert changes(studio, position).ids is None
    assert studio.logged == []


def test_within_the_hour_the_log_says_what_changed(studio: Studio) -> None:
    """The control: a short absence reads the log, from before the position on."""
    position = ago(changes(studio, None).position, timedelta(minutes=10))
    studio.etag = "two"
    assert changes(studio, position).ids == {"Shot": [], "Task": []}
    assert len(studio.logged) == 1
    assert studio.logged[0] < position["time"]


def test_what_the_log_keeps_no_more_is_read(studio: Studio) -> None:
    """Whatever is said of full readings: Kitsu drops events after 90 days."""
    position = changes(studio, None).position
    old = {**ago(position, KEPT + timedelta(days=1)), "full": position["full"]}
    studio.etag = "two"
    assert changes(studio, old, full_every=timedelta(days=999)).ids is None
