"""What syncs cost, in requests: never one for a row."""

from __future__ import annotations

from typing import Any

import pytest

import callsheet
from callsheet import RowMapping, Session, SessionSide, Sync, TypePair

COUNT = 2_000
KEY = callsheet.external("tracker")
MAPPING = RowMapping({"name": "name", "in": "fstart"}, constants={"parent.name": "sintel"})


def rows(offset: int = 0) -> list[dict[str, Any]]:
    return [{"id": number, "name": f"sh{number:05}", "in": number + offset} for number in range(COUNT)]


@pytest.fixture(scope="module")
def linked() -> Any:
    """A session on a server with 2,000 linked shots and their bases."""
    with Session("memory:") as session:
        session.create("Project", {"name": "sintel"})
        session.commit()
        session.plan("Shot", rows(), KEY, MAPPING, conflicts="raise").apply()
        yield session


@pytest.mark.parametrize("policy", [None, "raise"])
def test_unchanged_rows_are_read_in_pages(linked: Session, policy: str | None) -> None:
    """Two requests for two thousand rows, which is 20 for 20,000, and one for what all of them refer to."""
    session = linked.fork()
    before = session.statistics.requests
    plan = session.plan("Shot", rows(), KEY, MAPPING, conflicts=policy)
    assert plan.is_empty
    assert len(plan.unchanged) == COUNT
    assert session.statistics.requests - before <= 2 * COUNT / 2_000 + 1


def test_adopting_costs_as_little(linked: Session) -> None:
    """Links of another system: ids, natural keys, and what is taken, each in pages."""
    session = linked.fork()
    before = session.statistics.requests
    key = callsheet.external("other")
    plan = session.plan("Shot", rows(), key, MAPPING, adopt=("parent.name", "name"))
    assert len(plan.linked) == COUNT
    assert session.statistics.requests - before <= 3 * COUNT / 2_000 + 1


def test_a_two_way_run_without_changes_costs_the_same_whatever_there_is() -> None:
    """Two requests to each side, and one to the registry."""
    mapping = [
        TypePair("Project", "Project", ["name"], adopt=["name"]),
        TypePair("Shot", "Shot", ["name", "parent", "fstart"], adopt=["parent", "name"]),
    ]
    with Session("memory:") as left, Session("memory:") as right:
        project = left.create("Project", {"name": "sintel"})
        for number in range(300):
            left.create("Shot", {"name": f"sh{number:03}", "parent": project})
        left.commit()
        sync = Sync(left, SessionSide(right, "mirror"), mapping)
        sync.plan().apply()
        sync.plan().apply()
        before = [left.statistics.requests, right.statistics.requests]
        assert sync.plan().is_empty
        assert [left.statistics.requests - before[0], right.statistics.requests - before[1]] == [3, 2]
        shot = left.query('Shot where name is "sh007"').one()
        shot["fstart"] = 1001
        left.commit()
        before = [left.statistics.requests, right.statistics.requests]
        assert [each.label for each in sync.plan().right] == ["sh007"]
        assert left.statistics.requests - before[0] <= 8
        assert right.statistics.requests - before[1] <= 4
