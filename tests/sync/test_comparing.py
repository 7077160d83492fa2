"""Rows of both sides compared: values that differ by name, one-way attributes, the later edit, and doubtful pairs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from callsheet import Carried, SideRow, TypePair
from callsheet.model.record import Identity
from callsheet.sync.registry import ForeignLink
from callsheet.sync.two_way.comparing import compared
from callsheet.sync.two_way.outcome import PairPlan
from callsheet.sync.two_way.terms import Pairs

EARLY, LATE = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)


def rows(*given: SideRow) -> dict[str, SideRow]:
    return {row.id: row for row in given}


def planned(pair: TypePair, left: Any, right: Any, base: dict[str, Any] | None = None) -> PairPlan:
    """The plan of a left row 1 and a right row a, linked where there is a base."""
    pairs = Pairs()
    if base is not None:
        pairs.add(ForeignLink("other", pair.right, "a", Identity(pair.left, "1"), base, 1))
    (plan,) = compared("other", pairs, [(pair, left, right)])
    return plan


STATUS = TypePair("Task", "Task", {"status": Carried("state", values={"In Progress": "wip", "Done": "done"})})


def test_values_have_their_names_on_each_side() -> None:
    """What stands for the same is the same; a new value is that of the left in the plan."""
    left, right = rows(SideRow("1", {"status": "In Progress"})), rows(SideRow("a", {"state": "wip"}))
    assert planned(STATUS, left, right, {"status": "In Progress"}).writes == ()
    done = rows(SideRow("a", {"state": "done"}))
    (write,) = planned(STATUS, left, done, {"status": "In Progress"}).writes
    assert (write.side, write.kind, write.values, write.before) == (
        "left",
        "update",
        {"status": "Done"},
        {"status": "In Progress"},
    )


@pytest.mark.parametrize(
    ("left", "right", "kept"), [(EARLY, LATE, "right"), (LATE, EARLY, "left"), (LATE, LATE, ""), (None, LATE, "")]
)
def test_the_later_edit_stands(left: Any, right: Any, kept: str) -> None:
    """Of two edits of one moment, or of a moment that is not known, none does."""
    pair = TypePair("Shot", "Shot", ["name"], conflicts="newest")
    plan = planned(
        pair, rows(SideRow("1", {"name": "l"}, left)), rows(SideRow("a", {"name": "r"}, right)), {"name": "b"}
    )
    assert [each.kept for each in plan.overridden] == ([kept] if kept else [])
    assert len(plan.conflicts) == (not kept)
    other = {"left": "right", "right": "left"}
    assert [write.side for write in plan.writes] == ([other[kept]] if kept else [])


@pytest.mark.parametrize(("only", "value"), [("right", "l"), ("left", "r")])
def test_an_attribute_may_go_one_way_only(only: str, value: str) -> None:
    """One side is written, and an edit there is listed as overridden."""
    pair = TypePair("Shot", "Shot", {"name": Carried("name", only=only)})
    plan = planned(pair, rows(SideRow("1", {"name": "l"})), rows(SideRow("a", {"name": "r"})), {"name": "b"})
    assert [(write.side, write.values) for write in plan.writes] == [(only, {"name": value})]
    assert len(plan.overridden) == 1


def test_rows_that_may_be_pairs_of_several_are_refused() -> None:
    """All of them, with the reason, and nothing is made of them; others are paired and made."""
    pair = TypePair("Shot", "Shot", ["name"], adopt=["name"])
    left = rows(*(SideRow(id, {"name": name}, label=name) for id, name in (("1", "x"), ("2", "x"), ("3", "y"))))
    right = rows(*(SideRow(id, {"name": name}, label=name) for id, name in (("a", "x"), ("b", "y"), ("c", "z"))))
    plan = planned(pair, left, right)
    assert [(each.left, each.right) for each in plan.linked] == [("3", "b")]
    assert [(write.side, write.label) for write in plan.writes] == [("left", "z")]
    assert sorted((each.left or "", each.right or "") for each in plan.refused) == [("", "a"), ("1", ""), ("2", "")]
    assert {each.reason for each in plan.refused} == {
        "2 rows of the left and 1 of the other side have the name 'x'",
        "1 rows of the right and 2 of the other side have the name 'x'",
    }


def test_an_attribute_that_a_row_does_not_give_takes_no_part() -> None:
    """It is neither compared nor emptied."""
    pair = TypePair("Shot", "Shot", ["name", "note"])
    left, right = rows(SideRow("1", {"name": "n"})), rows(SideRow("a", {"name": "n", "note": "x"}))
    plan = planned(pair, left, right, {"name": "n", "note": "old"})
    assert (plan.writes, plan.conflicts, plan.unchanged) == ((), (), 1)
