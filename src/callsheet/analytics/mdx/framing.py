"""An answer as a frame: a column for each hierarchy on the rows, and one for each position of the columns."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from callsheet.analytics.frames import Frame
from callsheet.export.layout import ExportColumn
from callsheet.model.query import Path

__all__ = ["frame_of", "pandas_of"]


def frame_of(result: Any) -> Frame:
    """Rows and columns of an answer as a frame."""
    frame, _ = _framed(result)
    return frame


def pandas_of(result: Any) -> Any:
    """A ``pandas.DataFrame``, whose index are the hierarchies on the rows."""
    frame, members = _framed(result)
    found = frame.to_pandas()
    return found.set_index(list(members)) if members else found


def _framed(result: Any) -> tuple[Frame, tuple[str, ...]]:
    """The frame, and which of its columns are members."""
    positions = result.axes[0].positions if result.axes else ()
    heads = [" / ".join(each.caption for each in position) for position in positions] if result.axes else [result.cube]
    members = _members(result)
    places = list(result.places())
    columns: list[tuple[str, list[Any]]] = [
        (name, [next((m.caption for p in place for m in p if m.hierarchy == name), None) for place in places])
        for name in members
    ]
    for at, head in enumerate(heads):
        columns.append((head, [result.cells[row * len(heads) + at].value for row in range(len(places))]))
    names = _unique(name for name, _ in columns)
    made = [ExportColumn(name, Path(()), _kind(values)) for name, (_, values) in zip(names, columns)]
    values = [_as_kind(each, column.kind) for column, (_, each) in zip(made, columns)]
    return Frame(made, values), tuple(names[: len(members)])


def _members(result: Any) -> list[str]:
    """The hierarchies on the rows, in their order."""
    found: dict[str, None] = {}
    for axis in reversed(result.axes[1:]):
        for position in axis.positions[:1]:
            found |= dict.fromkeys(member.hierarchy for member in position)
    return list(found)


def _unique(names: Iterable[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        made, number = name or "value", 1
        while made in found:
            number += 1
            made = f"{name} ({number})"
        found.append(made)
    return found


def _kind(values: list[Any]) -> str:
    kinds = {type(each) for each in values if each is not None}
    if kinds <= {bool} and kinds:
        return "boolean"
    if kinds <= {int} and kinds and all(each is None or abs(each) < 2**63 for each in values):
        return "integer"
    return "number" if kinds <= {int, float} else "string"


def _as_kind(values: list[Any], kind: str) -> list[Any]:
    if kind == "number":
        return [None if each is None else float(each) for each in values]
    return [None if each is None else str(each) for each in values] if kind == "string" else values
