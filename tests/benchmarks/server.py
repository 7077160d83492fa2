"""The server's own cost: an in-process `Service` against bare SQL on the same tables.

``python -m tests.benchmarks.server`` from the root of the repository prints the tables; ``--rows`` gives the
numbers of tasks, ``--database sqlite`` or ``postgres`` takes one database. PostgreSQL is the one that
``CALLSHEET_TEST_POSTGRES`` names, where a database is made and dropped.

Times are the least of several interleaved rounds. CPU time is this process's: all of SQLite's work, but of
PostgreSQL's only the client's part, so the time that passed is told beside it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from itertools import count
from random import Random
from time import perf_counter, process_time
from typing import Any

from attrs import frozen

from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse
from callsheet.model.operation import ChangeSet, Create
from callsheet.model.query import Select
from callsheet.model.record import Identity, new_key
from callsheet.server.backend import ServiceBackend
from callsheet.server.reading.cursors import KeySetCursor, query_of
from callsheet.server.service import Service

from .bare import STAMP, STATUSES, TASK_TYPE, WRITTEN, Bare, Row, database, insert, rows_of
from .table import Line, at_most, fact, shown

PAGE = 500
GROWTH = 1.3
ATTRIBUTES = "name description sort start_date end_date bid due_date time_spent created_at updated_at parent status"
ASKED = ", ".join(ATTRIBUTES.split())
COLUMNS = ", ".join(f't."{name}"' for name in ["id", "_version", "_type", *ATTRIBUTES.split(), "parent__type"])


@frozen
class Cost:
    """Milliseconds: of this process's CPU, and passed."""

    cpu: float
    passed: float


@frozen
class Pair:
    """The same thing by the service and by bare SQL; ``clean`` undoes both, unmeasured."""

    service: Callable[[], int]
    bare: Callable[[], int]
    clean: Callable[[], None] = lambda: None


def pairs(service: Service, bare: Bare, keys: list[str]) -> Mapping[str, Pair]:
    """What is measured, by name."""
    backend = service.backend("admin")
    schema = service.store.schema

    def select(text: str, size: int, cursor: Callable[[Select], str] | None = None) -> Callable[[], int]:
        checked = check(parse(text), schema)
        token = None if cursor is None else cursor(checked)
        return lambda: len(backend.select(checked, size, token))

    def fetch(rest: str, *values: Any) -> Callable[[], int]:
        return lambda: bare.fetch(f'SELECT {COLUMNS} FROM "Context" t {rest}', list(values))

    middle = sorted(keys)[len(keys) // 2]
    chosen = Random(1).sample(keys, PAGE)
    listed = ", ".join(f'"{key}"' for key in chosen)
    plus = "" if bare.postgres else "+"
    extract = "(t.custom_attributes ->> 'difficulty')::bigint"
    extract = extract if bare.postgres else "json_extract(t.custom_attributes, '$.difficulty')"
    first = "ORDER BY t.name, t.id LIMIT 100"
    joins = """JOIN "Context" a ON a.id = t.parent JOIN "Context" b ON b.id = a.parent
        JOIN "Context" p ON p.id = b.project JOIN "Status" s ON s.id = t.status"""
    return {
        f"page of {PAGE}, after a cursor": Pair(
            select(
                f"select {ASKED} from Task", PAGE, lambda it: KeySetCursor(query_of(it), (), middle, None).encoded()
            ),
            # The plus keeps SQLite from the index on `_type`, which holds no order and leads to every task.
            fetch(f"WHERE {plus}t._type = 'Task' AND t.id > ? ORDER BY t.id LIMIT ?", middle, PAGE),
        ),
        f"{PAGE} by their keys": Pair(
            select(f"select {ASKED} from Task where id in ({listed})", PAGE),
            fetch(f"WHERE {plus}t._type = 'Task' AND t.id IN ({', '.join('?' * PAGE)}) ORDER BY t.id", *chosen),
        ),
        f"commit of {PAGE} creates": _commits(backend, bare, len(keys)),
        "filter through three relations": Pair(
            select(
                f'select {ASKED} from Task where parent.parent.project.name is "p3" and status.name is "Done"'
                " order by name limit 100",
                100,
            ),
            fetch(f"{joins} WHERE t._type = 'Task' AND p.name = 'p3' AND s.name = 'Done' {first}"),
        ),
        "filter by a custom attribute": Pair(
            select(f"select {ASKED} from Task where custom_attributes.difficulty < 5 order by name limit 100", 100),
            fetch(f"WHERE t._type = 'Task' AND {extract} < 5 {first}"),
        ),
    }


def _commits(backend: ServiceBackend, bare: Bare, tasks: int) -> Pair:
    numbers = count()
    made: list[tuple[str]] = []
    statement = insert(WRITTEN)

    def service() -> int:
        number = next(numbers)
        operations = []
        for index in range(PAGE):
            shot = Identity("Shot", f"s{index * 37 % (tasks // 10)}")
            values: dict[str, Any] = {
                "name": f"new {number} {index}",
                "parent": shot,
                "status": Identity("Status", STATUSES[0]),
            }
            values |= {"type": Identity("Type", TASK_TYPE), "bid": 7200.0, "due_date": date(2026, 5, 1)}
            operations.append(Create(Identity("Task", new_key()), values))
        made.extend((operation.identity.key,) for operation in operations)
        backend.commit(ChangeSet(new_key(), tuple(operations)))
        return PAGE

    def plain() -> int:
        number = next(numbers)
        rows: list[Row] = []
        for index in range(PAGE):
            shot = index * 37 % (tasks // 10)
            start = (new_key(), "Task", 1, 1, f"new {number} {index}", f"s{shot}", "Shot", f"p{shot // 20 % 10}")
            rows.append((*start, STATUSES[0], TASK_TYPE, 7200.0, "2026-05-01", 0.0, 0.0, STAMP, STAMP))
        made.extend((row[0],) for row in rows)
        return bare.write(statement, rows)

    def clean() -> None:
        bare.write('DELETE FROM "Context" WHERE id = ?', made)
        made.clear()

    return Pair(service, plain, clean)


def measured(pair: Pair, seconds: float) -> tuple[Cost, Cost]:
    """The least costs of the service and of bare SQL, in rounds until the time is over, but three at least."""
    if pair.service() != pair.bare():
        raise AssertionError("the service and bare SQL found different numbers of rows")
    pair.clean()
    sides = (pair.service, pair.bare)
    times: tuple[list[tuple[float, float]], ...] = ([], [])
    until = perf_counter() + seconds
    while len(times[0]) < 3 or (perf_counter() < until and len(times[0]) < 15):
        for side, kept in zip(sides, times, strict=True):
            cpu, passed = process_time(), perf_counter()
            side()
            kept.append((process_time() - cpu, perf_counter() - passed))
        pair.clean()
    first, second = (Cost(*(min(column) * 1000 for column in zip(*kept, strict=True))) for kept in times)
    return first, second


def run(url: str, rows: int, seconds: float) -> dict[str, tuple[Cost, Cost]]:
    """All measurements on a new database with so many tasks."""
    keys: list[str] = []
    with Service.open(url, "production", seed=True) as service:
        custom = {"key": "difficulty", "entity_type": "Task", "data_type": "integer"}
        config = Create(Identity("CustomAttributeConfiguration", new_key()), custom)
        service.backend("admin").commit(ChangeSet(new_key(), (config,)))
    bare = Bare(url)
    bare.load(rows_of(rows, keys))
    bare.connection.close()
    return compared(url, keys, seconds)


def compared(url: str, keys: list[str], seconds: float) -> dict[str, tuple[Cost, Cost]]:
    """All measurements on a database that is filled; the service, newly opened, has its tables counted first."""
    with Service.open(url) as service:
        # On a busy machine a filter over a million rows may take longer than a server would let it.
        service.store.deadline = 120.0
        bare = Bare(url)
        try:
            found: dict[str, tuple[Cost, Cost]] = {}
            for name, pair in pairs(service, bare, keys).items():
                found[name] = measured(pair, seconds)
                print(f"  {name}: {found[name]}", file=sys.stderr, flush=True)
            return found
        finally:
            bare.connection.close()


def _against(ours: float, bare: float) -> str:
    shown_ours, shown_bare = (f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in (ours, bare))
    return f"{shown_ours} / {shown_bare} ms ({ours / bare:.1f} times)"


def lines(kind: str, found: Mapping[int, Mapping[str, tuple[Cost, Cost]]]) -> Iterator[Line]:
    """The figures, the service's before bare SQL's; where reading or writing is by key, how much it grows."""
    for rows, costs in found.items():
        for name, (ours, bare) in costs.items():
            cpu, passed = _against(ours.cpu, bare.cpu), _against(ours.passed, bare.passed)
            yield fact(
                f"{kind}, {rows:,} tasks: {name}", f"{cpu} CPU" if kind == "sqlite" else f"{passed} passed; {cpu} CPU"
            )
    least, most = min(found), max(found)
    for name in list(found[least])[:3] if most > least else ():
        (ours, bare), (before, bare_before) = found[most][name], found[least][name]
        growth = ours.passed / before.passed if kind == "postgres" else ours.cpu / before.cpu
        bares = bare.passed / bare_before.passed if kind == "postgres" else bare.cpu / bare_before.cpu
        title = f"{kind}, {name}: {most:,} tasks against {least:,}"
        yield at_most(title, growth, GROWTH, " times", f" (bare SQL {bares:.2f})")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.server", description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000], help="numbers of tasks")
    parser.add_argument("--database", choices=["sqlite", "postgres"], help="only this one")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each measurement")
    arguments = parser.parse_args()
    for kind in [arguments.database] if arguments.database else ["sqlite", "postgres"]:
        found = {}
        for rows in arguments.rows:
            print(f"{kind}, {rows:,} …", file=sys.stderr, flush=True)
            with database(kind) as url:
                found[rows] = run(url, rows, arguments.seconds)
        print(shown(list(lines(kind, found))) + "\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
