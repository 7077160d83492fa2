"""Streams of events over HTTP, called as a server would call them: who may, what for, how many, how fast, how long."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from studio import Identity, Studio, project, task, update

from callsheet.model.event import Event
from callsheet.server.limits import Limits
from callsheet.server.web import streaming
from callsheet.server.web.application import application

P, Q, A, B = Identity("Project", "p"), Identity("Project", "q"), Identity("Task", "a"), Identity("Task", "b")


class Reader:
    """One request for events and what has come of it; ``taking`` cleared, it takes nothing more."""

    def __init__(self, app: Any, key: str, headers: dict[str, str], asked: list[tuple[str, str]]) -> None:
        told = {"authorization": f"Bearer {key}", **headers}
        self.scope = {
            "type": "http", "method": "GET", "path": "/v1/events", "raw_path": b"/v1/events", "root_path": "",
            "query_string": urlencode(asked).encode(), "client": ("203.0.113.9", 4000), "server": ("callsheet", 80),
            "headers": [(name.encode(), value.encode()) for name, value in told.items()],
            "scheme": "http", "http_version": "1.1",
        }  # fmt: skip
        self.status, self.text, self.over = 0, b"", False
        self.headers: dict[bytes, bytes] = {}
        self.sends = 0
        self.taking = asyncio.Event()
        self.taking.set()
        self._gone = asyncio.Event()
        self._asked = False
        self.task = asyncio.create_task(app(self.scope, self._receive, self._send))

    async def _receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sends += 1
        await self.taking.wait()
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], dict(message["headers"])
        else:
            self.text += message["body"]
            self.over = not message.get("more_body", False)

    async def leave(self) -> None:
        self._gone.set()
        await self.task

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not condition():
                assert not (self.task.done() and not self.over), "the stream ended"
                await asyncio.sleep(0.005)

    def events(self) -> list[Any]:
        return [json.loads(line[6:]) for line in self.text.split(b"\n") if line.startswith(b"data: ")]

    def ids(self) -> list[str]:
        return [event["id"] for event in self.events()]


class House:
    """The application of a studio, and its readers."""

    def __init__(self, studio: Studio, limits: Limits | None = None) -> None:
        self.studio, self.app = studio, application(studio.service, limits)
        self.key = studio.service.new_admin_key or ""
        self.readers: list[Reader] = []

    def reader(self, *asked: tuple[str, str], key: str | None = None, **headers: str) -> Reader:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.readers.append(Reader(self.app, self.key if key is None else key, named, list(asked)))
        return self.readers[-1]

    async def do(self, function: Callable[[], object]) -> None:
        await asyncio.to_thread(function)


@asynccontextmanager
async def opened(studio: Studio, limits: Limits | None = None) -> Any:
    house = House(studio, limits)
    try:
        yield house
    finally:
        for reader in house.readers:
            reader.taking.set()
            await reader.leave()


def running(test: Callable[[House], Awaitable[None]], studio: Studio, limits: Limits | None = None) -> None:
    async def main() -> None:
        async with opened(studio, limits) as house:
            await test(house)

    asyncio.run(main())


def test_the_text_tells_where_it_begins_and_what_happens(studio: Studio) -> None:
    """Byte for byte."""

    async def test(house: House) -> None:
        reader = house.reader()
        await reader.until(lambda: b"\n\n" in reader.text)
        assert (reader.status, reader.headers[b"content-type"]) == (200, b"text/event-stream")
        assert reader.headers[b"cache-control"] == b"no-store"
        await house.do(lambda: studio.service.backend("admin").publish(Event("studio.done", [1], id="e1")))
        await reader.until(lambda: b"e1" in reader.text)
        assert reader.text == (
            b"retry: 1000\nid: 0.2147483647\n\n"
            b'id: 1.0\ndata: {"topic":"studio.done","id":"e1","data":[1],"source":{"user":{"username":"admin"}}}\n\n'
        )

    running(test, studio)


def test_a_reader_begins_where_it_was(studio: Studio) -> None:
    """By the address, or as a browser says it, which counts more."""
    for key in "abc":
        studio.commit(task(key), task(f"{key}2"))

    async def test(house: House) -> None:
        at, all_of, browser = (
            house.reader(("after", "1.0")),
            house.reader(("after", "2")),
            house.reader(("after", "0"), last_event_id="3.0"),
        )
        await at.until(lambda: len(at.ids()) == 5)
        await all_of.until(lambda: len(all_of.ids()) == 2)
        await browser.until(lambda: len(browser.ids()) == 1)
        assert at.ids() == ["commit-1:1", "commit-2:0", "commit-2:1", "commit-3:0", "commit-3:1"]
        assert browser.ids() == ["commit-3:1"]

    running(test, studio)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ([("filter", "topic = and")], 422),
        ([("after", "x")], 422),
        ([("after", "-1")], 422),
        ([("after", "1." + "9" * 30)], 422),
        ([("subscriber", "[]")], 422),
        ([("subscriber", '{"a":{"$date":1}}')], 422),
        ([("other", "1")], 422),
        ([("filter", "topic=x")] * 1_001, 422),
    ],
)
def test_what_cannot_be_asked_is_refused(studio: Studio, asked: list[tuple[str, str]], status: int) -> None:
    async def test(house: House) -> None:
        reader = house.reader(*asked)
        await reader.task
        assert (reader.status, reader.over) == (status, True)
        assert b"error" in reader.text

    running(test, studio)


def test_strangers_hear_nothing(studio: Studio) -> None:
    async def test(house: House) -> None:
        for key in ("", "wrong", house.key[:-1]):
            reader = house.reader(key=key)
            await reader.task
            assert (reader.status, reader.events()) == (401, [])

    running(test, studio)


def test_everybody_hears_what_they_may_read(studio: Studio) -> None:
    """Three accounts side by side: of both projects, of one, of none. Who has no grant at all is not let in."""
    accounts = studio.service.accounts
    keys = {name: accounts.add(name, "guest") for name in ("gina", "nobody")}
    studio.commit(project("p"), project("q"))
    studio.service.roles.grant("gina", "reader", "p")

    async def test(house: House) -> None:
        admin = house.reader()
        gina, nobody = house.reader(key=keys["gina"]), house.reader(key=keys["nobody"])
        for reader in (admin, gina, nobody):
            await reader.until(lambda reader=reader: bool(reader.text))
        assert [reader.status for reader in (admin, gina, nobody)] == [200, 200, 403]
        await house.do(lambda: studio.commit(task("a", P), task("b", Q), commit_id="made"))
        await house.do(lambda: studio.commit(update(A, about=B), update(B, bid=1.0), commit_id="changed"))
        await house.do(lambda: studio.service.backend("admin").publish(Event("studio.done", id="end")))
        for reader in (admin, gina):
            await reader.until(lambda reader=reader: "end" in reader.ids())
        assert len(admin.events()) == 5
        assert b"has no rights" in nobody.text
        late = house.reader(("after", "0"), key=keys["nobody"])
        await late.task
        assert late.status == 403
        told = gina.events()
        assert [event["data"]["entity_id"] for event in told[:-1]] == ["a", "a"]
        assert told[1]["data"]["changes"]["about"] == {"old": None, "new": None}
        assert b'"q"' not in gina.text
        assert b'"b"' not in gina.text

    running(test, studio)


def test_an_account_that_is_disabled_hears_no_more(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while nothing happens: it is looked at again and again."""
    monkeypatch.setattr(streaming, "KEEP_ALIVE", 0.05)
    key = studio.service.accounts.add("gina", "user")

    async def test(house: House) -> None:
        reader = house.reader(key=key)
        await reader.until(lambda: b":\nid:" in reader.text)
        await house.do(lambda: studio.service.accounts.disable("gina"))
        await reader.until(lambda: reader.over)
        await reader.task

    running(test, studio)


def test_a_revoked_key_ends_its_streams(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account has another key now; who has the old one is told nothing more."""
    monkeypatch.setattr(streaming, "KEEP_ALIVE", 0.05)
    key = studio.service.accounts.add("gina", "user")

    async def test(house: House) -> None:
        reader = house.reader(key=key)
        await reader.until(lambda: bool(reader.text))
        await house.do(lambda: studio.service.accounts.new_key("gina"))
        await reader.until(lambda: reader.over)

    running(test, studio)


def test_streams_do_not_count_among_the_requests(studio: Studio) -> None:
    """Otherwise a few readers would keep everybody out."""

    async def test(house: House) -> None:
        readers = [house.reader() for _ in range(5)]
        for reader in readers:
            await reader.until(lambda reader=reader: bool(reader.text))
        assert [reader.status for reader in readers] == [200] * 5

    running(test, studio, Limits(requests=5))


def test_an_account_has_so_many_streams(studio: Studio) -> None:
    """Then it is told to try later; one that ends makes room."""

    async def test(house: House) -> None:
        readers = [house.reader() for _ in range(2)]
        for reader in readers:
            await reader.until(lambda reader=reader: bool(reader.text))
        refused = house.reader()
        await refused.task
        assert (refused.status, refused.headers[b"retry-after"]) == (429, b"5")
        await readers[0].leave()
        again = house.reader()
        await again.until(lambda: bool(again.text))
        assert again.status == 200

    running(test, studio, Limits(account_streams=2))


def test_an_account_has_so_many_filters(studio: Studio) -> None:
    """They are counted by their comparisons, over all its streams; a stream that ends makes room."""

    async def test(house: House) -> None:
        first = house.reader(("filter", "topic=a and data.x=1"), ("filter", "topic=b"))
        await first.until(lambda: bool(first.text))
        refused = house.reader(("filter", "topic=c or topic=d"))
        await refused.task
        assert (refused.status, refused.headers[b"retry-after"]) == (429, b"5")
        await first.leave()
        again = house.reader(("filter", "topic=c or topic=d"))
        await again.until(lambda: bool(again.text))
        assert again.status == 200

    running(test, studio, Limits(account_filters=4))


def test_readers_with_the_same_question_share_the_answer(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read from the log once; who asks otherwise, or may read less, gets an answer of its own."""
    key = studio.service.accounts.add("nobody", "guest")
    studio.commit(project("p"))
    studio.service.roles.grant("nobody", "reader", "p")
    made: list[Any] = []
    text = streaming._Stream.text
    monkeypatch.setattr(streaming._Stream, "text", lambda stream: made.append(stream.account) or text(stream))

    async def test(house: House) -> None:
        alike = [house.reader() for _ in range(10)]
        others = [house.reader(("filter", "topic=x")), house.reader(key=key)]
        for reader in (*alike, *others):
            await reader.until(lambda reader=reader: bool(reader.text))
        await house.do(lambda: studio.commit(task("a")))
        for reader in alike:
            await reader.until(lambda reader=reader: bool(reader.ids()))
        await others[0].until(lambda: made.count("admin") >= 4)
        assert made.count("admin") <= 6
        assert [reader.ids() for reader in others] == [[], []]

    running(test, studio)


def test_a_slow_reader_delays_only_itself(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it takes nothing one batch waits for it, and nothing is gathered; then it gets all, in order."""
    monkeypatch.setattr(streaming, "BATCH", 3)
    studio.commit(*(task(f"t{number}") for number in range(50)))

    async def test(house: House) -> None:
        slow, quick = house.reader(("after", "0")), house.reader(("after", "0"))
        slow.taking.clear()
        await quick.until(lambda: len(quick.ids()) == 50)
        assert slow.sends <= 2
        slow.taking.set()
        await slow.until(lambda: len(slow.ids()) == 50)
        assert slow.ids() == quick.ids() == [f"commit-1:{number}" for number in range(50)]

    running(test, studio)


def test_a_reader_that_takes_nothing_is_hung_up_on(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "SEND_SECONDS", 0.05)

    async def test(house: House) -> None:
        reader = house.reader()
        await reader.until(lambda: bool(reader.text))
        reader.taking.clear()
        await house.do(lambda: studio.commit(task("a")))
        async with asyncio.timeout(20):
            await reader.task
        assert not reader.over

    running(test, studio)


def test_a_closing_service_ends_all_streams(studio: Studio) -> None:
    async def test(house: House) -> None:
        readers = [house.reader() for _ in range(3)]
        for reader in readers:
            await reader.until(lambda reader=reader: bool(reader.text))
        await house.do(studio.service.broker.close)
        for reader in readers:
            await reader.until(lambda reader=reader: reader.over)

    running(test, studio)
