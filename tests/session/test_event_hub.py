"""The hub of a session hears what the server tells, in order, each once, where and when its user chose."""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from time import monotonic
from typing import Any

import pytest

import callsheet
from callsheet import AsyncSession, Event, Session
from callsheet.errors import Closed, Invalid, QueryError, StateError, Timeout, UsageError
from callsheet.events import topics
from callsheet.model.event import Position
from callsheet.session.connection import over
from callsheet.session.inbox import Inbox


@pytest.fixture(scope="module")
def address() -> Iterator[Any]:
    """A server in a process of its own."""
    with callsheet.serve(seed=True) as server:
        yield server


@pytest.fixture(params=["in this process", "over http"])
def connect(request: pytest.FixtureRequest, callsheet_service: Any) -> Iterator[Callable[..., Session]]:
    """Gives sessions on one server."""
    opened: list[Session] = []

    def connect() -> Session:
        if request.param == "over http":
            server = request.getfixturevalue("address")
            opened.append(Session(server.url, "admin", server.admin_key, schema_cache=False))
        else:
            opened.append(Session(connection=over(callsheet_service.backend("admin"))))
        return opened[-1]

    yield connect
    for session in opened:
        session.close()


def wait_for(hub: Any, condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Dispatch until it holds."""
    end = monotonic() + seconds
    while not condition() and monotonic() < end:
        hub.wait(0.05)
    assert condition()


def test_commits_are_heard_in_order_with_positions(connect: Callable[..., Session]) -> None:
    """One event for each entity of a commit; the hub's position is that of the last."""
    listening, working = connect(), connect()
    hub = listening.event_hub
    heard: list[Event] = []
    hub.subscribe("topic=callsheet.update and entity.type=Project", heard.append)
    hub.connect()
    assert hub.connected
    for name in ("one", "two", "three"):
        working.create("Project", {"name": name})
        working.commit()
    wait_for(hub, lambda: len(heard) == 3)
    assert [event.changes["name"]["new"] for event in heard] == ["one", "two", "three"]
    assert [event.position for event in heard] == sorted({event.position for event in heard})
    assert hub.position == heard[-1].position
    assert {event.data["action"] for event in heard} == {"create"}
    hub.disconnect()
    assert not hub.connected


def test_connecting_the_hub_opens_the_session(connect: Callable[..., Session]) -> None:
    """It is how listeners begin: make a session, subscribe, connect."""
    session = connect()
    heard: list[Event] = []
    session.event_hub.subscribe("topic=callsheet.session.ready", heard.append)
    session.event_hub.connect()
    assert session.event_hub.connected
    assert [event.topic for event in heard] == ["callsheet.session.ready"]


def test_a_closed_session_connects_no_hub(connect: Callable[..., Session]) -> None:
    """Whether it was open before or not."""
    for use in (lambda session: None, lambda session: session.open()):
        session = connect()
        hub = session.event_hub
        use(session)
        session.close()
        with pytest.raises(Closed):
            hub.connect()


def test_publishing_needs_no_open_session(connect: Callable[..., Session]) -> None:
    """Those who listen hear what a session publishes that was never used otherwise."""
    listening, telling = connect(), connect()
    heard: list[Event] = []
    listening.event_hub.subscribe("topic=studio.render.done", heard.append)
    listening.event_hub.connect()
    telling.event_hub.publish(Event("studio.render.done", {"take": 3}))
    wait_for(listening.event_hub, lambda: bool(heard))
    assert heard[0].data == {"take": 3}


def test_who_comes_back_hears_what_was_missed(connect: Callable[..., Session]) -> None:
    """From the position where it was, each once."""
    listening, working = connect(), connect()
    hub = listening.event_hub
    heard: list[str] = []
    hub.subscribe("topic=callsheet.update", lambda event: heard.append(event.changes["name"]["new"]))
    hub.connect()

    def work(name: str) -> None:
        working.create("Project", {"name": name})
        working.commit()

    work("a")
    wait_for(hub, lambda: heard == ["a"])
    hub.disconnect()
    work("b")
    work("c")
    hub.connect()
    work("d")
    wait_for(hub, lambda: len(heard) >= 4)
    assert heard == ["a", "b", "c", "d"]


def test_a_position_beyond_the_log_is_told(connect: Callable[..., Session]) -> None:
    """Whoever waits after it would hear nothing, for as long as the log is shorter; the end of the log is no error."""
    session = connect()
    session.create("Project", {"name": "first"})
    last = session.commit().position  # type: ignore[union-attr]
    hub = session.event_hub
    with pytest.raises(Invalid, match=f"nothing after position {last + 1} yet: the log ends at {last}"):
        hub.connect(after=Position(last + 1, 0))
    assert not hub.connected
    hub.connect(after=Position(last, 0))
    assert hub.connected
    assert session.commits(after=last) == []
    with pytest.raises(Invalid, match=f"nothing after position {last + 1} yet"):
        session.commits(after=last + 1)
    with pytest.raises(UsageError, match=f"there is no commit {last + 7}"):
        session.undo(last + 7)


def test_what_is_published_reaches_others_and_comes_back(connect: Callable[..., Session]) -> None:
    """In one order for all; a subscription made while connected counts from then on."""
    one, other = connect(), connect()
    heard: dict[str, list[Any]] = {"one": [], "other": []}
    for name, session in (("one", one), ("other", other)):
        session.event_hub.subscribe("topic=studio.nothing", print)
        session.event_hub.connect()
        session.event_hub.subscribe("topic=studio.* and data.take > 1", lambda event, n=name: heard[n].append(event))

    for take in (1, 2, 3):
        one.event_hub.publish(Event("studio.render", {"take": take}))
    wait_for(one.event_hub, lambda: len(heard["one"]) == 2)
    wait_for(other.event_hub, lambda: len(heard["other"]) == 2)
    assert [event.data["take"] for event in heard["other"]] == [2, 3]
    assert [event.id for event in heard["one"]] == [event.id for event in heard["other"]]
    assert heard["other"][0].source["id"] == one.event_hub.id


def test_what_a_callback_returns_answers_the_publisher(connect: Callable[..., Session]) -> None:
    """By itself, or by `publish_reply`; the answer goes to the hub that asked, and to no other."""
    asking, answering = connect(), connect()
    replies: list[Any] = []
    answering.event_hub.subscribe("topic=studio.sum", lambda event: {"sum": sum(event.data["numbers"])})
    answering.event_hub.connect()
    answering.event_hub.start()
    asking.event_hub.connect()
    answer = asking.event_hub.request(Event("studio.sum", {"numbers": [1, 2, 3]}), timeout=20.0)
    assert (answer.data, answer.topic) == ({"sum": 6}, topics.REPLY)
    asking.event_hub.publish(Event("studio.sum", {"numbers": [4]}), on_reply=replies.append)
    wait_for(asking.event_hub, lambda: len(replies) == 1)
    assert replies[0].data == {"sum": 4}
    with pytest.raises(Timeout, match="no reply to the event"):
        asking.event_hub.request(Event("studio.unheard"), timeout=0.2)
    answering.event_hub.stop()
    answering.event_hub.disconnect()


def test_targets_choose_who_is_told(connect: Callable[..., Session]) -> None:
    """By what subscribers say of themselves."""
    one, other = connect(), connect()
    told: list[str] = []
    for session, role in ((one, "farm"), (other, "desk")):
        session.event_hub.subscribe(
            "topic=studio.call", lambda event, role=role: told.append(role), subscriber={"role": role}
        )
        session.event_hub.connect()
    one.event_hub.publish(Event("studio.call", target="role=desk"))
    one.event_hub.publish(Event("studio.call", target="role=farm or role=desk"))
    wait_for(other.event_hub, lambda: told.count("desk") == 2)
    wait_for(one.event_hub, lambda: told.count("farm") == 1)
    assert sorted(told) == ["desk", "desk", "farm"]


def test_callbacks_run_where_their_user_chose(connect: Callable[..., Session]) -> None:
    """In the thread that waits; or in one of the hub's own, after `start` and until `stop`."""
    session = connect()
    hub = session.event_hub
    threads: list[str] = []
    hub.subscribe("topic=studio.x", lambda event: threads.append(threading.current_thread().name))
    hub.connect()
    hub.publish(Event("studio.x"))
    wait_for(hub, lambda: len(threads) == 1)
    hub.start()
    with pytest.raises(StateError, match="in the background already"):
        hub.wait(0)
    done = threading.Event()
    hub.subscribe("topic=studio.last", lambda event: done.set())
    hub.publish(Event("studio.x"))
    hub.publish(Event("studio.last"))
    assert done.wait(20)
    hub.stop()
    assert threads == [threading.current_thread().name, "callsheet-events"]
    hub.publish(Event("studio.x"))
    wait_for(hub, lambda: len(threads) == 3)


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, ValueError])
def test_nothing_that_a_callback_raises_ends_the_background(
    connect: Callable[..., Session], caplog: pytest.LogCaptureFixture, kind: type[BaseException]
) -> None:
    """It is logged, and the next event is told."""
    session = connect()
    heard = threading.Event()

    def leave(event: Event) -> None:
        raise kind("enough")

    session.event_hub.subscribe("topic=studio.first", leave)
    session.event_hub.subscribe("topic=studio.second", lambda event: heard.set())
    session.event_hub.connect()
    session.event_hub.start()
    session.event_hub.publish(Event("studio.first"))
    session.event_hub.publish(Event("studio.second"))
    assert heard.wait(20)
    assert kind.__name__ in caplog.text


def test_a_program_may_leave_from_a_callback(connect: Callable[..., Session]) -> None:
    """Where the main thread waits, `sys.exit()` is meant as it is said."""
    session = connect()
    session.event_hub.subscribe("topic=studio.end", lambda event: sys.exit(3))
    session.event_hub.connect()
    session.event_hub.publish(Event("studio.end"))
    with pytest.raises(SystemExit):
        session.event_hub.wait(20)


@pytest.mark.filterwarnings("error")
def test_a_coroutine_in_a_blocking_hub_is_told(
    connect: Callable[..., Session], caplog: pytest.LogCaptureFixture
) -> None:
    """It would never be awaited; what others subscribed is called."""
    session = connect()
    heard: list[Event] = []

    async def later(event: Event) -> None: ...

    session.event_hub.subscribe("topic=studio.x", later)
    session.event_hub.subscribe("topic=studio.x", heard.append)
    session.event_hub.connect()
    session.event_hub.publish(Event("studio.x"))
    wait_for(session.event_hub, lambda: bool(heard))
    assert "an `async` callback needs an AsyncSession" in caplog.text


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("topic=callsheet.updte", "there is no topic `callsheet.updte`; did you mean `callsheet.update`"),
        ("topic=callsheet.sesion.*", "there is no topic like `callsheet.sesion.*`; there are"),
        ("topic=callsheet.update and chnges.status", "no event has `chnges`; did you mean `changes`?"),
        ("topic=callsheet.session.after-commit and data.sesion", "has no `sesion`; did you mean `session`?"),
    ],
)
def test_a_subscription_that_no_event_fulfils_is_refused(
    connect: Callable[..., Session], expression: str, told: str
) -> None:
    """Before the session is open, too: what is published is known without its schema."""
    session = connect()
    with pytest.raises(QueryError, match=re.escape(told)):
        session.event_hub.subscribe(expression, print)
    assert session.event_hub.subscribers == ()


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("topic=callsheet.update and entity.type=Shto", "there is no entity type `Shto`; did you mean `Shot`?"),
        ("entity.type=Shot and changes.fstrat", "Shot has no attribute `fstrat` that changes; did you mean `fstart`"),
    ],
)
def test_types_and_attributes_of_a_subscription_are_those_of_the_schema(
    connect: Callable[..., Session], expression: str, told: str
) -> None:
    """Once the session is open at the subscription, before that when the hub is connected."""
    early, late = connect(), connect()
    early.event_hub.subscribe(expression, print)
    with pytest.raises(QueryError, match=re.escape(told)):
        early.event_hub.connect()
    assert not early.event_hub.listening
    late.open()
    with pytest.raises(QueryError, match=re.escape(told)):
        late.event_hub.subscribe(expression, print)


def test_without_a_connection_events_are_told_here_at_once(connect: Callable[..., Session]) -> None:
    """And what needs one says so."""
    hub = connect().event_hub
    heard: list[Event] = []
    hub.subscribe("topic=studio.x", heard.append)
    hub.publish(Event("studio.x"))
    assert len(heard) == 1
    for verb in (hub.wait, hub.start):
        with pytest.raises(StateError, match="connect"):
            verb()
    with pytest.raises(StateError, match="not connected"):
        hub.request(Event("studio.x"))
    with pytest.raises(StateError, match="has no source with an id"):
        hub.publish_reply(Event("studio.x"), {})


def test_a_topic_alone_is_no_event(connect: Callable[..., Session]) -> None:
    """It is refused with what to write instead."""
    with pytest.raises(UsageError, match=r"Event\(topic, data\), not 'studio\.x'"):
        connect().event_hub.publish("studio.x")  # type: ignore[arg-type]


def test_connections_are_told(connect: Callable[..., Session]) -> None:
    """As events of the hub's own."""
    hub = connect().event_hub
    heard: list[str] = []
    hub.subscribe("topic=callsheet.hub.*", lambda event: heard.append(event.topic))
    hub.connect()
    wait_for(hub, lambda: heard == [topics.CONNECTED])
    with pytest.raises(StateError, match="connected already"):
        hub.connect()


def test_a_server_that_is_not_there_is_an_error() -> None:
    """After the time one is ready to wait."""
    with closing(Session("http://127.0.0.1:9", "a", "k", schema_cache=False)) as session:
        with pytest.raises(callsheet.TransportError):
            session.event_hub.connect(timeout=0.3)
        assert not session.event_hub.connected


def test_a_full_inbox_makes_the_reader_wait() -> None:
    """It takes no more than it has room for; what came already is not taken again."""
    inbox = Inbox(size=2)
    events = [Event("a", position=Position(1, number)) for number in range(5)]
    reader = threading.Thread(target=inbox.put, args=(events,))
    reader.start()
    taken = []
    while len(taken) < 5:
        assert inbox.wait(20)
        assert len(inbox) <= 2
        event = inbox.pop()
        assert event is not None
        taken.append(event)
    reader.join()
    assert taken == events
    assert inbox.put(events[3:]) is True
    assert inbox.pop() is None
    inbox.close()
    assert (inbox.put([Event("b")]), inbox.wait()) == (False, False)


async def _async_story(service: Any) -> None:
    async with AsyncSession(connection=over(service.backend("admin"))) as session:
        hub = session.event_hub
        heard: list[int] = []

        async def callback(event: Event) -> dict[str, int]:
            heard.append(await session.fork().query("Project").count())
            return {"count": heard[-1]}

        hub.subscribe("topic=studio.count", callback)
        import anyio

        async with anyio.create_task_group() as group:
            await hub.connect(task_group=group)
            await hub.publish(Event("studio.count"))
            while not heard:
                await hub.wait(0.05)
            hub.start(task_group=group)
            answer = await hub.request(Event("studio.count"), timeout=20.0)
            assert answer.data == {"count": 0}
            await hub.disconnect()
        assert len(heard) == 2


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_awaiting_hub_does_the_same(callsheet_service: Any, backend: str) -> None:
    """Its callbacks are coroutines; reading and dispatching are tasks of the user's group."""
    import anyio

    anyio.run(_async_story, callsheet_service, backend=backend)


def test_under_asyncio_the_hub_can_have_tasks_of_its_own(callsheet_service: Any) -> None:
    """They end with the session."""

    async def main() -> None:
        async with AsyncSession(connection=over(callsheet_service.backend("admin"))) as session:
            done = asyncio.Event()
            session.event_hub.subscribe("topic=studio.x", lambda event: done.set())
            await session.event_hub.connect()
            session.event_hub.start()
            await session.event_hub.publish(Event("studio.x"))
            await asyncio.wait_for(done.wait(), 20)

    asyncio.run(main())
