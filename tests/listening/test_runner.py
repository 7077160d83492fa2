"""Listeners at work: isolation, order, reload, loops, several at a time, and the end."""

from __future__ import annotations

import builtins
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from desk import Desk, until

from callsheet.errors import Forbidden
from callsheet.listening.metrics import prometheus
from callsheet.listening.runner import Runner
from callsheet.listening.shelf import Shelf
from callsheet.listening.station import Pace
from callsheet.session.blocking import Session
from callsheet.session.connection import over

GATE = "callsheet_test_gate"


class Gate:
    """What plugins of these tests can see: doors to wait at, and a list to write to."""

    def __init__(self) -> None:
        self.door = threading.Event()
        self.entered = threading.Event()
        self.told: list[Any] = []
        self.now = 0
        self.most = 0
        self.lock = threading.Lock()

    def pass_through(self, seconds: float = 60.0) -> None:
        self.entered.set()
        self.door.wait(seconds)


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    setattr(builtins, GATE, made)
    yield made
    made.door.set()
    delattr(builtins, GATE)


NOTES = """
@callsheet.handler("topic=callsheet.update and entity.type=Shot and changes.name", name="notes")
def notes(event, session):
    session.create("Note", {"text": event.changes["name"]["new"]})
"""


def test_every_event_is_handled_once_by_several_listeners(desk: Desk) -> None:
    """Four of them compete, and there is one note for each shot."""
    desk.plugin(NOTES)
    runners = [desk.listen() for _ in range(4)]
    names = [f"{number:03}" for number in range(60)]
    for start in range(0, 60, 15):
        desk.shots(*names[start : start + 15])
    until(lambda: len(desk.notes()) >= 60 and desk.idle())
    assert desk.notes() == names
    handled = [runner.stations["notes"].metrics.outcomes["handled"] for runner in runners]
    assert sum(handled) == 60


def test_an_entitys_events_keep_their_order_and_others_run_beside_it(desk: Desk, gate: Gate) -> None:
    """Four entities at once; each counts up without a gap."""
    desk.plugin(
        f"""
        import time
        @callsheet.handler("topic=callsheet.update and entity.type=Shot and changes.count", name="order")
        def order(event, session):
            with {GATE}.lock:
                {GATE}.now += 1
                {GATE}.most = max({GATE}.most, {GATE}.now)
                {GATE}.told.append((event.entity["id"], event.changes["count"]["new"]))
            time.sleep(0.01)
            with {GATE}.lock:
                {GATE}.now -= 1
        """
    )
    desk.listen()
    desk.listen()
    shots = desk.shots("a", "b", "c", "d")
    for count in range(1, 11):
        for shot in shots:
            shot["count"] = count
        desk.session.commit()
    until(lambda: len(gate.told) == 44)
    for shot in shots:
        assert [count for key, count in gate.told if key == shot.id] == list(range(11))
    assert gate.most > 1


def test_a_bad_event_holds_up_nobody_else(desk: Desk) -> None:
    """It waits for its next attempt, then lies with the dead letters, and is replayed after the repair."""
    bad = NOTES.replace('name="notes"', 'name="notes", retries=2, delay=0.05').replace(
        "    session", "    if event.changes['name']['new'] == 'bad': raise ValueError('no')\n    session"
    )
    desk.plugin(bad)
    desk.listen()
    desk.shots("bad", "a", "b", "c")
    until(lambda: desk.notes() == ["a", "b", "c"])
    (dead,) = until(desk.dead)
    assert (dead["attempt"], dead["error"]) == (3, "ValueError: no")
    desk.plugin(NOTES)
    until(lambda: desk.runners[0][0].stations["notes"].handler.retries == 5)
    assert desk.session.call("handlers.replay", handler="notes", event_id=dead["event"]["id"]) == 1
    until(lambda: desk.notes() == ["a", "b", "bad", "c"])
    assert desk.dead() == []


def test_a_handler_that_hangs_harms_only_itself(desk: Desk, gate: Gate) -> None:
    """Each handler has threads of its own."""
    desk.plugin(NOTES)
    desk.plugin(
        f"""
        @callsheet.handler("topic=callsheet.update and entity.type=Shot", name="hangs")
        def hangs(event, session):
            {GATE}.pass_through()
        """,
        "hangs.py",
    )
    desk.listen(workers=2)
    names = [f"{number:02}" for number in range(20)]
    desk.shots(*names)
    until(lambda: desk.notes() == names)
    assert gate.entered.wait(60)
    gate.door.set()
    until(desk.idle)


def test_an_edit_is_used_and_what_runs_ends_as_it_began(desk: Desk, gate: Gate) -> None:
    """The event in flight writes what the old code says, the next one what the new code says."""
    text = """
        @callsheet.handler("topic=callsheet.update and entity.type=Shot", name="edited")
        def edited(event, session):
            WAIT
            session.create("Note", {"text": "WORD " + event.changes["name"]["new"]})
        """
    desk.plugin(text.replace("WAIT", f"{GATE}.pass_through()").replace("WORD", "old"))
    runner = desk.listen()
    desk.shots("a")
    assert gate.entered.wait(60)
    before = runner.stations["edited"].handler
    desk.plugin(text.replace("WAIT", "").replace("WORD", "new"))
    until(lambda: runner.stations["edited"].handler is not before)
    desk.shots("b")
    until(lambda: desk.notes() == ["new b"])
    gate.door.set()
    until(lambda: desk.notes() == ["new b", "old a"])


def test_a_syntax_error_keeps_the_old_version(desk: Desk) -> None:
    """And is told on the health page."""
    path = desk.plugin(NOTES)
    runner = desk.listen()
    desk.plugin("def broken(:")
    until(lambda: runner.health()["status"] == "degraded")
    assert "invalid syntax" in runner.health()["problems"][str(path)]
    desk.shots("a")
    until(lambda: desk.notes() == ["a"])


def test_an_expression_that_no_event_fulfils_is_told(desk: Desk) -> None:
    """Held against the server's schema; the file's handlers stay as they were."""
    path = desk.plugin(NOTES)
    runner = desk.listen()
    desk.plugin(NOTES.replace("entity.type=Shot", "entity.type=Shto"))
    until(lambda: runner.health()["status"] == "degraded")
    told = runner.health()["problems"][str(path)]
    assert told.startswith(
        f"{path}: the handler `notes` would never be called: there is no entity type `Shto`; did you"
    )
    desk.shots("a")
    until(lambda: desk.notes() == ["a"])


def test_two_handlers_answer_each_other_and_not_themselves(desk: Desk, gate: Gate) -> None:
    """A game of ping-pong: with the guard, each hears the other's strokes and none of its own."""
    for name in ("ping", "pong"):
        desk.plugin(
            f"""
            @callsheet.handler(
                "topic=callsheet.update and entity.type=Shot and changes.count",
                name="{name}", ignore_own=True, retries=50, delay=0.01,
            )
            def {name}(event, session):
                shot = session.get("Shot", event.entity["id"])
                if shot["count"] < 10:
                    shot["count"] = shot["count"] + 1
                {GATE}.told.append(("{name}", event.data["origin"]))
            """,
            f"{name}.py",
        )
    desk.listen()
    (shot,) = desk.shots("a")
    until(desk.idle)
    desk.session.refresh(shot)
    assert shot["count"] == 10
    assert ("ping", "handler:ping") not in gate.told
    assert ("pong", "handler:pong") not in gate.told
    assert {("ping", "handler:pong"), ("pong", "handler:ping")} & set(gate.told)


def test_a_handler_without_guard_hears_itself(desk: Desk, gate: Gate) -> None:
    """The control of the loop guard."""
    desk.plugin(
        f"""
        @callsheet.handler("topic=callsheet.update and entity.type=Shot and changes.count", name="echo")
        def echo(event, session):
            shot = session.get("Shot", event.entity["id"])
            if shot["count"] < 5:
                shot["count"] = shot["count"] + 1
            {GATE}.told.append(event.data["origin"])
        """
    )
    desk.listen()
    desk.shots("a")
    until(desk.idle)
    assert gate.told[1:] == ["handler:echo"] * 5


def test_a_stop_ends_what_was_begun_and_gives_back_the_rest(desk: Desk, gate: Gate) -> None:
    """What waited is ready at once for somebody else, under the same attempt."""
    desk.plugin(
        f"""
        @callsheet.handler("topic=callsheet.update and entity.type=Shot", name="slow")
        def slow(event, session):
            {GATE}.pass_through()
            session.create("Note", {{"text": event.changes["name"]["new"]}})
        """
    )
    runner = desk.listen(workers=1)
    desk.shots("a", "b", "c", "d")
    assert gate.entered.wait(60)
    until(lambda: runner.stations["slow"].claimed == 4)
    assert runner.stations["slow"].busy == 1
    runner.stop()
    until(lambda: runner.stations["slow"].claimed == 1)
    gate.door.set()
    desk.runners[0][1].join(60)
    assert desk.notes() == ["a"]
    assert [(each["ready"], each["leased"]) for each in desk.status()] == [(3, 0)]


def test_a_handler_that_does_not_end_is_left_behind(desk: Desk, gate: Gate) -> None:
    """Its event is another's at once, and what it would still do is refused."""
    desk.plugin(
        f"""
        @callsheet.handler("topic=callsheet.update and entity.type=Shot", name="stuck")
        def stuck(event, session):
            first = not {GATE}.told
            {GATE}.told.append("began")
            if first:
                {GATE}.pass_through()
            session.create("Note", {{"text": "first" if first else "second"}})
        """
    )
    runner = desk.listen(workers=1, stop_seconds=0.2)
    desk.shots("a")
    assert gate.entered.wait(60)
    station = runner.stations["stuck"]
    runner.stop()
    desk.runners[0][1].join(60)
    desk.listen()
    until(lambda: desk.notes() == ["second"])
    gate.door.set()
    until(lambda: station.metrics.outcomes["overtaken"] == 1)
    assert desk.notes() == ["second"]


def test_a_lease_is_kept_while_its_handler_runs(desk: Desk, gate: Gate) -> None:
    """A second listener does not take over what takes longer than a lease."""
    desk.plugin(
        f"""
        @callsheet.handler("topic=callsheet.update and entity.type=Shot", name="long")
        def long(event, session):
            {GATE}.told.append("began")
            {GATE}.pass_through()
            session.create("Note", {{"text": "done"}})
        """
    )
    desk.listen(lease=1.0)
    desk.listen(lease=1.0)
    desk.shots("a")
    assert gate.entered.wait(60)
    time.sleep(2.5)
    gate.door.set()
    until(lambda: desk.notes() == ["done"])
    assert gate.told == ["began"]


def test_a_removed_file_stops_its_handlers(desk: Desk) -> None:
    """They keep their place in the log, for when they come back."""
    path = desk.plugin(NOTES)
    runner = desk.listen()
    path.unlink()
    until(lambda: not runner.stations)
    desk.shots("a")
    assert desk.notes() == []
    desk.plugin(NOTES)
    until(lambda: desk.notes() == ["a"])


def test_two_handlers_that_never_end_are_stopped(desk: Desk, gate: Gate) -> None:
    """Each answers what the other does: after a chain of three the event is a dead letter, which says so."""
    for name in ("ping", "pong"):
        desk.plugin(
            f"""
            @callsheet.handler(
                "topic=callsheet.update and entity.type=Shot and data.origin != 'handler:{name}'",
                name="{name}", chain=3,
            )
            def {name}(event, session):
                session.get("Shot", event.entity["id"])["name"] = "{name} " + str(len({GATE}.told))
                {GATE}.told.append("{name}")
            """,
            f"{name}.py",
        )
    desk.listen()
    desk.shots("a")
    until(lambda: desk.dead() and desk.idle())
    for each in desk.dead():
        assert each["error"].startswith("4 commits of handlers, each an answer to the one before, led to this event")
    assert len(gate.told) >= 4


def test_what_plugins_subscribe_to_is_heard(desk: Desk, gate: Gate) -> None:
    """Beside durable handlers, while it runs; the session that `register` got is the callback's to use."""
    desk.plugin(NOTES)
    desk.plugin(
        f"""
        def register(session):
            def heard(event):
                shot = session.get("Shot", event.entity["id"])
                {GATE}.told.append(shot["name"])
            session.event_hub.subscribe("topic=callsheet.update and entity.type=Shot", heard)
        """,
        "plain.py",
    )
    session = Session(connection=over(desk.service.backend("admin")), plugin_paths=[desk.folder])
    session.hand_over()
    desk.sessions.append(session)
    runner = Runner(session, Shelf([desk.folder]), None, Pace(2, poll=0.05))
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    desk.runners.append((runner, thread))
    until(lambda: session.event_hub.connected and desk.status())
    desk.shots("a", "b")
    until(lambda: sorted(gate.told) == desk.notes() == ["a", "b"])
    runner.stop()
    thread.join(60)
    assert not session.event_hub.listening


def test_a_worker_outlives_whatever_a_handler_raises(desk: Desk, gate: Gate) -> None:
    """One worker thread: had it ended with the first event, nobody would handle the second."""
    desk.plugin(
        f"""
        @callsheet.handler("topic=callsheet.update and entity.type=Shot", name="leaves", retries=0)
        def leaves(event, session):
            name = event.changes["name"]["new"]
            {GATE}.told.append(name)
            if name != "last":
                raise {{"interrupt": KeyboardInterrupt, "exit": SystemExit, "close": GeneratorExit}}[name]()
        """
    )
    desk.listen(workers=1)
    for name in ("interrupt", "exit", "close", "last"):
        desk.shots(name)
    until(desk.idle)
    assert gate.told == ["interrupt", "exit", "close", "last"]
    assert [each["error"] for each in desk.dead()] == ["KeyboardInterrupt", "SystemExit", "GeneratorExit"]


def test_an_event_whose_failure_cannot_be_reported_waits_for_its_lease(desk: Desk, gate: Gate) -> None:
    """It is tried again when the lease ran out, not at once and not for ever a hundred times a second."""
    desk.plugin(
        f"""
        @callsheet.handler("topic=callsheet.update and entity.type=Shot", name="untold")
        def untold(event, session):
            {GATE}.told.append(event.id)
            raise ValueError("no")
        """
    )
    runner = desk.listen(lease=1.0)

    def refuse(*_: Any) -> bool:
        raise Forbidden("nothing is taken from you")

    fail, runner.queue.fail = runner.queue.fail, refuse  # type: ignore[method-assign]
    desk.shots("a")
    until(lambda: runner.stations["untold"].metrics.outcomes["interrupted"] == 1)
    assert len(gate.told) == 1
    time.sleep(0.3)
    assert len(gate.told) == 1
    runner.queue.fail = fail  # type: ignore[method-assign]
    until(lambda: runner.stations["untold"].metrics.outcomes["failed"] == 1)


HANGS = f"""
@callsheet.handler("topic=callsheet.update and entity.type=Shot", name="hangs", delay=0.01, timeout=0.3, OPTIONS)
def hangs(event, session):
    session.create("Note", {{"text": "late " + event.changes["name"]["new"]}})
    {GATE}.told.append(event.id)
    {GATE}.pass_through()
"""


def test_an_attempt_that_takes_too_long_has_failed(desk: Desk, gate: Gate) -> None:
    """It is told as stuck, tried again, becomes a dead letter that says where it hung, and does nothing any more."""
    desk.plugin(HANGS.replace("OPTIONS", "retries=1"))
    runner = desk.listen(workers=2)
    desk.shots("a")
    (dead,) = until(desk.dead)
    assert (dead["error"], dead["failures"]) == ("Timeout: the handler did not end within its 0.3 s", 2)
    assert f"{GATE}.pass_through()" in dead["traceback"]
    health = runner.health()
    assert (health["handlers"][0]["stuck"], health["handlers"][0]["timeouts"]) == (1, 2)
    assert health["problems"]["handler hangs"].startswith("stuck: its last attempt exceeded its timeout")
    assert 'callsheet_handler_stuck{handler="hangs"} 1\n' in prometheus(health["handlers"])
    gate.door.set()
    until(lambda: not runner.stations["hangs"].hangs)
    assert runner.stations["hangs"].metrics.outcomes["overtaken"] == 2
    assert desk.notes() == []


def test_mended_code_gets_the_event(desk: Desk, gate: Gate) -> None:
    """Though as many threads hang as may work; then the handler is not stuck any more."""
    desk.plugin(HANGS.replace("OPTIONS", "retries=9"))
    runner = desk.listen(workers=1)
    desk.shots("a")
    until(lambda: runner.stations["hangs"].stuck)
    desk.plugin(HANGS.replace("OPTIONS", "retries=9").replace(f"{GATE}.pass_through()", "").replace("late", "mended"))
    until(lambda: desk.notes() == ["mended a"])
    assert len(gate.told) == 2
    gate.door.set()
    until(lambda: not runner.stations["hangs"].stuck)
    assert runner.health()["problems"] == {}
    assert desk.notes() == ["mended a"]


def test_a_handler_that_hangs_does_not_take_all_threads(desk: Desk, gate: Gate) -> None:
    """When as many hang as may work nothing more is begun, until one of them ends."""
    desk.plugin(HANGS.replace("OPTIONS", "retries=0"))
    runner = desk.listen(workers=2)
    desk.shots("a", "b", "c", "d", "e")
    until(lambda: len(desk.dead()) >= 2)
    time.sleep(1.5)
    begun = len(gate.told)
    assert begun in (2, 3)
    assert runner.stations["hangs"].hangs
    # What was not begun is there for other listeners.
    assert [each["state"] for each in desk.deliveries()] == ["dead"] * begun + ["ready"] * (5 - begun)
    gate.door.set()
    until(lambda: desk.notes() and desk.idle())
    assert len(gate.told) == 5


def test_what_is_not_stuck_ends_before_the_listener_begins_anew(desk: Desk, gate: Gate) -> None:
    """Nothing of another handler is interrupted, though it takes longer than a lease."""
    desk.plugin(HANGS.replace("OPTIONS", "retries=0"))
    desk.plugin(
        f"""
        import time
        @callsheet.handler("topic=callsheet.update and entity.type=Shot", name="slow")
        def slow(event, session):
            time.sleep(2.5)
            session.create("Note", {{"text": event.changes["name"]["new"]}})
            {GATE}.now += 1
        """,
        "slow.py",
    )
    desk.restarts = True
    runner = desk.listen(lease=1.0)
    desk.shots("a")
    desk.runners[0][1].join(60)
    assert runner.hung == {"hangs": 1}
    assert (gate.now, desk.notes()) == (1, ["a"])
    assert [(each["handler"], each["state"]) for each in desk.deliveries()] == [("hangs", "dead")]
