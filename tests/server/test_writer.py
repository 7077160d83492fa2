"""Who writes to SQLite: the thread that comes first, else the writer's; one at a time, each transaction whole."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine

from callsheet.errors import Closed, StateError
from callsheet.server.store.writer import Writer


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path}/writer.db", connect_args={"check_same_thread": False})
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE dot (name TEXT)")
    yield engine
    engine.dispose()


@pytest.fixture
def writer(engine: Engine) -> Iterator[Writer]:
    writer = Writer(engine)
    yield writer
    writer.close()


def name(_: Connection) -> str:
    return threading.current_thread().name


def elsewhere(function: Callable[[], Any]) -> Any:
    """What the function returns in another thread than the main one."""
    with ThreadPoolExecutor(1, thread_name_prefix="client") as pool:
        return pool.submit(function).result(30)


def test_a_write_that_finds_nobody_writing_is_done_by_its_own_thread(writer: Writer) -> None:
    """No other thread is started for it."""
    assert elsewhere(lambda: writer.run(name)) == "client_0"
    assert writer.groups == 1
    assert "callsheet-writer" not in [thread.name for thread in threading.enumerate()]


def test_the_main_thread_has_its_writes_done_for_it(writer: Writer) -> None:
    """It can be interrupted at any place, so it does not hold the transaction itself."""
    assert threading.current_thread() is threading.main_thread()
    assert writer.run(name) == "callsheet-writer"


def test_a_write_that_finds_somebody_writing_is_done_by_the_writers_thread(writer: Writer) -> None:
    """It is done after what it waited for; what waits together is one transaction."""
    begun, go = Event(), Event()

    def slow(connection: Connection) -> str:
        begun.set()
        go.wait(30)
        return name(connection)

    with ThreadPoolExecutor(3, thread_name_prefix="client") as pool:
        first = pool.submit(writer.run, slow)
        assert begun.wait(30)
        others = [pool.submit(writer.run, name) for _ in range(2)]
        while writer.waiting < 2:
            go.wait(0.01)
        go.set()
        assert first.result(30).startswith("client_")
        assert [other.result(30) for other in others] == ["callsheet-writer", "callsheet-writer"]
    assert writer.groups == 2


def test_a_write_that_fails_in_its_own_thread_leaves_nothing(writer: Writer) -> None:
    """Its rows are gone, its error is raised, and the next write is done."""

    def fail(connection: Connection) -> None:
        connection.exec_driver_sql("INSERT INTO dot VALUES ('a')")
        raise KeyError("a")

    with pytest.raises(KeyError, match="a"):
        elsewhere(lambda: writer.run(fail))
    count = elsewhere(lambda: writer.run(lambda each: each.exec_driver_sql("SELECT count(*) FROM dot").scalar()))
    assert count == 0


def test_a_write_inside_a_write_is_refused(writer: Writer) -> None:
    """It would wait for itself, whichever thread writes; the writer goes on."""
    nested = [lambda: writer.run(lambda _: writer.run(name))]
    for run in (nested[0], lambda: elsewhere(nested[0])):
        with pytest.raises(StateError, match="inside a write"):
            run()
    assert elsewhere(lambda: writer.run(name)) == "client_0"


def test_nothing_is_written_after_the_end(writer: Writer) -> None:
    """Neither by the thread that asks nor by the writer's."""
    writer.close()
    for run in (lambda: writer.run(name), lambda: elsewhere(lambda: writer.run(name))):
        with pytest.raises(Closed):
            run()
