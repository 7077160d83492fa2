"""The budgets that are counts: they hold on any machine, and need neither the peer nor a quiet minute."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from benchmarks import data, worker
from benchmarks.processes import environment, stub_counts, stub_server
from callsheet import Session


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A server that answers from generated data and counts what arrives."""
    with stub_server() as address:
        yield address


@pytest.fixture
def session(url: str, tmp_path: Path) -> Iterator[Session]:
    """An open session whose counts begin now."""
    with Session(url, "me", "key", schema_cache=tmp_path) as opened:
        stub_counts(url)
        opened.statistics.reset()
        yield opened


def tasks_of(session: Session, count: int) -> list[Any]:
    found: list[Any] = session.query(data.QUERY.format(count=count)).all()
    return found


def test_a_thousand_touches_of_what_is_not_loaded_are_one_request(session: Session) -> None:
    """Entities that came together are loaded together: two requests, the query's included."""
    texts = [task["text_0"] for task in tasks_of(session, 1_000)]
    assert len(set(texts)) == 1_000
    assert session.statistics.requests == 2


def test_populating_eight_thousand_keys_sends_each_key_once(session: Session) -> None:
    """At most 0.35 MB leave in at most eight requests."""
    tasks = tasks_of(session, 8_000)
    session.statistics.reset()
    session.populate(tasks, "text_0")
    assert session.statistics.requests == 8
    assert session.statistics.bytes_sent <= 350_000


@pytest.mark.parametrize("kind", ["create", "update"])
def test_the_order_of_the_sets_does_not_show_on_the_wire(session: Session, url: str, kind: str) -> None:
    """Entity by entity or attribute by attribute: one action for each entity, and the same number of bytes."""
    counts = []
    for by_attribute in (False, True):
        fork = session.fork()
        tasks = tasks_of(fork, 300) if kind == "update" else [fork.create("Task") for _ in range(300)]
        stub_counts(url)
        names = ("sort", "bid", "description")
        pairs = [(task, name) for task in tasks for name in names]
        for task, name in sorted(pairs, key=lambda pair: pair[1]) if by_attribute else pairs:
            task[name] = "told" if name == "description" else 2_000.5
        fork.commit()
        counts.append(stub_counts(url))
    assert counts[0] == counts[1]
    assert counts[0]["actions"] == 300


def test_what_creates_and_sets_send_grows_as_they_do(session: Session, url: str) -> None:
    """Ten times as many creates are ten times as many actions and bytes, and one request more for each 5,000."""
    sent = []
    for count in (1_000, 10_000, 100_000):
        for number in range(count):
            task = session.create("Task", {"name": f"task {number:06}"})
            task["bid"] = 2.5
        stub_counts(url)
        session.commit()
        sent.append(stub_counts(url))
    assert [each["actions"] for each in sent] == [1_000, 10_000, 100_000]
    assert [each["requests"] for each in sent] == [1, 3, 21]
    assert sent[1]["bytes"] == pytest.approx(10 * sent[0]["bytes"], rel=0.01)
    assert sent[2]["bytes"] == pytest.approx(100 * sent[0]["bytes"], rel=0.01)


def pages(session: Session, count: int) -> Any:
    """A query of so many pages of 100."""
    return session.query(data.QUERY.format(count=100 * count), page_size=100)


def test_reading_all_asks_for_each_page_once(session: Session) -> None:
    """Five pages are five requests, whether as a list or in a loop."""
    assert len(pages(session, 5).all()) == 500
    assert session.statistics.requests == 5
    assert sum(1 for _ in pages(session, 5)) == 500
    assert session.statistics.requests == 10


def test_a_loop_left_early_asks_for_one_page_too_many_at_most(session: Session) -> None:
    """And none as long as it stays on the first page."""
    assert len(list(islice(pages(session, 5), 100))) == 100
    assert session.statistics.requests == 1
    session.statistics.reset()
    assert len(list(islice(pages(session, 5), 101))) == 101
    assert session.statistics.requests == 3


def test_a_page_from_before_a_commit_is_asked_for_again(session: Session) -> None:
    """Once: a loop that commits is not run ahead of any more."""
    for number, task in enumerate(pages(session, 6)):
        if number in (150, 250, 350):
            task["bid"] = 7.5
            session.commit()
    assert session.statistics.requests - 3 == 7


@pytest.mark.parametrize("cached", [10, 3_000])
def test_a_commit_sends_what_was_changed_however_much_is_known(session: Session, url: str, cached: int) -> None:
    """One change is one request with one action of a few hundred bytes."""
    tasks = tasks_of(session, cached)
    stub_counts(url)
    tasks[0]["bid"] = 1_000.5
    session.commit()
    counts = stub_counts(url)
    assert (counts["requests"], counts["actions"]) == (1, 1)
    assert counts["bytes"] <= 400


def test_an_entity_holds_what_its_values_need(session: Session) -> None:
    """With 11 of 39 attributes loaded: at most 1,400 traced bytes and 3 objects that the collector looks at."""
    forks: list[Session] = []

    def make() -> list[Any]:
        forks[:] = [session.fork()]
        return tasks_of(forks[0], 2_000)

    found = worker.held(make, 2_000)
    assert found["bytes"] <= 1_400
    assert found["tracked"] <= 3


def test_what_is_read_and_dropped_is_gone(session: Session) -> None:
    """After streaming 5,000 rows no more entities live than the window holds, and what these refer to."""
    for task in session.query(data.QUERY.format(count=5_000), page_size=500):
        assert task["name"]
    del task
    assert len(session.live("Task")) <= 1_000
    assert len(session.live("Shot")) <= 1_000 / 5 + 1


def test_importing_the_package_brings_few_modules() -> None:
    """At most 130: the rest comes when it is first used."""
    code = "import sys; before = set(sys.modules); import callsheet; print(len(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 130


@pytest.mark.parametrize("kind", ["create", "update"])
def test_eight_threads_with_a_fork_each_lose_nothing(session: Session, url: str, kind: str) -> None:
    """320 are asked for, and 320 arrive, once each."""
    keys = [data.key_of(number) for number in range(320)]
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            with session.fork() as fork:
                for turn in range(40):
                    if kind == "create":
                        fork.create("Task", {"name": f"task {number} {turn}"})
                    else:
                        fork.get("Task", keys[number * 40 + turn])["name"] = f"task {number} {turn}"
                    if turn % 10 == 9:
                        fork.commit()
        except BaseException as error:
            errors.append(error)

    stub_counts(url, latency=2)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = stub_counts(url)
    assert errors == []
    assert (counts["arrived"], counts["twice"]) == (320, 0)
