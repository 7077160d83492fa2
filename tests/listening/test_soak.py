"""A day of events leaves nothing behind, in a listener, in a session's hub, or in the server: memory is flat.

All three are in this process, on a clock that is set, so what any of them keeps is seen. Each commit changes some
shots; an hour has as many events however long a commit takes.
"""

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
from callsheet.session.blocking import Session
from callsheet.session.connection import over

RANDOM = Random(11)
TOGETHER = 10
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
    made: int = 0
    heard: int = 0

    def hour(self, events: int) -> None:
        """So many changes, evenly, ten in a commit; now and then an event fails, and is tried again."""
        for start in range(0, events, TOGETHER):
            self.clock.now += timedelta(hours=1) * TOGETHER / events
            with self.session.fork() as people:
                keys = [self.shots[number % len(self.shots)] for number in range(start, start + TOGETHER)]
                for shot in people.query("Shot").where(id=keys).all():
                    shot["count"] = shot["count"] + 1
                    self.made += 1
                people.commit()
            self.work()
            while self.heard < self.made:
                self.session.event_hub.wait(0.01)

    def hear(self, event: Any) -> None:
        self.heard += 1

    def rest(self) -> None:
        """Time for what failed last to be tried again."""
        for _ in range(60):
            self.clock.now += timedelta(minutes=1)
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
def day(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Iterator[Day]:
    # What is logged is kept until the end of a test, which would look like a leak.
    caplog.set_level("CRITICAL", "callsheet.listening")
    clock = Clock()
    service = Service.open(f"sqlite:///{tmp_path}/day.db", DOCUMENT, clock=clock)
    session = Session(connection=over(service.backend("admin")), plugin_paths=False)
    keys = _shots(session)
    expression = "topic=callsheet.update and entity.type=Shot and changes.count"
    handler = Handler("follow", expression, follow, delay=0.001, retries=50)
    opened = Day(clock, session, WorkQueue(session, "w"), handler, keys)
    opened.queue.claim(handler, 1)
    session.event_hub.subscribe(expression, opened.hear)
    session.event_hub.connect()
    yield opened
    session.event_hub.disconnect()
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
    """24 hours of the clock, within five percent, after as many to fill the caches, which are bounded."""
    for _ in range(24):
        day.hour(120)
    held = [resident()]
    for _ in range(24):
        day.hour(120)
        held.append(resident())
    day.rest()
    print(f"{day.made:,} events, resident MiB by the hour: {[round(each / 2**20, 1) for each in held]}")
    assert held[-1] < held[0] * 1.05, held
    assert day.metrics.outcomes["handled"] == day.heard == day.made == 48 * 120
    assert day.metrics.outcomes["dead"] == 0
