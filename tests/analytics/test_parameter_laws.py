"""A measure times a parameter is what Python computes of each entity's value and the most specific rule, everywhere."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import callsheet
from callsheet import Session
from callsheet.measures import TOTAL, parameter

sys.path.insert(0, str(Path(__file__).parents[1] / "server"))

from databases import new_database

KEYS = {
    "Sequence": "context[Task].parent[Shot].parent[Sequence].name",
    "Work": "context[Task].name",
    "Billable": "is_billable",
    "Week": "week(start)",
}
WEEKS = (date(2026, 2, 23), date(2026, 3, 2))
#: For each log: sequence, shot, task, the bid of the task, whether it is billable, its week (None: no start), hours.
LOGS: list[tuple[str, str, str, float, bool | None, date | None, float]] = [
    (
        f"sq{n % 2}",
        f"sh{n % 3}",
        ("anim", "comp")[n % 5 % 2],
        float(n % 4 + 1),
        (True, False, None)[n % 7 % 3],
        None if n % 5 == 0 else WEEKS[n % 2],
        float(n % 6),
    )
    for n in range(24)
]
BIDS = {(sequence, shot, task): bid for sequence, shot, task, bid, *_ in reversed(LOGS)}
TEXTS = (
    st.sampled_from([None, "sq0", "sq1"]),
    st.sampled_from([None, "anim", "comp", "*x"]),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, *WEEKS]),
)
RULES = st.dictionaries(st.tuples(*TEXTS), st.sampled_from([0.0, 0.5, 2.0, 3.0, -7.0]), max_size=8)
LEVELS = ("Sequence", "Task", "Is billable")


@pytest.fixture(scope="module", params=["memory", "mirror", "postgres", "http"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A session on one kind of server, with time logs and a parameter table without rules."""
    kind = {"http": "file", "mirror": "memory"}.get(request.param, request.param)
    with new_database(kind, tmp_path_factory.mktemp("rates")) as url:
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


def filled(session: Session) -> Session:
    project, user = session.create("Project", {"name": "sintel"}), session.create("User", {"username": "u"})
    known: dict[Any, Any] = {}
    for sequence, shot, task, _, billable, week, hours in LOGS:
        above = known.setdefault(sequence, None) or session.create("Sequence", {"name": sequence, "parent": project})
        known[sequence] = above
        place = known.get((sequence, shot)) or session.create("Shot", {"name": shot, "parent": above})
        known[sequence, shot] = place
        key = (sequence, shot, task)
        found = known.get(key) or session.create("Task", {"name": task, "parent": place, "bid": BIDS[key]})
        known[key] = found
        start = None if week is None else f"{week.isoformat()}T12:00:00Z"
        log = {"context": found, "user": user, "duration": hours, "is_billable": billable, "start": start}
        session.create("Timelog", log)
    session.create_parameter_table("Rates", "Timelog", KEYS)
    session.create_parameter_table("Other", "Timelog", {"Work": KEYS["Work"]}, [({"Work": "anim"}, 4.0)])
    session.commit()
    cube = session.create_cube("Timelog", "Logs")
    m = cube.measures
    m["Hours"] = "sum(duration)"
    m["Cost"] = m["Hours"] * parameter("Rates")
    m["Per"] = m["Hours"] / parameter("Rates")
    m["Rate"] = "count * parameter(Rates)"
    m["Highest"] = "max(duration) * parameter(Rates)"
    m["Both"] = "(sum(duration) - 2 * count(duration)) * parameter(Rates) * parameter(Other) / 2"
    m["Bid"] = f"sum(context[Task].bid) * parameter(Other, {KEYS['Work']})"
    session.commit()
    return session


def brute(rules: dict[Any, float], here: tuple[Any, ...]) -> float | None:
    """The value of the most specific rule: more keys first, then those with the earlier keys."""
    held = [rule for rule in rules if all(text is None or text == value for text, value in zip(rule, here))]
    order = sorted(held, key=lambda rule: (-sum(text is not None for text in rule), [text is None for text in rule]))
    return rules[order[0]] if order else None


def numbers(rules: dict[Any, float], logs: list[Any]) -> dict[str, float | None]:
    """The measures of some logs."""
    rates = [brute(rules, (sequence, task, billable, week)) for sequence, _, task, _, billable, week, _ in logs]
    pairs = [(log, rate) for log, rate in zip(logs, rates) if rate is not None]
    other = {"anim": 4.0}
    keys = {log[:3] for log in logs}
    return {
        "Cost": math.fsum(log[6] * rate for log, rate in pairs),
        "Per": math.fsum(log[6] / rate for log, rate in pairs if rate),
        "Rate": math.fsum(rate for _, rate in pairs),
        "Highest": max((log[6] * rate for log, rate in pairs), default=None),
        "Both": math.fsum((log[6] - 2) * rate * 4.0 / 2 for log, rate in pairs if log[2] in other),
        "Bid": math.fsum(BIDS[key] * 4.0 for key in keys if key[2] in other),
    }


def write(session: Session, rules: dict[Any, float]) -> None:
    """Make these the rules, by as few changes as it takes."""
    table = session.parameters["Rates"]
    wanted = {tuple((key, text) for key, text in zip(KEYS, rule) if text is not None): rules[rule] for rule in rules}
    for each in table.rules:
        if each.coordinates not in [_texts(rule) for rule in wanted]:
            table.remove(each.coordinates)
    for rule, value in wanted.items():
        table.set(value, dict(rule))
    session.commit()


def _texts(rule: Any) -> dict[str, str]:
    shown = {True: "true", False: "false"}
    return {key: shown[text] if isinstance(text, bool) else str(text) for key, text in rule}


def check(found: Any, rules: dict[Any, float], logs: list[Any]) -> None:
    """Each row, totals included, has the numbers of its logs."""
    assert found
    places = {"Sequence": 0, "Shot": 1, "Task": 2, "Is billable": 4}
    for row in found:
        told_apart = [(row[level], at) for level, at in places.items() if row.get(level, TOTAL) is not TOTAL]
        cell = [log for log in logs if all(value == log[at] for value, at in told_apart)]
        for name, value in numbers(rules, cell).items():
            assert row[name] == (None if value is None else pytest.approx(value, abs=1e-9)), (name, row)


LAW = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate))
ASKED = given(RULES, RULES, st.lists(st.sampled_from(LEVELS), unique=True), st.booleans())


@settings(LAW, max_examples=3)
@ASKED
def test_cells_are_those_of_the_most_specific_rules(
    session: Session, rules: Any, other: Any, levels: list[str], billable: bool
) -> None:
    """In the present and in a scenario with rules of its own, at any levels, filtered, and in totals."""
    agree(session, rules, other, levels, billable)


@pytest.mark.deep
@settings(LAW, max_examples=60)
@ASKED
def test_cells_are_those_of_the_most_specific_rules_deeply(
    session: Session, rules: Any, other: Any, levels: list[str], billable: bool
) -> None:
    """The same law, with many more examples."""
    agree(session, rules, other, levels, billable)


def agree(session: Session, rules: Any, other: Any, levels: list[str], billable: bool) -> None:
    write(session, rules)
    if "what if" in session.scenarios:
        session.delete_scenario("what if")
    session.create_scenario("what if")
    with session.scenario("what if") as plan:
        write(plan, other)
    cube = session.cubes["Logs"]
    logs = [log for log in LOGS if not billable or log[4]]
    options: Any = {"levels": levels, "totals": True, "filter": "is_billable is true" if billable else None}
    measures = ("Cost", "Per", "Rate", "Highest", "Both", "Bid")
    found = cube.query(*measures, scenario=[None, "what if"], **options).to_rows()
    for scenario, held in ((None, rules), ("what if", other)):
        check([row for row in found if row["scenario"] == scenario], held, logs)
