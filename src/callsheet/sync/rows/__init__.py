"""Rows of any source: mappings, files, frames, queries. Each comes with its number, for messages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from callsheet.errors import UsageError
from callsheet.sync.cells import Row

__all__ = ["open_rows"]


def open_rows(source: Any) -> Iterator[Row]:
    """The rows of a source, one after the other; `UsageError` for what has no rows."""
    if hasattr(source, "numbered_rows"):
        found: Iterator[Row] = source.numbered_rows()
        return found
    if hasattr(source, "select_statement"):
        # A query of this session or another: its rows come page by page.
        records = source.records()
        if not isinstance(records, Iterable):
            raise UsageError("rows of a query that is awaited are those of the plan's own session; list others before")
        return _numbered(records)
    if hasattr(source, "__arrow_c_stream__"):
        from callsheet.sync.rows.arrow import arrow_rows

        return arrow_rows(source)
    if isinstance(source, str | bytes | Mapping) or not isinstance(source, Iterable):
        given = f"{type(source).__name__}: {source!r:.60}"
        raise UsageError(f"rows are mappings, one for each row, or `callsheet.rows(file)`, not {given}")
    return _numbered(source)


def _numbered(source: Iterable[Any]) -> Iterator[Row]:
    for number, values in enumerate(source, 1):
        if type(values) is not dict and not isinstance(values, Mapping):
            given = f"{type(values).__name__}: {values!r:.60}"
            raise UsageError(f"row {number} is a mapping of columns to values, not {given}")
        yield Row(number, values)
