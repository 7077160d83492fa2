"""Cells of a cube that differ in a scenario: their numbers before and after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import frozen

from callsheet.analytics.cube_frames import CubeFrame
from callsheet.analytics.cube_questions import query
from callsheet.core.core import Core
from callsheet.display import html_table, plain_table
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.record import equal

__all__ = ["CellChange", "CellChanges", "changed_cells"]


@frozen
class CellChange:
    """One cell that differs: the values of its levels, and its measures in the base and in the scenario.

    Where a cell has no facts, all its measures are None.
    """

    levels: dict[str, Any]
    before: dict[str, Any]
    after: dict[str, Any]

    @property
    def difference(self) -> dict[str, Any]:
        """By measure, how much more there is in the scenario; None where the numbers cannot be subtracted."""
        return {name: _subtracted(after, self.before[name]) for name, after in self.after.items()}


def _subtracted(after: Any, before: Any) -> Any:
    numbers = (0 if each is None else each for each in (after, before))
    first, second = numbers
    known = all(isinstance(each, int | float) and not isinstance(each, bool) for each in (first, second))
    return first - second if known else None


@frozen
class CellChanges:
    """The cells that differ, in the order of the cube; all numbers are of one position of the log."""

    cells: tuple[CellChange, ...]
    position: int | None = None

    def __iter__(self) -> Iterator[CellChange]:
        return iter(self.cells)

    def __len__(self) -> int:
        return len(self.cells)

    def __str__(self) -> str:
        if not self.cells:
            return "No cell differs."
        return plain_table(self._columns(), self._rows(), 100)

    def _repr_html_(self) -> str:
        return html_table(self._columns(), self._rows())

    def _columns(self) -> list[str]:
        first = self.cells[0] if self.cells else CellChange({}, {}, {})
        return [*first.levels, *(f"{name} {when}" for name in first.before for when in ("before", "after"))]

    def _rows(self) -> Iterator[list[str]]:
        for each in self.cells:
            numbers = ((each.before[name], each.after[name]) for name in each.before)
            yield [str(value) for value in (*each.levels.values(), *(one for pair in numbers for one in pair))]


def changed_cells(
    core: Core, label: str, cube: Any, measures: tuple[Any, ...], levels: Any, given_filter: Any, totals: Any
) -> Flow[CellChanges]:
    """The cells of a cube that are not the same in a scenario and in the base, by one request."""
    if cube._core is not core:
        raise UsageError("the cube is one of another session than the scenario")
    frame: CubeFrame = yield from query(
        cube, measures, levels, given_filter, totals, [None, label], None, None, None, False
    )
    if frame.truncated is not None:
        raise UsageError(f"there are more than {frame.truncated:,} cells; ask for fewer levels, or with a filter")
    names, numbers = frame.dimensions[1:], frame.measures
    found: dict[tuple[Any, ...], list[dict[str, Any] | None]] = {}
    for row in frame:
        place = found.setdefault(tuple(row[name] for name in names), [None, None])
        place[row[frame.dimensions[0]] is not None] = {name: row[name] for name in numbers}
    empty = dict.fromkeys(numbers)
    cells = [
        CellChange(dict(zip(names, place)), before or empty, after or empty)
        for place, (before, after) in found.items()
        if any(not equal((before or empty)[name], (after or empty)[name]) for name in numbers)
    ]
    return CellChanges(tuple(cells), frame.position)
