"""A stored cube has what is computed anew from the facts: after any commits, undos and restarts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from databases import new_database
from hypothesis import given, settings
from stored_world import (
    LEVELS,
    QUESTIONS,
    SCHEMA,
    agree,
    asked,
    commits,
    cube,
    identity,
    operations,
    question,
    recomputed,
    undo,
)

from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.question import Question
from callsheet.model.record import Identity
from callsheet.server.backend import ServiceBackend
from callsheet.server.limits import Limits
from callsheet.server.service import Service

Edits = list[list[tuple[str, str, int, dict[str, Any]]]]

ENTRIES = (
    Create(identity("Project", 0), {"name": "p0"}),
    Create(identity("Shot", 0), {"name": "s0", "project": identity("Project", 0)}),
    Create(identity("Task", 0), {"kind": "anim", "bid": 2.0, "shot": identity("Shot", 0)}),
    Create(identity("Entry", 0), {"hours": 0.1, "day": "2026-01-31", "task": identity("Task", 0)}),
    Create(identity("Entry", 1), {"hours": 0.2, "day": "2026-02-01", "task": identity("Task", 0)}),
)


def check(service: Service, backend: ServiceBackend, stored: str = "Hours") -> None:
    """All questions are answered from cells, as they are from the facts."""
    found, right = asked(backend), recomputed(service, backend)
    for name in QUESTIONS:
        plan = found[name].plan or {}
        assert plan.get("stored") == stored, (name, plan.get("not_stored"))
        assert "stored" not in (right[name].plan or {})
        agree(found[name], right[name])


def holds(url: str, given: Edits) -> None:
    """The law for one series of commits; the last one is undone."""
    with Service.open(url, SCHEMA, analytics=True) as service:
        backend = service.backend("admin")
        service.commit(ChangeSet("cube", tuple(cube("Hours"))), "admin")
        there: set[Identity] = set()
        check(service, backend)
        for number, edits in enumerate(given):
            position = service.commit(ChangeSet(f"c{number}", tuple(operations(edits, there))), "admin").position
            check(service, backend)
        undo(service, position)
        check(service, backend)
        assert service.mirror is not None
        assert service.mirror.copies == 1


def test_cells_equal_the_facts_after_any_commits() -> None:
    """Groups, order, numbers, totals, conditions and shares."""

    @settings(max_examples=2, deadline=None)
    @given(commits)
    def law(given: Edits) -> None:
        holds("memory:", given[:2])

    law()


@pytest.mark.deep
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("kind", ["memory", "postgres"])
def test_cells_equal_the_facts_after_many_commits(kind: str, tmp_path: Path) -> None:
    """The same law, for longer."""

    @settings(max_examples=60 if kind == "memory" else 15, deadline=None)
    @given(commits)
    def law(given: Edits) -> None:
        with new_database(kind, tmp_path) as url:
            holds(url, given)

    law()


def test_a_change_on_the_way_moves_facts_to_other_cells() -> None:
    """A project renamed, a shot moved, a task deleted; and a cube that is changed, undone and not stored any more."""
    with Service.open("memory:", SCHEMA, analytics=True) as service:
        backend = service.backend("admin")
        made = (*ENTRIES, Create(identity("Project", 1), {"name": "p1"}), *cube("Hours"))
        service.commit(ChangeSet("a", made), "admin")
        check(service, backend)
        changes: tuple[Operation, ...] = (
            Update(identity("Project", 0), {"name": "other"}),
            Update(identity("Shot", 0), {"project": identity("Project", 1)}),
            Update(identity("Task", 0), {"bid": 9.0, "kind": None}),
            Delete(identity("Shot", 0)),
            Delete(identity("Entry", 1)),
        )
        for number, change in enumerate(changes):
            service.commit(ChangeSet(f"b{number}", (change,)), "admin")
            check(service, backend)
        measure = Identity("CubeMeasure", "Hours-m2")
        position = service.commit(ChangeSet("c", (Update(measure, {"definition": "sum(frames)"}),)), "admin").position
        answer = asked(backend)["all levels"]
        assert "stored" not in (answer.plan or {})
        undo(service, position)
        check(service, backend)
        service.commit(ChangeSet("d", (Update(Identity("Cube", "Hours"), {"stored": None}),)), "admin")
        assert not {"stored", "not_stored"} & (asked(backend)["all levels"].plan or {}).keys()


def test_cells_outlive_the_server_and_a_mirror_that_is_deleted(tmp_path: Path) -> None:
    """After a restart they go on; without its file, the mirror makes them again."""
    url = f"sqlite:///{(tmp_path / 'a.db').as_posix()}"
    for number in range(3):
        with Service.open(url, SCHEMA, analytics=True) as service:
            backend = service.backend("admin")
            if number == 0:
                service.commit(ChangeSet("a", (*ENTRIES, *cube("Hours"))), "admin")
            else:
                check(service, backend)
                assert service.mirror is not None
                assert service.mirror.copies == number - 1
            change = Update(identity("Entry", 0), {"hours": float(number)})
            service.commit(ChangeSet(f"b{number}", (change,)), "admin")
            check(service, backend)
        if number == 1:
            shutil.rmtree(tmp_path / "a.db.mirror")


def plan_of(backend: ServiceBackend, aggregate: Any) -> dict[str, Any]:
    return dict(backend.ask([Question(aggregate, explain=True)])[0].plan or {})


def test_what_cells_cannot_answer_is_answered_from_the_facts() -> None:
    """Each with its reason: levels, conditions and functions that are not kept, and what is not of whole cells."""
    with Service.open("memory:", SCHEMA, analytics=True) as service:
        backend = service.backend("admin")
        kept = cube("Hours", LEVELS[:2], ("sum(hours)", "distinct(task)"), where="open = true")
        service.commit(ChangeSet("a", (*ENTRIES, *kept)), "admin")
        condition = "open = true"
        reasons = {
            "filter that the question does not have": question(("sum(hours)",), LEVELS[:1]),
            "`month(day)` is no level": question(("sum(hours)",), LEVELS, condition),
            "not about levels": question(("sum(hours)",), (), f"{condition} and hours > 1"),
            "`sum` of what it is about is not kept": question(("sum(frames)",), (), condition),
            "`distinct` of several cells": question(("distinct(task)",), LEVELS[:1], condition),
        }
        for reason, aggregate in reasons.items():
            assert reason in plan_of(backend, aggregate)["not_stored"]
        assert plan_of(backend, question(("distinct(task)",), LEVELS[:2], condition))["stored"] == "Hours"
        assert plan_of(backend, question(("sum(hours)",), LEVELS[:1], condition))["stored"] == "Hours"


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ({"levels": ["task.shot.tags.name"]}, "through a collection"),
        ({"measures": ["sum(nothing)"]}, "nothing"),
        ({"where": "day > now(-7 days)"}, "depends on the time"),
        ({"stored": {"levels": ["Nowhere"]}}, "no level `Nowhere`"),
        ({"stored": {"levels": "L0"}}, "list of names"),
        ({"stored": [1]}, "table"),
        ({"levels": []}, "no levels"),
        ({"table": "Nothing"}, "Nothing"),
    ],
)
def test_a_cube_that_cannot_be_kept_says_why(broken: dict[str, Any], reason: str) -> None:
    """It disturbs neither the feed nor another cube."""
    with Service.open("memory:", SCHEMA, analytics=True) as service:
        backend = service.backend("admin")
        options = {"measures": ("sum(hours)",), **broken}
        service.commit(ChangeSet("a", (*ENTRIES, *cube("Broken", **options))), "admin")
        plan = plan_of(backend, question(("sum(hours)",), LEVELS[:1]))
        assert reason in plan["not_stored"]
        service.commit(ChangeSet("b", tuple(cube("Whole", measures=("sum(hours)",)))), "admin")
        assert plan_of(backend, question(("sum(hours)",), LEVELS[:1]))["stored"] == "Whole"


def test_limits_leave_the_facts_to_answer() -> None:
    """Too many cells, too many cubes, numbers that cannot be added exactly: each is said; the feed goes on."""
    with Service.open("memory:", SCHEMA, analytics=True, limits=Limits(stored_cells=1, stored_cubes=1)) as service:
        backend = service.backend("admin")
        large, small = cube("Large", measures=("sum(hours)",)), cube("Small", LEVELS[:1], ("sum(hours)",))
        service.commit(ChangeSet("a", (*ENTRIES, *large)), "admin")
        by_month, by_project = question(("sum(hours)",)), question(("sum(hours)",), LEVELS[:1])
        assert "2 cells, more than 1" in plan_of(backend, by_month)["not_stored"]
        service.commit(ChangeSet("b", tuple(small)), "admin")
        assert plan_of(backend, by_project)["stored"] == "Small"
        service.commit(ChangeSet("c", tuple(cube("Third", LEVELS[1:2], ("sum(hours)",)))), "admin")
        assert "1 stored cubes already" in plan_of(backend, by_month)["not_stored"]
        service.commit(ChangeSet("d", (Update(identity("Entry", 0), {"hours": 1e300}),)), "admin")
        assert "cannot be computed" in plan_of(backend, by_project)["not_stored"]
        answer = backend.ask([Question(by_project)])[0]
        assert answer.rows == [("p0", 1e300)]
        assert answer.position == 4


def test_a_scenario_is_answered_from_its_own_facts() -> None:
    """The cells are of the base; they do not hide what a scenario changes, and do not show it to the base."""
    with Service.open("memory:", SCHEMA, analytics=True) as service:
        base = service.backend("admin")
        service.commit(ChangeSet("a", (*ENTRIES, *cube("Hours", measures=("sum(frames)",)))), "admin")
        base.call("scenarios.create", {"name": "one"})
        inside = base.scenario("one")
        inside.commit(ChangeSet("b", (Update(identity("Entry", 0), {"frames": 7}),)))
        sums = question(("sum(frames)",), LEVELS[:1])
        answers = base.ask([Question(sums, scenario=name, explain=True) for name in ("one", None)])
        assert [answer.rows for answer in answers] == [[("p0", 7)], [("p0", 0)]]
        assert ["stored" in (answer.plan or {}) for answer in answers] == [False, True]


def test_a_restricted_account_gets_the_sums_of_what_it_may_see() -> None:
    """Cells of all are not read for it, and the explanation does not name the cube."""
    with Service.open("memory:", SCHEMA, analytics=True) as service:
        service.commit(ChangeSet("a", (*ENTRIES, *cube("Hours"))), "admin")
        service.accounts.add("guest", "reader", None)
        service.roles.add("entries", ["read:Entry"])
        service.accounts.add("partly", "entries", None)
        sums = question(("sum(hours)", "count"), LEVELS[:1])
        whole = service.backend("guest").ask([Question(sums, explain=True)])[0]
        assert (whole.plan or {})["stored"] == "Hours"
        part = service.backend("partly").ask([Question(sums, explain=True)])[0]
        assert "stored" not in (part.plan or {})
        assert "Hours" not in str((part.plan or {})["not_stored"])
        assert [row[0] for row in part.rows] == [None]
        assert [row[0] for row in whole.rows] == ["p0"]
