"""The queue of a handler is what a list of events with a clock would be, whatever its workers do or fail to do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import define
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from callsheet.errors import AlreadyHandled
from callsheet.model.event import Event, Position
from callsheet.model.operation import Effect
from callsheet.server.queues.deliveries import ABANDONED, Queue, take
from callsheet.server.queues.delivery import Delivery
from callsheet.server.store.store import Store

START = datetime(2026, 5, 1, tzinfo=UTC)
LEASE = 30.0
STREAMS = ("Shot a", "Shot b", "Task c")
WORKERS = ("one", "two")


@define
class Expected:
    """What is known of a delivery, in plain Python."""

    stream: str
    state: str = "ready"
    attempts: int = 0
    failures: int = 0
    lease: str = ""
    worker: str = ""
    until: datetime = START
    next_try: datetime = START


class DeliveryMachine(RuleBasedStateMachine):
    """Two workers claim, settle, fail, die and come too late; the clock is a number."""

    def __init__(self) -> None:
        super().__init__()
        self.store = Store.open("memory:", {"types": {}})
        self.now = START
        self.expected: dict[Position, Expected] = {}
        self.settled: set[Position] = set()
        self.stale: list[tuple[Position, str]] = []
        self.number = 0

    def teardown(self) -> None:
        self.drain()
        self.store.close()

    def queue(self, function: Any) -> Any:
        return self.store.write(lambda connection: function(Queue(self.store, connection, "anna", "h", self.now)))

    @initialize()
    def begin(self) -> None:
        self.queue(lambda queue: queue.declare("topic=*", False, Position(0, 0)))

    # -- what happens ----------------------------------------------------------------------------------------

    @rule(streams=st.lists(st.sampled_from(STREAMS), min_size=1, max_size=4))
    def arrive(self, streams: list[str]) -> None:
        """A commit's events are read from the log."""
        self.number += 1
        events = []
        for index, stream in enumerate(streams):
            place = Position(self.number, index)
            self.expected[place] = Expected(stream, next_try=self.now)
            events.append((Event("x", {}, f"e{place}", position=place), stream))
        self.queue(lambda queue: queue.add(events, Position(self.number, len(streams))))

    @rule(worker=st.sampled_from(WORKERS), most=st.integers(1, 4), heard=st.booleans())
    def claim(self, worker: str, most: int, heard: bool) -> None:
        """A worker claims. Where it has not heard the answers before, it is told the same again first."""
        mine = {
            place: each for place, each in self.expected.items() if each.state == "leased" and each.worker == worker
        }
        known = [each.lease for each in mine.values()] if heard else []
        lost = [] if heard else sorted(mine)[:most]
        due = [place for place in sorted(self.expected) if place not in lost and self.is_due(place)]
        if not heard:
            # Told again are those it has; whose lease ran out is among them and is no new attempt.
            due = [place for place in due if place not in mine]
        wanted = lost + due[: most - len(lost)]
        given = self.queue(lambda queue: queue.lease(worker, most, LEASE, known))
        assert [each.event.position for each in given] == sorted(wanted)
        for each in given:
            self.note_lease(each, worker, again=each.event.position in lost)

    def is_due(self, place: Position) -> bool:
        each = self.expected[place]
        late = each.state == "leased" and each.until <= self.now
        if not late and not (each.state == "ready" and each.next_try <= self.now):
            return False
        return not any(
            other < place and self.expected[other].stream == each.stream and self.expected[other].state != "dead"
            for other in self.expected
        )

    def note_lease(self, given: Delivery, worker: str, again: bool) -> None:
        place = given.event.position
        assert place is not None
        each = self.expected[place]
        if each.lease:
            self.stale.append((place, each.lease))
        each.attempts += not again
        each.state, each.lease, each.worker = "leased", given.lease, worker
        each.until = self.now + timedelta(seconds=LEASE)
        assert (given.attempt, given.failures) == (each.attempts, each.failures)

    @rule(data=st.data())
    def settle(self, data: st.DataObject) -> None:
        """Whoever holds the lease, even one that ran out unnoticed, settles: once."""
        if place := self.leased(data):
            lease = self.expected[place].lease
            assert self.queue(lambda queue: queue.settle(place, lease))
            assert not self.queue(lambda queue: queue.settle(place, lease))
            self.done(place)

    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        """The same, in a commit."""
        if place := self.leased(data):
            effect = Effect("h", *place, self.expected[place].lease)
            self.store.write(lambda connection: take(self.store, connection, "anna", effect, self.now))
            with pytest.raises(AlreadyHandled):
                self.store.write(lambda connection: take(self.store, connection, "anna", effect, self.now))
            self.done(place)

    def done(self, place: Position) -> None:
        assert place not in self.settled
        self.settled.add(place)
        self.stale.append((place, self.expected.pop(place).lease))

    @rule(data=st.data(), delay=st.none() | st.floats(0, 100))
    def fail(self, data: st.DataObject, delay: float | None) -> None:
        if place := self.leased(data):
            each = self.expected[place]
            lease = each.lease
            assert self.queue(lambda queue: queue.fail(place, lease, "ValueError: no", "where", delay))
            self.stale.append((place, lease))
            each.state, each.lease = "dead" if delay is None else "ready", ""
            each.failures += 1
            each.next_try = self.now + timedelta(seconds=delay or 0)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        if place := self.leased(data):
            each = self.expected[place]
            lease = each.lease
            assert self.queue(lambda queue: queue.release(place, lease))
            self.stale.append((place, lease))
            each.state, each.lease, each.next_try = "ready", "", self.now
            each.attempts -= 1

    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        if place := self.leased(data):
            each = self.expected[place]
            assert self.queue(lambda queue: queue.renew([each.lease, "another's"], LEASE)) == [each.lease]
            each.until = self.now + timedelta(seconds=LEASE)

    @rule(data=st.data())
    def come_too_late(self, data: st.DataObject) -> None:
        """An old lease can do nothing."""
        if self.stale:
            place, lease = data.draw(st.sampled_from(self.stale))
            assert not self.queue(lambda queue: queue.settle(place, lease))
            assert not self.queue(lambda queue: queue.fail(place, lease, "", "", 0.0))
            assert not self.queue(lambda queue: queue.release(place, lease))
            assert self.queue(lambda queue: queue.renew([lease], LEASE)) == []

    @rule(seconds=st.sampled_from([0.5, 10, 31, 200]))
    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def replay(self) -> None:
        """Dead letters come back as if they were new."""
        dead = [each for each in self.expected.values() if each.state == "dead"]
        assert self.queue(lambda queue: queue.replay()) == len(dead)
        for each in dead:
            each.state, each.failures, each.attempts, each.next_try = "ready", 0, 0, self.now

    @rule(data=st.data())
    def skip(self, data: st.DataObject) -> None:
        if self.expected:
            place = data.draw(st.sampled_from(sorted(self.expected)))
            each = self.expected[place]
            busy = each.state == "leased" and each.until > self.now
            assert self.queue(lambda queue: queue.skip(f"e{place}")) == (not busy)
            if not busy:
                del self.expected[place]

    def leased(self, data: st.DataObject) -> Position | None:
        found = sorted(place for place, each in self.expected.items() if each.state == "leased")
        return data.draw(st.sampled_from(found)) if found else None

    # -- what always holds -----------------------------------------------------------------------------------

    @invariant()
    def the_same_is_there(self) -> None:
        found = self.queue(lambda queue: queue.deliveries(limit=1_000))
        there = {each.event.position: (each.stream, each.state, each.attempt, each.failures) for each in found}
        told = {place: (each.stream, each.state, each.attempts, each.failures) for place, each in self.expected.items()}
        assert there == told

    @invariant()
    def counts_agree(self) -> None:
        states = [each.state for each in self.expected.values()]
        told = {state: states.count(state) for state in ("ready", "leased", "dead")}
        assert self.queue(lambda queue: queue.counts()) == told
        assert self.queue(lambda queue: queue.unsettled()) == told["ready"] + told["leased"]

    def drain(self) -> None:
        """When nobody fails any more, everything that is not dead gets handled, in order."""
        for _ in range(len(self.expected) + 1):
            self.now += timedelta(seconds=200)
            for each in self.queue(lambda queue: queue.lease("last", 100, LEASE)):
                self.settle_one(each)
        assert {each.state for each in self.expected.values()} <= {"dead"}

    def settle_one(self, given: Delivery) -> None:
        assert given.event.position is not None
        place = given.event.position
        assert self.queue(lambda queue: queue.settle(place, given.lease))
        del self.expected[place]


DeliveryMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
TestDeliveries = DeliveryMachine.TestCase


def test_an_event_that_ends_its_workers_becomes_a_dead_letter() -> None:
    """Nobody tells of a failure when the process is gone; after 20 attempts it is not tried any more."""
    store = Store.open("memory:", {"types": {}})
    try:
        event = Event("x", {}, "poison", position=Position(1, 0))
        queue(store, START).declare("topic=*", False, Position(0, 0))
        queue(store, START).add([(event, "Shot a")], Position(1, 0))
        now = START
        for attempt in range(1, ABANDONED + 1):
            (given,) = queue(store, now).lease(f"worker {attempt}", 1, LEASE)
            assert given.attempt == attempt
            now += timedelta(seconds=LEASE)
        assert queue(store, now).lease("the last", 1, LEASE) == []
        (dead,) = queue(store, now).deliveries("dead")
        assert dead.error == "20 attempts ended without a report from their worker: this event may be what ends it"
    finally:
        store.close()


class queue:
    """Each call in a transaction of its own."""

    def __init__(self, store: Store, now: datetime) -> None:
        self._store, self._now = store, now

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any) -> Any:
            return self._store.write(lambda c: getattr(Queue(self._store, c, "anna", "h", self._now), name)(*arguments))

        return call
