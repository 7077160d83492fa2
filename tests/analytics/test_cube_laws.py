"""Any question about a cube has the numbers that Python computes of the entities, on every engine and over HTTP."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import callsheet
from callsheet import Session
from callsheet.measures import TOTAL
from callsheet.model.periods import first_day

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))

from databases import new_database

START = datetime(2026, 2, 23, 9, tzinfo=UTC)
#: For each log: sequence, shot, task, its bid, the day of the log (None: no day), and its hours.
LOGS = [
    (f"sq{n % 2}", f"sh{n % 3}", ("anim", "comp")[n % 5 % 2], float(n % 4 + 1), None if n % 7 == 0 else n, float(n % 6))
    for n in range(30)
]
BIDS = {(sequence, shot, task): bid for sequence, shot, task, bid, _, _ in reversed(LOGS)}
LEVELS = ("Sequence", "Shot", "Task", "Week", "Month", "Is billable")
ABOVE = {"Sequence": ["Project"], "Shot": ["Project", "Sequence"], "Task": ["Project", "Sequence", "Shot"]}


def rows() -> list[dict[str, Any]]:
    """What each log is at the levels, and its numbers."""
    found = []
    for number, (sequence, shot, task, _, day, hours) in enumerate(LOGS):
        at = None if day is None else (START + timedelta(days=day)).date()
        banded: dict[str, date | None] = {
            name: None if at is None else first_day(at, name.lower()) for name in ("Week", "Month")
        }
        found.append(
            {
                "Project": "sintel",
                "Sequence": sequence,
                "Shot": shot,
                "Task": task,
                **banded,
                "Is billable": number % 3 > 0,
                "hours": hours,
                "key": (sequence, shot, task),
            }
        )
    return found


NUMBERS: dict[str, Any] = {
    "Logs": len,
    "Hours": lambda found: math.fsum(each["hours"] for each in found),
    "Mean": lambda found: math.fsum(each["hours"] for each in found) / len(found) if found else None,
    "Bid": lambda found: math.fsum(BIDS[key] for key in {each["key"] for each in found}),
}
NUMBERS["Burn"] = lambda found: NUMBERS["Hours"](found) / NUMBERS["Bid"](found) if NUMBERS["Bid"](found) else None
FILTERS: dict[str, Any] = {
    "": lambda row: True,
    "duration > 2": lambda row: row["hours"] > 2,
    "is_billable is true": lambda row: row["Is billable"],
    'context[Task].parent.name is "sh1"': lambda row: row["Shot"] == "sh1",
}


@pytest.fixture(scope="module", params=["memory", "mirror", "postgres", "http"])
def cube(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A cube of time logs, on one kind of server."""
    kind = {"http": "file", "mirror": "memory"}.get(request.param, request.param)
    with new_database(kind, tmp_path_factory.mktemp("cube")) as url:
        if request.param == "http":
            with callsheet.serve("production", url, admin_key="the key of these tests") as server:
                options: Any = {"schema_cache": False, "plugin_paths": False}
                with Session(server.url, api_key="the key of these tests", **options) as session:
                    yield filled(session)
        elif request.param == "mirror":
            pytest.importorskip("duckdb")
            from callsheet.server.service import Service
            from callsheet.testing import session_on

            options = {"administrator": False, "analytics": True}
            with Service.open(url, "production", **options) as service, session_on(service, "anna") as session:
                yield filled(session)
        else:
            with Session(url) as session:
                yield filled(session)


def filled(session: Session) -> Any:
    project, user = session.create("Project", {"name": "sintel"}), session.create("User", {"username": "u"})
    known: dict[Any, Any] = {}
    for number, (sequence, shot, task, _, day, hours) in enumerate(LOGS):
        above = known.setdefault(sequence, None) or session.create("Sequence", {"name": sequence, "parent": project})
        known[sequence] = above
        place = known.get((sequence, shot)) or session.create("Shot", {"name": shot, "parent": above})
        known[sequence, shot] = place
        key = (sequence, shot, task)
        found = known.get(key) or session.create("Task", {"name": task, "parent": place, "bid": BIDS[key]})
        known[key] = found
        start = None if day is None else START + timedelta(days=day)
        log = {"context": found, "user": user, "duration": hours, "is_billable": number % 3 > 0, "start": start}
        session.create("Timelog", log)
    session.commit()
    cube = session.create_cube("Timelog", "Logs")
    m = cube.measures
    m["Logs"], m["Hours"], m["Mean"] = "count", "sum(duration)", "mean(duration)"
    m["Bid"] = "sum(context[Task].bid)"
    m["Burn"] = m["Hours"] / m["Bid"]
    return cube


QUESTIONS = st.tuples(
    st.lists(st.sampled_from(sorted(NUMBERS)), min_size=1, max_size=3, unique=True),
    st.lists(st.sampled_from(LEVELS), max_size=3, unique=True),
    st.sampled_from(sorted(FILTERS)),
    st.booleans(),
)


@given(QUESTIONS)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_question_has_the_numbers_of_python(cube: Any, question: Any) -> None:
    """Each owner counts once in a cell, totals are of the entities, and ratios are of sums."""
    numbers, levels, text, totals = question
    shown = list(dict.fromkeys(name for level in levels for name in (*ABOVE.get(level, ()), level)))
    facts = [row for row in rows() if FILTERS[text](row)]
    expected: dict[Any, list[Any]] = {}
    for size in range(len(shown) if totals and shown else 0, -1, -1) if totals else [len(shown)]:
        groups: dict[Any, list[Any]] = {} if size else {(TOTAL,) * len(shown): []}
        for row in facts:
            key = tuple(row[name] if place < size else TOTAL for place, name in enumerate(shown))
            groups.setdefault(key, []).append(row)
        expected |= {key: [NUMBERS[name](found) for name in numbers] for key, found in groups.items()}
    frame = cube.query(*numbers, levels=levels, filter=text or None, totals=totals)
    assert frame.dimensions == tuple(shown)
    found = {tuple(row[name] for name in shown): [row[name] for name in numbers] for row in frame}
    assert len(found) == len(frame)
    assert set(found) == set(expected)
    for key, values in expected.items():
        assert found[key] == pytest.approx(values), key
