"""The answer to a query: axes of members, and a cell for each of their combinations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Any

from attrs import Factory, evolve, frozen

from callsheet.analytics.mdx.cells import CubeQuestion

if TYPE_CHECKING:
    from callsheet.analytics.frames import Frame

__all__ = ["MdxCell", "MdxResult", "ResultAxis", "ShownMember"]


@frozen
class ShownMember:
    """A member on an axis. ``properties`` are those that the axis asks for."""

    unique_name: str
    name: str
    caption: str
    hierarchy: str
    level: str
    properties: Mapping[str, Any] = Factory(dict)

    def __str__(self) -> str:
        return self.unique_name


@frozen
class MdxCell:
    """A value, and its text by the cell's format; ``format`` is that."""

    value: Any
    text: str
    format: str = ""


@frozen
class ResultAxis:
    """An axis: for each position a tuple of members."""

    positions: tuple[tuple[ShownMember, ...], ...]

    def __len__(self) -> int:
        return len(self.positions)


@frozen
class MdxResult:
    """What a query gives.

    ``cells`` are in the order of the positions, those of the last axis outermost; ``slicer`` has the positions of the
    slicer. ``turns`` is how often cells were read, ``asked`` has all questions that the cube was asked; ``position`` is
    that of the server's log that the cells are as of, if the cube is a server's.
    """

    cube: str
    slicer: ResultAxis
    axes: tuple[ResultAxis, ...]
    cells: tuple[MdxCell, ...]
    turns: int = 0
    asked: tuple[CubeQuestion, ...] = ()
    position: int | None = None

    @property
    def questions(self) -> int:
        """The number of questions that the cube was asked."""
        return len(self.asked)

    def at(self, position: int | None) -> MdxResult:
        """The same, as of a position."""
        return evolve(self, position=position)

    def cell(self, *place: int) -> MdxCell:
        """The cell at a position of each axis, columns first."""
        index, size = 0, 1
        for at, axis in zip(place, self.axes, strict=True):
            if not 0 <= at < len(axis):
                raise IndexError(f"the axis has {len(axis)} positions, not {at}")
            index, size = index + at * size, size * len(axis)
        return self.cells[index]

    def to_rows(self) -> list[dict[str, Any]]:
        """A row for each position of the axes after the first; a column for each of their hierarchies, by its level's
        name, and one for each position of the first axis."""
        columns = [_joined(position) for position in self.axes[0].positions] if self.axes else [self.cube]
        rows = []
        for rest, at in self._rows():
            row: dict[str, Any] = {}
            for member in (member for position in rest for member in position):
                row[member.hierarchy] = member.caption
            row.update((name, self.cells[at + column].value) for column, name in enumerate(columns))
            rows.append(row)
        return rows

    def _rows(self) -> Iterator[tuple[Sequence[tuple[ShownMember, ...]], int]]:
        width = len(self.axes[0]) if self.axes else 1
        for number, rest in enumerate(self.places()):
            yield rest, number * width

    def places(self) -> Iterator[Sequence[tuple[ShownMember, ...]]]:
        """The rows: for each a position of each axis after the first, the axis 1 first and running fastest."""
        others = [axis.positions for axis in reversed(self.axes[1:])]
        for rest in product(*others):
            yield rest[::-1]

    def to_frame(self) -> Frame:
        """The same as columns, for other libraries: ``to_frame().to_arrow()``, ``.to_polars()``, ``.to_csv()``."""
        from callsheet.analytics.mdx.framing import frame_of

        return frame_of(self)

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame``: the hierarchies on the rows are its index."""
        from callsheet.analytics.mdx.framing import pandas_of

        return pandas_of(self)

    def to_text(self) -> str:
        """Axes and rows as text, one position or cell in a line.

        The axis 0 is the slicer, 1 are columns, 2 rows; a row's number is that of its position.
        """
        lines = []
        for number, axis in enumerate((self.slicer, *self.axes)):
            lines.append(f"Axis #{number}:")
            lines += ["{" + ", ".join(map(str, position)) + "}" for position in axis.positions]
        if not self.axes:
            return "\n".join([*lines, self.cells[0].text])
        sizes = [len(axis) for axis in self.axes]
        for index, cell in enumerate(self.cells):
            row = index // sizes[0] % sizes[1] if len(sizes) > 1 else 0
            lines.append(f"Row #{row}: {cell.text}")
        return "\n".join(lines) + "\n"

    def to_table(self) -> str:
        """A table of text: captions in front and on top, texts of cells in between."""
        heads = [_joined(position) for position in self.axes[0].positions] if self.axes else [""]
        table = [["", *heads]]
        for rest, at in self._rows():
            label = " | ".join(_joined(position) for position in rest)
            table.append([label, *(cell.text for cell in self.cells[at : at + len(heads)])])
        widths = [max(len(row[column]) for row in table) for column in range(len(heads) + 1)]
        return "\n".join(
            "  ".join(
                text.ljust(width) if column == 0 else text.rjust(width)
                for column, (text, width) in enumerate(zip(row, widths))
            ).rstrip()
            for row in table
        )


def _joined(position: tuple[ShownMember, ...]) -> str:
    return " / ".join(member.caption for member in position)


def size_of(axes: Sequence[Sequence[Any]]) -> int:
    """The number of cells between axes."""
    return prod(len(axis) for axis in axes)
