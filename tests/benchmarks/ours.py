"""Callsheet as a measured client: ``python -m tests.benchmarks.ours URL CACHE_FOLDER``."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable
from typing import Any

from callsheet import Session

from . import data, worker

URL, CACHE = sys.argv[1], sys.argv[2]


def opened() -> Session:
    """A session of its own, open."""
    session = Session(URL, "me", "key", schema_cache=CACHE)
    session.open()
    return session


SESSION = opened()


def load(count: int) -> tuple[Session, list[Any]]:
    """A session with nothing else in memory, and so many tasks."""
    session = SESSION.fork()
    return session, session.query(data.QUERY.format(count=count)).all()


def query(count: int) -> dict[str, Any]:
    with worker.cpu() as cost:
        kept = load(count)
    assert len(kept[1]) == count
    return {"cpu": cost.cpu}


def memory(count: int) -> dict[str, Any]:
    return worker.held(lambda: load(count), count)


def dropped(count: int) -> dict[str, Any]:
    """How much larger the process is after so many rows were read and let go."""
    _read(250)
    before = worker.resident()
    _read(count)
    return {"megabytes": worker.resident() - before}


def _read(count: int) -> None:
    for task in SESSION.fork().query(data.QUERY.format(count=count), page_size=250):
        task["name"]


def open_session() -> dict[str, Any]:
    with worker.cpu() as cost:
        session = opened()
    session.close()
    return {"cpu": cost.cpu}


def commit_one(cached: int, times: int = 20) -> dict[str, Any]:
    """One change and its commit, with so many entities in memory."""
    session, tasks = load(cached)
    tasks[0]["bid"] = 0.5
    session.commit()
    with worker.cpu() as cost:
        for turn in range(times):
            tasks[turn]["bid"] = 1_000.5
            session.commit()
    return {"cpu": cost.cpu / times}


def create(count: int, by_attribute: bool = False) -> dict[str, Any]:
    """Create so many, set three attributes of each, commit."""
    session, (like,) = load(1)
    parent, status = like["parent"], like["status"]
    with worker.cpu() as cost:
        made = ({"name": f"task {n}", "parent": parent, "status": status} for n in range(count))
        _set_three((session.create("Task", values) for values in made), by_attribute)
        session.commit()
    return {"cpu": cost.cpu}


def update(count: int, by_attribute: bool = False) -> dict[str, Any]:
    """Set three attributes of so many, commit."""
    session, tasks = load(count)
    with worker.cpu() as cost:
        _set_three(tasks, by_attribute)
        session.commit()
    return {"cpu": cost.cpu}


def _set_three(tasks: Iterable[Any], by_attribute: bool) -> None:
    """Entity by entity, or attribute by attribute."""
    if by_attribute:
        tasks = list(tasks)
        for task in tasks:
            task["description"] = "told"
        for task in tasks:
            task["bid"] = 2_000.5
        for task in tasks:
            task["sort"] = 3_000.5
        return
    for task in tasks:
        task["description"] = "told"
        task["bid"] = 2_000.5
        task["sort"] = 3_000.5


def attributes() -> dict[str, Any]:
    """Nanoseconds of one access, the loop around it taken off."""
    session, tasks = load(1_000)
    task = tasks[0]
    many = range(10_000)
    values = [f"value {number}" for number in many]

    def nothing() -> None:
        for _ in many:
            task  # noqa: B018

    def get() -> None:
        for _ in many:
            task.name  # noqa: B018

    def get_item() -> None:
        for _ in many:
            task["name"]

    def set_item() -> None:
        for value in values:
            task["name"] = value
        session.rollback()

    def set_attribute() -> None:
        for value in values:
            task.name = value
        session.rollback()

    def set_first() -> None:
        for other in tasks:
            other["name"] = "told"

    loop = worker.nanoseconds(nothing, len(many))
    first = float("inf")
    for _ in range(9):
        first = min(first, worker.nanoseconds(set_first, len(tasks), 1))
        session.rollback()
    return {
        "get": worker.nanoseconds(get, len(many)) - loop,
        "get item": worker.nanoseconds(get_item, len(many)) - loop,
        "set item": worker.nanoseconds(set_item, len(many), 7) - loop,
        "set": worker.nanoseconds(set_attribute, len(many), 7) - loop,
        "set first": first,
    }


def touch(count: int) -> dict[str, Any]:
    """Each of so many entities is asked for one attribute that is not loaded."""
    _, tasks = load(count)
    with worker.cpu() as cost:
        for task in tasks:
            task["text_0"]
    return {"cpu": cost.cpu}


def populate(count: int) -> dict[str, Any]:
    session, tasks = load(count)
    with worker.cpu() as cost:
        session.populate(tasks, "text_0")
    return {"cpu": cost.cpu}


def threads(kind: str, each: int = 40, workers: int = 8) -> dict[str, Any]:
    """Threads that each create or update their own entities and commit every 10; a fork for each."""
    session, tasks = load(each * workers)
    errors: list[str] = []

    def work(number: int) -> None:
        fork = session.fork()
        try:
            mine = [] if kind == "create" else [fork.get("Task", t["id"]) for t in tasks[number * each :][:each]]
            for turn in range(each):
                if kind == "create":
                    fork.create("Task", {"name": f"task {number} {turn}"})
                else:
                    mine[turn]["name"] = f"task {number} {turn}"
                if turn % 10 == 9:
                    fork.commit()
        except Exception as error:
            errors.append(repr(error))

    _run_all(work, workers)
    return {"errors": errors[:3]}


def _run_all(work: Any, workers: int) -> None:
    started = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()


if __name__ == "__main__":
    if len(sys.argv) > 3:
        # Under callgrind: one query, and nothing else that depends on its size.
        load(int(sys.argv[3]))
    else:
        worker.serve(
            {
                "query": query,
                "memory": memory,
                "dropped": dropped,
                "open": open_session,
                "commit_one": commit_one,
                "create": create,
                "update": update,
                "attributes": attributes,
                "touch": touch,
                "populate": populate,
                "threads": threads,
            }
        )
