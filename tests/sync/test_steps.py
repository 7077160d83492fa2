"""The operations of a plan stand in an order in which each refers only to what exists."""

from __future__ import annotations

from itertools import permutations

import pytest

from callsheet.model.operation import Create, Update
from callsheet.model.record import Identity
from callsheet.sync.steps import Addition, operations

X, Y, Z = (Identity("Thing", name) for name in "xyz")
CIRCLE = [Addition(1, ("x",), X, {"need": Y}), Addition(2, ("y",), Y, {"may": Z}), Addition(3, ("z",), Z, {"need": X})]


@pytest.mark.parametrize("rows", list(permutations(CIRCLE)))
def test_a_circle_is_opened_where_a_reference_may_wait(rows: tuple[Addition, ...]) -> None:
    """Whichever row comes first, what is required is there from the beginning."""
    made = operations(rows, (), (), lambda identity, name: name == "need")
    assert [(type(each), each.identity) for each in made] == [(Create, Y), (Create, X), (Create, Z), (Update, Y)]
    assert [dict(each.values) for each in made] == [
        {}, {"need": Y}, {"need": X}, {"may": Z},
    ]  # fmt: skip


@pytest.mark.parametrize("rows", list(permutations(CIRCLE[:2])))
def test_without_a_circle_nothing_waits(rows: tuple[Addition, ...]) -> None:
    """One create for each, after what it refers to."""
    last = Addition(3, ("z",), Z, {})
    made = operations((*rows, last), (), (), lambda identity, name: name == "need")
    assert [(type(each), each.identity) for each in made] == [(Create, Z), (Create, Y), (Create, X)]
