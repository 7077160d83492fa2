"""Grids: rows of chosen columns of a table and of the tables above it."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any

from attrs import evolve, frozen

from callsheet.analytics.asked import AwaitingMember, BlockingMember
from callsheet.analytics.counting import count_selected
from callsheet.analytics.frames import Frame
from callsheet.analytics.resolving import is_selection, label_path, path_to, variable_of
from callsheet.errors import UsageError
from callsheet.export.layout import ExportColumn
from callsheet.export.pages import ColumnPages
from callsheet.flow import Flow
from callsheet.model.language.checking import check
from callsheet.model.query import Path, Select

__all__ = ["AsyncDataGrid", "DataGrid", "datagrid"]


@frozen
class GridColumn:
    """A variable of a grid, and the path to its values."""

    variable: Any
    path: Path

    @property
    def kind(self) -> str:
        """The data type of its values."""
        if self.variable._attribute.kind != "reference":
            return str(self.variable._attribute.data_type)
        target = self.variable._dictionary.schema.types[str(self.variable._attribute.target)]
        return str(target.attributes[self.path.steps[-1].name].data_type)


def datagrid(table: Any, columns: Iterable[Any] | None, selection: Any, max_rows: int | None) -> Flow[Any]:
    """The grid of some columns and rows, fetched."""
    if max_rows is not None and (isinstance(max_rows, bool) or not isinstance(max_rows, int) or max_rows < 1):
        raise UsageError(f"`max_rows` is a whole number from 1, or None for all rows, not {max_rows!r:.40}")
    chosen = _columns(table, columns)
    selected = (table.everything if selection is None else _selection(table, selection)).select_statement
    paths = tuple(dict.fromkeys(column.path for column in chosen))
    wanted = check(evolve(selected, projections=paths), table._dictionary.schema)
    export = tuple(_named(chosen))
    bounded = wanted if max_rows is None else evolve(wanted, limit=min(max_rows, wanted.limit or max_rows))
    if wanted.limit == 0:
        bounded = wanted
    values = yield from _fetched(table._core, export, bounded)
    total = len(values[0])
    if max_rows is not None and total == max_rows:
        total = yield from count_selected(table._core, selected)
    kind = table._dictionary.kinds.datagrid
    return kind(table._core, export, values, total, wanted)


def _selection(table: Any, selection: Any) -> Any:
    if not is_selection(selection):
        raise UsageError(f"a selection is needed, not {selection!r:.80}")
    return selection.of(table)


def _fetched(core: Any, columns: tuple[ExportColumn, ...], select: Select) -> Flow[list[list[Any]]]:
    pages = ColumnPages(core, columns, select, core.page_size)
    found: list[list[Any]] = [[] for _ in columns]
    while not pages.are_read:
        for values, more in zip(found, (yield from pages.fetch())):
            values += more
    return found


def _columns(table: Any, given: Iterable[Any] | None) -> list[GridColumn]:
    if given is None:
        given = [each for each in table.variables if each.type not in ("Array", "Mapping", "Json")]
    if isinstance(given, str):
        raise UsageError(f"the columns of a grid are a list, not the text {given!r:.60}: write [{given!r:.60}]")
    found, wrong = [], []
    for each in given:
        try:
            found.append(_column(table, each))
        except UsageError as error:
            wrong.append(str(error))
    if wrong:
        raise UsageError("this grid cannot be made:" + "".join(f"\n  - {text}" for text in wrong))
    if not found:
        raise UsageError("a grid needs at least one column")
    return found


def _column(table: Any, given: Any) -> GridColumn:
    variable = variable_of(table, given)
    path, route = path_to(table, variable)
    if route.many:
        raise UsageError(
            f"{variable._shown} is no column of {table.plural}: `{route}` leads to many; a column is of {table.name} "
            "or of a table above it"
        )
    if variable._many:
        raise UsageError(f"{variable._shown} is no column of {table.plural}: it leads to many")
    if variable.type in ("Array", "Mapping"):
        raise UsageError(f"{variable._shown} is of type {variable.type}, which is no column: it holds many values")
    return GridColumn(variable, label_path(variable, path))


def _named(columns: Sequence[GridColumn]) -> Iterator[ExportColumn]:
    """The columns by their labels; those of equal labels by their tables, too; else by their paths."""
    labels = Counter(column.variable.label for column in columns)
    full = Counter(f"{column.variable.table.singular}: {column.variable.label}" for column in columns)
    used: set[str] = set()
    for column in columns:
        name = column.variable.label
        if labels[name] > 1:
            name = f"{column.variable.table.singular}: {name}"
            if full[name] > 1:
                name = ".".join(column.path.names)
        stem, number = name, 2
        while name in used:
            name, number = f"{stem} ({number})", number + 1
        used.add(name)
        yield ExportColumn(name, column.path, column.kind, column.variable._attribute.choices)


class GridRows(Frame):
    """The rows of a grid, and what is known of those that are not here; see `DataGrid`."""

    def __init__(
        self, core: Any, columns: Sequence[ExportColumn], values: Sequence[Sequence[Any]], total: int, select: Select
    ) -> None:
        super().__init__(columns, values)
        self._core, self._select = core, select
        #: How many rows there are on the server.
        self.total = total

    @property
    def truncated(self) -> bool:
        """Whether there are more rows than these."""
        return len(self) < self.total

    def _title(self) -> str:
        return f"{len(self):,} of {self.total:,} rows" if self.truncated else super()._title()

    def _pages(self) -> ColumnPages:
        return ColumnPages(self._core, self._export_columns, self._select, self._core.page_size)


class DataGrid(BlockingMember, GridRows):
    """Rows of chosen columns. It says when it is truncated; `stream` reads all rows, a page at a time.

    >>> grid = bookings.datagrid(["Destination", "Cost", "Occupation"], max_rows=100)  # doctest: +SKIP
    >>> grid.truncated, grid.total, grid[0]  # doctest: +SKIP
    (True, 5120, {'Destination': 'Greece', 'Cost': 410.0, 'Occupation': 'Sales'})
    """

    def stream(self) -> Iterator[dict[str, Any]]:
        """All rows, those that are not here too, fetched page by page."""
        pages = self._pages()
        while not pages.are_read:
            for row in zip(*self.run(pages.fetch())):
                yield dict(zip(self.columns, row))


class AsyncDataGrid(AwaitingMember, GridRows):
    """`DataGrid` of an `AsyncSession`: ``async for row in grid.stream()``."""

    async def stream(self) -> AsyncIterator[dict[str, Any]]:
        """All rows, those that are not here too, fetched page by page."""
        pages = self._pages()
        while not pages.are_read:
            for row in zip(*await self.run(pages.fetch())):
                yield dict(zip(self.columns, row))
