"""A query's results as Arrow record batches, a page at a time, and what is made of them.

Theory. The types of the columns come from the schema and not from the values, so that every batch has the same, and a
result without rows has its columns. A batch is made of a page's columns; only the result of the caller is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib import import_module
from typing import Any

from attrs import define

from callsheet.core.core import Core
from callsheet.core.paging import PageForm, next_page
from callsheet.dialects.protocol import ColumnDialect
from callsheet.errors import TransportError, UsageError
from callsheet.export.layout import ExportColumn
from callsheet.export.pages import ColumnPages, Values, json_text
from callsheet.flow import Flow, Response

__all__ = ["BatchPages", "batch_of", "pyarrow", "schema_of", "stream_of", "to_arrow", "to_pandas", "to_polars"]

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


@define
class BatchPages:
    """The pages of a query as record batches, in the order of the results.

    A server that sends columns (`ColumnDialect`) is asked for them; no value becomes a Python object. Of any other, and
    where labels are looked up for a column, rows are read and made into columns here.
    """

    pages: ColumnPages
    schema: Any
    form: PageForm | None = None

    @classmethod
    def of(cls, result: Any) -> BatchPages:
        """Those of a result; nothing is fetched yet."""
        return cls.over(ColumnPages.of(result))

    @classmethod
    def over(cls, pages: ColumnPages) -> BatchPages:
        """Those of the pages of a query."""
        dialect = pages.core._dialect
        form = None
        if pages.core.features.columns and isinstance(dialect, ColumnDialect) and pages.are_projected:
            form = PageForm(dialect.ask_columns, partial(_opened, dialect), _count)
        return cls(pages, schema_of(pages.columns), form)

    @property
    def are_read(self) -> bool:
        """Whether the last page has been fetched."""
        return self.pages.are_read

    def fetch(self) -> Flow[Any]:
        """The next page; it may have no rows."""
        pages = self.pages
        if self.form is None:
            return batch_of(pages.columns, self.schema, (yield from pages.fetch()))
        return (yield from next_page(pages.core, pages.select, pages.size, pages.progress, self._batch, self.form))

    def _batch(self, found: Any) -> Any:
        """The batch of an answer, with the names and types that this session's schema says."""
        arrow = pyarrow()
        try:
            places = {path: place for place, path in enumerate(self.pages.select.projections)}
            columns = [found.column(places[column.path]).combine_chunks() for column in self.pages.columns]
            typed = [_typed(column, kind) for column, kind in zip(columns, self.schema.types)]
            return arrow.record_batch(typed, schema=self.schema)
        except (arrow.ArrowException, LookupError) as error:
            raise _unreadable(error) from None


def _opened(dialect: ColumnDialect, response: Response) -> tuple[str | None, Callable[[], Any]]:
    """The cursor of the next page, and a function that reads this one as a table."""
    cursor, stream = dialect.open_columns(response)
    return cursor, lambda: _table(stream())


def _table(stream: bytes) -> Any:
    arrow = pyarrow()
    try:
        return arrow.ipc.open_stream(stream).read_all()
    except arrow.ArrowException as error:
        raise _unreadable(error) from None


def _unreadable(error: Exception) -> TransportError:
    return TransportError(f"the server's columns cannot be read: {error!s:.200}")


def _count(core: Core, table: Any) -> None:
    core.statistics.entities += table.num_rows


def _typed(column: Any, kind: Any) -> Any:
    """The column with the type of the schema; enumerators come as texts."""
    if column.type == kind:
        return column
    return column.dictionary_encode() if pyarrow().types.is_dictionary(kind) else column.cast(kind)


def to_arrow(result: Any) -> Flow[Any]:
    """All rows as a ``pyarrow.Table``, with the types of the schema.

    >>> session.query("select name, status.name from Task").to_arrow().column_names  # doctest: +SKIP
    ['name', 'status.name']
    """
    pages = BatchPages.of(result)
    batches = []
    while not pages.are_read:
        batches.append((yield from pages.fetch()))
    return pyarrow().Table.from_batches(batches, pages.schema)


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
    pages = BatchPages.of(result)

    def batches() -> Iterator[Any]:
        while not pages.are_read:
            yield result.run(pages.fetch())

    return pyarrow().RecordBatchReader.from_batches(pages.schema, batches())


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
