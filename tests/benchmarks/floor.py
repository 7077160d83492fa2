"""The floor: the same bytes decoded by msgspec, and one slotted object per row in a dict. Nothing else.

References stay keys, nothing is tracked, nobody is looked up: what is below this cannot be an entity.
``python -m tests.benchmarks.floor URL`` as a client; the time to fetch the bytes is told apart.
"""

from __future__ import annotations

import http.client
import json
import sys
from datetime import datetime
from types import GenericAlias
from typing import Any
from urllib.parse import urlsplit

import msgspec

from . import data, worker

HOST = urlsplit(sys.argv[1]).netloc
PAGE = 1_000
TYPES: dict[str, Any] = {"number": float | None, "datetime": datetime | None}


def _type(name: str) -> Any:
    if name == "parent":
        return tuple[str, str] | None
    return TYPES.get(data.SCALARS.get(name, ""), str | None)


ROWS: Any = list[GenericAlias(tuple, (str, int, *map(_type, data.LOADED)))]  # type: ignore[misc]


class Block(msgspec.Struct):
    type: str
    attributes: list[str]
    rows: ROWS


class Reply(msgspec.Struct):
    records: list[Block]
    cursor: str | None = None


class Task:
    __slots__ = ("key", "version", *data.LOADED)


DECODER = msgspec.json.Decoder(Reply)


def pages(count: int) -> list[bytes]:
    """The bytes that Callsheet gets for the same query."""
    connection = http.client.HTTPConnection(HOST)
    condition = {"is": "comparison", "path": ["code"], "operator": "=", "value": str(count)}
    found = []
    for start in range(0, count, PAGE):
        select = {"entity_type": "Task", "projections": [[name] for name in data.LOADED], "where": condition}
        body = {"select": select, "size": PAGE, "cursor": str(start) if start else None}
        connection.request("POST", "/v1/select", json.dumps(body))
        found.append(connection.getresponse().read())
    return found


def merge(answers: list[bytes]) -> dict[str, Task]:
    tasks: dict[str, Task] = {}
    new: Any = object.__new__
    for answer in answers:
        for row in DECODER.decode(answer).records[0].rows:
            task = new(Task)
            (
                task.key,
                task.version,
                task.name,
                task.description,
                task.context_type,
                task.code,
                task.bid,
                task.sort,
                task.time_logged,
                task.start_date,
                task.end_date,
                task.status,
                task.parent,
            ) = row
            tasks[task.key] = task
    return tasks


def query(count: int) -> dict[str, Any]:
    with worker.cpu() as fetched:
        answers = pages(count)
    with worker.cpu() as cost:
        kept = merge(answers)
    assert len(kept) == count
    return {"cpu": cost.cpu, "fetch": fetched.cpu}


def memory(count: int) -> dict[str, Any]:
    return worker.held(lambda: merge(pages(count)), count)


if __name__ == "__main__":
    if len(sys.argv) > 3:
        merge(pages(int(sys.argv[3])))
    else:
        worker.serve({"query": query, "memory": memory})
