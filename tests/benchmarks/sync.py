"""Bringing rows in beside doing the same by hand, in one run: ``python -m tests.benchmarks.sync [ROWS]``.

A server in a process of its own answers over HTTP. In turns, new rows are created by hand and by a plan, and unchanged
rows are planned and their columns read as plain records. Printed are the medians, their ratios, and the requests.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

from callsheet import RowMapping, Session, serve

TURNS = 5
KEY = ("project.name", "parent.name", "name")
COLUMNS = {"Shot": "name", "Seq": "parent.name", "In": "fstart", "Text": "description"}


def main(count: int) -> None:
    """Measure and print."""
    with serve() as server, Session(server.url, "admin", server.admin_key) as session:
        by_hand, by_plan, requests = [], [], 0
        for turn in range(TURNS):
            for project in (f"hand {turn}", f"plan {turn}"):
                created = session.create("Project", {"name": project})
                for number in range(20):
                    session.create("Sequence", {"name": f"sq{number:02}", "parent": created})
            session.commit()
            by_hand.append(_seconds(lambda turn=turn: _create(session.fork(), f"hand {turn}", count)))  # type: ignore[misc]
            before = session.statistics.requests
            by_plan.append(_seconds(lambda turn=turn: _plan(session, f"plan {turn}", count).apply()))  # type: ignore[misc]
            requests = session.statistics.requests - before
        _print(f"{count:,} new rows: plan and apply, beside create and commit", by_plan, by_hand, requests)
        planned, read = [], []
        for _ in range(TURNS):
            before = session.statistics.requests
            planned.append(_seconds(lambda: _plan(session, "plan 0", count)))
            requests = session.statistics.requests - before
            read.append(_seconds(lambda: _read(session, "plan 0")))
        _print(f"{count:,} unchanged rows: plan, beside reading the columns", planned, read, requests)


def _seconds(function: Callable[[], Any]) -> float:
    start = perf_counter()
    function()
    return perf_counter() - start


def _rows(count: int) -> list[dict[str, Any]]:
    return [
        {"Shot": f"sh{number:06}", "Seq": f"sq{number % 20:02}", "In": number, "Text": f"shot {number}"}
        for number in range(count)
    ]


def _create(session: Session, project: str, count: int) -> None:
    found = session.query(f'Sequence where parent.name is "{project}"')
    sequences = {sequence["name"]: sequence for sequence in found}
    for row in _rows(count):
        values = {"name": row["Shot"], "parent": sequences[row["Seq"]], "fstart": row["In"], "description": row["Text"]}
        session.create("Shot", values)
    session.commit()


def _plan(session: Session, project: str, count: int) -> Any:
    return session.plan("Shot", _rows(count), KEY, RowMapping(COLUMNS, {"project.name": project}))


def _read(session: Session, project: str) -> None:
    text = "select name, parent.name, fstart, description, project.name from Shot"
    for _ in session.query(f'{text} where project.name is "{project}"').records():
        pass


def _print(title: str, ours: list[float], theirs: list[float], requests: int) -> None:
    one, other = median(ours), median(theirs)
    print(f"{title}: {one / other:.2f}x ({one:.2f} s and {other:.2f} s, medians of {TURNS} turns), {requests} requests")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
