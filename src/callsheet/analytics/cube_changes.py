"""Which cells of a cube differ between two positions of the log, and by how much."""

from __future__ import annotations

from typing import Any

from callsheet.analytics.cube_frames import CubeFrame
from callsheet.analytics.cube_questions import query
from callsheet.analytics.frames import Frame
from callsheet.errors import UsageError
from callsheet.export.layout import ExportColumn
from callsheet.flow import Flow
from callsheet.model.cause import difference
from callsheet.model.query import Path

__all__ = ["changed_cells", "explain_changes"]

Rows = dict[tuple[Any, ...], tuple[Any, ...]]


def explain_changes(cube: Any, first: Any, second: Any, measures: Any, levels: Any, filter: Any) -> Flow[Frame]:
    """The cells of a cube that differ between two positions; both are read by the same question."""
    old = yield from query(cube, measures, levels, filter, False, None, first, None, None, False)
    new = yield from query(cube, measures, levels, filter, False, None, second, None, None, False)
    for frame in (old, new):
        if frame.truncated is not None:
            raise UsageError(f"there are more than {frame.truncated:,} cells; ask with fewer levels, or a filter")
    places = len(new.dimensions)
    columns = [
        *new._export_columns[:places],
        *(ExportColumn(name, Path(()), kind) for name, kind in _COLUMNS),
    ]
    rows = changed_cells(_cells(old), _cells(new), new.measures)
    return Frame(columns, list(zip(*rows)) if rows else [[] for _ in columns])


_COLUMNS = (("Measure", "string"), ("Before", "json"), ("After", "json"), ("Difference", "number"))


def _cells(frame: CubeFrame) -> Rows:
    places = len(frame.dimensions)
    return {row[:places]: row[places:] for row in zip(*frame._values)}


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
