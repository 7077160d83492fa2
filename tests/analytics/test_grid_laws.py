"""Grids of random columns and selections equal brute force over the rows, with their totals and their pages."""

from __future__ import annotations

from typing import Any

from brute import World, line, selected
from holidays import TYPES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_selection_laws import comparisons, stored

FIXED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
Question = tuple[str, list[tuple[str, str]], Any, int | None]


@st.composite
def grids(draw: st.DrawFn, world: World) -> Question:
    """A table, columns of it and of those above (table, attribute), a selection of any table, a number of rows."""
    table = draw(st.sampled_from(list(TYPES)))
    columns = [(above, name) for above in line(table) for name in stored(above)]
    chosen = draw(st.lists(st.sampled_from(columns), min_size=1, max_size=4, unique=True))
    tables = st.sampled_from(list(TYPES))
    selection = draw(st.none() | tables.flatmap(lambda each: comparisons(world, each)))
    return table, chosen, selection, draw(st.sampled_from([None, 1, 7, 1_000]))


def expected_rows(world: World, question: Question) -> list[tuple[Any, ...]]:
    """All rows of a grid, in the order of their keys; how many of them it has is another matter."""
    table, columns, selection, _ = question
    keys = sorted(world.rows[table])
    if selection is not None:
        kept = set(selected(world, selection))
        keys = [key for key in keys if kept & world.reach(table, key, selection.table)]
    rows = []
    for key in keys:
        owners = {above: next(iter(world.reach(table, key, above))) for above, _ in columns}
        rows.append(tuple(world.rows[above][owners[above]][name] for above, name in columns))
    return rows


def check_grid(session: Any, world: World, question: Question) -> None:
    """The rows, whether some are left out, how many there are, and all of them as a stream."""
    table, columns, selection, most = question
    variables = [session.tables[above][name] for above, name in columns]
    chosen = None if selection is None else selection.build(session)
    grid = session.tables[table].datagrid(variables, chosen, max_rows=most)
    rows = expected_rows(world, question)
    assert [tuple(row.values()) for row in grid] == rows[:most]
    assert (grid.total, grid.truncated) == (len(rows), most is not None and len(rows) > most)
    assert [tuple(row.values()) for row in grid.stream()] == rows


@settings(max_examples=60, deadline=None, suppress_health_check=FIXED)
@given(data=st.data())
def test_a_grid_has_the_rows_of_brute_force(data: st.DataObject, small: Any, small_world: World) -> None:
    """Columns of the table and those above, any selection, any number of rows."""
    check_grid(small, small_world, data.draw(grids(small_world)))
