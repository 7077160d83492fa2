"""The peer as a measured client, run by its own environment: ``python -m tests.benchmarks.peer URL CACHE_FOLDER``."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Iterable
from typing import Any

import ftrack_api

from . import data, worker

URL, CACHE = sys.argv[1], sys.argv[2]
logging.disable(logging.CRITICAL)


def opened() -> Any:
    """A session that loads no plugins and connects to no events."""
    return ftrack_api.Session(
        URL,
        "key",
        "me",
        auto_connect_event_hub=False,
        plugin_paths=[],
        schema_cache_path=os.path.join(CACHE, "peer.json"),
    )


opened().close()


def load(count: int) -> tuple[Any, list[Any]]:
    session = opened()
    return session, session.query(data.QUERY.format(count=count)).all()


def query(count: int) -> dict[str, Any]:
    session = opened()
    with worker.cpu() as cost:
        kept = session.query(data.QUERY.format(count=count)).all()
    assert len(kept) == count
    return {"cpu": cost.cpu}


def memory(count: int) -> dict[str, Any]:
    return worker.held(lambda: load(count), count)


def dropped(count: int) -> dict[str, Any]:
    session = opened()
    _read(session, 250)
    before = worker.resident()
    _read(session, count)
    return {"megabytes": worker.resident() - before}


def _read(session: Any, count: int) -> None:
    for task in session.query(data.QUERY.format(count=count), page_size=250):
        task["name"]


def open_session() -> dict[str, Any]:
    with worker.cpu() as cost:
        session = opened()
    session.close()
    return {"cpu": cost.cpu}


def commit_one(cached: int) -> dict[str, Any]:
    session, tasks = load(cached)
    with worker.cpu() as cost:
        tasks[0]["bid"] = 1_000.5
        session.commit()
    return {"cpu": cost.cpu}


def create(count: int, by_attribute: bool = False) -> dict[str, Any]:
    session, (like,) = load(1)
    parent, status = like["parent"], like["status"]
    with worker.cpu() as cost:
        made = ({"name": f"task {n}", "parent": parent, "status": status} for n in range(count))
        _set_three((session.create("Task", values) for values in made), by_attribute)
        session.commit()
    return {"cpu": cost.cpu}


def update(count: int, by_attribute: bool = False) -> dict[str, Any]:
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
    session, tasks = load(1_000)
    task = tasks[0]
    many = range(2_000)
    values = [f"value {number}" for number in many]

    def nothing() -> None:
        for _ in many:
            task  # noqa: B018

    def get_item() -> None:
        for _ in many:
            task["name"]

    def set_item() -> None:
        for value in values:
            task["name"] = value
        session.recorded_operations.clear()

    def set_first() -> None:
        for other in tasks:
            other["name"] = "told"

    loop = worker.nanoseconds(nothing, len(many))
    item = worker.nanoseconds(get_item, len(many)) - loop
    repeated = worker.nanoseconds(set_item, len(many), 7) - loop
    first = worker.nanoseconds(set_first, len(tasks), 1)
    return {"get": item, "get item": item, "set": repeated, "set item": repeated, "set first": first}


def touch(count: int) -> dict[str, Any]:
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
    """All threads on one session: the peer has nothing else to offer, and does not say no."""
    session, tasks = load(each * workers)
    errors: list[str] = []

    def work(number: int) -> None:
        try:
            for turn in range(each):
                if kind == "create":
                    session.create("Task", {"name": f"task {number} {turn}"})
                else:
                    tasks[number * each + turn]["name"] = f"task {number} {turn}"
                if turn % 10 == 9:
                    session.commit()
        except Exception as error:
            errors.append(repr(error))

    started = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    session.commit()
    return {"errors": errors[:3]}


if __name__ == "__main__":
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
