"""The actions of durable handlers: what a claim gives to whom, and a commit that answers an event is done once."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from attrs import evolve
from databases import postgres_database

from callsheet.errors import AlreadyHandled, Forbidden, Invalid, NotFound, QueryError
from callsheet.model.event import Event, event_from_plain
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Create, Effect, Update
from callsheet.model.query import Select
from callsheet.model.record import Identity
from callsheet.server.backend import ServiceBackend
from callsheet.server.service import Service

DOCUMENT = {
    "name": "desk",
    "types": {
        "Project": {"attributes": {"name": {"type": "string"}}},
        "Task": {
            "attributes": {
                "name": {"type": "string"},
                "project": {"type": "reference", "target": "Project", "on_delete": "cascade"},
            },
        },
        "Note": {"attributes": {"text": {"type": "string"}}},
    },
}
TASKS = "topic=callsheet.update and entity.type=Task"


class Desk:
    """A service, a clock that is a number, and short words for what the tests do."""

    def __init__(self, url: str = "memory:") -> None:
        self.now = datetime(2026, 5, 1, tzinfo=UTC)
        self.service = Service.open(url, DOCUMENT, clock=lambda: self.now)
        self.admin = self.service.backend("admin")
        self.number = 0

    def commit(self, *operations: Any, backend: ServiceBackend | None = None, **facts: Any) -> Any:
        self.number += 1
        return (backend or self.admin).commit(ChangeSet(f"commit {self.number}", operations, **facts))

    def tasks(self, *keys: str, **facts: Any) -> None:
        self.commit(*(Create(Identity("Task", key), {"name": key}) for key in keys), **facts)

    def rename(self, key: str, name: str) -> None:
        self.commit(Update(Identity("Task", key), {"name": name}))

    def claim(self, worker: str = "w1", backend: ServiceBackend | None = None, **facts: Any) -> list[dict[str, Any]]:
        arguments = {"handler": "h", "expression": TASKS, "worker": worker, "most": 100, **facts}
        found: list[dict[str, Any]] = (backend or self.admin).call("handlers.claim", arguments)
        return found

    def names(self, **facts: Any) -> list[Any]:
        return [event(each).changes["name"]["new"] for each in self.claim(**facts)]

    def notes(self) -> int:
        return int(self.admin.aggregate(Aggregate(Select("Note"), (("count", None),)))[0][0])

    def compete(self, number: int) -> list[tuple[int, str]]:
        """Claim and commit until nothing is left; what was handled, by the position of its commit."""
        backend, told = self.service.backend("admin"), []
        while self.status()["ready"] or self.status()["leased"]:
            for claimed in self.claim(f"w{number}", backend, most=3):
                name = event(claimed).changes["name"]["new"]
                note = Create(Identity("Note", f"{name} {number}"), {"text": name})
                done = backend.commit(ChangeSet(f"{number} {claimed['lease']}", (note,), effect=effect(claimed)))
                told.append((done.position, name))
        return told

    def status(self) -> dict[str, Any]:
        (found,) = self.admin.call("handlers.status", {})
        return dict(found)


def event(claimed: dict[str, Any]) -> Event:
    return event_from_plain(claimed["event"])


def effect(claimed: dict[str, Any]) -> Effect:
    place = event(claimed).position
    assert place is not None
    return Effect(claimed["handler"], *place, claimed["lease"])


@pytest.fixture
def desk() -> Iterator[Desk]:
    opened = Desk()
    yield opened
    opened.service.close()


def test_a_handler_begins_with_its_first_claim(desk: Desk) -> None:
    """What was there before is no event for it, unless it asks for the whole log."""
    desk.tasks("a")
    assert desk.claim() == []
    desk.tasks("b")
    assert desk.names() == ["b"]
    assert desk.names(handler="all", from_start=True) == []
    assert desk.names(handler="all", from_start=True) == ["a", "b"]


def test_one_event_of_an_entity_at_a_time(desk: Desk) -> None:
    """The next one is given when the one before is settled; other entities do not wait."""
    desk.claim()
    desk.tasks("a", "b")
    desk.rename("a", "a2")
    first = desk.claim()
    assert [event(each).changes["name"]["new"] for each in first] == ["a", "b"]
    assert desk.claim("w2") == []
    desk.commit(Create(Identity("Note", "n")), effect=effect(first[0]))
    assert desk.names(worker="w2") == ["a2"]


def test_an_effect_is_there_once(desk: Desk) -> None:
    """A second commit for the same event is refused as a whole; the first sent again gets its answer again."""
    desk.claim()
    desk.tasks("a")
    (claimed,) = desk.claim()
    changes = ChangeSet("answer", (Create(Identity("Note", "n")),), effect=effect(claimed))
    done = desk.admin.commit(changes)
    assert desk.admin.commit(changes) == evolve(done, replayed=True)
    with pytest.raises(AlreadyHandled, match=r"event 1\.0 of the handler `h` no longer belongs to this attempt"):
        desk.admin.commit(ChangeSet("other", (Create(Identity("Note", "m")),), effect=effect(claimed)))
    assert desk.status()["leased"] == 0
    assert desk.notes() == 1


def test_an_effect_of_an_old_lease_is_refused(desk: Desk) -> None:
    """Whoever lost its lease to another cannot commit, even before that one has."""
    desk.claim()
    desk.tasks("a")
    (old,) = desk.claim("slow")
    desk.now += timedelta(seconds=31)
    (new,) = desk.claim("other")
    assert (new["attempt"], new["failures"]) == (2, 0)
    with pytest.raises(AlreadyHandled):
        desk.commit(Create(Identity("Note", "n")), effect=effect(old))
    desk.commit(Create(Identity("Note", "n")), effect=effect(new))


def test_a_refused_commit_settles_nothing(desk: Desk) -> None:
    """The checkpoint goes with the effect: where one is not done, nor is the other."""
    desk.claim()
    desk.tasks("a")
    (claimed,) = desk.claim()
    with pytest.raises(NotFound):
        desk.commit(Update(Identity("Note", "missing"), {"text": "x"}), effect=effect(claimed))
    assert desk.status()["leased"] == 1


def test_a_commit_in_parts_settles_with_its_last(desk: Desk) -> None:
    """Large answers are one commit too."""
    desk.claim()
    desk.tasks("a")
    (claimed,) = desk.claim()
    desk.admin.stage("large", 0, [Create(Identity("Note", "n"))])
    assert desk.status()["leased"] == 1
    desk.admin.commit(ChangeSet("large", (), parts=1, effect=effect(claimed)))
    assert desk.status()["leased"] == 0


def test_own_events_are_left_out_where_asked(desk: Desk) -> None:
    """Those of commits with the handler's origin; other handlers get them."""
    desk.claim(ignore_own=True)
    desk.claim(handler="other")
    desk.tasks("mine", origin="handler:h")
    desk.tasks("theirs", origin="handler:x")
    assert desk.names(ignore_own=True) == ["theirs"]
    assert desk.names(handler="other") == ["mine", "theirs"]


def test_the_queue_is_bounded(desk: Desk) -> None:
    """No more than so many events leave the log before they are handled."""
    desk.claim(outstanding=3)
    desk.tasks("a", "b", "c", "d", "e")
    given = desk.claim(outstanding=3)
    assert len(given) == 3
    assert desk.claim(outstanding=3, known=[each["lease"] for each in given]) == []
    assert desk.status()["behind"] == 0
    for each in given:
        place = event(each).position
        assert place is not None
        arguments = {"handler": "h", "position": place.commit, "index": place.index, "lease": each["lease"]}
        assert desk.admin.call("handlers.settle", arguments) is True
    assert desk.names(outstanding=3) == ["d", "e"]


def test_a_claim_whose_answer_was_lost_is_answered_again(desk: Desk) -> None:
    """A worker says which leases it knows; others it has are given to it again, as the same attempt."""
    desk.claim()
    desk.tasks("a")
    (lost,) = desk.claim()
    (again,) = desk.claim()
    assert again["event"] == lost["event"]
    assert again["attempt"] == 1
    assert again["lease"] != lost["lease"]
    assert desk.claim(known=[again["lease"]]) == []


def test_a_new_expression_counts_from_where_the_handler_is(desk: Desk) -> None:
    """The handler keeps its place in the log: what it has not looked at is read with the new one."""
    notes = "topic=callsheet.update and entity.type=Note"
    desk.claim()
    desk.tasks("a")
    desk.commit(Create(Identity("Note", "n"), {"text": "x"}))
    given = desk.claim(expression=notes)
    assert [event(each).entity["type"] for each in given] == ["Note"]


def test_listeners_that_do_not_agree_still_get_on(desk: Desk) -> None:
    """One with the code of before an edit and one with the code of after it: neither keeps the log from being read."""
    notes = "topic=callsheet.update and entity.type=Note"
    desk.claim()
    for number in range(3):
        desk.tasks(f"t{number}")
        assert len(desk.claim(known=["all"], worker=f"old {number}")) == 1
        desk.commit(Create(Identity("Note", f"n{number}"), {"text": "x"}))
        assert len(desk.claim(expression=notes, worker=f"new {number}")) == 1


def test_an_account_gets_what_it_may_read(desk: Desk) -> None:
    """Events of others' projects are none of its business, and neither are others' handlers."""
    roles, accounts = desk.service.roles, desk.service.accounts
    desk.commit(*(Create(Identity("Project", key), {"name": key}) for key in ("p1", "p2")))
    accounts.add("anna", "guest")
    roles.grant("anna", "user", "p1")
    anna = desk.service.backend("anna")
    desk.claim(backend=anna)
    desk.claim()
    for key, project in (("seen", "p1"), ("hidden", "p2")):
        desk.commit(Create(Identity("Task", key), {"name": key, "project": Identity("Project", project)}))
    assert desk.names(backend=anna) == ["seen"]
    assert desk.names() == ["seen", "hidden"]
    with pytest.raises(Forbidden, match="only administrators may use the handlers of `admin`"):
        anna.call("handlers.status", {"user": "admin"})
    assert [each["handler"] for each in desk.admin.call("handlers.status", {"user": "anna"})] == ["h"]


def test_dead_letters_are_listed_replayed_and_skipped(desk: Desk) -> None:
    """With the traceback; a dead one holds up nobody behind it."""
    desk.claim()
    desk.tasks("a")
    desk.rename("a", "a2")
    (claimed,) = desk.claim()
    place = event(claimed).position
    assert place is not None
    told = {"handler": "h", "position": place.commit, "index": place.index, "lease": claimed["lease"]}
    assert desk.admin.call("handlers.fail", {**told, "error": "ValueError: no", "traceback": "Traceback …"})
    (dead,) = desk.admin.call("handlers.deliveries", {"state": "dead"})
    assert (dead["error"], dead["traceback"], dead["event"]["id"]) == ("ValueError: no", "Traceback …", "commit 1:0")
    assert desk.names() == ["a2"]
    assert desk.admin.call("handlers.replay", {"handler": "h", "event_id": "commit 1:0"}) == 1
    assert "a" in desk.names()
    assert desk.admin.call("handlers.skip", {"handler": "h", "event_id": "commit 1:0"}) == 0
    desk.now += timedelta(seconds=31)
    assert desk.admin.call("handlers.skip", {"handler": "h", "event_id": "commit 1:0"}) == 1


def test_status_tells_how_far_a_handler_is(desk: Desk) -> None:
    """Commits it has not looked at, and how long its oldest event waits."""
    desk.claim()
    desk.tasks("a", "b")
    assert desk.status()["behind"] == 1
    desk.claim(most=1)
    desk.now += timedelta(seconds=7)
    told = desk.status()
    facts = {name: told[name] for name in ("behind", "ready", "leased", "dead", "waiting_seconds")}
    assert facts == {"behind": 0, "ready": 1, "leased": 1, "dead": 0, "waiting_seconds": 7.0}


def test_a_forgotten_handler_begins_anew(desk: Desk) -> None:
    """It goes with all it had not handled."""
    desk.claim()
    desk.tasks("a")
    desk.claim()
    desk.admin.call("handlers.remove", {"handler": "h"})
    assert desk.claim() == []
    with pytest.raises(NotFound, match="there is no handler `x`"):
        desk.admin.call("handlers.remove", {"handler": "x"})


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("most", 0, "`most` is an integer from 1 to 500, not 0"),
        ("lease_seconds", "30", "`lease_seconds` is a number of seconds from 1 to 86,400"),
        ("handler", "", "`handler` is 1 to 200 printable characters"),
        ("known", "abc", "`known` is a list of at most 10,000 leases"),
        ("other", 1, "got an unexpected keyword argument 'other'"),
    ],
)
def test_wrong_arguments_are_refused(desk: Desk, name: str, value: Any, told: str) -> None:
    """With what is right."""
    with pytest.raises(Invalid, match=told):
        desk.claim(**{name: value})


def test_a_bad_expression_is_refused(desk: Desk) -> None:
    """And no handler begins to be."""
    with pytest.raises(QueryError):
        desk.claim(expression="topic ==== x")
    assert desk.admin.call("handlers.status", {}) == []


def test_postgres_keeps_the_same_promises() -> None:
    """The queue on PostgreSQL: order, the fence, a lost answer."""
    with postgres_database() as url:
        desk = Desk(url)
        try:
            desk.claim()
            desk.tasks("a", "b")
            desk.rename("a", "a2")
            first = desk.claim()
            assert [event(each).changes["name"]["new"] for each in first] == ["a", "b"]
            assert [each["attempt"] for each in desk.claim()] == [1, 1]
            given = desk.claim()
            desk.commit(Create(Identity("Note", "n")), effect=effect(given[0]))
            with pytest.raises(AlreadyHandled):
                desk.commit(Create(Identity("Note", "m")), effect=effect(given[0]))
            with pytest.raises(AlreadyHandled):
                desk.commit(Create(Identity("Note", "m")), effect=effect(first[1]))
            assert desk.names(worker="w2") == ["a2"]
        finally:
            desk.service.close()


@pytest.mark.parametrize("workers", [2, 4])
def test_workers_on_postgres_compete_without_a_double(workers: int) -> None:
    """Side by side, with claims, commits and lost leases in between: one note for each event, in order."""
    with postgres_database() as url:
        desk = Desk(url)
        try:
            desk.claim()
            keys = [f"t{number}" for number in range(12)]
            desk.tasks(*keys)
            for round_ in range(3):
                desk.commit(*(Update(Identity("Task", key), {"name": f"{key} {round_}"}) for key in keys))
            desk.claim("first")
            desk.now += timedelta(seconds=31)
            with ThreadPoolExecutor(workers) as pool:
                told = [each for found in pool.map(desk.compete, range(workers)) for each in found]
            assert desk.notes() == len(told) == 48
            for key in keys:
                mine = [name for _, name in sorted(told) if name.split(" ")[0] == key]
                assert mine == [key, f"{key} 0", f"{key} 1", f"{key} 2"]
        finally:
            desk.service.close()
