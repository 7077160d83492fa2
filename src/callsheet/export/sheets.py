"""A sheet of Excel, of values and never of formulas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from callsheet.errors import StorageError, UsageError
from callsheet.export.layout import ExportColumn
from callsheet.export.pages import Values, json_text

__all__ = ["ExcelWriter"]

ROWS = 1_048_576
"""Rows of a sheet, the header among them."""
CHARACTERS = 32_767
"""Characters of a cell, in UTF-16."""
ESCAPED = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]|_(?=x[0-9A-Fa-f]{4}_)")
"""What stands in a sheet as ``_xHHHH_``: characters that XML does not have, and the beginning of such an escape."""


class ExcelWriter:
    """A sheet of Excel: numbers have 15 digits there, and times are in UTC, since a sheet has no zones."""

    def __init__(self, path: Path, columns: Sequence[ExportColumn]) -> None:
        try:
            openpyxl: Any = import_module("openpyxl")
        except ImportError:
            raise UsageError("writing Excel needs the package openpyxl: `pip install openpyxl`") from None
        self._path, self._rows = path, 0
        self._cell_class: Any = import_module("openpyxl.cell").WriteOnlyCell
        self._book = openpyxl.Workbook(write_only=True)
        self._sheet = self._book.create_sheet("rows")
        self._sheet.append([self._text(column.name) for column in columns])

    def write(self, values: Values) -> None:
        self._rows += len(values[0])
        if self._rows >= ROWS:
            raise StorageError(f"a sheet has at most {ROWS:,} rows; csv, jsonl and parquet hold all")
        for row in zip(*values):
            self._sheet.append([self._cell(value) for value in row])

    def close(self) -> None:
        self._book.save(self._path)

    def _cell(self, value: Any) -> Any:
        if isinstance(value, list | dict):
            value = json_text(value)
        if isinstance(value, datetime):
            value = value.replace(tzinfo=None)
        if isinstance(value, date) and value.year < 1900:
            # A sheet counts its days from 1900.
            value = value.isoformat()
        return self._text(value) if isinstance(value, str) else value

    def _text(self, value: str) -> Any:
        """A cell of text, whatever its content: openpyxl makes formulas of what begins with "=", and cuts."""
        if len(value.encode("utf-16-le")) // 2 > CHARACTERS:
            longest = f"a cell of a sheet holds {CHARACTERS:,} characters"
            raise StorageError(f"{longest}, not {value[:20]!r} and {len(value) - 20:,} more; csv, jsonl and parquet do")
        cell = self._cell_class(self._sheet)
        cell._value, cell.data_type = ESCAPED.sub(lambda found: f"_x{ord(found[0]):04X}_", value), "s"
        return cell
