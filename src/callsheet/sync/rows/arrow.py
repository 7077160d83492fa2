"""Rows of anything that offers an Arrow stream: pandas and polars frames, Arrow tables, results of DuckDB."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

from callsheet.errors import UsageError
from callsheet.sync.cells import Row

__all__ = ["arrow_rows", "batch_rows"]


def arrow_rows(source: Any) -> Iterator[Row]:
    """The rows of a stream, batch by batch."""
    try:
        pyarrow: Any = import_module("pyarrow")
    except ImportError:
        raise UsageError("rows of a frame need the package pyarrow: `pip install pyarrow`") from None
    return batch_rows(pyarrow.RecordBatchReader.from_stream(source))


def batch_rows(batches: Iterable[Any]) -> Iterator[Row]:
    """The rows of Arrow's record batches; NaN is no value."""
    number = 0
    for batch in batches:
        for values in batch.to_pylist():
            number += 1
            yield Row(number, {name: None if value != value else value for name, value in values.items()})
