"""What is published is kept and told once, in its place among the commits; who waits is woken, and by nothing else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pytest
from databases import postgres_database
from sqlalchemy import create_engine, select
from studio import DOCUMENT, Delete, Identity, Studio, Update, open_studio, project, task, update
from test_events import places, read_all

from callsheet.errors import Closed, Forbidden, Invalid, TooLarge, Unauthorised
from callsheet.model.event import Event, Position
from callsheet.model.history import commit_from_plain
from callsheet.model.operation import ChangeSet, Create
from callsheet.server.log.events import end_of
from callsheet.server.log.publications import KEPT, LARGEST
from callsheet.server.service import Service

A = Identity("Task", "a")


def publish(studio: Studio, topic: str = "studio.done", *, by: str = "admin", **options: Any) -> Position:
    return studio.service.backend(by).publish(Event(topic, **options))


# -- publishing ----------------------------------------------------------------------------------------------


def test_what_is_published_has_its_place_among_the_commits(studio: Studio) -> None:
    """One order for both, and values come back as they were."""
    studio.commit(task("a"))
    told = Event(
        "studio.done",
        {"shot": "010", "at": datetime(2026, 5, 1, tzinfo=UTC), "frames": [1, 2]},
        id="e1",
        sent=datetime(2026, 5, 2, tzinfo=UTC),
        source={"id": "hub"},
        target="id=x",
        in_reply_to_event="e0",
    )
    assert studio.service.backend("anna").publish(told) == Position(2, 0)
    studio.commit(update(A, bid=1.0))
    found = read_all(studio)
    assert places(found) == ["1.0", "2.0", "3.0"]
    source = {"id": "hub", "user": {"username": "anna"}}
    expected = {name: told[name] for name in told} | {"source": source, "position": Position(2, 0)}
    assert dict(found[1]) == expected
    assert places(read_all(studio, 0, 9, "topic=studio.*")) == ["2.0"]
    assert places(read_all(studio, 0, 1)) == ["1.0", "2.0", "3.0"]


def test_an_id_is_published_once(studio: Studio) -> None:
    """Sent again, because its answer was lost, it stays where it was."""
    first = publish(studio, id="e1", data=1)
    studio.commit(task("a"))
    assert publish(studio, id="e1", data=1) == first
    assert [event.id for event in read_all(studio, 0, 9, "topic=studio.done")] == ["e1"]


def test_who_published_is_what_the_server_knows(studio: Studio) -> None:
    publish(studio, by="anna", source={"user": {"username": "somebody else", "id": "7"}})
    (event,) = read_all(studio)
    assert event.source == {"user": {"username": "anna", "id": "7"}}


@pytest.mark.parametrize("topic", ["callsheet.update", "callsheet.session.ready", "callsheet."])
def test_the_servers_topics_are_its_own(studio: Studio, topic: str) -> None:
    with pytest.raises(Forbidden, match="server's own"):
        publish(studio, topic)
    publish(studio, "callsheet.reply")
    publish(studio, "callsheetish")


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"topic": ""}, Invalid),
        ({"topic": "a\nb"}, Invalid),
        ({"topic": "x" * 256}, Invalid),
        ({"id": "commit-1:0"}, Invalid),
        ({"id": ""}, Invalid),
        ({"sent": datetime(2026, 5, 1)}, Invalid),
        ({"source": "me"}, Invalid),
        ({"data": {"x": object()}}, Invalid),
        ({"data": float("nan")}, Invalid),
        ({"data": "\ud800"}, Invalid),
        ({"target": "\0"}, Invalid),
        ({"data": "x" * LARGEST}, TooLarge),
        ({"source": {"x": "x" * LARGEST}}, TooLarge),
    ],
)
def test_what_cannot_be_kept_is_refused(studio: Studio, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        publish(studio, **options)
    assert read_all(studio) == []


def test_a_disabled_account_publishes_nothing(studio: Studio) -> None:
    studio.service.accounts.add("gina", "reader")
    publish(studio, by="gina")
    studio.service.accounts.disable("gina")
    with pytest.raises(Unauthorised):
        publish(studio, by="gina")


def test_published_events_are_kept_for_some_days(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """What commits changed is kept; readers from before are not stopped by the gap."""
    publish(studio, id="old")
    studio.commit(task("a"))
    later = datetime(2026, 5, 1, 12, tzinfo=UTC) + KEPT + timedelta(hours=2)
    monkeypatch.setattr(studio.service, "clock", lambda: later)
    publish(studio, id="new")
    assert places(read_all(studio)) == ["2.0", "3.0"]
    assert not studio.service.broker.wait(end_of(3), 0)


def test_events_go_at_the_start_too(tmp_path: Path) -> None:
    url = f"sqlite:///{(tmp_path / 'kept.db').as_posix()}"
    with open_studio(url) as studio:
        publish(studio)
    later = datetime(2026, 5, 1, 12, tzinfo=UTC) + KEPT + timedelta(hours=2)
    with Service.open(url, clock=lambda: later) as service, service.store.reading() as connection:
        assert connection.execute(select(service.store.table("_event"))).all() == []


# -- positions that are no commits ---------------------------------------------------------------------------


def test_history_is_told_across_published_events(studio: Studio) -> None:
    """Pages of commits, an entity's history, and the past at a position that is an event's."""
    studio.commit(task("a", bid=1.0))
    publish(studio)
    studio.commit(update(A, bid=2.0))
    publish(studio)
    backend = studio.service.backend("admin")
    answer = backend.call("commits", {"limit": 1})
    assert answer["next"] == [1, 0]
    assert [commit_from_plain(one).position for one in backend.call("commits", {})["commits"]] == [1, 3]
    history = backend.call("history", {"entity_type": "Task", "key": "a"})["commits"]
    assert [one["position"] for one in history] == [3, 1]
    assert backend.call("at", {"position": 4}) == {"position": 4}
    with studio.service.snapshots.at(2) as then, then.reading() as connection:
        table = then.tables["Node"]
        assert connection.execute(select(table.c.bid)).scalar() == 1.0
    with studio.service.snapshots.at(4) as then, then.reading() as connection:
        assert connection.execute(select(then.tables["Node"].c.bid)).scalar() == 2.0


# -- batches for a subscriber --------------------------------------------------------------------------------


def test_a_batch_begins_now_or_where_it_is_told(studio: Studio) -> None:
    backend = studio.service.backend("admin")
    publish(studio, id="before")
    begun = backend.events(None, (), {}, 10)
    assert (list(begun.events), begun.place) == ([], end_of(1))
    publish(studio, id="after")
    batch = backend.events(begun.place, (), {}, 10)
    assert ([event.id for event in batch.events], batch.place) == (["after"], end_of(2))


def test_targets_are_asked_of_the_subscriber(studio: Studio) -> None:
    """Of itself and of those it speaks for; who says nothing of itself gets all."""
    for number, target in enumerate(["", "id=hub", "id=one", "id=other", "id = and"]):
        publish(studio, id=str(number), target=target)

    def told(subscriber: dict[str, Any]) -> str:
        batch = studio.service.backend("admin").events(Position(0, 0), (), subscriber, 10)
        return "".join(event.id for event in batch.events)

    assert told({"id": "hub"}) == "01"
    assert told({"id": "hub", "subscribers": [{"id": "one"}, 3]}) == "012"
    assert told({}) == "01234"


# -- waiting -------------------------------------------------------------------------------------------------


def test_who_waits_is_told_whether_there_is_something(studio: Studio) -> None:
    """Behind a whole commit there is something when another came; within one there may be more."""
    broker = studio.service.broker
    assert not broker.wait(0, 0)
    studio.commit(task("a"), task("b"))
    assert broker.wait(0, 0)
    assert broker.wait(Position(1, 0), 0)
    assert not broker.wait(1, 0)
    assert not broker.wait(end_of(1), 0)
    assert not broker.wait(9, 0)


@contextmanager
def waiting(*waits: Any) -> Iterator[list[Any]]:
    """What blocking waits give, once the block is over."""
    found: list[Any] = []
    with ThreadPoolExecutor(max(1, len(waits))) as pool:
        futures = [pool.submit(wait) for wait in waits]
        yield found
        found.extend(future.result(timeout=20) for future in futures)


def test_commits_publications_and_batches_wake_all(studio: Studio) -> None:
    """Each in its own way of writing."""
    backend = studio.service.backend("admin")
    writes = [
        lambda: studio.commit(task("a")),
        lambda: publish(studio),
        lambda: backend.together(lambda inside: inside.commit(ChangeSet("together", (task("b"),)))),
    ]
    for position, write in enumerate(writes):
        with waiting(*[lambda p=position: backend.wait_events(end_of(p), 15)] * 3) as found:
            write()
        assert found == [True] * 3


def test_waiting_tasks_are_woken_without_threads(studio: Studio) -> None:
    """Two hundred of them, by a commit in another thread; and after a time-out nobody waits any more."""

    async def main() -> None:
        broker = studio.service.broker
        assert not await broker.wait_async(0, 0.01)
        before = threading.active_count()
        tasks = [asyncio.create_task(broker.wait_async(0, 30)) for _ in range(200)]
        await asyncio.sleep(0)
        assert threading.active_count() == before
        await asyncio.to_thread(lambda: studio.commit(task("a")))
        assert await asyncio.gather(*tasks) == [True] * 200
        assert await broker.wait_async(0, 30)
        assert not broker._wakers

    asyncio.run(main())


def test_closing_wakes_everybody(studio: Studio) -> None:
    """They hear that there is nothing; who waits later does not wait."""
    broker = studio.service.broker

    async def main() -> None:
        task = asyncio.create_task(broker.wait_async(0, 30))
        await asyncio.sleep(0.01)
        await asyncio.to_thread(broker.close)
        assert not await task
        assert not await broker.wait_async(0, 30)

    with waiting(lambda: broker.wait(0, 30)) as found:
        asyncio.run(main())
    assert found == [False]
    assert not broker.wait(0, 30)
    with pytest.raises(Closed):
        studio.service.backend("admin").wait_events(end_of(0), 30)


def test_other_processes_are_looked_at_while_somebody_waits() -> None:
    """A commit of another service on the same PostgreSQL database wakes who waits here; then nobody looks any more."""

    def looking() -> bool:
        return any(thread.name == "callsheet-doorbell" for thread in threading.enumerate())

    with postgres_database() as url, Service.open(url, DOCUMENT) as here, Service.open(url, DOCUMENT) as there:
        with waiting(lambda: here.broker.wait(0, 15)) as found:
            there.backend("admin").commit(ChangeSet("c", (project("p"),)))
        assert found == [True]
        end = monotonic() + 15
        while looking():
            assert monotonic() < end
            sleep(0.02)


# -- many at once --------------------------------------------------------------------------------------------


@pytest.fixture(params=["sqlite", "postgresql"])
def services(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[list[Service]]:
    """One service on a file, or two on one PostgreSQL database."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            url = f"sqlite:///{(tmp_path / 'many.db').as_posix()}"
            yield [stack.enter_context(Service.open(url, DOCUMENT))]
        else:
            url = stack.enter_context(postgres_database())
            yield [stack.enter_context(Service.open(url, DOCUMENT)) for _ in range(2)]


COMMITTERS, EACH = 16, 12


def write_all(services: list[Service]) -> None:
    """Sixteen at once, on all services, commits and publications."""

    def write(number: int) -> None:
        backend = services[number % len(services)].backend("admin")
        for turn in range(EACH):
            name = f"{number}-{turn}"
            if turn % 4 == 3:
                backend.publish(Event("studio.done", id=name))
            else:
                made = Create(Identity("Task", name), {"name": name})
                other = Create(Identity("Task", f"{name}b"), {"name": f"{name}b"})
                backend.commit(ChangeSet(name, (made, other)))

    with ThreadPoolExecutor(COMMITTERS) as pool:
        list(pool.map(write, range(COMMITTERS)))


def expected() -> set[str]:
    ids = set()
    for number in range(COMMITTERS):
        for turn in range(EACH):
            ids |= {f"{number}-{turn}"} if turn % 4 == 3 else {f"{number}-{turn}:0", f"{number}-{turn}:1"}
    return ids


def test_readers_miss_nothing_and_get_nothing_twice(services: list[Service]) -> None:
    """Readers that follow while sixteen write get every event once, in one and the same order, in every process."""

    def follow(service: Service) -> list[Event]:
        backend = service.backend("admin")
        place, found = end_of(0), []
        while len(found) < len(expected()):
            assert backend.wait_events(place, 20), f"{len(found)} events, and then silence"
            batch = backend.events(place, (), {}, 7)
            found += batch.events
            place = batch.place
        return found

    with waiting(*[lambda s=service: follow(s) for service in services for _ in range(2)]) as told:
        write_all(services)
    first = told[0]
    assert {event.id for event in first} == expected()
    assert len(first) == len(expected())
    assert [event.position for event in first] == sorted(event.position for event in first)
    assert all([event.id for event in other] == [event.id for event in first] for other in told)


def test_a_reader_by_a_plain_sequence_would_miss_some() -> None:
    """The negative control: numbers drawn before the commit are not in the order of commits."""
    with postgres_database() as url, ExitStack() as stack:
        engine = create_engine(url)
        stack.callback(engine.dispose)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE plain (n bigserial PRIMARY KEY)")
        with engine.connect() as slow, slow.begin() as transaction:
            slow.exec_driver_sql("INSERT INTO plain DEFAULT VALUES")
            with engine.begin() as fast:
                fast.exec_driver_sql("INSERT INTO plain DEFAULT VALUES")
            with engine.connect() as reader:
                seen = [row.n for row in reader.exec_driver_sql("SELECT n FROM plain WHERE n > 0 ORDER BY n")]
            transaction.commit()
        with engine.connect() as reader:
            seen += [row.n for row in reader.exec_driver_sql(f"SELECT n FROM plain WHERE n > {seen[-1]} ORDER BY n")]
        assert seen == [2]


def test_deletes_and_updates_of_a_past_project_are_told_in_order(studio: Studio) -> None:
    """An entity that came and went while a reader was away: every step is told."""
    studio.commit(project("p"), task("a", Identity("Project", "p")))
    studio.commit(Update(A, {"bid": 3.0}))
    studio.commit(Delete(A))
    found = read_all(studio, 0, 100, "entity.type=Task")
    assert [(event.data["action"], event.data["project_id"]) for event in found] == [
        ("create", "p"),
        ("update", "p"),
        ("delete", "p"),
    ]
