"""Rows of a file, by its ending: delimited text, JSON Lines, Excel, Parquet."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from attrs import frozen

from callsheet.errors import StorageError, UsageError
from callsheet.model.schema import did_you_mean
from callsheet.sync.cells import Row
from callsheet.sync.rows.decoding import decoded

__all__ = ["FileRows", "file_rows"]

SEPARATORS = ",;\t|"
SAMPLE = 64 * 1024


@frozen
class FileRows:
    """The rows of a file. Iterating reads it from its start, so a plan can be made again.

    A row's number is the line (of text) or row (of a sheet) where it begins, the header being the first.
    """

    path: Path
    format: str
    encoding: str = ""
    separator: str = ""
    sheet: str = ""
    columns: tuple[str, ...] = ()

    def numbered_rows(self) -> Iterator[Row]:
        """The rows with their numbers."""
        try:
            yield from _READERS[self.format](self)
        except OSError as error:
            raise StorageError(f"{self.path}: {error.strerror or error}") from error

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return (row.values for row in self.numbered_rows())


def file_rows(path: Path, format: str, encoding: str, separator: str, sheet: str, columns: Sequence[str]) -> FileRows:
    """The rows of a file; `UsageError` where nothing says how it is read."""
    found = format or ENDINGS.get(path.suffix.lower(), "")
    if found not in _READERS:
        known = ", ".join(_READERS)
        if format:
            raise UsageError(f"there is no format {format!r}: {known}{did_you_mean(format, _READERS)}")
        raise UsageError(f"{path.name}: its ending does not say what it is; give format= ({known})")
    if separator and len(separator) != 1:
        raise UsageError(f"a separator is one character, not {separator!r:.20}")
    return FileRows(path, found, encoding, separator, sheet, tuple(columns))


ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".xlsx": "excel",
    ".xlsm": "excel",
    ".xlsb": "excel",
    ".xls": "excel",
    ".ods": "excel",
    ".parquet": "parquet",
    ".pq": "parquet",
}


# -- text --------------------------------------------------------------------------------------------------------------


def _text_rows(source: FileRows) -> Iterator[Row]:
    text = decoded(source.path, source.encoding)
    with text as stream:
        sample = stream.read(SAMPLE)
        stream.seek(0)
        separator = source.separator or _separator(sample)
        reader = csv.reader(stream, delimiter=separator, strict=True)
        try:
            header = list(source.columns) or _header(next(reader, []), source.path)
            yield from _lines(reader, header, source.path)
        except csv.Error as error:
            raise UsageError(f"{source.path.name}, line {reader.line_num}: {error}") from None
        except UnicodeDecodeError as error:
            raise UsageError(f"{source.path.name} is not {error.encoding}: say its encoding") from None


def _lines(reader: Any, header: list[str], path: Path) -> Iterator[Row]:
    start = reader.line_num + 1
    for cells in reader:
        number, start = start, reader.line_num + 1
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
            raise UsageError(f"{path.name}, line {number}: {len(cells)} values for {len(header)} columns")
        yield Row(number, dict(zip(header, cells)))


def _header(cells: list[str], path: Path) -> list[str]:
    names = [cell.strip() for cell in cells]
    doubles = sorted({name for name in names if name and names.count(name) > 1})
    if doubles:
        raise UsageError(f"{path.name} has two columns called {' and '.join(map(repr, doubles))}")
    return names


def _separator(sample: str) -> str:
    """The character that cuts the first lines into the same number of parts, and most."""
    lines = [line for line in sample.splitlines()[:50] if line.strip()]
    best, most = ",", 0.0
    for separator in SEPARATORS:
        counts = [len(next(csv.reader([line], delimiter=separator), [])) for line in lines]
        if counts and counts[0] > 1:
            alike = sum(count == counts[0] for count in counts) / len(counts)
            if alike * counts[0] > most:
                best, most = separator, alike * counts[0]
    return best


# -- other formats -----------------------------------------------------------------------------------------------------


def _json_rows(source: FileRows) -> Iterator[Row]:
    with decoded(source.path, source.encoding or "utf-8-sig") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                values = json.loads(line)
            except ValueError as error:
                raise UsageError(f"{source.path.name}, line {number}: this is no JSON: {error}") from None
            if not isinstance(values, dict):
                raise UsageError(f"{source.path.name}, line {number}: a row is an object, not {type(values).__name__}")
            yield Row(number, values)


def _excel_rows(source: FileRows) -> Iterator[Row]:
    calamine = _extra("python_calamine", "python-calamine", source)
    with open(source.path, "rb") as stream:
        try:
            book = calamine.CalamineWorkbook.from_filelike(stream)
            sheet = book.get_sheet_by_name(source.sheet) if source.sheet else book.get_sheet_by_index(0)
            lines = sheet.to_python(skip_empty_area=False)
        except Exception as error:
            sheets = f"; its sheets: {', '.join(book.sheet_names)}" if "book" in locals() else ""
            raise UsageError(f"{source.path.name} cannot be read as a sheet: {error}{sheets}") from None
    header = list(source.columns)
    for number, cells in enumerate(lines, 1):
        if not any(cell not in ("", None) for cell in cells):
            continue
        if not header:
            header = _header([str(cell) for cell in cells], source.path)
        else:
            yield Row(number, {name: None if cell == "" else cell for name, cell in zip(header, cells) if name})


def _parquet_rows(source: FileRows) -> Iterator[Row]:
    from callsheet.sync.rows.arrow import batch_rows

    parquet = _extra("pyarrow.parquet", "pyarrow", source)
    try:
        with parquet.ParquetFile(source.path) as opened:
            yield from batch_rows(opened.iter_batches())
    except OSError:
        raise
    except Exception as error:
        raise UsageError(f"{source.path.name} cannot be read as Parquet: {error}") from None


def _extra(module: str, package: str, source: FileRows) -> Any:
    try:
        return import_module(module)
    except ImportError:
        cure = f"`pip install {package}`, or the extra callsheet[sync]"
        raise UsageError(f"{source.path.name}: reading it needs the package {package}: {cure}") from None


_READERS: dict[str, Callable[[FileRows], Iterator[Row]]] = {
    "csv": _text_rows,
    "jsonl": _json_rows,
    "excel": _excel_rows,
    "parquet": _parquet_rows,
}
