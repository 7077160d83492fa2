"""Schedules at work: declared in a file, each tick done once, its effect and checkpoint one commit."""

from __future__ import annotations

import builtins
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from desk import Desk, until

import callsheet
from callsheet.errors import StateError, UsageError
from callsheet.listening.attempt import attempt
from callsheet.listening.declaration import handlers_of
from callsheet.listening.runner import Runner
from callsheet.listening.schedule import Schedule, Tick
from callsheet.listening.shelf import Shelf
from callsheet.listening.source import TickSource
from callsheet.listening.state import StateFile
from callsheet.listening.station import Pace
from callsheet.listening.work import WorkQueue
from callsheet.model.event import Event, event_to_plain
from callsheet.model.values import pack
from callsheet.server.service import Service
from callsheet.session.blocking import Session
from callsheet.testing.events import FakeEvents, HandlerFailed

HOURLY = """
@callsheet.schedule("0 * * * *", zone="Europe/Stockholm", name="hourly")
def hourly(tick, session):
    session.create("Note", {"text": f"{tick.due:%H:%M}"})
"""
HOUR = timedelta(hours=1)


def nothing(tick: Any, session: Any) -> None:
    """Does nothing."""


def declared(function: Any, **facts: Any) -> Schedule:
    """A schedule of every hour."""
    (found,) = handlers_of({"f": callsheet.schedule("0 * * * *", name="s", **facts)(function)})
    assert isinstance(found, Schedule)
    return found


class TickBench:
    """A listener without threads, on a desk whose clock is moved by hours."""

    def __init__(self, desk: Desk, function: Any, **facts: Any) -> None:
        self.desk = desk
        self.schedule = declared(function, **facts)
        self.session = desk.connect()
        self.queue = WorkQueue(self.session, "bench")
        self.source = TickSource(self.queue, self.schedule)
        assert self.source.claim(4, []) == []

    def hours(self, count: int) -> list[str]:
        """So many hours go by; what became of the ticks there are then."""
        self.desk.ahead += count * HOUR
        kinds = []
        while claimed := self.source.claim(4, []):
            kinds += [attempt(self.schedule, each, self.session, self.queue).kind for each in claimed]
        return kinds


@pytest.fixture
def fake(desk: Desk) -> Iterator[FakeEvents]:
    opened = FakeEvents(desk.service)
    yield opened
    opened.close()


def test_a_marked_function_stays_what_it_was() -> None:
    """Its name is the schedule's if none is given, and the time zone is UTC."""
    (found,) = handlers_of({"nothing": callsheet.schedule("0 2 * * *")(nothing)})
    assert isinstance(found, Schedule)
    assert (found.name, found.expression, found.zone, found.missed) == ("nothing", "0 2 * * *", "UTC", "once")
    assert found.function is nothing
    del nothing.__callsheet_handlers__  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"missed": "never"}, "`missed` is one of once, all, skip, not 'never'"),
        ({"retries": -1}, "schedule `x`: `retries` is a number of 0 or more, not -1"),
        ({"timeout": 0}, "schedule `x`: `timeout` is more than 0 seconds, not 0"),
        ({"zone": "Mars/Olympus"}, "schedule `x`: there is no time zone 'Mars/Olympus'"),
        ({"name": "a\nb"}, "the name of a schedule has 1 to 200 printable characters"),
    ],
)
def test_what_is_declared_wrongly_is_an_error_at_once(facts: dict[str, Any], message: str) -> None:
    """When the file is run, with the schedule's name and what is wrong."""
    with pytest.raises(UsageError, match=message):
        callsheet.schedule("0 2 * * *", **{"name": "x", **facts})(nothing)


def test_a_function_that_cannot_be_called_so_is_refused() -> None:
    """One of another number of parameters, and one whose work nobody would do."""

    async def later(tick: Any, session: Any) -> None: ...

    with pytest.raises(UsageError, match=r"schedule `x` is called as <lambda>\(tick, session\)"):
        callsheet.schedule("0 2 * * *", name="x")(lambda session: None)  # type: ignore[misc]
    with pytest.raises(UsageError, match="schedule `x` must be an ordinary function"):
        callsheet.schedule("0 2 * * *", name="x")(later)


def test_without_the_package_a_file_can_be_run_and_a_listener_says_what_is_missing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Plugin files are run by every session, which does not need to know when."""
    monkeypatch.setattr("callsheet.listening.cron.is_there", lambda: False)
    desk.plugin(HOURLY)
    shelf = Shelf([desk.folder])
    shelf.refresh()
    assert shelf.handlers == {}
    assert "pip install 'callsheet[schedule]'" in next(iter(shelf.problems.values()))


def test_a_wrong_expression_is_a_problem_of_its_file(desk: Desk) -> None:
    """The listener goes on with the other files, and names this one."""
    path = desk.plugin(HOURLY.replace("0 * * * *", "0 25 * * *"))
    shelf = Shelf([desk.folder])
    shelf.refresh()
    assert "schedule `hourly`: the hour of the cron expression '0 25 * * *'" in shelf.problems[str(path)]


def test_the_tick_says_when_it_is_due_and_what_was_done_before(desk: Desk) -> None:
    """In the schedule's zone; in UTC, what the server's clock says."""
    seen: list[Tick] = []
    bench = TickBench(desk, lambda tick, session: seen.append(tick), zone="Asia/Tokyo")
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    assert bench.hours(1) == bench.hours(1) == ["handled"]
    assert [each.due for each in seen] == [start + HOUR, start + 2 * HOUR]
    assert [each.previous for each in seen] == [None, start + HOUR]
    assert {str(each.due.tzinfo) for each in seen} == {"Asia/Tokyo"}


def test_changes_and_checkpoint_of_a_tick_are_one_commit(desk: Desk) -> None:
    """The commit says whose it is; a tick that changes nothing is settled without one."""
    bench = TickBench(desk, lambda tick, session: session.create("Note", {"text": tick.schedule}))
    assert bench.hours(1) == ["handled"]
    assert desk.notes() == ["s"]
    assert desk.session.commits()[-1].origin == "handler:s"
    assert desk.schedules()[0]["leased"] == 0


def test_missed_ticks_go_by_the_policy(desk: Desk) -> None:
    """Five hours without a listener: one tick is done, or five, or none."""
    counted = {}
    for missed in ("once", "all"):
        counted[missed] = len(TickBench(desk, nothing, missed=missed).hours(5))
        desk.session.call("handlers.remove", handler="s")
    assert counted == {"once": 1, "all": 5}


def test_a_failure_is_tried_again_and_ends_as_a_dead_letter(desk: Desk) -> None:
    """Nothing of it is done; the same calls list it and give it back, and then it is done."""
    broken = [True]

    def work(tick: Any, session: Any) -> None:
        session.create("Note", {"text": f"{tick.due:%M}"})
        if broken[0]:
            raise ValueError("no such luck")

    bench = TickBench(desk, work, retries=1, delay=1e-9)
    assert bench.hours(1) == ["failed", "dead"]
    (dead,) = desk.dead()
    assert (dead["handler"], dead["error"], desk.notes()) == ("s", "ValueError: no such luck", [])
    assert dead["event"]["id"].startswith("s@20")
    broken[0] = False
    assert desk.session.call("handlers.replay", handler="s", event_id=dead["event"]["id"]) == 1
    assert bench.hours(0) == ["handled"]
    assert desk.notes() == ["00"]


def test_a_plan_that_is_applied_goes_with_the_ticks_commit(desk: Desk) -> None:
    """A run of a sync has its origin in the log; when the function fails after it, nothing was done."""
    broken = [True]

    def work(tick: Any, session: Any) -> None:
        plan = session.plan("Shot", [{"name": "a"}, {"name": "b"}], key="name", name="nightly")
        assert plan.apply().created == 2
        session.create("Note", {"text": "done"})
        if broken.pop():
            raise ValueError("too soon")

    broken.insert(0, False)
    bench = TickBench(desk, work, retries=1, delay=1e-9)
    assert bench.hours(1) == ["failed", "handled"]
    (run,) = desk.session.sync_runs("nightly")
    assert (run.count("create"), len(run.commits), desk.notes()) == (3, 1, ["done"])
    assert len(desk.session.query("Shot").all()) == 2


def test_chunks_are_refused_in_a_schedule(desk: Desk) -> None:
    """They would be commits of their own; the error says what to do."""
    failures: list[str] = []

    def work(tick: Any, session: Any) -> None:
        with pytest.raises(StateError) as refused:
            session.plan("Shot", [{"name": "a"}], key="name").apply(atomic=False)
        failures.append(str(refused.value))

    assert TickBench(desk, work).hours(1) == ["handled"]
    assert failures[0].startswith("what a handler or a schedule changes is one commit; to commit in chunks")


def test_listeners_do_each_tick_once(desk: Desk) -> None:
    """Three of them, while the clock goes on hour by hour."""
    desk.plugin(HOURLY)
    for _ in range(3):
        desk.listen()
    for count in (1, 2, 3):
        desk.ahead += HOUR
        until(lambda: len(desk.notes()) == count)  # noqa: B023
    until(lambda: not any(each["ready"] or each["leased"] for each in desk.schedules()))
    assert len(set(desk.notes())) == 3
    assert desk.dead() == []


def test_a_long_one_is_not_begun_again(desk: Desk) -> None:
    """Its next tick comes due while it is under way, in two listeners; it waits."""
    running, most = [0], [0]
    door = builtins.__dict__.setdefault("callsheet_test_door", [running, most])
    desk.plugin("""
        import builtins, time

        @callsheet.schedule("0 * * * *", name="long", missed="all")
        def long(tick, session):
            running, most = builtins.callsheet_test_door
            running[0] += 1
            most[0] = max(most[0], running[0])
            time.sleep(0.3)
            running[0] -= 1
            session.create("Note", {"text": str(tick.due)})
    """)
    for _ in range(2):
        desk.listen()
    desk.ahead += 4 * HOUR
    until(lambda: len(desk.notes()) == 4)
    assert door[1] == [1]
    del builtins.callsheet_test_door  # type: ignore[attr-defined]


def test_a_listener_shows_when_a_schedule_is_due(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """In its log and on its health page."""
    desk.plugin(HOURLY)
    with caplog.at_level(logging.INFO, "callsheet.listening"):
        runner = desk.listen()
    (told,) = runner.health()["handlers"]
    assert datetime.fromisoformat(told["next_due"]) - datetime.now(UTC) <= HOUR
    assert (told["name"], told["queued"], told["dead_letters"]) == ("hourly", 0, 0)
    assert any("hourly: 0 * * * * in Europe/Stockholm, next 20" in record.message for record in caplog.records)


def test_one_that_does_not_end_in_its_time_has_failed(desk: Desk) -> None:
    """As a handler has: it is a dead letter that says where it was, and what it would still commit is refused."""
    desk.restarts = True
    desk.plugin("""
        import time

        @callsheet.schedule("0 * * * *", name="endless", timeout=0.1, retries=0)
        def endless(tick, session):
            time.sleep(3)
            session.create("Note", {"text": "too late"})
    """)
    runner = desk.listen()
    desk.ahead += HOUR
    until(desk.dead)
    (dead,) = desk.dead()
    assert dead["error"] == "Timeout: the handler did not end within its 0.1 s"
    assert "time.sleep(3)" in dead["traceback"]
    until(lambda: runner.hung == {"endless": 1})
    assert desk.notes() == []


def test_an_edited_schedule_is_used(desk: Desk) -> None:
    """A handler may become a schedule of another name, and a function gets another time."""
    path = desk.plugin(HOURLY)
    runner = desk.listen()
    path.write_text("import callsheet\n" + HOURLY.replace("0 * * * *", "30 * * * *"))
    until(lambda: desk.schedules()[0]["expression"] == "30 * * * *")
    station = runner.stations["hourly"]
    assert isinstance(station.handler, Schedule)
    assert station.handler.expression == "30 * * * *"


def test_queues_in_a_file_keep_schedules(desk: Desk, tmp_path: Path) -> None:
    """For servers that keep none: what was missed since the file was last open is done, once."""
    path = tmp_path / "queues.db"
    document = {"name": "handlers", "types": {"Nothing": {}}}
    before = datetime.now(UTC) - 3 * HOUR
    with Service.open(f"sqlite:///{path}", document, administrator=False, clock=lambda: before) as service:
        told = {"schedule": "hourly", "expression": "0 * * * *", "zone": "Europe/Stockholm", "worker": "w"}
        service.backend("listener").call("handlers.claim_ticks", told)
    desk.plugin(HOURLY)
    with StateFile(path) as state:
        runner = Runner(desk.connect(), Shelf([desk.folder]), state, Pace(poll=0.05))
        source = TickSource(runner.queue, next(iter(_loaded(desk).handlers.values())))  # type: ignore[arg-type]
        (claimed,) = source.claim(1, [])
        assert attempt(source.schedule, claimed, desk.session, UnsettledQueue(runner.queue)).kind == "handled"
        # The checkpoint was lost: the tick is given again, and its commit is known to have been done.
        (again,) = source.claim(1, [])
        assert attempt(source.schedule, again, desk.session, runner.queue).kind == "handled"
        assert source.claim(1, []) == []
    assert len(desk.notes()) == 1


def _loaded(desk: Desk) -> Shelf:
    shelf = Shelf([desk.folder])
    shelf.refresh()
    return shelf


class UnsettledQueue(WorkQueue):
    """A queue whose listener is killed before it settles anything."""

    def __init__(self, queue: WorkQueue) -> None:
        super().__init__(queue.session, queue.worker, queue.lease, queue.joined)

    def settle(self, claimed: Any) -> bool:
        return False


def test_a_server_of_before_is_named(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It keeps no schedules; a file beside the listener does."""
    session: Session = desk.connect()
    monkeypatch.setattr(type(session), "features", callsheet.Features(handlers=True))
    with pytest.raises(UsageError, match=r"schedule `s`: this server has no schedules; .*--state FILE"):
        TickSource(WorkQueue(session, "w"), declared(nothing)).claim(1, [])


def test_a_test_has_a_schedule_done(desk: Desk, fake: FakeEvents) -> None:
    """`fake_events.tick` at any moment; a failure is the test's."""
    due = datetime(2026, 12, 1, 2, tzinfo=UTC)
    fake.load(desk.plugin(HOURLY))
    (outcome,) = fake.tick("hourly", due)
    assert (outcome.kind, desk.notes()) == ("handled", ["03:00"])
    assert [each.kind for each in fake.tick("hourly")] == ["handled"]

    @callsheet.schedule("0 2 * * *")
    def broken(tick: Any, session: Any) -> None:
        raise ValueError(f"not at {tick.due:%H:%M}")

    tick = Event("callsheet.tick", {"schedule": "hourly", "due": due + HOUR, "previous": None})
    (desk.folder / "events.jsonl").write_text(json.dumps(pack(event_to_plain(tick))))
    assert [each.kind for each in fake.replay(desk.folder / "events.jsonl")] == ["handled"]
    assert "04:00" in desk.notes()
    fake.add(broken)
    with pytest.raises(HandlerFailed, match=r"(?s)the schedule `broken` failed:.*ValueError: not at 02:00"):
        fake.tick("broken", due)
