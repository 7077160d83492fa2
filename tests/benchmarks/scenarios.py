"""What scenarios cost: made, written, and read beside the base, with nothing, 10 or 1,000 entities changed.

    python -m tests.benchmarks.scenarios [--facts 100000] [--database URL] [--mirror]

Prints milliseconds of one run, and ratios of a scenario's query to the base's. ``--axis`` is how many scenarios are
asked as one axis, by one request.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from callsheet.model.language.parser import parse
from callsheet.model.measure import Aggregate, AggregateFunction
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.query import Path as AttributePath
from callsheet.model.query import Select, Step
from callsheet.model.question import Question
from callsheet.model.record import Identity
from callsheet.server.backend import ServiceBackend
from callsheet.server.service import Service

SCHEMA: dict[str, Any] = {
    "types": {
        "Project": {"attributes": {"name": {"type": "string"}}},
        "Shot": {"attributes": {"name": {"type": "string"}, "project": {"type": "reference", "target": "Project"}}},
        "Task": {
            "attributes": {
                "name": {"type": "string", "indexed": True},
                "bid": {"type": "number"},
                "shot": {"type": "reference", "target": "Shot"},
            }
        },
    }
}
PER_COMMIT = 20_000


def path(text: str) -> AttributePath:
    return AttributePath(tuple(Step(name) for name in text.split(".")))


QUERIES: dict[str, Aggregate] = {
    "sum by name": Aggregate(Select("Task"), (AggregateFunction("sum", path("bid")),), (path("name"),)),
    "sum by project": Aggregate(Select("Task"), (AggregateFunction("sum", path("bid")),), (path("shot.project.name"),)),
    "count": Aggregate(Select("Task")),
}


def fill(service: Service, facts: int) -> None:
    """Ten projects, a shot for a hundred tasks, and the tasks."""
    shots = max(1, facts // 100)
    operations: list[Operation] = [Create(Identity("Project", f"p{n}"), {"name": f"p{n}"}) for n in range(10)]
    for n in range(shots):
        values = {"name": f"s{n}", "project": Identity("Project", f"p{n % 10}")}
        operations.append(Create(Identity("Shot", f"s{n}"), values))
    for n in range(facts):
        values = {"name": f"n{n % 50}", "bid": float(n % 7), "shot": Identity("Shot", f"s{n % shots}")}
        operations.append(Create(Identity("Task", f"t{n}"), values))
    for start in range(0, len(operations), PER_COMMIT):
        service.commit(ChangeSet(f"fill{start}", tuple(operations[start : start + PER_COMMIT])), "admin")


def edits(number: int, facts: int, shots: bool = False, new: str = "new") -> tuple[Operation, ...]:
    """Changed bids, a tenth of them deleted, a tenth new ones; and a shot of another project."""
    found: list[Operation] = []
    step, place = max(1, facts // max(1, number)), Identity("Shot", "s0")
    for n in range(number):
        key = Identity("Task", f"t{n * step}")
        if n % 10 == 3:
            found.append(Delete(key))
        elif n % 10 == 7:
            found.append(Create(Identity("Task", f"{new}{n}"), {"name": "new", "bid": 1.0, "shot": place}))
        else:
            found.append(Update(key, {"bid": 100.0}))
    if shots:
        found.append(Update(place, {"project": Identity("Project", "p9")}))
    return tuple(found)


def milliseconds(function: Callable[[], object], times: int = 7) -> float:
    """The median of some runs, after one that warms up."""
    function()
    found = []
    for _ in range(times):
        began = perf_counter()
        function()
        found.append(perf_counter() - began)
    return median(found) * 1_000


def in_turns(first: Callable[[], object], second: Callable[[], object], times: int = 9) -> tuple[float, float]:
    """The medians of two functions that are called in turns, so that both meet the same load."""
    first(), second()
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(times):
        for function, took in zip((first, second), found):
            began = perf_counter()
            function()
            took.append(perf_counter() - began)
    return median(found[0]) * 1_000, median(found[1]) * 1_000


def measure(base: ServiceBackend, facts: int, axis: int) -> None:
    """Print all figures of one database."""
    number = iter(range(10_000))
    made = milliseconds(lambda: base.call("scenarios.create", {"name": f"empty {next(number)}"}))
    print(f"create: {made:.1f} ms")
    for count, shots in ((0, False), (10, False), (1_000, False), (1_000, True), (5_000, False)):
        title = f"{count} edits{' and a shot' if shots else ''}"
        inside = scenario(base, title)
        if count:
            changes = ChangeSet(title, edits(count, facts, shots))
            print(f"{title}: committed into the scenario in {once(inside, changes):.0f} ms")
        for name, ask in ASKED.items():
            compare(f"{title}: {name}", ask, base, inside)
    above = scenario(base, "on it", "1000 edits")
    above.commit(ChangeSet("on it", edits(13, facts - 1, new="above")))
    compare("1000 edits and 13 on it: sum by name", ASKED["sum by name"], base, above)
    for n in range(axis):
        scenario(base, f"axis {n}").commit(ChangeSet(f"axis {n}", edits(10, facts)))
    for title in ("sum by name", "sum by project"):
        asked = [Question(QUERIES[title], scenario=f"axis {n}") for n in range(axis)]
        took = milliseconds(lambda asked=asked: base.ask(asked), 3)  # type: ignore[misc]
        print(f"{axis} scenarios as one axis, {title}: {took:.0f} ms")


def scenario(base: ServiceBackend, name: str, origin: str | None = None) -> ServiceBackend:
    """A backend in a new scenario."""
    base.call("scenarios.create", {"name": name, "origin": origin})
    return base.scenario(name)


def once(inside: ServiceBackend, changes: ChangeSet) -> float:
    """The milliseconds of a commit."""
    began = perf_counter()
    inside.commit(changes)
    return (perf_counter() - began) * 1_000


def _asking(aggregate: Aggregate) -> Callable[[ServiceBackend], object]:
    return lambda backend: backend.ask([Question(aggregate)])


def _selecting(text: str) -> Callable[[ServiceBackend], object]:
    select = parse(text)
    return lambda backend: backend.select(select, 100)


ASKED: dict[str, Callable[[ServiceBackend], object]] = {
    **{title: _asking(aggregate) for title, aggregate in QUERIES.items()},
    "page of 100": _selecting('Task where name is "n3" order by name limit 100'),
    "one by key": _selecting('Task where id is "t5"'),
    "by the name of its shot": _selecting('Task where shot.name is "s5" limit 100'),
}


def compare(title: str, ask: Callable[[ServiceBackend], object], base: ServiceBackend, inside: ServiceBackend) -> None:
    """Print a question's milliseconds in the base and in a scenario, and their ratio."""
    plain, over = in_turns(lambda: ask(base), lambda: ask(inside))
    print(f"{title}: {plain:.2f} ms, in the scenario {over:.2f} ms: {over / plain:.2f} times")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, default=100_000)
    parser.add_argument("--database")
    parser.add_argument("--mirror", action="store_true")
    parser.add_argument("--axis", type=int, default=100)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        url = given.database or f"sqlite:///{(Path(folder) / 'scenarios.db').as_posix()}"
        with Service.open(url, SCHEMA, analytics=given.mirror) as service:
            fill(service, given.facts)
            measure(service.backend("admin"), given.facts, given.axis)


if __name__ == "__main__":
    main()
