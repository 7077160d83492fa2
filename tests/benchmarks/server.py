"""The server's own cost: an in-process `Service` against bare SQL on the same tables.

``python -m tests.benchmarks.server`` from the root of the repository prints the tables; ``--rows`` gives the
numbers of tasks, ``--database sqlite`` or ``postgres`` takes one database. PostgreSQL is the one that
``CALLSHEET_TEST_POSTGRES`` names, where a database is made and dropped.

Times are the least of several interleaved rounds. CPU time is this process's: all of SQLite's work, but of
PostgreSQL's only the client's part, so the time that passed is told beside it.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from itertools import count
from pathlib import Path
from random import Random
from time import perf_counter, process_time
from typing import Any

import psycopg
from attrs import frozen
from sqlalchemy import make_url

from callsheet.model.checking import check
from callsheet.model.operation import ChangeSet, Create
from callsheet.model.query import Select
from callsheet.model.parser import parse
from callsheet.model.record import Identity, new_key
from callsheet.server.paging import Cursor, query_of
from callsheet.server.seeding import well_known_key
from callsheet.server.service import Service, UserBackend
from tests.server.databases import postgres_database

from .table import Line, at_most, fact, shown

PAGE = 500
GROWTH = 1.3
STAMP = "2026-05-01T12:00:00.000000+00:00"
STATUSES = [well_known_key("Status", name) for name in ("Ready to start", "In progress", "Pending review", "Done")]
TASK_TYPE = well_known_key("Type", "Animation")
ATTRIBUTES = "name description sort start_date end_date bid due_date time_spent created_at updated_at parent status"
ASKED = ", ".join(ATTRIBUTES.split())
LOADED = (
    "id _type _version _commit name parent parent__type project status type bid due_date sort time_spent"
    " created_at updated_at description start_date end_date custom_attributes"
).split()
WRITTEN = LOADED[:16]
COLUMNS = ", ".join(f't."{name}"' for name in ["id", "_version", "_type", *ATTRIBUTES.split(), "parent__type"])

Rows = Iterator[tuple[Any, ...]]


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


class Bare:
    """A driver's own connection to the service's database."""

    def __init__(self, url: str) -> None:
        self.postgres = url.startswith("postgresql")
        self.connection: Any
        if self.postgres:
            plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
            self.connection = psycopg.connect(plain, options="-c timezone=UTC")
        else:
            self.connection = sqlite3.connect(url.removeprefix("sqlite:///"))
            for pragma in ("synchronous=FULL", "cache_size=-32768"):
                self.connection.execute(f"PRAGMA {pragma}")

    def _text(self, statement: str) -> str:
        return statement.replace("?", "%s") if self.postgres else statement

    def fetch(self, statement: str, values: list[Any]) -> int:
        """How many rows were fetched."""
        cursor = self.connection.cursor()
        cursor.execute(self._text(statement), values)
        found = len(cursor.fetchall())
        self.connection.rollback()
        return found

    def write(self, statement: str, rows: list[tuple[Any, ...]]) -> int:
        """Execute for each row, in one transaction."""
        self.connection.cursor().executemany(self._text(statement), rows)
        self.connection.commit()
        return len(rows)

    def load(self, rows: Rows) -> None:
        """Fill the table, past the service."""
        names = ", ".join(f'"{name}"' for name in LOADED)
        cursor = self.connection.cursor()
        if self.postgres:
            with cursor.copy(f'COPY "Context" ({names}) FROM STDIN') as copy:
                for row in rows:
                    copy.write_row(row)
            cursor.execute("ANALYZE")
        else:
            cursor.executemany(insert(LOADED), rows)
        self.connection.commit()


def insert(names: list[str]) -> str:
    told = ", ".join(f'"{name}"' for name in names)
    return f'INSERT INTO "Context" ({told}) VALUES ({", ".join("?" * len(names))})'


def rows_of(number: int, keys: list[str]) -> Rows:
    """Ten projects with sequences of 20 shots of 10 tasks each, ``number`` tasks in all; their keys are appended."""
    random = Random(0)

    def row(kind: str, key: str, name: str, parent: str | None, above: str, project: str, index: int) -> tuple[Any, ...]:
        status = None if kind == "Project" else STATUSES[index % 4]
        custom = f'{{"difficulty":{index * 7919 % 1000}}}' if kind == "Task" else None
        day = f"2026-{index % 12 + 1:02d}-{index % 28 + 1:02d}"
        above_type = None if parent is None else above
        start = (key, kind, 1, 1, name, parent, above_type, project, status, TASK_TYPE if status else None)
        return (*start, 3600.0, day, float(index), 0.0, STAMP, STAMP, f"what {name} is about", day, day, custom)

    for index in range(10):
        yield row("Project", f"p{index}", f"p{index}", None, "", f"p{index}", index)
    for index in range(number):
        shot, sequence = index // 10, index // 200
        project = f"p{sequence % 10}"
        if index % 200 == 0:
            yield row("Sequence", f"q{sequence}", f"q{sequence}", project, "Project", project, sequence)
        if index % 10 == 0:
            yield row("Shot", f"s{shot}", f"s{shot}", f"q{sequence}", "Sequence", project, shot)
        keys.append(f"{random.getrandbits(128):032x}")
        yield row("Task", keys[-1], f"task {index * 7919 % number}", f"s{shot}", "Shot", project, index)


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
    extract = "(t.custom_attributes ->> 'difficulty')::bigint"
    extract = extract if bare.postgres else "json_extract(t.custom_attributes, '$.difficulty')"
    joins = """JOIN "Context" a ON a.id = t.parent JOIN "Context" b ON b.id = a.parent
        JOIN "Context" p ON p.id = b.project JOIN "Status" s ON s.id = t.status"""
    return {
        f"page of {PAGE}, after a cursor": Pair(
            select(f"select {ASKED} from Task", PAGE, lambda it: Cursor(query_of(it), (), middle, None).encoded()),
            fetch("WHERE t._type = 'Task' AND t.id > ? ORDER BY t.id LIMIT ?", middle, PAGE),
        ),
        f"{PAGE} by their keys": Pair(
            select(f"select {ASKED} from Task where id in ({listed})", PAGE),
            fetch(f"WHERE t._type = 'Task' AND t.id IN ({', '.join('?' * PAGE)}) ORDER BY t.id", *chosen),
        ),
        f"commit of {PAGE} creates": _commits(backend, bare, len(keys)),
        "filter through three relations": Pair(
            select(
                f'select {ASKED} from Task where parent.parent.project.name is "p3" and status.name is "Done"'
                " order by name limit 100",
                100,
            ),
            fetch(f"{joins} WHERE t._type = 'Task' AND p.name = ? AND s.name = ? ORDER BY t.name, t.id LIMIT 100",
                  "p3", "Done"),
        ),
        "filter by a custom attribute": Pair(
            select(f"select {ASKED} from Task where custom_attributes.difficulty < 5 order by name limit 100", 100),
            fetch(f"WHERE t._type = 'Task' AND {extract} < ? ORDER BY t.name, t.id LIMIT 100", 5),
        ),
    }


def _commits(backend: UserBackend, bare: Bare, tasks: int) -> Pair:
    numbers = count()
    made: list[tuple[str]] = []
    statement = insert(WRITTEN)

    def service() -> int:
        number = next(numbers)
        keys = [new_key() for _ in range(PAGE)]
        made.extend((key,) for key in keys)
        operations = tuple(
            Create(
                Identity("Task", key),
                {
                    "name": f"new {number} {index}",
                    "parent": Identity("Shot", f"s{index * 37 % (tasks // 10)}"),
                    "status": Identity("Status", STATUSES[0]),
                    "type": Identity("Type", TASK_TYPE),
                    "bid": 7200.0,
                    "due_date": date(2026, 5, 1),
                },
            )
            for index, key in enumerate(keys)
        )
        backend.commit(ChangeSet(new_key(), operations))
        return PAGE

    def plain() -> int:
        number = next(numbers)
        rows: list[tuple[Any, ...]] = []
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
        try:
            bare.load(rows_of(rows, keys))
            found = {}
            for name, pair in pairs(service, bare, keys).items():
                found[name] = measured(pair, seconds)
                print(f"  {name}: {found[name]}", file=sys.stderr, flush=True)
            return found
        finally:
            bare.connection.close()


@contextmanager
def database(kind: str) -> Iterator[str]:
    """The URL of a new database."""
    if kind == "postgres":
        with postgres_database() as url:
            yield url
        return
    with tempfile.TemporaryDirectory() as folder:
        yield f"sqlite:///{Path(folder) / 'server.db'}"


def lines(kind: str, found: Mapping[int, Mapping[str, tuple[Cost, Cost]]]) -> Iterator[Line]:
    """The figures; where reading or writing is by key, how much it grows."""
    for rows, costs in found.items():
        for name, (ours, bare) in costs.items():
            told = f"{ours.cpu:.3g} / {bare.cpu:.3g} ms CPU, {ours.cpu / bare.cpu:.1f} times bare SQL"
            passed = f"{ours.passed:.3g} / {bare.passed:.3g} ms passed, {ours.passed / bare.passed:.1f} times"
            yield fact(f"{kind}, {rows:,} tasks: {name}", f"{told}; {passed}")
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
