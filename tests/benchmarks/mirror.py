"""The mirror: how long copies, questions, feeding and commits take, in one run, beside SQLite and PostgreSQL.

``python -m tests.benchmarks.mirror [ROWS]`` prints a table; 1,000,000 time entries by default. Questions are the
server's own statements on each of the three databases, interleaved, the lowest of three runs.
"""

from __future__ import annotations

import os
import random
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter, sleep
from typing import Any
from uuid import UUID, uuid4

from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.measure import Aggregate, AggregateFunction, Level
from callsheet.model.operation import ChangeSet, Create, Update
from callsheet.model.query import Path as Way
from callsheet.model.query import Select
from callsheet.model.record import Identity
from callsheet.server.mirror.mirror import Mirror
from callsheet.server.reading.aggregates import read_aggregate
from callsheet.server.service import Service
from callsheet.server.store.store import Store

POSTGRES = os.environ.get("CALLSHEET_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/test")


def _type(**attributes: str) -> dict[str, Any]:
    return {
        "attributes": {
            name: {"type": "reference", "target": kind} if kind[0].isupper() else {"type": kind}
            for name, kind in attributes.items()
        }
    }


DOCUMENT: dict[str, Any] = {
    "name": "hours",
    "types": {
        "Project": _type(name="string"),
        "Shot": _type(name="string", project="Project"),
        "Task": _type(name="string", kind="string", bid="number", shot="Shot"),
        "Person": _type(name="string"),
        "TimeEntry": _type(task="Task", person="Person", day="date", hours="number"),
    },
}
HOURS = AggregateFunction("sum", Way.of("hours"))
QUESTIONS = {
    "project x kind": Aggregate(
        Select("TimeEntry"),
        (HOURS, AggregateFunction("count")),
        (Level(Way.of("task.shot.project.name")), Level(Way.of("task.kind"))),
    ),
    "month": Aggregate(Select("TimeEntry"), (HOURS,), (Level(Way.of("day"), "month"),)),
    "distinct people by kind": Aggregate(
        Select("TimeEntry"), (AggregateFunction("distinct", Way.of("person")),), (Level(Way.of("task.kind")),)
    ),
    "bids by kind, each task once": Aggregate(
        Select("TimeEntry"), (AggregateFunction("sum", Way.of("task.bid")),), (Level(Way.of("task.kind")),)
    ),
}


def _rows(number: int) -> Iterator[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]]:
    """Tables with their columns and rows."""
    chance = random.Random(1)

    def keys(many: int) -> list[str]:
        return [str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(many)]

    projects, shots, tasks, people = keys(40), keys(number // 250 + 40), keys(number // 50 + 40), keys(300)
    yield "Project", ("name",), [(key, f"p{place}") for place, key in enumerate(projects)]
    yield "Shot", ("name", "project"), [(key, f"s{place}", projects[place % 40]) for place, key in enumerate(shots)]
    named = [
        (key, f"t{place}", f"kind {place % 8}", float(place % 10), shots[place % len(shots)])
        for place, key in enumerate(tasks)
    ]
    yield "Task", ("name", "kind", "bid", "shot"), named
    yield "Person", ("name",), [(key, f"n{place}") for place, key in enumerate(people)]
    for start in range(0, number, 100_000):
        entries = [
            (
                key,
                chance.choice(tasks),
                chance.choice(people),
                (date(2024, 1, 1) + timedelta(chance.randrange(1_000))).isoformat(),
                chance.randint(1, 32) / 4,
            )
            for key in keys(min(100_000, number - start))
        ]
        yield "TimeEntry", ("task", "person", "day", "hours"), entries


def fill_sqlite(path: Path, number: int) -> None:
    connection = sqlite3.connect(path)
    for name, columns, rows in _rows(number):
        wanted = ", ".join(("id", *columns))
        marks = ", ".join("?" * (len(columns) + 1))
        text = f"INSERT INTO {name} (_type, _version, _commit, {wanted}) VALUES ('{name}', 1, 0, {marks})"
        connection.executemany(text, rows)
    connection.commit()
    connection.execute("ANALYZE")
    connection.close()


def _fill_postgres(store: Store, number: int) -> None:
    def work(connection: Any) -> None:
        with connection.connection.driver_connection.cursor() as cursor:
            for name, columns, rows in _rows(number):
                wanted = ", ".join(f'"{each}"' for each in ("id", *columns))
                with cursor.copy(f'COPY "{name}" (_type, _version, _commit, {wanted}) FROM STDIN') as copy:
                    for row in rows:
                        copy.write_row((name, 1, 0, *row))

    store.write(work)
    with store.database._engine.connect() as connection:  # type: ignore[attr-defined]
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql("ANALYZE")


def timed(function: Callable[[], Any]) -> float:
    began = perf_counter()
    function()
    return perf_counter() - began


def _resident() -> float:
    """Megabytes that this process has in memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _read(mirror: Mirror) -> None:
    with mirror.reading():
        pass


def _ask(store: Store, connection: Any, asked: Aggregate) -> None:
    read_aggregate(store, connection, check_aggregate(asked, store.schema))


def _ask_store(store: Store, asked: Aggregate) -> None:
    with store.reading(600) as connection:
        _ask(store, connection, asked)


def _ask_mirror(mirror: Mirror, asked: Aggregate) -> None:
    with mirror.reading() as state:
        _ask(state.store, state.connection, asked)


def _feeding(service: Service, mirror: Mirror) -> None:
    """Until a commit is visible: from its answer to a question that has it."""
    number = 0
    for size, turns in ((1, 20), (10_000, 5)):
        seconds = []
        for _ in range(turns):
            made = [Create(Identity("TimeEntry", str(uuid4())), {"hours": 1.0}) for _ in range(size)]
            service.commit(ChangeSet(f"feed {number}", tuple(made)), "admin")
            number += 1
            seconds.append(timed(lambda: _read(mirror)))
        print(
            f"a commit of {size:>6,} rows is visible after        {statistics.median(seconds) * 1e3:8.1f} ms (median)"
        )


def _commits(bare: Service, mirrored: Service) -> None:
    """Commits at 20 a second, on two servers in turn."""
    seconds: dict[str, list[float]] = {"without": [], "with": []}
    for number in range(200):
        for name, service in (("without", bare), ("with", mirrored)):
            made = Create(Identity("Person", str(uuid4())), {"name": f"{number}"})
            seconds[name].append(timed(lambda s=service, m=made: s.commit(ChangeSet(m.identity.key, (m,)), "admin")))
            sleep(0.025)
    medians = {name: statistics.median(found) * 1e3 for name, found in seconds.items()}
    ratio = medians["with"] / medians["without"]
    print(f"a commit at 20 a second, median                 {medians['with']:8.2f} ms, {ratio:.2f} x without a mirror")


@contextmanager
def _postgres() -> Iterator[str]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "server"))
    from databases import postgres_database

    with postgres_database() as url:
        yield url


def _copied(name: str, store: Store, folder: Path, number: int) -> Mirror:
    store.deadline = 3_600.0
    mirror = Mirror(store, folder)
    seconds = timed(lambda: _read(mirror))
    print(f"{number:,} rows copied from {name:10}            {seconds:8.2f} s; resident {_resident():.0f} MB")
    return mirror


def main(number: int) -> None:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR"))))
        lite = stack.enter_context(Service.open(f"sqlite:///{folder / 'a.db'}", DOCUMENT))
        bare = stack.enter_context(Service.open(f"sqlite:///{folder / 'b.db'}", DOCUMENT))
        fill_sqlite(folder / "a.db", number)
        print(f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}; resident before {_resident():.0f} MB")
        mirror = _copied("SQLite", lite.store, folder / "mirrors", number)
        lite.mirror = mirror
        post = stack.enter_context(Service.open(stack.enter_context(_postgres()), DOCUMENT))
        _fill_postgres(post.store, number)
        other = _copied("PostgreSQL", post.store, folder / "mirrors", number)
        other.close()
        for name, asked in QUESTIONS.items():
            best = {"mirror": 1e9, "SQLite": 1e9, "PostgreSQL": 1e9}
            for turn in range(3):
                best["mirror"] = min(best["mirror"], timed(lambda a=asked: _ask_mirror(mirror, a)))
                if turn == 0:
                    best["SQLite"] = timed(lambda a=asked: _ask_store(lite.store, a))
                best["PostgreSQL"] = min(best["PostgreSQL"], timed(lambda a=asked: _ask_store(post.store, a)))
            ratios = ", ".join(f"{each} {best[each] / best['mirror']:.0f} x" for each in ("SQLite", "PostgreSQL"))
            print(f"{name:30}                  {best['mirror'] * 1e3:8.1f} ms; {ratios}")
        print(f"resident after questions                        {_resident():8.0f} MB")
        _feeding(lite, mirror)
        _commits(bare, lite)
        position = mirror.position
        asked = QUESTIONS["project x kind"]
        task = next(iter(_rows(1_000)))[2][0][0]
        lite.commit(ChangeSet("past", (Update(Identity("Project", task), {"name": "renamed"}),)), "admin")
        now = min(timed(lambda: _ask_mirror(mirror, asked)) for _ in range(3))

        def earlier() -> None:
            with mirror.past(position) as state:
                assert state is not None
                _ask(state.store, state.connection, asked)

        then = min(timed(earlier) for _ in range(3))
        print(f"the first question as of a commit before        {then * 1e3:8.1f} ms, {then / now:.2f} x now")
        mirror.close()
        lite.mirror = None


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
