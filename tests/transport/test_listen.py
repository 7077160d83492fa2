"""Who listens gets every event once and in order, whatever breaks in between; and stops when it is told to."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event as Flag
from typing import Any
from urllib.parse import urlsplit

import anyio
import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from callsheet.dialects.local import LocalDialect
from callsheet.dialects.native.client import NativeDialect
from callsheet.errors import CallsheetError, Disconnected, Forbidden, Invalid, Timeout, Unauthorised, Unavailable
from callsheet.flow import Request
from callsheet.model.event import Event, Position
from callsheet.model.operation import ChangeSet, Create
from callsheet.model.record import Identity
from callsheet.server.process import Server, serve
from callsheet.server.service import Service
from callsheet.transport.drive import run
from callsheet.transport.http import AsyncHttpTransport, HttpTransport
from callsheet.transport.listen import Listener, Listening, ListenProgress, State, is_final
from callsheet.transport.local import LocalTransport
from callsheet.transport.retry import RetryPolicy
from faults.proxy import Cable

DOCUMENT = {"name": "dots", "types": {"Dot": {"attributes": {"name": {"type": "string"}}}}}
KEY = "the key of the dots of the administrator"
QUICK = RetryPolicy(first=0.01, longest=0.05)
PATIENCE = 20.0


class Ears:
    """What was delivered and what states were told; `until` waits for something to be so."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.states: list[State] = []
        self._something = Flag()

    def deliver(self, events: Sequence[Event]) -> None:
        self.events += events
        self._something.set()

    async def adeliver(self, events: Sequence[Event]) -> None:
        self.deliver(events)

    def tell(self, state: State) -> None:
        self.states.append(state)
        self._something.set()

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end, f"{len(self.events)} events, {self.states[-3:]}"
            self._something.wait(0.05)
            self._something.clear()

    def connected(self) -> bool:
        return self.states[-1:] == [State("connected")]

    @property
    def ids(self) -> list[str]:
        return [event.id for event in self.events]


class Client:
    """One account's way to a server, for a test."""

    def __init__(self, url: str, key: str = KEY, user: str = "") -> None:
        self.dialect = NativeDialect()
        self.headers = self.dialect.credentials(user, key)
        self.url = url
        self.transport = HttpTransport(url, self.headers)

    def commit(self, name: str, count: int = 1) -> None:
        made = tuple(Create(Identity("Dot", f"{name}-{n}"), {"name": name}) for n in range(count))
        run(self.dialect.commit(ChangeSet(name, made)), self.transport)

    def publish(self, name: str, **options: Any) -> None:
        run(self.dialect.publish(Event("studio.done", id=name, **options)), self.transport)

    def listening(self, *expressions: str, after: Position | None = None, **options: Any) -> Listening:
        settings = self.transport._settings
        return Listening(
            lambda place: self.dialect.events(place, expressions, {}), settings, after, policy=QUICK, **options
        )

    def listener(self, ears: Ears, *expressions: str, **options: Any) -> Listener:
        return Listener(self.listening(*expressions, **options), ears.deliver, ears.tell)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.transport.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    database = f"sqlite:///{(tmp_path_factory.mktemp('listen') / 'dots.db').as_posix()}"
    with serve(DOCUMENT, database, admin_key=KEY) as server:
        yield server


@pytest.fixture
def client(served: Server) -> Iterator[Client]:
    with Client(served.url) as client:
        yield client


@pytest.fixture
def ears() -> Ears:
    return Ears()


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name of this test's own, since all share a server."""
    return str(request.node.name)


# -- where one is, and how long one waits --------------------------------------------------------------------


@given(st.lists(st.integers(0, 9), max_size=30), st.lists(st.integers(0, 30), max_size=5))
def test_what_is_told_twice_is_delivered_once(numbers: list[int], cuts: list[int]) -> None:
    """Positions that are not behind the last are known; events without one are known by their id."""
    course = ListenProgress(Position(2, 0), QUICK, lambda: 1.0)
    found = course.fresh([Event("x", position=Position(number, 0)) for number in numbers])
    places = [event.position for event in found]
    assert places == sorted(set(places))
    assert all(place > Position(2, 0) for place in places if place)
    unplaced = course.fresh([Event("x", id=str(number)) for number in numbers])
    assert [event.id for event in unplaced] == list(dict.fromkeys(map(str, numbers)))


def test_waits_grow_and_are_random() -> None:
    """Up to a bound; they are short again after a connection that lasted, and no shorter than the server asks."""
    course = ListenProgress(None, RetryPolicy(first=1.0, longest=6.0), lambda: 0.5)
    assert [course.wait(0.0, None) for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    assert course.wait(60.0, None) == 0.5
    busy = Unavailable("busy")
    busy.retry_after = 9.0
    assert course.wait(0.0, busy) == 10.0


@pytest.mark.parametrize(
    ("error", "final"),
    [(Unauthorised("x"), True), (Forbidden("x"), True), (Invalid("x"), True), (ValueError("x"), True),
     (Disconnected("x"), False), (Timeout("x"), False), (Unavailable("x"), False)],
)  # fmt: skip
def test_refusals_are_final_and_losses_are_not(error: Exception, final: bool) -> None:
    assert is_final(error) is final


# -- in a thread ---------------------------------------------------------------------------------------------


def test_events_come_as_they_happen(client: Client, ears: Ears, name: str) -> None:
    """Those after it began, in the order of the log; the server tells which position that is."""
    client.commit(f"{name} before")
    listener = client.listener(ears)
    listener.start()
    ears.until(ears.connected)
    client.commit(name, 3)
    client.publish(f"{name} p", data={"n": 1})
    ears.until(lambda: len(ears.events) >= 4)
    assert ears.ids == [f"{name}:0", f"{name}:1", f"{name}:2", f"{name} p"]
    assert listener.connected
    assert listener.stop()
    assert not listener.connected
    assert listener.position is not None
    assert listener.position >= (ears.events[-1].position or Position(0, 0))
    assert ears.states == [State("connected"), State("disconnected")]


def test_one_goes_on_where_one_was(client: Client, ears: Ears, name: str) -> None:
    """Another listener, from the position of the first."""
    first = client.listener(ears)
    first.start()
    ears.until(ears.connected)
    client.commit(f"{name} 1", 2)
    ears.until(lambda: len(ears.events) == 2)
    first.stop()
    client.commit(f"{name} 2", 2)
    again = client.listener(ears, after=ears.events[0].position)
    again.start()
    ears.until(lambda: len(ears.events) >= 5)
    again.stop()
    assert ears.ids == [f"{name} 1:0", f"{name} 1:1", f"{name} 1:1", f"{name} 2:0", f"{name} 2:1"]


def test_the_server_sends_what_is_asked_for(client: Client, ears: Ears, name: str) -> None:
    """And tells how far it has read besides."""
    listener = client.listener(ears, "topic=studio.*")
    listener.start()
    ears.until(ears.connected)
    client.commit(name, 5)
    client.publish(f"{name} p")
    ears.until(lambda: len(ears.events) >= 1)
    listener.stop()
    assert ears.ids == [f"{name} p"]


def test_another_stream_goes_on_from_where_the_first_was(client: Client, ears: Ears, name: str) -> None:
    """`resubscribe` opens one at once: nothing is lost between the two."""
    listener = client.listener(ears)
    listener.start()
    ears.until(ears.connected)
    for number in range(10):
        client.commit(f"{name} {number}")
        if number % 3 == 0:
            listener.resubscribe()
    ears.until(lambda: len(ears.events) >= 10)
    listener.stop()
    assert ears.ids == [f"{name} {number}:0" for number in range(10)]
    assert all(state.error is None for state in ears.states)


@pytest.mark.parametrize(
    ("key", "expression", "error"),
    [("some other key", "topic=x", Unauthorised), (KEY, "topic = and", Invalid)],
)
def test_what_the_server_refuses_is_told_and_not_tried_again(
    served: Server, ears: Ears, key: str, expression: str, error: type[CallsheetError]
) -> None:
    with Client(served.url, key) as client:
        listener = client.listener(ears, expression)
        listener.start()
        ears.until(lambda: bool(ears.states))
        assert [state.kind for state in ears.states] == ["failed"]
        assert isinstance(ears.states[0].error, error)
        assert key not in str(ears.states[0].error)
        assert listener.stop()


def test_a_key_that_is_revoked_ends_the_stream(client: Client, ears: Ears, name: str, served: Server) -> None:
    """When something happens, or after some seconds: the next attempt is refused."""
    user = name.replace("_", "-")
    key = run(client.dialect.call("users.add", {"name": user}), client.transport)["key"]
    with Client(served.url, key, user) as other:
        listener = other.listener(ears)
        listener.start()
        ears.until(ears.connected)
        run(client.dialect.call("users.disable", {"name": user}), client.transport)
        client.commit(name)
        ears.until(lambda: ears.states[-1].kind == "failed")
        assert isinstance(ears.states[-1].error, Unauthorised)
        assert ears.events == []
        listener.stop()


def test_one_stops_at_once_also_while_it_waits(served: Server, ears: Ears) -> None:
    """For a server that is not there, and for one that says nothing."""
    patient = RetryPolicy(first=600.0, longest=600.0)
    with Cable(urlsplit(served.url).port or 0) as cable, Client(cable.url) as client:
        listener = Listener(evolve(client.listening(), policy=patient), ears.deliver, ears.tell)
        listener.start()
        ears.until(ears.connected)
        cable.cut()
        ears.until(lambda: ears.states[-1].kind == "disconnected")
        assert listener.stop()


# -- what breaks ---------------------------------------------------------------------------------------------


def test_a_cut_cable_loses_nothing(served: Server, ears: Ears, name: str) -> None:
    """Many times, while commits go on on another way."""
    with Cable(urlsplit(served.url).port or 0) as cable, Client(served.url) as direct, Client(cable.url) as client:
        listener = client.listener(ears)
        listener.start()
        ears.until(ears.connected)
        for number in range(40):
            direct.commit(f"{name} {number}", 3)
            if number % 8 == 3:
                cable.cut()
            if number % 8 == 5:
                cable.mend()
        cable.mend()
        ears.until(lambda: len(ears.events) >= 120)
        listener.stop()
        assert ears.ids == [f"{name} {number}:{index}" for number in range(40) for index in range(3)]
        assert cable.connections >= 3


def test_a_silent_server_is_taken_for_gone(served: Server, ears: Ears, name: str) -> None:
    """After the keep-alive; then it goes on where it was."""
    with Cable(urlsplit(served.url).port or 0) as cable, Client(served.url) as direct, Client(cable.url) as client:
        listener = client.listener(ears, keep_alive=0.3)
        listener.start()
        ears.until(ears.connected)
        cable.mute()
        direct.commit(name)
        ears.until(lambda: any(isinstance(state.error, Timeout) for state in ears.states))
        cable.mend()
        ears.until(lambda: len(ears.events) >= 1)
        listener.stop()
        assert ears.ids == [f"{name}:0"]


def test_a_server_that_is_killed_and_started_again_is_found_again(tmp_path: Path, ears: Ears) -> None:
    """What was committed is told by the new one, from the position of the old one."""
    database = f"sqlite:///{(tmp_path / 'killed.db').as_posix()}"
    servers = [serve(DOCUMENT, database, admin_key=KEY)]
    with Cable(urlsplit(servers[0].url).port or 0) as cable, Client(cable.url) as client:
        try:
            listener = client.listener(ears)
            listener.start()
            ears.until(ears.connected)
            for number in range(3):
                client.commit(f"before {number}")
                servers[-1]._process.kill()
                servers[-1].wait()
                servers.append(serve(DOCUMENT, database, admin_key=KEY))
                cable.mend(urlsplit(servers[-1].url).port)
                client.commit(f"after {number}")
            ears.until(lambda: len(ears.events) >= 6)
            assert ears.ids == [f"{word} {number}:0" for number in range(3) for word in ("before", "after")]
            assert listener.stop()
        finally:
            for server in servers:
                server.close()


def test_a_stopping_server_ends_its_streams_at_once(tmp_path: Path, ears: Ears) -> None:
    """It does not wait for readers who would stay for ever."""
    database, log = f"sqlite:///{(tmp_path / 'stop.db').as_posix()}", tmp_path / "log"
    with serve(DOCUMENT, database, admin_key=KEY, logs_path=log) as server, Client(server.url) as client:
        listener = client.listener(ears)
        listener.start()
        ears.until(ears.connected)
        server.close()
        ears.until(lambda: ears.states[-1].kind == "disconnected")
        listener.stop()
        written = log.read_text()
        assert "Traceback" not in written
        assert "timeout" not in written.lower(), "the server waited for its streams"


# -- in a task -----------------------------------------------------------------------------------------------


@pytest.mark.anyio
class TestInATask:
    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    async def test_the_same_in_a_task(self, served: Server, client: Client, ears: Ears, name: str) -> None:
        """Over a cable that is cut; ended by `stop`."""
        with Cable(urlsplit(served.url).port or 0) as cable:
            transport = AsyncHttpTransport(cable.url, client.headers)
            listening = evolve(client.listening(), settings=transport._settings)
            listener = transport.alisten(listening.open_stream, ears.adeliver, ears.tell)
            listener._listener._progress._policy = QUICK
            with anyio.fail_after(PATIENCE):
                async with anyio.create_task_group() as group:
                    group.start_soon(listener.run)
                    while not ears.connected():
                        await anyio.sleep(0.01)
                    for number in range(6):
                        await anyio.to_thread.run_sync(client.commit, f"{name} {number}")
                        if number == 2:
                            cable.cut()
                        if number == 4:
                            cable.mend()
                            listener.resubscribe()
                    while len(ears.events) < 6:
                        await anyio.sleep(0.01)
                    listener.stop()
            assert ears.ids == [f"{name} {number}:0" for number in range(6)]
            await transport.aclose()

    async def test_a_cancelled_task_leaves_nothing_open(self, client: Client, ears: Ears, name: str) -> None:
        """The connection is closed, no other is opened, nothing more is delivered, and the transport still works."""
        with Cable(urlsplit(client.url).port or 0) as cable:
            transport = AsyncHttpTransport(cable.url, client.headers)
            listener = transport.alisten(client.listening().open_stream, ears.adeliver, ears.tell)
            with anyio.fail_after(PATIENCE):
                async with anyio.create_task_group() as group:
                    group.start_soon(listener.run)
                    while not ears.connected():
                        await anyio.sleep(0.01)
                    assert cable.open == 1
                    group.cancel_scope.cancel()
                assert not listener.connected
                assert listener._listener._connection is None
                while cable.open:
                    await anyio.sleep(0.01)
                await anyio.to_thread.run_sync(client.commit, name)
                await anyio.sleep(0.05)
                assert (cable.connections, ears.events) == (1, [])
                assert (await transport.send(Request("GET", "/healthz", safe=True))).status == 200
            await transport.aclose()

    async def test_a_refusal_ends_the_task(self, served: Server, ears: Ears) -> None:
        with Client(served.url, "some other key") as client:
            transport = AsyncHttpTransport(served.url, client.headers)
            listener = transport.alisten(client.listening().open_stream, ears.adeliver, ears.tell)
            with anyio.fail_after(PATIENCE):
                await listener.run()
            assert isinstance(ears.states[-1].error, Unauthorised)
            await transport.aclose()

    async def test_a_server_in_this_process_is_listened_to(self, ears: Ears) -> None:
        with Service.open("memory:", DOCUMENT) as service:
            backend = service.backend("admin")
            dialect = LocalDialect(backend)
            transport = LocalTransport()
            listener = transport.alisten(lambda place: dialect.events(place, (), {}), ears.adeliver, ears.tell)
            with anyio.fail_after(PATIENCE):
                async with anyio.create_task_group() as group:
                    group.start_soon(listener.run)
                    while listener.position is None:
                        await anyio.sleep(0.01)
                    backend.commit(ChangeSet("c", (Create(Identity("Dot", "a"), {"name": "a"}),)))
                    while not ears.events:
                        await anyio.sleep(0.01)
                    listener.stop()
            assert ears.ids == ["c:0"]


# -- in this process -----------------------------------------------------------------------------------------


def test_a_server_in_this_process_needs_no_wire(ears: Ears) -> None:
    """The same listener, called instead of connected; a closed service ends it."""
    with Service.open("memory:", DOCUMENT) as service:
        backend = service.backend("admin")
        dialect = LocalDialect(backend)
        listener = LocalTransport().listen(
            lambda place: dialect.events(place, ("topic=callsheet.update",), {}), ears.deliver, ears.tell
        )
        listener.start()
        ears.until(lambda: listener.position is not None)
        run(dialect.publish(Event("studio.done")), LocalTransport())
        backend.commit(ChangeSet("c", (Create(Identity("Dot", "a"), {"name": "a"}),)))
        ears.until(lambda: len(ears.events) >= 1)
        assert ears.ids == ["c:0"]
    ears.until(lambda: ears.states[-1].kind == "failed")
    assert listener.stop()
