"""A request ends in time, and with its client; accounts take turns at the threads and at the writer."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from databases import new_database
from sqlalchemy import Connection, Engine, create_engine
from studio import DOCUMENT, Identity, Studio, task, update
from test_guard import KEY, PROTOCOLS, Accounts, listening

from callsheet.errors import CallsheetError, TooLarge, Unavailable
from callsheet.model.operation import ChangeSet
from callsheet.model.query import Select
from callsheet.server.deadline import Deadline, current_deadline, within
from callsheet.server.limits import Limits
from callsheet.server.service import Service
from callsheet.server.store import writer
from callsheet.server.store.writer import Writer
from callsheet.server.web.application import application
from callsheet.server.web.newcomers import CONNECTION, cancel_on_close
from callsheet.server.web.timeouts import with_timeouts
from callsheet.server.web.turns import Turns

ENDLESS = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c"


@pytest.fixture(params=["memory", "file", "postgres"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    """A service on each kind of database."""
    with new_database(request.param, tmp_path) as url, Service.open(url, DOCUMENT) as opened:
        yield opened


def tasks(service: Service) -> list[str]:
    page = service.backend("admin").select(Select("Task"), 10)
    return [row[0] for block in page.records for row in block.rows]


def given_up() -> Deadline:
    deadline = Deadline("anna", 60)
    deadline.give_up()
    return deadline


def until(condition: Callable[[], bool]) -> None:
    """Wait, for some time at the most."""
    for _ in range(3_000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("it never came")


def test_nothing_more_is_read_for_a_request_that_is_over(service: Service) -> None:
    """Its time is over, or its client is gone; the next request reads."""
    backend = service.backend("admin")
    with within(Deadline("admin", -1)), pytest.raises(TooLarge, match="longer than -1 s, the server's limit"):
        backend.select(Select("Task"), 10)
    with within(given_up()), pytest.raises(Unavailable, match="client has disconnected"):
        backend.select(Select("Task"), 10)
    assert tasks(service) == []


def test_a_statement_is_given_up_when_its_client_leaves(service: Service) -> None:
    """At once, by the database itself; what comes over the same connections afterwards is not disturbed."""
    deadline, failed, begun = Deadline("anna", 600), list[BaseException](), Event()
    service.store.deadline = 600.0

    def work() -> None:
        with within(deadline):
            try:
                with service.store.reading() as connection:
                    begun.set()
                    connection.exec_driver_sql(ENDLESS)
            except CallsheetError as error:
                failed.append(error)

    thread = Thread(target=work, daemon=True)
    thread.start()
    assert begun.wait(30)
    time.sleep(0.2)
    assert thread.is_alive()
    deadline.give_up()
    thread.join(30)
    assert isinstance(failed[0], Unavailable)
    for _ in range(5):
        assert tasks(service) == []


def test_a_commit_has_begun_or_is_not_begun(service: Service) -> None:
    """What waits when its client leaves is not done; what is under way is done to its end."""
    backend, deadline = service.backend("admin"), given_up()
    with within(deadline), pytest.raises(Unavailable):
        backend.commit(ChangeSet("c1", (task("a"),)))
    assert tasks(service) == []
    late = Deadline("admin", 600)
    stored = service.store.write

    def write(function: Callable[[Connection], Any]) -> Any:
        def leaving(connection: Connection) -> Any:
            done = function(connection)
            late.give_up()
            return done

        return stored(leaving)

    service._present.write = write  # type: ignore[method-assign]
    with within(late):
        assert backend.commit(ChangeSet("c2", (task("b"),))).position > 0
    assert Studio(service).row(Identity("Task", "b")) is not None


def test_a_transaction_reads_for_so_long(service: Service) -> None:
    """Then it is refused and undone, for others wait to write."""
    service.limits = Limits(batch_seconds=1e-9)
    Studio(service).commit(task("a"))

    def work(inside: Any) -> None:
        inside.commit(ChangeSet("c", (update(Identity("Task", "a"), note="new"),)))
        for _ in range(2):
            inside.select(Select("Task"), 10)

    with pytest.raises(TooLarge, match="inside its transaction"):
        service.backend("admin").together(work)
    assert Studio(service).value(Identity("Task", "a"), "note") is None


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/writer.db", connect_args={"check_same_thread": False})
    yield engine
    engine.dispose()


def hold(writing: Writer, go: Event) -> None:
    """Keep the writer busy with a job of nobody's until it may go on."""
    begun = Event()

    def job(_: Connection) -> None:
        begun.set()
        go.wait(30)

    Thread(target=lambda: writing.run(job), daemon=True).start()
    assert begun.wait(30)


def queued(writing: Writer, jobs: list[tuple[str, str]], done: list[str]) -> list[Thread]:
    """Threads that each write for an account, put into the queue in this order."""

    def write(account: str, name: str) -> None:
        with within(Deadline(account, 60)):
            writing.run(lambda _: done.append(f"{name} {current_deadline() and current_deadline().account}"))

    threads = []
    for account, name in jobs:
        before = writing.waiting
        threads.append(Thread(target=write, args=(account, name), daemon=True))
        threads[-1].start()
        until(lambda before=before: writing.waiting > before)
    return threads


def test_accounts_take_turns_at_the_writer(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who queues many writes delays its own; slow ones do not make others of the same group wait."""
    monkeypatch.setattr(writer, "GROUP_SECONDS", 0.0)
    writing, go, done = Writer(engine), Event(), list[str]()
    hold(writing, go)
    threads = queued(writing, [("anna", "a1"), ("anna", "a2"), ("anna", "a3"), ("ben", "b1"), ("ben", "b2")], done)
    go.set()
    for thread in threads:
        thread.join(30)
    writing.close()
    assert done == ["a1 anna", "b1 ben", "a2 anna", "b2 ben", "a3 anna"]
    assert writing.groups == 6


def test_quick_writes_share_a_transaction(engine: Engine) -> None:
    """As long as they take little time, all that wait are one group."""
    writing, go, done = Writer(engine), Event(), list[str]()
    hold(writing, go)
    threads = queued(writing, [("anna", "a1"), ("anna", "a2"), ("ben", "b1")], done)
    go.set()
    for thread in threads:
        thread.join(30)
    writing.close()
    assert (sorted(done), writing.groups) == (["a1 anna", "a2 anna", "b1 ben"], 2)


def test_accounts_take_turns_at_the_threads() -> None:
    """No account gets all of them, and whose requests hold the fewest is next; who leaves the queue takes nothing."""

    async def main() -> None:
        turns, order = Turns(Limits(threads=3, account_threads=2)), list[str]()
        ends = {name: Event() for name in ("a0", "a1", "c0", "b1", "a2", "a3")}

        async def ask(name: str) -> None:
            await turns.run(name[0], lambda: (order.append(name), ends[name].wait(30)))

        async def begun(*names: str) -> None:
            async with asyncio.timeout(30):
                while order != list(names):
                    await asyncio.sleep(0.01)

        tasks = []
        for name in ("a0", "a1"):
            tasks.append(asyncio.create_task(ask(name)))
            await begun(*("a0", "a1")[: len(tasks)])
        waiting = [asyncio.create_task(ask(name)) for name in ("a2", "a3")]
        await asyncio.sleep(0)
        assert dict(turns.running) == {"a": 2}
        tasks.append(asyncio.create_task(ask("c0")))
        await begun("a0", "a1", "c0")
        late = asyncio.create_task(ask("b1"))
        await asyncio.sleep(0)
        ends["a0"].set()
        await begun("a0", "a1", "c0", "b1")
        waiting[0].cancel()
        ends["c0"].set()
        await begun("a0", "a1", "c0", "b1", "a3")
        for end in ends.values():
            end.set()
        await asyncio.gather(*tasks, late, *waiting, return_exceptions=True)
        assert (turns.running.total(), turns._waiting) == (0, {})

    asyncio.run(main())


class Endless:
    """A service whose backend runs a statement that does not end by itself."""

    def __init__(self, service: Service) -> None:
        self._service, self.accounts = service, Accounts()
        self.begun, self.ended = Event(), Event()

    def backend(self, user: str, address: str = "") -> Any:
        return self

    def refused_key(self, user: str | None, reason: str, address: str) -> None: ...

    def call(self, action: str, arguments: Any) -> Any:
        try:
            with self._service.store.reading() as connection:
                self.begun.set()
                connection.exec_driver_sql(ENDLESS)
        finally:
            self.ended.set()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_request_ends_with_its_client(tmp_path: Path, protocol: Any) -> None:
    """Over a socket: the client hangs up, and the statement is given up long before its own deadline."""
    with Service.open(f"sqlite:///{tmp_path}/x.db", DOCUMENT) as service:
        service.store.deadline = 600.0
        endless = Endless(service)
        with listening(with_timeouts(protocol), application(endless)) as port:
            with closing(socket.create_connection(("127.0.0.1", port))) as connection:
                connection.sendall(
                    f"POST /v1/call/x HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {KEY}\r\n\r\n".encode()
                )
                assert endless.begun.wait(30)
                assert not endless.ended.wait(0.2)
            assert endless.ended.wait(30)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_end_of_a_connection_is_seen_after_a_large_body(protocol: Any) -> None:
    """The protocol stops reading in the middle of one, and would never see that the client has left."""
    deadline, begun, ended = Deadline("anna", 600), Event(), Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["state"][CONNECTION].flow.pause_reading()
        cancel_on_close(scope, deadline)
        begun.set()
        while not deadline.gone:
            await asyncio.sleep(0.01)
        ended.set()

    with listening(with_timeouts(protocol), app) as port:
        with closing(socket.create_connection(("127.0.0.1", port))) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert begun.wait(30)
        seen = ended.wait(10)
        deadline.give_up()
    assert seen
