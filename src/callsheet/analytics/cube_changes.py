"""Which cells of a cube differ between two moments, and by how much; which question a row answers."""

from __future__ import annotations

from typing import Any

from callsheet.analytics.cube_frames import CubeFrame
from callsheet.analytics.cube_questions import query
from callsheet.analytics.frame_cells import CubeRow, FrameCells
from callsheet.analytics.frames import Frame
from callsheet.core.past.causes import position_of
from callsheet.errors import UsageError
from callsheet.export.layout import ExportColumn
from callsheet.flow import Flow
from callsheet.model.cause import difference
from callsheet.model.query import Path

__all__ = ["cells_of", "changed_cells", "explain_changes"]

Rows = dict[tuple[Any, ...], tuple[Any, ...]]


def explain_changes(cube: Any, first: Any, second: Any, measures: Any, levels: Any, filter: Any) -> Flow[Frame]:
    """The cells of a cube that differ between two moments; both are read by one request."""
    moments = []
    for moment in (first, second):
        moments.append(None if moment is None else (yield from position_of(cube._core, moment)))
    frame = yield from query(cube, measures, levels, filter, False, None, moments, None, None, False)
    if frame.truncated is not None:
        raise UsageError(f"there are more than {frame.truncated:,} cells; ask with fewer levels, or a filter")
    places = len(frame.dimensions)
    old, new = (_cells(frame, frame.position if moment is None else moment) for moment in moments)
    columns = [
        *frame._export_columns[1:places],
        *(ExportColumn(name, Path(()), kind) for name, kind in _COLUMNS),
    ]
    rows = changed_cells(old, new, frame.measures)
    return Frame(columns, list(zip(*rows)) if rows else [[] for _ in columns])


_COLUMNS = (("Measure", "string"), ("Before", "json"), ("After", "json"), ("Difference", "number"))


def _cells(frame: CubeFrame, position: int | None) -> Rows:
    """The cells at one position, which the first column has."""
    places = len(frame.dimensions)
    return {row[1:places]: row[places:] for row in zip(*frame._values) if row[0] == position}


def cells_of(cube: Any, row: Any) -> FrameCells:
    """The question that a row answers; raises `UsageError` for what is no row of an answer of the cube."""
    cells = row.cells if isinstance(row, CubeRow) else None
    if cells is None or cells.question.select.entity_type != cube._raw.table:
        raise UsageError(f"this takes a row of an answer of {cube.name}, such as `frame[3]`, not {row!r:.80}")
    return cells


def changed_cells(old: Rows, new: Rows, measures: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """A row for each cell and measure that differ: cell, measure, old and new value, difference; the largest first.

    >>> changed_cells({("a",): (1, 2)}, {("a",): (1, 5), ("b",): (7, 0)}, ("n", "m"))
    [('a', 'm', 2, 5, 3), ('b', 'n', None, 7, None), ('b', 'm', None, 0, None)]
    """
    nothing = (None,) * len(measures)
    found = []
    for cell in {**old, **new}:
        for name, before, after in zip(measures, old.get(cell, nothing), new.get(cell, nothing)):
            if before != after:
                found.append((*cell, name, before, after, difference(before, after)))
    return sorted(found, key=lambda row: (row[-1] is None, 0 if row[-1] is None else -abs(row[-1])))
