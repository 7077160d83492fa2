"""Stored cubes: what reading cells costs, and folding commits into them, beside the same questions about the facts.

    python -m tests.benchmarks.stored [FACTS] [SCENARIOS]

1,000,000 time entries and 100 scenarios by default, in SQLite. Milliseconds of one run; two servers' mirrors are asked
in turns, one with a stored cube and one without. In brackets are milliseconds of the processor.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

from sqlalchemy import select
from tests.benchmarks.mirror import DOCUMENT, fill_sqlite, timed

from callsheet.model.language.measures import parse_level, parse_measure
from callsheet.model.language.parser import parse_condition
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Create, Operation, Update
from callsheet.model.query import Select
from callsheet.model.question import Question
from callsheet.model.record import Identity
from callsheet.server.backend import ServiceBackend
from callsheet.server.service import Service

LEVELS = ("task.shot.project.name", "task.kind", "month(day)")
FOLDED = ("count", "sum(hours)", "average(hours)")
CUBES: dict[str, Any] = {
    "Cube": {
        "attributes": {
            "name": {"type": "string"},
            "table": {"type": "string"},
            "filter": {"type": "string"},
            "stored": {"type": "json"},
        }
    },
    "CubeHierarchy": {
        "attributes": {
            "name": {"type": "string"},
            "cube": {"type": "reference", "target": "Cube"},
            "levels": {"type": "json"},
            "sort": {"type": "integer"},
        }
    },
    "CubeMeasure": {
        "attributes": {
            "name": {"type": "string"},
            "cube": {"type": "reference", "target": "Cube"},
            "definition": {"type": "string"},
            "sort": {"type": "integer"},
        }
    },
}
SCHEMA = {**DOCUMENT, "types": {**DOCUMENT["types"], **CUBES}}


def cube(measures: tuple[str, ...]) -> tuple[Operation, ...]:
    """The creates of a stored cube."""
    of = Identity("Cube", "hours")
    made: list[Operation] = [Create(of, {"name": "Hours", "table": "TimeEntry", "stored": True})]
    for place, level in enumerate(LEVELS):
        levels = [{"name": f"L{place}", "level": level}]
        made.append(Create(Identity("CubeHierarchy", f"h{place}"), {"name": f"h{place}", "cube": of, "levels": levels}))
    for place, measure in enumerate(measures):
        values = {"name": f"m{place}", "cube": of, "definition": measure}
        made.append(Create(Identity("CubeMeasure", f"m{place}"), values))
    return tuple(made)


def asked(measures: tuple[str, ...], levels: tuple[str, ...], where: str | None = None, **options: Any) -> Aggregate:
    return Aggregate(
        Select("TimeEntry", where=None if where is None else parse_condition(where)),
        tuple(map(parse_measure, measures)),
        tuple(map(parse_level, levels)),
        **options,
    )


QUESTIONS = {
    "all cells": asked(FOLDED, LEVELS),
    "project x kind": asked(FOLDED, LEVELS[:2]),
    "month": asked(FOLDED[1:2], LEVELS[2:]),
    "one project, with totals": asked(FOLDED, LEVELS[1:], 'task.shot.project.name = "p3"', totals=True),
}


def in_turns(functions: list[Callable[[], Any]], times: int = 9) -> list[float]:
    """The medians of functions that are called in turns, so that all meet the same load."""
    for function in functions:
        function()
    found: list[list[float]] = [[] for _ in functions]
    for _ in range(times):
        for place, function in enumerate(functions):
            found[place].append(timed(function) * 1_000)
    return [median(each) for each in found]


def worked(function: Callable[[], Any], times: int = 9) -> float:
    """The milliseconds that the processor works for a call, in all threads."""
    began = process_time()
    for _ in range(times):
        function()
    return (process_time() - began) / times * 1_000


def visible(service: Service, commit: Callable[[], Any]) -> Callable[[], None]:
    """A commit, and a wait until the mirror has it."""

    def work() -> None:
        commit()
        assert service.mirror is not None
        with service.mirror.reading():
            pass

    return work


def questions(stored: ServiceBackend, facts: ServiceBackend) -> None:
    for name, aggregate in QUESTIONS.items():
        question = Question(aggregate, explain=True)
        answer = stored.ask([question])[0]
        assert "stored" in (answer.plan or {}), answer.plan
        assert len(answer.rows) == len(facts.ask([question])[0].rows)
        mine, theirs = in_turns([lambda q=question: stored.ask([q]), lambda q=question: facts.ask([q])])  # type: ignore[misc]
        own, other = (worked(lambda b=b, q=question: b.ask([q])) for b in (stored, facts))  # type: ignore[misc]
        print(f"{name}: {len(answer.rows):,} groups in {mine:.1f} ms [{own:.1f}]; facts {theirs:.1f} ms [{other:.1f}]")


def folds(services: list[Service], facts: int) -> None:
    with services[0].store.reading() as connection:
        table = services[0].store.tables["TimeEntry"]
        keys = list(connection.execute(select(table.c.id).limit(20_000)).scalars())
    number = iter(range(1_000_000))

    def commits(service: Service, rows: int) -> Callable[[], None]:
        def commit() -> None:
            place = next(number)
            changed = [Update(Identity("TimeEntry", key), {"hours": float(place % 97)}) for key in keys[:rows]]
            service.commit(ChangeSet(f"b{place}", tuple(changed)), "admin")

        return visible(service, commit)

    for rows in (1, 10_000):
        took = in_turns([commits(service, rows) for service in services], 7 if rows == 1 else 3)
        print(f"a commit of {rows:,} rows is made and visible after {took[0]:.0f} ms; without a cube {took[1]:.0f} ms")


def scenarios(backend: ServiceBackend, bare: ServiceBackend, keys: list[str], many: int) -> None:
    for base in (backend, bare):
        for number in range(many):
            base.call("scenarios.create", {"name": f"s{number}"})
            some = keys[number * 10 : number * 10 + 10]
            changed = [Update(Identity("TimeEntry", key), {"hours": 100.0}) for key in some]
            base.scenario(f"s{number}").commit(ChangeSet(f"s{number}", tuple(changed)))
    aggregate = QUESTIONS["project x kind"]
    one = Question(aggregate, scenario="s0")
    plain = Question(aggregate)
    took = in_turns([lambda: backend.ask([one]), lambda: backend.ask([plain]), lambda: bare.ask([one])], 7)
    print(f"one scenario: {took[0]:.1f} ms; the base {took[1]:.1f} ms; of the facts {took[2]:.1f} ms")
    axis = [Question(aggregate, scenario=f"s{number}") for number in range(many)]
    took = in_turns([lambda: backend.ask(axis), lambda: bare.ask(axis)], 3)
    print(f"{many} scenarios as one axis: {took[0]:.0f} ms; of the facts {took[1]:.0f} ms")


def main(facts: int, many: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        services = []
        for name in ("stored", "facts"):
            path = Path(folder) / f"{name}.db"
            Service.open(f"sqlite:///{path}", SCHEMA).close()
            fill_sqlite(path, facts)
            services.append(Service.open(f"sqlite:///{path}", analytics=True))
        try:
            backends = [service.backend("admin") for service in services]
            for backend in backends:
                backend.ask([Question(QUESTIONS["month"])])
            mirror = services[0].mirror
            assert mirror is not None
            built = timed(visible(services[0], lambda: services[0].commit(ChangeSet("cube", cube(FOLDED)), "admin")))
            print(f"{facts:,} facts; the cube is built in {built * 1_000:.0f} ms")
            questions(backends[0], backends[1])
            folds(services, facts)
            with services[0].store.reading() as connection:
                table = services[0].store.tables["TimeEntry"]
                keys = list(connection.execute(select(table.c.id).limit(many * 10)).scalars())
            scenarios(backends[0], backends[1], keys, many)
        finally:
            for service in services:
                service.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, int(sys.argv[2]) if len(sys.argv) > 2 else 100)
