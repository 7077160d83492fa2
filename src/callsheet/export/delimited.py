"""Delimited text: a header, then a line for each row."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from typing import IO, Any

from attrs import frozen

from callsheet.export.layout import ExportColumn
from callsheet.export.pages import Values, json_text

__all__ = ["DelimitedText"]


class DelimitedText:
    """Writes rows to a stream of text, numbers with all their digits, lists and JSON data as JSON.

    ``end`` ends each line. Quotes stand around a cell with any end of line in it, a lone carriage return too.
    """

    def __init__(self, stream: IO[str], columns: Sequence[ExportColumn], end: str = "\r\n") -> None:
        # The writer quotes what is in its own end of line: it needs the longest.
        self._writer = csv.writer(stream if end == "\r\n" else _Lines(stream, end), lineterminator="\r\n")
        self._writer.writerow([column.name for column in columns])

    def write(self, values: Values) -> None:
        """Write the rows of a page."""
        self._writer.writerows([_cell(value) for value in row] for row in zip(*values))


@frozen
class _Lines:
    """A stream whose lines end otherwise; it is given one line at a time."""

    stream: IO[str]
    end: str

    def write(self, line: str) -> int:
        return self.stream.write(line[:-2] + self.end)


def _cell(value: Any) -> Any:
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return value
    return json_text(value).strip('"')
