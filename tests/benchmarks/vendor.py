"""The server's half of the vendor's wire: one request answered, against the SQL statements it needs.

``python -m tests.benchmarks.vendor`` from the root of the repository prints the table; ``--schemas`` as in ``wire.py``.
A request is answered in this process, without HTTP, on a SQLite file; the statements that it sent are kept, and sent
again by Python's own driver to a copy of the database as it was before. CPU time, the least of interleaved rounds.
"""

from __future__ import annotations

import argparse
import gc
import json
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import process_time
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, event

from callsheet.dialects.ftrack.server.dispatch import VendorRequest, handle
from callsheet.server.service import Service

from .table import Line, at_most, shown
from .wire import KEY, fill, schema_file

QUERY = (
    "select id, name, description, bid, start_date, end_date, sort, created_at, object_type_id, parent_id, project_id,"
    " priority_id, status.name, type.name from Task order by name limit 500"
)
Statement = tuple[str, Any, bool]


def ask(service: Service, operations: list[dict[str, Any]]) -> float:
    """The CPU milliseconds of one request."""
    body = json.dumps(operations).encode()
    asked = VendorRequest("admin", "http://localhost", body, {"ftrack-strict-api": "true"})
    start = process_time()
    answer = handle(service.backend("admin"), asked)
    spent = process_time() - start
    assert answer.status == 200, answer.content[:300]
    return spent * 1e3


def page() -> list[dict[str, Any]]:
    return [{"action": "query", "expression": QUERY}]


def creates(parent: str, status: str, kind: str) -> list[dict[str, Any]]:
    shared = {"__entity_type__": "Task", "parent_id": parent, "status_id": status, "type_id": kind}
    made = [{**shared, "id": str(uuid4()), "name": uuid4().hex} for _ in range(500)]
    return [{"action": "create", "entity_type": "Task", "entity_data": data} for data in made]


def first(service: Service, name: str) -> str:
    """The key of one entity of a type."""
    table = service.store.tables[service.store.schema.types[name].root]
    with service.store.reading() as connection:
        return str(connection.execute(table.select().where(table.c._type == name).order_by(table.c.id)).first().id)


def statements(service: Service, operations: list[dict[str, Any]]) -> list[Statement]:
    """What a request sends to the database."""
    sent: list[Statement] = []

    def note(_: Any, __: Any, text: str, parameters: Any, ___: Any, many: bool) -> None:
        if not text.startswith("BEGIN"):
            sent.append((text, parameters, many))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        ask(service, operations)
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    return sent


def replay(connection: sqlite3.Connection, sent: list[Statement]) -> float:
    """The CPU milliseconds of these statements, in a transaction that is taken back."""
    start = process_time()
    connection.execute("BEGIN IMMEDIATE")
    for text, parameters, many in sent:
        cursor = connection.executemany(text, parameters) if many else connection.execute(text, parameters)
        cursor.fetchall()
    spent = process_time() - start
    connection.execute("ROLLBACK")
    return spent * 1e3


def lines(service: Service, folder: Path, rounds: int) -> Iterator[Line]:
    keys = [first(service, name) for name in ("Shot", "Status", "Type")]
    work: dict[str, tuple[Callable[[], list[dict[str, Any]]], float]] = {
        "page of 500 tasks, 12 attributes, 2 references": (page, 12.0),
        "commit of 500 creates": (lambda: creates(*keys), 60.0),
    }
    for number, (name, (make, budget)) in enumerate(work.items()):
        service.backup(folder / f"{number}.db")
        sent = statements(service, make())
        with closing(sqlite3.connect(folder / f"{number}.db", isolation_level=None)) as bare:
            costs = [(ask(service, make()), replay(bare, sent)) for _ in range(rounds)]
        ours, plain = (min(column) for column in zip(*costs, strict=True))
        detail = f" CPU; bare SQL {plain:.1f} ms ({ours / plain:.1f} times, {len(sent)} statements)"
        yield at_most(name, ours, budget, " ms", detail)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.vendor", description=__doc__)
    parser.add_argument("--schemas", type=Path)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    with (
        schema_file(arguments.schemas) as schemas,
        TemporaryDirectory(prefix="callsheet-benchmark-") as folder,
    ):
        url = f"sqlite:///{Path(folder).as_posix()}/studio.db"
        with Service.open(url, schemas, KEY) as service:
            fill(service)
            # As in a served process, where what was there at the start is not looked at again.
            gc.freeze()
            print(shown(list(lines(service, Path(folder), arguments.rounds))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
