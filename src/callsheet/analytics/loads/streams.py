"""Sources of rows, whatever they are, as a schema and Arrow batches: lists, mappings, frames, arrays, tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from callsheet.errors import UsageError
from callsheet.export.tables import pyarrow

__all__ = ["RowStream", "renamed", "stream_of"]

ROWS = 50_000
"""Rows of a batch made of Python objects."""


@frozen
class RowStream:
    """Rows that are read once: their Arrow schema, and their batches. ``decimals`` are known of some columns.

    ``texts`` is true where all columns are texts, as files have them, to be read as the types of a table.
    """

    schema: Any
    batches: Iterable[Any]
    decimals: Mapping[str, int] = field(factory=dict)
    where: str = "row"


def stream_of(source: Any, columns: Sequence[str] = ()) -> RowStream:
    """The rows of a source; ``columns`` name those of rows without names. `UsageError` for what has no rows.

    >>> stream = stream_of([{"city": "Paris", "sales": 3}, {"city": "Rome"}])
    >>> [batch.to_pylist() for batch in stream.batches]
    [[{'city': 'Paris', 'sales': 3}, {'city': 'Rome', 'sales': None}]]
    """
    arrow = pyarrow()
    if isinstance(source, RowStream):
        return source
    if isinstance(source, arrow.RecordBatch):
        return RowStream(source.schema, [source])
    if isinstance(source, arrow.RecordBatchReader):
        return RowStream(source.schema, source)
    if isinstance(source, arrow.Table):
        return RowStream(source.schema, source.to_batches(max_chunksize=ROWS))
    if type(source).__module__.partition(".")[0] == "pandas":
        return pandas_stream(source)
    if type(source).__module__.partition(".")[0] == "numpy":
        return numpy_stream(source, columns)
    if hasattr(source, "__arrow_c_stream__"):
        reader = arrow.RecordBatchReader.from_stream(source)
        return RowStream(reader.schema, reader)
    if isinstance(source, Mapping):
        table = _built(lambda: arrow.table({str(name): _listed(name, values) for name, values in source.items()}))
        return RowStream(table.schema, table.to_batches(max_chunksize=ROWS))
    if isinstance(source, str | bytes) or not isinstance(source, Iterable):
        raise UsageError(
            f"rows are dicts, tuples, a frame or an Arrow table, not {type(source).__name__}: {source!r:.60}"
        )
    return _rows_stream(list(source), columns)


def _listed(name: Any, values: Any) -> Any:
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise UsageError(f"the column `{name}` is a list of values, not {values!r:.60}; a row is a tuple or in a list")
    return values if hasattr(values, "__array__") or hasattr(values, "__arrow_c_array__") else list(values)


def _rows_stream(rows: list[Any], columns: Sequence[str]) -> RowStream:
    """Rows that are Python objects: mappings, or sequences in the order of the columns."""
    arrow = pyarrow()
    if rows and all(isinstance(row, Mapping) for row in rows):
        names = list(dict.fromkeys(str(name) for row in rows for name in row))
        values = [[row.get(name) for row in rows] for name in names]
    else:
        names = [*columns]
        for number, row in enumerate(rows, 1):
            if isinstance(row, str | bytes | Mapping) or not isinstance(row, Sequence) or len(row) != len(names):
                raise UsageError(
                    f"row {number} has a value for each of {', '.join(names) or 'the columns'}, not {row!r:.80}"
                )
        values = [list(column) for column in zip(*rows)] if rows else [[] for _ in names]
    table = _built(lambda: arrow.table([_array(name, each) for name, each in zip(names, values)], names=names))
    return RowStream(table.schema, table.to_batches(max_chunksize=ROWS))


def _array(name: str, values: list[Any]) -> Any:
    arrow = pyarrow()
    try:
        return arrow.array(values)
    except (arrow.ArrowException, OverflowError, TypeError, ValueError):
        # Values of several types in one column: each is read for itself, as the type of its column.
        return arrow.array([None if value is None else _text(value) for value in values], arrow.string())


def _text(value: Any) -> str:
    return (
        value if isinstance(value, str) else ("true" if value else "false") if isinstance(value, bool) else str(value)
    )


def _built(make: Callable[[], Any]) -> Any:
    arrow = pyarrow()
    try:
        return make()
    except (arrow.ArrowException, UnicodeEncodeError, TypeError, ValueError) as error:
        raise UsageError(f"the rows cannot be read as columns: {error!s:.200}") from None


def pandas_stream(frame: Any) -> RowStream:
    """The rows of a frame of pandas; the levels of an index that have names are columns, too."""
    arrow = pyarrow()
    if not hasattr(frame, "columns"):
        raise UsageError(f"a DataFrame is needed, not {type(frame).__name__}")
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
    table = _built(lambda: arrow.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata())
    return RowStream(table.schema, table.to_batches(max_chunksize=ROWS))


def numpy_stream(array: Any, columns: Sequence[str]) -> RowStream:
    """The rows of an array of two dimensions, or of records with names."""
    arrow = pyarrow()
    if array.dtype.names:
        named = {name: arrow.array(array[name]) for name in array.dtype.names}
        table = arrow.table(named)
    else:
        if array.ndim != 2 or array.shape[1] != len(columns):
            raise UsageError(
                f"an array of rows has two dimensions, and a column for each of {', '.join(columns) or 'the names'}, "
                f"not the shape {array.shape}"
            )
        table = _built(lambda: arrow.table([arrow.array(array[:, place]) for place in range(len(columns))], [*columns]))
    return RowStream(table.schema, table.to_batches(max_chunksize=ROWS))


def renamed(stream: RowStream, names: Mapping[str, str] | None) -> RowStream:
    """The rows with other names of columns: those of the source, and what they are called here."""
    if not names:
        return stream
    known = stream.schema.names
    if missing := [name for name in names if name not in known]:
        raise UsageError(f"there is no column `{missing[0]}` to rename; there are {', '.join(known[:20])}")
    new = [names.get(name, name) for name in known]
    schema = pyarrow().schema([field.with_name(name) for field, name in zip(stream.schema, new)])
    decimals = {names.get(name, name): found for name, found in stream.decimals.items()}

    def batches() -> Iterator[Any]:
        for batch in stream.batches:
            yield batch.rename_columns(new)

    return evolve(stream, schema=schema, batches=batches(), decimals=decimals)
