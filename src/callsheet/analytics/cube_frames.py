"""Numbers by dimensions: what a cube answers, as rows and as frames of other libraries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from callsheet.analytics.charts import bar_chart, draw
from callsheet.analytics.frame_cells import CubeRow, FrameCells
from callsheet.analytics.frames import Frame, cell_text
from callsheet.analytics.mdx.formats import format_value
from callsheet.errors import UsageError
from callsheet.export.layout import ExportColumn
from callsheet.model.measure import TOTAL

__all__ = ["LEVELS", "CubeFrame"]

LEVELS = "levels"


class CubeFrame(Frame):
    """Numbers by dimensions: a row for each combination of values that occurs.

    Rows of totals have `TOTAL` in the place of a dimension's value. In frames of other libraries that place is empty,
    and a column ``levels`` says how many dimensions are kept apart.

    >>> cube = bookings.cube(["Destination", "Booking Date by year"], ["count", "sum(Cost)"])  # doctest: +SKIP
    >>> cube[0]  # doctest: +SKIP
    {'Destination': 'Greece', 'Booking Date (year)': datetime.date(2024, 1, 1), 'Bookings': 310, 'Sum(Cost)': 91877.5}
    """

    def __init__(
        self,
        title: str,
        columns: Sequence[ExportColumn],
        dimensions: int,
        rows: Sequence[Sequence[Any]],
        totals: bool,
        *,
        position: int | None = None,
        truncated: int | None = None,
        plan: Mapping[str, Any] | None = None,
        formats: Mapping[str, str] | None = None,
        cells: FrameCells | None = None,
    ) -> None:
        super().__init__(columns, list(zip(*rows)) if rows else [[] for _ in columns])
        self._dimensions, self._of, self._totals = dimensions, title, totals
        self._formats = dict(formats or {})
        self._cells = cells
        #: The position of the server's log that the numbers are as of; None if the server does not say it.
        self.position = position
        #: The number of rows at which the server cut the answer; None if it is whole.
        self.truncated = truncated
        #: With ``explain=True``: how the server found the numbers (engine, statement, milliseconds).
        self.plan = plan
        #: With ``mdx=True``: the question as a query in MDX.
        self.mdx: str | None = None

    @property
    def dimensions(self) -> tuple[str, ...]:
        """The names of the columns that are dimensions."""
        return self.columns[: self._dimensions]

    @property
    def measures(self) -> tuple[str, ...]:
        """The names of the columns that are measures."""
        return self.columns[self._dimensions :]

    def __getitem__(self, key: int | str) -> Any:
        """The row of a place, which `Cube.drill` and `Cube.why` take, or the values of a column."""
        found = super().__getitem__(key)
        return found if isinstance(key, str) else CubeRow(found, self._cells)

    def without_totals(self) -> CubeFrame:
        """The rows that are no totals."""
        rows = [row for row in zip(*self._values) if TOTAL not in row[: self._dimensions]]
        return CubeFrame(
            self._of,
            self._export_columns,
            self._dimensions,
            rows,
            False,
            position=self.position,
            truncated=self.truncated,
            plan=self.plan,
            formats=self._formats,
            cells=self._cells,
        )

    def drill(self, row: Any, measure: str | None = None, owners: bool = False) -> Any:
        """The entities behind a row, as a query (`QueryResult`) to be ordered, read, changed and exported.

        ``row`` is its place, or the row itself. Of totals the entities are those of all rows that they sum up. With
        the name of a ``measure``, only the entities that it is about, if it has a condition; with ``owners``, the
        entities whose values it takes: of ``sum(Task.bid)`` the tasks, not the time entries.

        >>> for task in cube.drill(0):  # doctest: +SKIP
        ...     task["bid"] += 1
        """
        return self._known_cells().drill(self._row(row), measure, owners)

    def why(self, row: Any, since: Any, until: Any = None, measure: str | None = None) -> Any:
        """Why a number of a row changed since a moment: the commits that changed it (`NumberChange`).

        They are ranked by how much each moved the number, with who made it, when, by which handler, and the entities
        that it changed; their effects add up to the difference. ``since`` and ``until`` (None: now) are positions,
        commits or times; ``measure`` is the name of one, by default the first. Awaited where the session is.

        >>> for cause in cube.why(0, since=monday):  # doctest: +SKIP
        ...     print(cause.effect, cause.user, cause.handler, cause.entities)
        """
        return self._known_cells().why(self._row(row), since, until, measure)

    def _row(self, row: Any) -> Any:
        return self[row] if isinstance(row, int) and not isinstance(row, bool) else row

    def _known_cells(self) -> FrameCells:
        if self._cells is None:
            raise UsageError("this frame was not computed by a server, so nothing is known of its cells")
        return self._cells

    def to_arrow(self) -> Any:
        """A ``pyarrow.Table``, with the types of the schema; with totals, a column ``levels`` tells them apart."""
        found = super().to_arrow()
        if not self._totals:
            return found
        rows = zip(*self._values[: self._dimensions]) if self._dimensions else ((),) * len(self)
        levels = [sum(value is not TOTAL for value in row) for row in rows]
        return found.append_column(LEVELS, [levels])

    def bars(self, measure: str | None = None, width: int = 40) -> str:
        """A bar chart of text, one bar for each row that is no total."""
        return bar_chart(self.without_totals(), measure, width)

    def plot(self, measure: str | None = None, ax: Any = None) -> Any:
        """A chart by matplotlib (extra ``plot``); gives its axes. Dates are lines, other dimensions bars.

        A second dimension gives a line, or a group of bars, for each of its values.
        """
        return draw(self.without_totals(), measure, ax)

    def _plain_values(self) -> list[list[Any]]:
        return [
            [_plain(column.kind, value) for value in values]
            for column, values in zip(self._export_columns, self._values)
        ]

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        formats = [self._formats.get(name, "") for name in self.columns]
        return self.columns, [
            tuple(_cell(value, pattern) for value, pattern in zip(row, formats)) for row in zip(*self._values)
        ]

    def _title(self) -> str:
        cut = "" if self.truncated is None else f" (cut at {self.truncated:,})"
        return f"{self._of}: {super()._title()}{cut}"


def _cell(value: Any, pattern: str) -> str:
    return cell_text(value) if value is None or not pattern else format_value(value, pattern)


def _plain(kind: str, value: Any) -> Any:
    if value is TOTAL or value is None:
        return None
    return float(value) if kind == "number" else value
