"""The queue as the arbiter of ticks: each once, by the server's clock, whoever names it and however often."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from databases import new_database

from callsheet.errors import AlreadyHandled, Forbidden, Invalid, NotFound
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Create, Effect
from callsheet.model.query import Select
from callsheet.model.record import Identity
from callsheet.server.backend import ServiceBackend
from callsheet.server.service import Service

DOCUMENT = {"name": "nights", "types": {"Note": {"attributes": {"text": {"type": "string"}}}}}
START = datetime(2026, 5, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


class Nights:
    """A service, a clock that is a number, and an hourly schedule."""

    def __init__(self, url: str = "memory:") -> None:
        self.now = START
        self.service = Service.open(url, DOCUMENT, clock=lambda: self.now)
        self.admin = self.service.backend("admin")

    def claim(self, *hours: int, worker: str = "w1", backend: ServiceBackend | None = None, **facts: Any) -> list[Any]:
        """A claim that names the ticks of some hours after the start; the hours of those it gets."""
        return [self.hour(each) for each in self.given(*hours, worker=worker, backend=backend, **facts)]

    def given(self, *hours: int, worker: str = "w1", backend: ServiceBackend | None = None, **facts: Any) -> list[Any]:
        due = [int((START + hour * HOUR).timestamp()) for hour in hours]
        told = {"schedule": "s", "expression": "0 * * * *", "zone": "UTC", "worker": worker, "due": due, **facts}
        answer = (backend or self.admin).call("handlers.claim_ticks", told)
        assert answer["now"] == int(self.now.timestamp())
        return list(answer["ticks"])

    @staticmethod
    def hour(delivery: dict[str, Any]) -> int:
        return int((delivery["event"]["data"]["due"] - START) / HOUR)

    def at(self, hours: float) -> None:
        self.now = START + hours * HOUR

    def do(self, delivery: dict[str, Any], text: str = "done") -> None:
        """The effect and the checkpoint of a tick, in one commit."""
        place = delivery["event"]["data"]["due"]
        effect = Effect("s", int(place.timestamp()), 0, delivery["lease"])
        commit_id = f"{delivery['lease']}{text}"
        self.admin.commit(ChangeSet(commit_id, (Create(Identity("Note", commit_id), {"text": text}),), effect=effect))

    def notes(self) -> int:
        return int(self.admin.aggregate(Aggregate(Select("Note")))[0][0])

    def status(self) -> dict[str, Any]:
        (told,) = self.admin.call("handlers.schedules", {})
        return dict(told)

    def end(self, delivery: dict[str, Any], action: str, **facts: Any) -> Any:
        due = delivery["event"]["data"]["due"]
        told = {"handler": "s", "position": int(due.timestamp()), "index": 0, "lease": delivery["lease"], **facts}
        return self.admin.call(f"handlers.{action}", told)


@pytest.fixture(params=["memory", "postgres"])
def nights(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Nights]:
    """A server on each database."""
    with new_database(request.param, tmp_path) as url:
        opened = Nights(url)
        yield opened
        opened.service.close()


def test_a_schedule_begins_with_its_first_claim(nights: Nights) -> None:
    """What was due before it was known is not done."""
    nights.at(3)
    assert nights.claim(1, 2, 3) == []
    nights.at(4)
    assert nights.claim(4) == [4]


def test_a_tick_is_given_once_however_often_it_is_named(nights: Nights) -> None:
    """Two listeners name it; one gets it, and when it is done nobody does."""
    nights.claim()
    nights.at(1)
    (first,) = nights.given(1)
    assert nights.claim(1, worker="w2") == []
    nights.do(first)
    assert nights.claim(1) == nights.claim(1, worker="w2") == []
    assert nights.notes() == 1


def test_many_listeners_at_the_same_moment_do_a_tick_once(nights: Nights) -> None:
    """Eight claims side by side, of a schedule that nobody has claimed before, and then of its first tick."""
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda number: nights.claim(worker=f"w{number}"), range(8))) == [[]] * 8
        nights.at(1)
        found = list(pool.map(lambda number: nights.claim(1, worker=f"w{number}"), range(8)))
    assert sorted(found) == [[]] * 7 + [[1]]


def test_the_servers_clock_says_what_is_due(nights: Nights) -> None:
    """A listener whose clock is ahead gets nothing early."""
    nights.claim()
    nights.at(0.9)
    assert nights.claim(1, 2) == []
    nights.at(1)
    assert nights.claim(1, 2) == [1]


def test_the_effect_and_the_checkpoint_are_one_commit(nights: Nights) -> None:
    """An attempt whose lease ran out is refused as a whole, and the tick is another's."""
    nights.claim()
    nights.at(1)
    (late,) = nights.given(1)
    nights.now += timedelta(seconds=31)
    (again,) = nights.given(1, worker="w2")
    with pytest.raises(AlreadyHandled):
        nights.do(late, "late")
    nights.do(again)
    assert nights.notes() == 1
    assert (nights.status()["done"], nights.status()["ready"]) == (int((START + HOUR).timestamp()), 0)


def test_one_tick_is_done_after_the_other(nights: Nights) -> None:
    """While one is under way the next waits, also when the first fails and waits to be tried again."""
    nights.claim()
    nights.at(1)
    (first,) = nights.given(1)
    nights.at(2)
    # Still leased: its worker renewed it.
    nights.admin.call("handlers.renew", {"handler": "s", "leases": [first["lease"]], "lease_seconds": 600})
    assert nights.claim(2, worker="w2") == []
    nights.end(first, "fail", error="no", delay=60)
    assert nights.claim(2, worker="w2") == []
    nights.now += timedelta(seconds=61)
    (again,) = nights.given(2, worker="w2")
    assert (nights.hour(again), again["attempt"], again["failures"]) == (1, 2, 1)
    nights.do(again)
    assert nights.claim(worker="w2") == [2]


def test_a_tick_says_which_was_done_before_it(nights: Nights) -> None:
    """None before the first; a tick that became a dead letter was not done."""
    nights.claim()
    seen = []
    for hour in (1, 2, 3):
        nights.at(hour)
        (given,) = nights.given(hour)
        seen.append(given["event"]["data"]["previous"])
        if hour == 2:
            nights.end(given, "fail", error="no", delay=None)
        else:
            nights.do(given)
    assert seen == [None, START + HOUR, START + HOUR]


def test_of_missed_ticks_the_latest_is_done(nights: Nights) -> None:
    """The policy ``once``: after five hours without a listener, one; and of those behind a long one, the last."""
    nights.claim()
    nights.at(5)
    (given,) = nights.given(1, 2, 3, 4, 5)
    assert nights.hour(given) == 5
    nights.admin.call("handlers.renew", {"handler": "s", "leases": [given["lease"]], "lease_seconds": 80_000})
    for hour in (6, 7, 8):
        nights.at(hour)
        assert nights.claim(hour, worker="w2") == []
    nights.do(given)
    assert nights.claim(worker="w2") == [8]


def test_all_missed_ticks_are_done_in_their_order(nights: Nights) -> None:
    """The policy ``all``."""
    nights.claim(missed="all")
    nights.at(4)
    done = []
    named = (1, 2, 3, 4)
    while given := nights.given(*named, missed="all"):
        done.append(nights.hour(given[0]))
        nights.do(given[0])
    assert done == [1, 2, 3, 4]


def test_missed_ticks_are_skipped(nights: Nights) -> None:
    """The policy ``skip``: one that is late by more than a minute, or behind one that is under way, is never done."""
    nights.claim(missed="skip")
    nights.now = START + 3 * HOUR + timedelta(seconds=61)
    assert nights.claim(1, 2, 3, missed="skip") == []
    nights.now = START + 4 * HOUR + timedelta(seconds=59)
    (given,) = nights.given(4, missed="skip")
    nights.at(5)
    nights.admin.call("handlers.renew", {"handler": "s", "leases": [given["lease"]], "lease_seconds": 80_000})
    assert nights.claim(5, worker="w2", missed="skip") == []
    nights.do(given)
    assert nights.claim(worker="w2", missed="skip") == []
    nights.at(6)
    assert nights.claim(6, worker="w2", missed="skip") == [6]


def test_a_failed_tick_stays_when_a_later_one_comes(nights: Nights) -> None:
    """``once`` leaves out ticks that nobody has begun; one that failed is tried again, and so is a replayed one."""
    nights.claim()
    nights.at(1)
    (given,) = nights.given(1)
    nights.end(given, "fail", error="no", delay=None)
    assert nights.admin.call("handlers.replay", {"handler": "s"}) == 1
    nights.at(2)
    assert nights.claim(2) == [1]


def test_a_dead_tick_holds_up_nothing(nights: Nights) -> None:
    """It is a dead letter like an event, with an id that says what it is."""
    nights.claim()
    nights.at(1)
    (given,) = nights.given(1)
    nights.end(given, "fail", error="no", delay=None)
    (dead,) = nights.admin.call("handlers.deliveries", {"state": "dead"})
    assert (dead["handler"], dead["event"]["id"], dead["error"]) == ("s", "s@2026-05-01T01:00:00Z", "no")
    nights.at(2)
    assert nights.claim(2) == [2]


def test_a_changed_expression_means_nothing_for_the_past(nights: Nights) -> None:
    """It counts from a minute ago, so that listeners of two editions lose no tick while both run."""
    nights.claim()
    nights.at(1)
    (given,) = nights.given(1)
    nights.do(given)
    nights.at(12)
    assert nights.claim(9, expression="0 9 * * *") == []
    nights.at(13)
    assert nights.claim(expression="0 9 * * *") == []
    nights.now += timedelta(seconds=20)
    assert nights.claim(13) == [13]


def test_a_name_is_a_handlers_or_a_schedules(nights: Nights) -> None:
    """Their deliveries stand under it."""
    told = {"handler": "s", "expression": "topic=*", "worker": "w1"}
    nights.claim()
    with pytest.raises(Invalid, match="`s` is a schedule already"):
        nights.admin.call("handlers.claim", told)
    nights.admin.call("handlers.remove", {"handler": "s"})
    nights.admin.call("handlers.claim", told)
    with pytest.raises(Invalid, match="`s` is a handler already"):
        nights.claim()


def test_a_forgotten_schedule_begins_anew(nights: Nights) -> None:
    """Its ticks are gone with it."""
    nights.claim()
    nights.at(1)
    nights.claim(1)
    nights.admin.call("handlers.remove", {"handler": "s"})
    assert nights.admin.call("handlers.schedules", {}) == []
    with pytest.raises(NotFound):
        nights.admin.call("handlers.remove", {"handler": "s"})
    nights.at(2)
    assert nights.claim(1, 2) == []


def test_schedules_belong_to_their_account() -> None:
    """Another account's of the same name is another; only an administrator sees those of others."""
    nights = Nights()
    nights.service.accounts.add("ada")
    ada = nights.service.backend("ada")
    nights.claim()
    nights.claim(backend=ada)
    nights.at(1)
    assert (nights.claim(1), nights.claim(1, backend=ada)) == ([1], [1])
    with pytest.raises(Forbidden):
        ada.call("handlers.schedules", {"user": "admin"})
    assert nights.admin.call("handlers.schedules", {"user": "ada"})[0]["user"] == "ada"
    nights.service.close()


@pytest.mark.parametrize(
    "wrong",
    [{"due": ["1"]}, {"due": [True]}, {"due": [1] * 1_001}, {"missed": "twice"}, {"zone": ""}, {"schedule": "a\nb"}],
)
def test_arguments_that_are_none_are_refused(wrong: dict[str, Any]) -> None:
    """By their name."""
    nights = Nights()
    told = {"schedule": "s", "expression": "0 * * * *", "zone": "UTC", "worker": "w", **wrong}
    with pytest.raises(Invalid, match=f"`{next(iter(wrong))}` is"):
        nights.admin.call("handlers.claim_ticks", told)
    nights.service.close()


def test_an_idle_schedule_costs_two_small_reads() -> None:
    """A claim of which nothing is due writes nothing."""
    nights = Nights()
    nights.claim()
    writes = nights.service.store.write
    nights.service.store.write = lambda *_: pytest.fail("a write")  # type: ignore[method-assign,assignment]
    assert nights.claim() == []
    nights.service.store.write = writes  # type: ignore[method-assign]
    nights.service.close()
