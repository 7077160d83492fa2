"""Cube questions beside the same SQL written by hand, in one run, one after the other.

``python -m tests.benchmarks.cubes [FACTS] [SMALLER]`` prints a table for so many facts (1,000,000): for each question
the time for planning, the lowest time on DuckDB, and its ratio to hand-written SQL on the same tables (`bare`). With
SMALLER, the same questions are asked of SQLite and PostgreSQL with so many facts. Facts are made by the databases.
"""

from __future__ import annotations

import gc
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from attrs import frozen
from sqlalchemy import Connection
from tests.server.databases import postgres_database

from callsheet import measures as m
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.parser import parse
from callsheet.model.measure import Aggregate
from callsheet.model.schema import Schema
from callsheet.server.mirror.database import MirrorDatabase
from callsheet.server.mirror.feed import create_tables, mirrored_tables
from callsheet.server.reading.aggregates import AggregatePlan
from callsheet.server.store.layout import layout_of
from callsheet.server.store.store import Store

NAME = {"name": {"type": "string"}}


def _to(target: str) -> dict[str, str]:
    return {"type": "reference", "target": target}


DOCUMENT: dict[str, Any] = {
    "types": {
        "Project": {"attributes": NAME},
        "Person": {"attributes": NAME},
        "Shot": {"attributes": {**NAME, "project": _to("Project")}},
        "Task": {"attributes": {**NAME, "bid": {"type": "number"}, "kind": {"type": "string"}, "shot": _to("Shot")}},
        "Entry": {
            "attributes": {
                "hours": {"type": "number"},
                "day": {"type": "date"},
                "task": _to("Task"),
                "person": _to("Person"),
            }
        },
    }
}
PROJECTS, PEOPLE, SHOTS, TASKS, DAYS = 40, 200, 20_000, 100_000, 730

_COLUMNS: dict[str, tuple[int, dict[str, str]]] = {
    "Project": (PROJECTS, {"name": "'p' || {i}"}),
    "Person": (PEOPLE, {"name": "'n' || {i}"}),
    "Shot": (SHOTS, {"name": "'s' || {i}", "project": "{key}:{i} % 40"}),
    "Task": (
        TASKS,
        {
            "name": "'t' || {i}",
            "bid": "{i} % 17 + 0.5",
            "kind": "'k' || ({i} % 5)",
            "shot": "{key}:({i} * 7919) % 20000",
        },
    ),
    "Entry": (
        0,
        {
            "hours": "{i} % 16 * 0.5",
            "day": "{day}:({i} * 31) % 730",
            "task": "{key}:({i} * 7919) % 100000",
            "person": "{key}:({i} * 104729) % 200",
        },
    ),
}
"""For each type, its number and what makes its columns, in words that all databases have."""
_WORDS = {
    "duckdb": (
        "range(0, {n}) AS r(i)",
        "lpad(CAST({x} AS VARCHAR), 36, '0')",
        "DATE '2025-01-01' + CAST({x} AS INTEGER)",
    ),
    "postgresql": (
        "generate_series(0, {n} - 1) AS r(i)",
        "lpad(CAST({x} AS text), 36, '0')",
        "DATE '2025-01-01' + CAST({x} AS integer)",
    ),
    "sqlite": (
        "(WITH RECURSIVE c(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM c WHERE i < {n} - 1) SELECT i FROM c) AS r",
        "printf('%036d', {x})",
        "date('2025-01-01', '+' || ({x}) || ' days')",
    ),
}


def fill(connection: Connection, facts: int) -> None:
    """Make all entities, by statements of the database itself."""
    series, key, day = _WORDS[connection.dialect.name]
    for name, (number, columns) in _COLUMNS.items():
        made = {"id": key.format(x="i"), "_type": f"'{name}'", "_version": "1", "_commit": "1"}
        for column, text in columns.items():
            kind, _, rest = text.partition(":")
            value = (rest or text).format(i="CAST(i AS BIGINT)")
            made[column] = {"{key}": key, "{day}": day}[kind].format(x=value) if rest else value
        names = ", ".join(f'"{column}"' for column in made)
        source = series.format(n=number or facts)
        text = f'INSERT INTO "{name}" ({names}) SELECT {", ".join(made.values())} FROM {source}'
        connection.exec_driver_sql(text.replace("%", "%%") if connection.dialect.name == "postgresql" else text)


@frozen
class BenchmarkQuestion:
    """A question, and the SQL that somebody would write for it on DuckDB."""

    name: str
    aggregate: Aggregate
    bare: str


def _ask(name: str, bare: str, *measures: Any, group: Any = (), where: str = "", **options: Any) -> BenchmarkQuestion:
    select = parse(f"Entry where {where}" if where else "Entry")
    return BenchmarkQuestion(name, Aggregate(select, measures, group, **options), bare)


HOURS, BID = m.total("hours"), m.total("task.bid")
PROJECT, KIND, MONTH, SHOT = "task.shot.project.name", "task.kind", m.level("month(day)"), "task.shot.name"
_JOINED = (
    'FROM "Entry" e LEFT JOIN "Task" t ON t.id = e.task LEFT JOIN "Shot" s ON s.id = t.shot '
    'LEFT JOIN "Project" p ON p.id = s.project'
)
_DAY = "CAST(date_trunc('month', e.day) AS DATE)"
_BY_MONTH = f'SELECT {_DAY} AS a, sum(e.hours) AS v FROM "Entry" e GROUP BY ALL'
QUESTIONS = [
    _ask("month, no join", f"{_BY_MONTH} ORDER BY 1", HOURS, group=(MONTH,)),
    _ask(
        "project and kind, three measures",
        f"SELECT p.name, t.kind, sum(e.hours), avg(e.hours), count(*) {_JOINED} GROUP BY ALL ORDER BY 1, 2",
        HOURS, m.mean("hours"), m.count(), group=(PROJECT, KIND),
    ),
    _ask("shot, 20,000 rows", f"SELECT s.name, sum(e.hours) {_JOINED} GROUP BY ALL ORDER BY 1", HOURS, group=(SHOT,)),
    _ask(
        "filter on project and month",
        f"SELECT t.kind, sum(e.hours) {_JOINED} WHERE p.name = 'p3' AND e.day >= DATE '2025-03-01' "
        "AND e.day < DATE '2025-04-01' GROUP BY ALL ORDER BY 1",
        HOURS, group=(KIND,), where="task.shot.project.name is p3 and day >= 2025-03-01 and day < 2025-04-01",
    ),
    _ask(
        "totals on three levels",
        f"SELECT p.name, t.kind, {_DAY}, sum(e.hours) {_JOINED} "
        f"GROUP BY ROLLUP (p.name, t.kind, {_DAY}) ORDER BY 1, 2, 3",
        HOURS, group=(PROJECT, KIND, MONTH), totals=True,
    ),
    _ask(
        "distinct people",
        f"SELECT p.name, count(DISTINCT e.person) {_JOINED} GROUP BY ALL ORDER BY 1",
        m.distinct("person"), group=(PROJECT,),
    ),
    _ask(
        "ratio",
        f"SELECT p.name, sum(e.hours) / nullif(count(*), 0) {_JOINED} GROUP BY ALL ORDER BY 1",
        HOURS / m.count(), group=(PROJECT,),
    ),
    _ask(
        "share of parent",
        f"WITH g AS (SELECT p.name AS a, t.kind AS k, sum(e.hours) AS v {_JOINED} GROUP BY ALL) "
        "SELECT a, k, v / sum(v) OVER (PARTITION BY a) FROM g ORDER BY 1, 2",
        m.share(HOURS, PROJECT), group=(PROJECT, KIND),
    ),
    _ask(
        "previous month",
        f"WITH g AS ({_BY_MONTH}) SELECT a, max(v) OVER (ORDER BY a RANGE BETWEEN INTERVAL 1 MONTH PRECEDING "
        "AND INTERVAL 1 MONTH PRECEDING) FROM g ORDER BY 1",
        m.previous(HOURS, MONTH), group=(MONTH,),
    ),
    _ask(
        "cumulative",
        f"WITH g AS ({_BY_MONTH}) SELECT a, sum(v) OVER (ORDER BY a) FROM g ORDER BY 1",
        m.cumulative(HOURS, MONTH), group=(MONTH,),
    ),
    _ask(
        "filtered beside unfiltered",
        f"SELECT p.name, sum(e.hours) FILTER (WHERE t.kind = 'k1'), sum(e.hours) {_JOINED} GROUP BY ALL ORDER BY 1",
        m.total("hours", "task.kind is k1"), HOURS, group=(PROJECT,),
    ),
    _ask(
        "latest by day",
        f"SELECT p.name, arg_max(e.hours, ROW(e.day, e.id)) {_JOINED} GROUP BY ALL ORDER BY 1",
        m.latest("hours", "day"), group=(PROJECT,),
    ),
    _ask(
        "measure of a joined dimension",
        "SELECT p.name, sum(t.bid) FROM \"Task\" t LEFT JOIN \"Shot\" s ON s.id = t.shot LEFT JOIN \"Project\" p "
        "ON p.id = s.project WHERE t.id IN (SELECT task FROM \"Entry\") GROUP BY ALL ORDER BY 1",
        BID, group=(PROJECT,),
    ),
    _ask(
        "the same by month",
        f"SELECT a, sum(b) FROM (SELECT DISTINCT {_DAY} AS a, t.id, t.bid AS b FROM \"Entry\" e "
        'LEFT JOIN "Task" t ON t.id = e.task) GROUP BY ALL ORDER BY 1',
        BID, group=(MONTH,),
    ),
    _ask(
        "two facts with totals",
        f"WITH h AS (SELECT p.name AS a, sum(e.hours) AS v {_JOINED} GROUP BY ROLLUP (p.name)), "
        'b AS (SELECT p.name AS a, sum(t.bid) AS v FROM "Task" t LEFT JOIN "Shot" s ON s.id = t.shot '
        'LEFT JOIN "Project" p ON p.id = s.project '
        "GROUP BY ROLLUP (p.name)) SELECT a, h.v / b.v FROM h LEFT JOIN b USING (a) ORDER BY 1",
        HOURS / m.total("bid", table="Task"), group=(PROJECT,), totals=True,
    ),
    _ask(
        "empty rows",
        f"WITH h AS (SELECT p.name AS a, {_DAY} AS d, sum(e.hours) AS v {_JOINED} GROUP BY ALL) SELECT q.a, q.d, "
        "coalesce(h.v, 0) FROM (SELECT * FROM (SELECT DISTINCT name AS a FROM \"Project\") CROSS JOIN "
        f"(SELECT DISTINCT {_DAY} AS d FROM \"Entry\" e)) q LEFT JOIN h ON h.a = q.a AND h.d = q.d ORDER BY 1, 2",
        HOURS, group=(PROJECT, MONTH), empty=True,
    ),
]  # fmt: skip


@contextmanager
def mirror_store(facts: int) -> Iterator[Store]:
    """A store on DuckDB, as the mirror's, with so many facts."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store("mirror:", MirrorDatabase(Path(folder) / "mirror.duckdb", 600.0))
        store.schema = Schema(DOCUMENT)
        store.layout = layout_of(store.schema)
        store.write(lambda connection: create_tables(mirrored_tables(store), connection))
        store.write(lambda connection: fill(connection, facts))
        yield store
        store.close()


@contextmanager
def plain_store(kind: str, facts: int) -> Iterator[Store]:
    """A store on SQLite or PostgreSQL with so many facts."""
    with tempfile.TemporaryDirectory() as folder, _url(kind, folder) as url:
        store = Store.open(url, DOCUMENT, deadline=600.0)
        store.write(lambda connection: fill(connection, facts))
        store.write(lambda connection: connection.exec_driver_sql("ANALYZE"))
        yield store
        store.close()


@contextmanager
def _url(kind: str, folder: str) -> Iterator[str]:
    if kind == "postgresql":
        with postgres_database() as url:
            yield url
    else:
        yield f"sqlite:///{Path(folder).as_posix()}/cubes.db"


def _timed(function: Callable[[], Any], clock: Callable[[], float] = perf_counter) -> tuple[float, Any]:
    began = clock()
    found = function()
    return (clock() - began) * 1_000, found


@frozen
class Measured:
    """Lowest milliseconds of planning, of the whole question, and of the bare SQL; and the ratio of their CPU."""

    plan: float
    whole: float
    bare: float
    cpu: float


def measure(store: Store, question: BenchmarkQuestion, turns: int, bare: bool) -> Measured:
    """A question and its hand-written SQL, in turns. The CPU counts all threads, so it knows no other programs."""
    checked = check_aggregate(question.aggregate, store.schema)
    plans: list[float] = []
    times: dict[str, list[float]] = {"whole": [], "bare": [], "whole cpu": [], "bare cpu": []}

    def ask(connection: Connection) -> Any:
        took, plan = _timed(lambda: _planned(store, connection, checked))
        plans.append(took)
        statement, reader = plan
        return reader(connection.execute(statement).all())

    def note(name: str, function: Callable[[], Any]) -> Any:
        began = process_time()
        took, found = _timed(function)
        times[name].append(took)
        times[f"{name} cpu"].append((process_time() - began) * 1_000)
        return found

    gc.collect()
    for _ in range(turns):
        with store.reading() as connection:
            rows = note("whole", lambda c=connection: ask(c))  # type: ignore[misc]
            if bare:
                run = connection.exec_driver_sql
                expected = note("bare", lambda run=run: run(question.bare).fetchall())  # type: ignore[misc]
                assert len(rows) == len(expected), (question.name, len(rows), len(expected))
    lowest = {name: min(each, default=float("nan")) for name, each in times.items()}
    return Measured(min(plans), lowest["whole"], lowest["bare"], lowest["whole cpu"] / lowest["bare cpu"])


def _planned(store: Store, connection: Connection, checked: Aggregate) -> Any:
    plan = AggregatePlan(store, None, checked, {})
    statement = plan.limited(100_000)
    statement.compile(connection)
    return statement, plan.read


def main(facts: int = 1_000_000, smaller: int = 0, turns: int = 5) -> None:
    """Print the table."""
    others: dict[str, dict[str, float]] = {}
    for kind in ("sqlite", "postgresql") if smaller else ():
        with plain_store(kind, smaller) as store:
            others[kind] = {each.name: measure(store, each, 2, False).whole for each in QUESTIONS}
    print(f"{facts:,} facts on DuckDB" + f"; {smaller:,} on SQLite and PostgreSQL" * bool(smaller))
    print(
        "| question | planning, ms | ms | bare, ms | ratio | ratio of CPU |"
        + "".join(f" {kind}, ms |" for kind in others)
    )
    print("|---|---|---|---|---|---|" + "---|" * len(others))
    with mirror_store(facts) as store:
        for question in QUESTIONS:
            found = measure(store, question, turns, True)
            numbers = f"{found.plan:.1f} | {found.whole:.0f} | {found.bare:.0f} | {found.whole / found.bare:.2f}"
            more = "".join(f" {times[question.name]:,.0f} |" for times in others.values())
            print(f"| {question.name} | {numbers} | {found.cpu:.2f} |{more}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
