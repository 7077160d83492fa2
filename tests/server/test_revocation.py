"""What is taken from an account counts from the next delivery on, whichever way it is told things."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from studio import DOCUMENT, Create, Identity, Studio, Update, open_studio, project, task, update
from test_streaming import House, running
from test_vendor_events import Hub, handshake

from callsheet.errors import CallsheetError, Unauthorised
from callsheet.model.event import Event, Position
from callsheet.model.operation import ChangeSet
from callsheet.model.query import Select
from callsheet.model.record import Page
from callsheet.server.service import Service
from callsheet.server.web import sockets, streaming
from callsheet.server.web.application import application

P, A = Identity("Project", "p"), Identity("Task", "a")
OWN_KEY = "the key of gina, a guest"
TASKS = "topic=callsheet.update and entity.type=Task"
_PRIVATE = {"is_private": {"type": "boolean", "confidential": []}}
PRIVATE = {**DOCUMENT, "types": {**DOCUMENT["types"], "Project": {"extends": "Node", "attributes": _PRIVATE}}}
"""The studio, where projects can be private."""


@pytest.fixture
def studio(request: pytest.FixtureRequest) -> Iterator[Studio]:
    """Projects ``p`` and ``q``, of which gina may read both; ``p`` is what is taken from her.

    Where it is taken by making it private, her role goes everywhere: a role in the project makes a member.
    """
    callspec = getattr(request.node, "callspec", None)
    everywhere = callspec is not None and callspec.params.get("take") is make_private
    with open_studio(document=PRIVATE) as opened:
        opened.service.accounts.add("gina", "guest", OWN_KEY)
        opened.commit(project("p"), project("q"))
        opened.service.roles.grant("gina", "reader", "q")
        opened.service.roles.add("looker", ["read:*"])
        opened.service.roles.grant("gina", "looker", None if everywhere else "p")
        yield opened


def take_grant(service: Service) -> None:
    service.roles.revoke("gina", "looker", "p")


def take_key(service: Service) -> None:
    service.accounts.new_key("gina", "another key of gina's")


def disable(service: Service) -> None:
    service.accounts.disable("gina")


def change_role(service: Service) -> None:
    """The grant stays, but the role of that name allows less."""
    service.roles.revoke("gina", "looker", "p")
    service.roles.remove("looker")
    service.roles.add("looker", ["read:Status"])
    service.roles.grant("gina", "looker", "p")


def make_private(service: Service) -> None:
    service.backend("admin").commit(ChangeSet("private", (Update(P, {"is_private": True}),)))


WAYS = [take_grant, take_key, disable, change_role, make_private]
OF_RIGHTS = [take_grant, disable, change_role, make_private]
each_way = pytest.mark.parametrize("take", WAYS)


def secrets(reader: Any) -> list[str]:
    """What a stream's reader was told of the project."""
    told = [event for event in reader.events() if event["topic"] == "callsheet.update"]
    return [event["id"] for event in told if event["data"]["entity_id"] != "q"]


def tasks(count: int) -> list[Create]:
    """Tasks of the project that is taken away."""
    return [task(f"t{number}", P) for number in range(count)]


def end(studio: Studio) -> None:
    """Publish the event behind which a reader need not wait for more."""
    studio.service.backend("admin").publish(Event("studio.done", id="end"))


@each_way
def test_an_open_stream_tells_nothing_more(studio: Studio, take: Callable[[Service], None]) -> None:
    """Not one event more, also of what happened before, and it ends where the key or the account did."""

    async def test(house: House) -> None:
        gina = house.reader(key=OWN_KEY)
        await gina.until(lambda: bool(gina.text))
        await house.do(lambda: studio.commit(task("a", P)))
        await gina.until(lambda: len(secrets(gina)) == 1)
        await house.do(lambda: take(studio.service))
        await house.do(lambda: studio.commit(update(A, bid=1.0)))
        await house.do(lambda: end(studio))
        await gina.until(lambda: gina.over or "end" in gina.ids())
        assert len(secrets(gina)) == 1

    running(test, studio)


@pytest.mark.parametrize("take", [take_grant, change_role, make_private])
def test_no_shared_answer_tells_what_was_taken(studio: Studio, take: Callable[[Service], None]) -> None:
    """A reader that comes to the same place with the same question gets another answer."""

    async def test(house: House) -> None:
        await house.do(lambda: studio.commit(*tasks(50)))
        first = house.reader(("after", "0"), key=OWN_KEY)
        await first.until(lambda: len(secrets(first)) == 51)
        await house.do(lambda: take(studio.service))
        second = house.reader(("after", "0"), key=OWN_KEY)
        await second.until(lambda: bool(second.text))
        await house.do(lambda: end(studio))
        await second.until(lambda: "end" in second.ids())
        assert secrets(second) == []

    running(test, studio)


@each_way
def test_what_was_read_before_is_not_sent(
    studio: Studio, take: Callable[[Service], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the right is taken after an answer was made and before it goes out, it does not go out."""
    original = streaming.EventStreams._next_text

    def late(self: Any, asked: Any) -> Any:
        made = original(self, asked)
        if b"callsheet.update" in made[-1]:
            monkeypatch.setattr(streaming.EventStreams, "_next_text", original)
            take(studio.service)
        return made

    async def test(house: House) -> None:
        monkeypatch.setattr(streaming.EventStreams, "_next_text", late)
        gina = house.reader(key=OWN_KEY)
        await gina.until(lambda: bool(gina.text))
        await house.do(lambda: studio.commit(task("a", P)))
        await house.do(lambda: end(studio))
        await gina.until(lambda: gina.over or "end" in gina.ids())
        assert secrets(gina) == []

    running(test, studio)


@each_way
def test_a_slow_reader_gets_no_rest(
    studio: Studio, take: Callable[[Service], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an answer that is half sent, the rest is kept back."""
    monkeypatch.setattr(streaming, "PIECE", 1)

    async def test(house: House) -> None:
        gina = house.reader(key=OWN_KEY)
        await gina.until(lambda: bool(gina.text))
        gina.taking.clear()
        sends = gina.sends
        await house.do(lambda: studio.commit(*tasks(50)))
        while gina.sends == sends:
            await asyncio.sleep(0.005)
        await house.do(lambda: take(studio.service))
        gina.taking.set()
        await gina.until(lambda: gina.over)
        assert len(secrets(gina)) <= 1

    running(test, studio)


def test_changes_of_others_interrupt_nothing(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """A half-sent answer goes on when somebody else's rights change."""
    monkeypatch.setattr(streaming, "PIECE", 1)

    async def test(house: House) -> None:
        gina = house.reader(key=OWN_KEY)
        await gina.until(lambda: bool(gina.text))
        gina.taking.clear()
        sends = gina.sends
        await house.do(lambda: studio.commit(*tasks(50)))
        while gina.sends == sends:
            await asyncio.sleep(0.005)
        await house.do(lambda: studio.service.accounts.add("ben", "user"))
        gina.taking.set()
        await gina.until(lambda: len(secrets(gina)) == 50)

    running(test, studio)


@each_way
def test_a_reader_that_comes_back_is_told_nothing(studio: Studio, take: Callable[[Service], None]) -> None:
    """A replay from a position before is by the rights of now."""

    async def test(house: House) -> None:
        await house.do(lambda: studio.commit(task("a", P)))
        await house.do(lambda: take(studio.service))
        gina = house.reader(("after", "0"), key=OWN_KEY)
        await house.do(lambda: end(studio))
        await gina.until(lambda: gina.status in (401, 403) or "end" in gina.ids())
        assert secrets(gina) == []

    running(test, studio)


@each_way
@pytest.mark.parametrize("moment", ["between", "after reading"])
def test_a_socket_tells_nothing_more(
    studio: Studio, take: Callable[[Service], None], moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same for a hub of the vendor's, which is hung up on or goes on with what is left."""
    monkeypatch.setattr(sockets, "HEARTBEAT", 0.05)
    service = studio.service
    original = sockets._Connection._read

    def late(self: Any, place: Position) -> Any:
        made = original(self, place)
        if made[1]:
            monkeypatch.setattr(sockets._Connection, "_read", original)
            take(service)
        return made

    with TestClient(application(service)) as client:
        session = handshake(client, "gina", OWN_KEY)
        with client.websocket_connect(f"/socket.io/1/websocket/{session}") as socket:
            hub = Hub(socket)
            hub.subscribe("topic=ftrack.update or topic=end")
            if moment == "between":
                take(service)
            else:
                monkeypatch.setattr(sockets._Connection, "_read", late)
            studio.commit(task("a", P))
            service.backend("admin").publish(Event("end"))
            with suppress(WebSocketDisconnect):
                assert hub.event()["topic"] == "end"


def claim(studio: Studio, worker: str = "w") -> list[dict[str, Any]]:
    arguments = {"handler": "h", "expression": TASKS, "worker": worker, "most": 2}
    found: list[dict[str, Any]] = studio.service.backend("gina").call("handlers.claim", arguments)
    return found


def named(delivery: dict[str, Any]) -> dict[str, Any]:
    """What a worker names a delivery by."""
    position, index = delivery["event"]["position"]
    return {"handler": "h", "position": position, "index": index, "lease": delivery["lease"]}


@pytest.mark.parametrize("take", OF_RIGHTS)
def test_a_claim_gives_nothing_of_what_was_taken(studio: Studio, take: Callable[[Service], None]) -> None:
    """Neither new events, nor those in the queue, nor those leased before, nor dead letters."""
    claim(studio)
    studio.commit(*tasks(10))
    (first, second) = claim(studio)
    studio.service.backend("gina").call("handlers.fail", {**named(first), "error": "x", "delay": None})
    assert second["lease"]
    take(studio.service)
    try:
        assert claim(studio) == claim(studio, "another") == []
        assert studio.service.backend("gina").call("handlers.deliveries", {}) == []
    except Unauthorised:
        assert take is disable


def test_a_right_taken_while_a_claim_waits_counts(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """A claim looks at the rights in its own transaction, not when it was asked for."""
    claim(studio)
    studio.commit(*tasks(3))
    write = studio.service.store.write

    def late(function: Any) -> Any:
        monkeypatch.setattr(studio.service.store, "write", write)
        take_grant(studio.service)
        return write(function)

    monkeypatch.setattr(studio.service.store, "write", late)
    assert claim(studio) == []


def test_a_claim_tells_no_reference_to_what_was_taken(studio: Studio) -> None:
    """An event of what is still seen is delivered, with references as they may be known now."""
    claim(studio)
    studio.commit(task("a", P), task("b", Identity("Project", "q")))
    studio.commit(update(Identity("Task", "b"), about=A))
    assert len(claim(studio)) == 2
    take_grant(studio.service)
    (first,) = claim(studio, "another") or claim(studio)
    backend = studio.service.backend("gina")
    assert backend.call("handlers.settle", named(first))
    (second,) = claim(studio)
    assert second["event"]["data"]["changes"]["about"] == {"old": None, "new": None}


def rows(page: Page) -> int:
    return sum(len(block.rows) for block in page.records)


@pytest.mark.parametrize("take", OF_RIGHTS)
def test_pages_and_the_past_are_by_the_rights_of_now(studio: Studio, take: Callable[[Service], None]) -> None:
    """The next page after a cursor, a view of a moment before, and the history that was read once."""
    studio.commit(*tasks(10))
    gina = studio.service.backend("gina")
    position = studio.service.broker.last
    page = gina.select(Select("Task"), 3)
    assert rows(page) == rows(gina.at(position).select(Select("Task"), 3)) == 3
    assert gina.call("commits", {})["commits"]
    take(studio.service)
    readings: list[Callable[[], Any]] = [
        lambda: rows(gina.select(Select("Task"), 3, page.cursor)),
        lambda: rows(gina.at(position).select(Select("Task"), 3)),
        lambda: gina.call("history", {"entity_type": "Task", "key": "t1"})["commits"],
        lambda: "Task" in repr(gina.call("commits", {})),
        lambda: gina.events(Position(0, 0), (TASKS,), {}, 10).events,
    ]
    for reading in readings:
        try:
            assert not reading()
        except CallsheetError:
            assert take is disable


def test_beats_do_not_hide_a_change(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """That another task of the connection has looked at the rights meanwhile does not let old answers out."""
    checks = studio.service.entitlement("gina", lambda: None)
    before = checks.standing()
    take_grant(studio.service)
    checks.standing()
    assert not checks.is_current(before)
    assert not checks.still_holds(before)
