"""A day of events leaves nothing behind in a listener: its memory is flat."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
from attrs import define, field
from desk import DOCUMENT

from callsheet.listening.attempt import attempt
from callsheet.listening.declaration import Handler
from callsheet.listening.metrics import Metrics
from callsheet.listening.work import WorkQueue
from callsheet.server.service import Service
from callsheet.session.connection import over
from callsheet.session.sync import Session

RANDOM = Random(11)
START = datetime(2026, 5, 1, tzinfo=UTC)


class Clock:
    """A clock that is set."""

    now = START

    def __call__(self) -> datetime:
        return self.now


@define
class Day:
    """A server with a clock that is set, a listener without threads, and people who change shots."""

    clock: Clock
    session: Session
    queue: WorkQueue
    handler: Handler
    shots: list[str]
    metrics: Metrics = field(factory=Metrics)

    def hour(self, events: int) -> None:
        """So many changes, evenly; now and then an event fails, and is tried again."""
        for number in range(events):
            self.clock.now += timedelta(hours=1) / events
            with self.session.fork() as people:
                shot = people.get("Shot", self.shots[number % len(self.shots)])
                shot["count"] = shot["count"] + 1
                people.commit()
            self.work()

    def work(self) -> None:
        for claimed in self.queue.claim(self.handler, 16):
            outcome = attempt(self.handler, claimed, self.session, self.queue)
            self.metrics.count(outcome, claimed.attempt, claimed.place)


def follow(event: Any, session: Any) -> None:
    """Reads, follows a reference, writes; one in eleven fails at random, and is tried again."""
    note = session.query("Note").where(text=event.entity["id"]).first()
    assert note["shot"]["name"]
    if RANDOM.random() < 1 / 11:
        raise ValueError("at first")
    session.query("Shot").first()["name"] = f"seen {event.id}"


@pytest.fixture
def day(tmp_path: Path) -> Iterator[Day]:
    clock = Clock()
    service = Service.open(f"sqlite:///{tmp_path}/day.db", DOCUMENT, clock=clock)
    session = Session(connection=over(service.backend("admin")), plugin_paths=False)
    keys = _shots(session)
    expression = "topic=callsheet.update and entity.type=Shot and changes.count"
    handler = Handler("follow", expression, follow, delay=0.001, retries=50)
    opened = Day(clock, session, WorkQueue(session, "w"), handler, keys)
    opened.queue.claim(handler, 1)
    yield opened
    session.close()
    service.close()


def _shots(session: Session) -> list[str]:
    shots = [session.create("Shot", {"name": f"{number:03}"}) for number in range(20)]
    for shot in shots:
        session.create("Note", {"text": shot.id, "shot": shot})
    session.commit()
    return [shot.id for shot in shots]


def objects() -> int:
    gc.collect()
    return len(gc.get_objects())


def resident() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_hours_leave_no_objects_behind(day: Day) -> None:
    """The share of it that every test run does: two hours after two to get warm."""
    for _ in range(2):
        day.hour(30)
    before = objects()
    for _ in range(2):
        day.hour(30)
    assert objects() < before * 1.05
    assert day.metrics.outcomes["handled"] > 100
    assert day.metrics.outcomes["failed"] > 5
    assert day.metrics.outcomes["dead"] == 0


@pytest.mark.deep
@pytest.mark.timeout(3_600)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_day_leaves_memory_flat(day: Day) -> None:
    """24 hours of the clock, after two to get warm: within five percent."""
    for _ in range(2):
        day.hour(240)
    before = resident()
    for _ in range(24):
        day.hour(240)
    assert resident() < before * 1.05
    assert day.metrics.outcomes["dead"] == 0
