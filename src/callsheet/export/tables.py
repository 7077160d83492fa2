"""A query's results as Arrow record batches, a page at a time, and what is made of them.

Theory. The types of the columns come from the schema and not from the values, so that every batch has the same, and a
result without rows has its columns. A batch is made of a page's columns; only the result of the caller is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from callsheet.errors import UsageError
from callsheet.export.layout import ExportColumn
from callsheet.export.pages import ColumnPages, Values, json_text
from callsheet.flow import Flow

__all__ = ["batch_of", "pyarrow", "schema_of", "stream_of", "to_arrow", "to_pandas", "to_polars"]

JSON = ("json", "mapping", "custom")
"""Kinds of columns that have no type in Arrow: they are JSON text there."""


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
    pages = ColumnPages.of(result)
    schema = schema_of(pages.columns)
    batches = []
    while not pages.are_read:
        batches.append(batch_of(pages.columns, schema, (yield from pages.fetch())))
    return pyarrow().Table.from_batches(batches, schema)


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
    pages = ColumnPages.of(result)
    schema = schema_of(pages.columns)

    def batches() -> Iterator[Any]:
        while not pages.are_read:
            yield batch_of(pages.columns, schema, result.run(pages.fetch()))

    return pyarrow().RecordBatchReader.from_batches(schema, batches())


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


def batch_of(columns: Sequence[ExportColumn], schema: Any, values: Values) -> Any:
    """A page as a record batch."""
    array = pyarrow().array
    arrays = [array(_storable(column, each), kind) for column, each, kind in zip(columns, values, schema.types)]
    return pyarrow().record_batch(arrays, schema=schema)


def _storable(column: ExportColumn, values: list[Any]) -> list[Any]:
    return [None if v is None else json_text(v) for v in values] if column.kind in JSON else values
