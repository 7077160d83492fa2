"""An analyst's session beside bare SQL on the same rows: ``python -m tests.benchmarks.analysis [ROWS] [URL …]``.

A million tasks are generated as in `numbers`, and a session in the same process counts selections, computes cubes and
fetches grids of them: from the words of the analyst to Python's values. Printed are the medians of both in turns, and
their ratio.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path as FilePath
from tempfile import TemporaryDirectory
from typing import Any

from tests.benchmarks.numbers import DOCUMENT, MEDIANS, MONTHS, TURNS, compare, fill

from callsheet import Session
from callsheet.server.store.store import Store

GRID = (
    'SELECT t.name, t.bid, t.day, s.name, p.name, p.frames FROM "Task" t LEFT JOIN "Status" s ON s.id = t.status '
    'LEFT JOIN "Shot" p ON p.id = t.parent'
)


def main(rows: int, urls: list[str]) -> None:
    """Measure and print."""
    types = DOCUMENT["types"]
    document = {**DOCUMENT, "types": {**types, "Task": {**types["Task"], "belongs_to": "parent"}}}
    with TemporaryDirectory() as folder:
        for url in (f"sqlite:///{(FilePath(folder) / 'analysis.db').as_posix()}", *urls):
            store = Store.open(url, document, deadline=600)
            try:
                with store.reading() as connection:
                    kind = connection.dialect.name
                store.write(lambda connection, kind=kind: fill(connection, kind, rows))  # type: ignore[misc]
            finally:
                store.close()
            with Session(url, plugin_paths=False) as session:
                print(f"{kind}, {rows:,} tasks: an analyst's session beside bare SQL, medians of {TURNS} turns")
                _measure(session, kind)


def _measure(session: Any, kind: str) -> None:
    store = session._connection.service.store
    store.deadline = 600
    for title, ours, bare in _questions(session, MONTHS[kind], MEDIANS[kind]):
        compare(title, store, lambda _, ask=ours: ask(), *bare)  # type: ignore[misc]


def _questions(session: Any, month: str, median: str) -> list[tuple[str, Callable[[], Any], list[str]]]:
    """What is measured, as the analyst writes it and as SQL."""
    tasks, shots = session.tables["Task"], session.tables["Shot"]
    bid, few = tasks["bid"], tasks["bid"] < 7
    months = [tasks["status"], tasks["day"].month]
    wide = ["name", "bid", "day", "Status.name", "Shot.name", "Shot.frames"]
    return [
        ("count", tasks.count, ['SELECT count(*) FROM "Task"']),
        (
            "count of a selection, and of the shots above",
            few.count,
            ['SELECT count(*), count(DISTINCT parent) FROM "Task" WHERE bid < 7'],
        ),
        (
            "shots none of whose tasks are selected",
            tasks.none(few).count,
            ['SELECT count(*) FROM "Shot" s WHERE NOT EXISTS (SELECT 1 FROM "Task" WHERE parent = s.id AND bid < 7)'],
        ),
        (
            "cube: status by month, count and sum",
            lambda: tasks.cube(months, ["count", bid.sum()]).to_rows(),
            [
                f'SELECT s.name, {month} AS m, count(*), sum(bid) FROM "Task" t '
                'LEFT JOIN "Status" s ON s.id = t.status GROUP BY s.name, m ORDER BY s.name, m'
            ],
        ),
        ("cube: status by month, median", lambda: tasks.cube(months, [bid.median()]).to_rows(), [median.format(month)]),
        (
            "grid: 1,000 rows of three tables, and how many there are",
            lambda: tasks.datagrid(wide).to_rows(),
            [f"{GRID} ORDER BY t.id LIMIT 1000", 'SELECT count(*) FROM "Task"'],
        ),
        (
            "grid: all rows of a selection, of three tables",
            lambda: tasks.datagrid(wide, few, max_rows=None).to_rows(),
            [f"{GRID} WHERE t.bid < 7 ORDER BY t.id"],
        ),
        (
            "the dearest 1,000 tasks, and the shots above",
            shots.where(tasks.everything.limit(1_000, by="bid")).count,
            [
                'SELECT count(DISTINCT parent) FROM "Task" WHERE id IN '
                '(SELECT id FROM "Task" ORDER BY bid DESC, id LIMIT 1000)'
            ],
        ),
    ]


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, sys.argv[2:])
