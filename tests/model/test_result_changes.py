"""Changes of results lead from the rows that a reader has to the newer ones, in the same order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from callsheet.model.measure import TOTAL
from callsheet.model.watching import ResultChange, Rows, difference, digest_of, folded

MEMBERS = st.sampled_from([None, TOTAL, "a", "b", 1])


@st.composite
def results(draw: st.DrawFn) -> tuple[int, list[Rows]]:
    """The number of levels, and some results in which each combination of members occurs once, in any order."""
    levels = draw(st.integers(0, 2))
    cells = st.lists(st.tuples(*[MEMBERS] * levels), unique=True, max_size=6)
    found = []
    for _ in range(draw(st.integers(1, 4))):
        numbers = st.integers(0, 2) | st.none()
        found.append([(*cell, draw(numbers), draw(numbers)) for cell in draw(cells)])
    return levels, found


@given(results())
def test_who_folds_every_difference_has_the_newest_rows(given_results: tuple[int, list[Rows]]) -> None:
    """In their order, whatever was added, changed, removed or moved."""
    levels, found = given_results
    here: Rows = []
    for position, rows in enumerate(found):
        changed, places, gone = difference(levels, here, rows)
        here = folded(levels, here, ResultChange(position + 1, changed, "", position, places, gone))
        assert here == rows
        assert digest_of(here) == digest_of(rows)


@given(results())
def test_a_difference_names_nothing_that_is_the_same(given_results: tuple[int, list[Rows]]) -> None:
    """Rows that stay where they are, unchanged, are not sent."""
    levels, found = given_results
    for rows in found:
        assert difference(levels, rows, rows) == ([], [], [])
        more = [*rows, (*["new"] * levels, 7, 7)] if levels else rows
        changed, places, gone = difference(levels, rows, more)
        assert (list(changed), list(places), list(gone)) == (more[len(rows) :], list(range(len(rows), len(more))), [])


def test_a_whole_result_replaces_what_is_there() -> None:
    """Nothing of the earlier rows stays."""
    assert folded(1, [("a", 1)], ResultChange(3, [("b", 2)], "")) == [("b", 2)]


def test_equal_digests_are_of_equal_rows() -> None:
    """Another value, another order and another type are told apart."""
    rows: Rows = [("a", 1), ("b", None)]
    others: list[Rows] = [[("a", 2), ("b", None)], [("b", None), ("a", 1)], [("a", "1"), ("b", None)], []]
    assert digest_of(list(rows)) == digest_of(rows)
    assert all(digest_of(other) != digest_of(rows) for other in others)
