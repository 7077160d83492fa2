"""A query's results as Arrow record batches, a page at a time, and what is made of them.

Theory. The types of the columns come from the schema and not from the values, so that every batch has the same, and a
result without rows has its columns. A batch is made of a page's columns; nothing is kept but what the caller asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

import msgspec

from callsheet.core import reading
from callsheet.core.rows import PageTables
from callsheet.errors import UsageError
from callsheet.export.layout import ExportColumn, columns_of, select_for
from callsheet.flow import Flow
from callsheet.model.record import Page

__all__ = ["batch_of", "next_batch", "schema_of", "stream_of", "to_arrow", "to_pandas", "to_polars"]


def pyarrow() -> Any:
    """The package pyarrow, or `UsageError` with what to install."""
    return _package("pyarrow")


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError:
        raise UsageError(f"this needs the package {name}: `pip install {name}`") from None


def to_arrow(result: Any) -> Flow[Any]:
    """All rows as a ``pyarrow.Table``, with the types of the schema.

    >>> session.query("select name, status.name from Task").to_arrow().column_names  # doctest: +SKIP
    ['name', 'status.name']
    """
    columns = columns_of(result._core.schema, result.select_statement)
    batches, cursor = [], None
    while True:
        batch, cursor = yield from next_batch(result, columns, cursor)
        batches.append(batch)
        if cursor is None:
            return pyarrow().Table.from_batches(batches, schema_of(columns))


def to_pandas(result: Any) -> Flow[Any]:
    """All rows as a ``pandas.DataFrame``."""
    _package("pandas")
    table = yield from to_arrow(result)
    return table.to_pandas()


def to_polars(result: Any) -> Flow[Any]:
    """All rows as a ``polars.DataFrame``."""
    polars = _package("polars")
    table = yield from to_arrow(result)
    return polars.from_arrow(table)


def stream_of(result: Any) -> Any:
    """The rows of a result that blocks, as a ``pyarrow.RecordBatchReader`` that fetches a page at a time."""
    columns = columns_of(result._core.schema, result.select_statement)

    def batches() -> Iterator[Any]:
        more, cursor = True, None
        while more:
            batch, cursor = result.run(next_batch(result, columns, cursor))
            yield batch
            more = cursor is not None

    return pyarrow().RecordBatchReader.from_batches(schema_of(columns), batches())


def next_batch(result: Any, columns: Sequence[ExportColumn], cursor: str | None) -> Flow[tuple[Any, str | None]]:
    """The next page as a record batch, and the cursor of the page after it."""
    core = result._core
    page = yield from reading.page(core, select_for(core.schema, result.select_statement), result._page_size, cursor)
    return batch_of(core.schema, page, columns), page.cursor


def schema_of(columns: Sequence[ExportColumn]) -> Any:
    """The Arrow schema of the columns."""
    return pyarrow().schema([(column.name, _type(column)) for column in columns])


def _type(column: ExportColumn) -> Any:
    arrow = pyarrow()
    types = {
        "integer": arrow.int64(),
        "number": arrow.float64(),
        "boolean": arrow.bool_(),
        "date": arrow.date32(),
        "datetime": arrow.timestamp("us", "UTC"),
        "enum": arrow.dictionary(arrow.int32(), arrow.string()),
        "list": arrow.list_(arrow.string()),
    }
    return types.get(column.kind, arrow.string())


def batch_of(schema: Any, page: Page, columns: Sequence[ExportColumn]) -> Any:
    """A page as a record batch, in the order of the results."""
    arrow = pyarrow()
    lists = _lists(schema, page, columns)
    arrays = [arrow.array(_plain(column, values), _type(column)) for column, values in zip(columns, lists)]
    return arrow.record_batch(arrays, schema=schema_of(columns))


def _lists(schema: Any, page: Page, columns: Sequence[ExportColumn]) -> Iterator[list[Any]]:
    tables = PageTables(schema, page)
    blocks = page.records[: page.roots]
    for column in columns:
        if column.kind == "type":
            found = [records.entity_type for records in blocks for _ in records.rows]
        else:
            found = [value for records in blocks for value in tables.column(records, column.path)]
        yield found if page.order is None else [found[index] for index in page.order]


def _plain(column: ExportColumn, values: list[Any]) -> list[Any]:
    """Values as Arrow takes them: what has no type of its own there is text."""
    if column.kind in ("json", "mapping", "custom"):
        return [None if value is None else _json(value) for value in values]
    if column.kind == "number":
        return [None if value is None else float(value) for value in values]
    if column.kind == "list":
        return [None if value is None else [_text(item) for item in value] for value in values]
    if column.kind in ("string", "key", "enum", "type"):
        return [None if value is None else _text(value) for value in values]
    return values


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _json(value).strip('"')
