"""One client on the real wire: ``python -m tests.benchmarks.wire_client KIND URL KEY SERVER_PROCESS CACHE_FOLDER``.

``ours`` is run by this project's interpreter, ``peer`` by the one of the peer's environment. What a script does is
the same text for both; only how a session is opened differs. CPU time of the server is told by its process's
``/proc`` entry, in hundredths of a second, so it is worth something over several rounds only.
"""

from __future__ import annotations

import logging
import os
import sys
import uuid
from collections.abc import Callable
from typing import Any

from . import worker

KIND, URL, KEY, SERVER, CACHE = sys.argv[1:6]
QUERY = (
    "select name, description, bid, start_date, end_date, sort, created_at, object_type_id, priority_id, project_id,"
    " status.name, type.name from Task limit {count}"
)
TICKS = os.sysconf("SC_CLK_TCK")


def opened() -> Any:
    """A session that has its schema, and listens to no events."""
    if KIND == "ours":
        from callsheet import Session

        session = Session(URL, "admin", KEY, dialect="ftrack", schema_cache=CACHE)
        session.open()
        return session
    import ftrack_api

    logging.disable(logging.CRITICAL)
    cache = os.path.join(CACHE, "peer.json")
    return ftrack_api.Session(URL, KEY, "admin", auto_connect_event_hub=False, plugin_paths=[], schema_cache_path=cache)


def server_seconds() -> float:
    """CPU time of the server's process until now."""
    with open(f"/proc/{SERVER}/stat", encoding="ascii") as file:
        told = file.read().rpartition(")")[2].split()
    return (int(told[11]) + int(told[12])) / TICKS


def costs(prepare: Callable[[Any], Any], do: Callable[[Any, Any], int], rounds: int) -> dict[str, Any]:
    """Milliseconds of CPU in each round: the client's the least, the server's on the average."""
    client, server, results = [], 0.0, 0
    for _ in range(rounds):
        session = opened()
        prepared = prepare(session)
        before = server_seconds()
        with worker.cpu() as cost:
            results = do(session, prepared)
        server += server_seconds() - before
        client.append(cost.cpu)
        session.close()
    return {"client": min(client) * 1e3, "server": server / rounds * 1e3, "results": results}


def query(count: int, rounds: int) -> dict[str, Any]:
    return costs(lambda session: None, lambda session, _: len(session.query(QUERY.format(count=count)).all()), rounds)


def create(count: int, rounds: int) -> dict[str, Any]:
    def prepare(session: Any) -> dict[str, Any]:
        return {
            "parent": session.query("Shot").first(),
            "status": session.query("Status").first(),
            "type": session.query("Type").first(),
        }

    def do(session: Any, shared: dict[str, Any]) -> int:
        mark = uuid.uuid4().hex
        made = [session.create("Task", {"name": f"{mark} {n}", "bid": float(n), **shared}) for n in range(count)]
        session.commit()
        return len(made)

    return costs(prepare, do, rounds)


def update(count: int, rounds: int) -> dict[str, Any]:
    def prepare(session: Any) -> list[Any]:
        return list(session.query(f"select name, description, bid, sort from Task limit {count}").all())

    def do(session: Any, tasks: list[Any]) -> int:
        mark = uuid.uuid4().hex
        for number, task in enumerate(tasks):
            task["description"] = mark
            task["bid"] = task["bid"] + 1.5
            task["sort"] = float(number)
        session.commit()
        return len(tasks)

    return costs(prepare, do, rounds)


if __name__ == "__main__":
    opened().close()
    worker.serve({"query": query, "create": create, "update": update})
