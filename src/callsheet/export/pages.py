"""The pages of a query as columns of plain values: what files are written of, and Arrow batches made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
from attrs import define, field

from callsheet.core.core import Core
from callsheet.core.paging import ReadProgress, next_page
from callsheet.core.rows import PageTables
from callsheet.export.labels import Labels
from callsheet.export.layout import ExportColumn, columns_of, select_for
from callsheet.flow import Flow
from callsheet.model.query import Select
from callsheet.model.record import Page
from callsheet.model.schema import Schema

__all__ = ["ColumnPages", "Values", "json_text", "page_values"]

Values = list[list[Any]]
"""One list of values for each column."""


@define
class ColumnPages:
    """The pages of a query, each as its columns, in the order of the results."""

    core: Core
    columns: tuple[ExportColumn, ...]
    select: Select
    size: int
    progress: ReadProgress = field(factory=ReadProgress)
    labels: dict[str, Labels] = field(factory=dict)

    @classmethod
    def of(cls, result: Any, select: Select | None = None) -> ColumnPages:
        """Those of a result, or of another query by the same session; nothing is fetched yet."""
        core, select = result._core, select or result.select_statement
        return cls(core, columns_of(core.schema, select), select_for(core.schema, select), result._page_size)

    @property
    def are_read(self) -> bool:
        """Whether the last page has been fetched."""
        return self.progress.done

    @property
    def are_projected(self) -> bool:
        """Whether each column is a projection of the query, as it comes from the server."""
        return bool(self.select.projections) and not any(
            column.labels or column.kind == "type" for column in self.columns
        )

    def fetch(self) -> Flow[Values]:
        """The next page: dates, numbers and JSON data as they are, everything else as text.

        There is a list for each column, also if there are no rows.
        """
        found = yield from next_page(self.core, self.select, self.size, self.progress, self._values)
        for values, column in zip(found, self.columns):
            if column.labels:
                labels = self.labels.setdefault(column.labels, Labels(self.core, column.labels))
                values[:] = _plain(column, (yield from labels.of(values)))
        return found

    def _values(self, page: Page) -> Values:
        return page_values(self.core.schema, self.columns, page)


def page_values(schema: Schema, columns: Sequence[ExportColumn], page: Page) -> Values:
    """The values of a page, a list for each column; where labels belong, the keys."""
    return [
        values if column.labels else _plain(column, values)
        for column, values in zip(columns, _lists(schema, columns, page))
    ]


def _lists(schema: Schema, columns: Sequence[ExportColumn], page: Page) -> Iterator[list[Any]]:
    tables = PageTables(schema, page)
    blocks = page.records[: page.roots]
    for column in columns:
        if column.kind == "type":
            found = [records.entity_type for records in blocks for _ in records.rows]
        else:
            found = [value for records in blocks for value in tables.column(records, column.path)]
        yield found if page.order is None else [found[index] for index in page.order]


def _plain(column: ExportColumn, values: list[Any]) -> list[Any]:
    if column.kind == "number":
        return [None if value is None else float(value) for value in values]
    if column.kind == "list":
        return [None if value is None else [_text(item) for item in value] for value in values]
    if column.kind in ("string", "key", "enum", "type"):
        return [value if value is None or value.__class__ is str else _text(value) for value in values]
    return values


def json_text(value: Any) -> str:
    """The value as JSON."""
    return msgspec.json.encode(value).decode()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json_text(value).strip('"')
