"""Edits as tables, as office programs save them: any usual separator, header names of any case, decimal commas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator

from attrs import frozen

from callsheet.conform.edit import EditItem, EditOptions
from callsheet.conform.rates import LARGEST, canonical, same_rate
from callsheet.conform.refusal import collected, quoted
from callsheet.errors import UsageError

__all__ = ["table_items"]

COLUMNS = {
    "name": ("name", "shot", "clip", "clip name", "shot name"),
    "sequence": ("sequence", "seq", "scene"),
    "start": ("start", "source in", "source_in", "in"),
    "duration": ("duration", "frames", "length", "frame_count"),
    "rate": ("rate", "fps", "frame rate"),
}
NEEDED = ("start", "duration")
SEPARATORS = (",", ";", "\t", "|")
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}(?:[.,][0-9]{1,12})?")
_THOUSANDS = re.compile(r"[.,][0-9]{3}$")


@frozen
class _Row:
    line: int
    cells: dict[str, str]
    surplus: bool


def table_items(file: str, text: str, options: EditOptions) -> list[EditItem]:
    """The clips of a table. Lines before the header that begin with ``#`` are comments; none after it is."""
    if re.search(r"[\0-\x08\x0b\x0c\x0e-\x1f]", text):
        raise UsageError(f"{file} is no table: it has characters that no text has")
    rows = list(_rows(file, text))
    return collected(file, rows, lambda row: _item(row, options))


def _rows(file: str, text: str) -> Iterator[_Row]:
    skipped, lines = _without_comments(text)
    separator, header = _header(file, lines)
    places = _places(file, header)
    reader = csv.reader(io.StringIO("".join(lines), newline=""), delimiter=separator, strict=True)
    try:
        next(reader)
        begin = reader.line_num + 1
        for cells in reader:
            if any(cell.strip() for cell in cells):
                named = {name: cells[place].strip() for name, place in places.items() if place < len(cells)}
                yield _Row(begin + skipped, named, any(cell.strip() for cell in cells[len(header) :]))
            begin = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(f"{file}, line {reader.line_num + skipped}: {error}") from None


def _without_comments(text: str) -> tuple[int, list[str]]:
    """How many lines come before the header, and the lines from it on."""
    lines = list(io.StringIO(text, newline=None))
    for number, line in enumerate(lines):
        bare = line.strip().lower()
        if _is_header(bare) or not (not bare or bare.startswith(("#", '"#', "sep="))):
            return number, lines[number:]
    return len(lines), []


def _is_header(line: str) -> bool:
    return any(_known(_cells(line, separator)) >= set(NEEDED) for separator in SEPARATORS)


def _header(file: str, lines: list[str]) -> tuple[str, list[str]]:
    """The separator that makes most columns of the first line, and the names it makes."""
    first = lines[0] if lines else ""
    separator = max(SEPARATORS, key=lambda each: len(_known(_cells(first, each))))
    header = _cells(first, separator)
    missing = [name for name in NEEDED if name not in _known(header)]
    if missing:
        raise UsageError(f"{file} has no column {', '.join(missing)}; an edit has {', '.join(COLUMNS)}")
    return separator, header


def _cells(line: str, separator: str) -> list[str]:
    try:
        return [cell.strip().lower() for cell in next(csv.reader([line], delimiter=separator), [])]
    except csv.Error:
        return []


def _known(header: list[str]) -> set[str]:
    return {name for name, spellings in COLUMNS.items() if set(spellings) & set(header)}


def _places(file: str, header: list[str]) -> dict[str, int]:
    """Where each column is; the first spelling that the table has counts."""
    twice = next((name for name in header if name and header.count(name) > 1), None)
    if twice and any(twice in spellings for spellings in COLUMNS.values()):
        raise UsageError(f"{file} has two columns `{twice}`")
    found = {name: next((each for each in spellings if each in header), None) for name, spellings in COLUMNS.items()}
    return {name: header.index(spelling) for name, spelling in found.items() if spelling is not None}


def _item(row: _Row, options: EditOptions) -> EditItem:
    name = row.cells.get("name", "")
    where = f"line {row.line}"
    about = f"{where}, {quoted(name)}" if name else where
    if row.surplus:
        raise UsageError(f"{about}: there are more cells than columns (a separator in a name needs quotes)")
    start, duration = (_frames(row.cells.get(column, ""), column, about) for column in NEEDED)
    if duration <= 0:
        raise UsageError(f"{about}: duration must be more than nothing")
    if start < 0:
        raise UsageError(f"{about}: start is before the first frame of the source")
    rate = _rate(row.cells.get("rate", ""), about, options)
    return EditItem(name, where, start, start + duration - 1, duration, rate, row.cells.get("sequence", ""))


def _frames(text: str, column: str, about: str) -> int:
    value = _number(text)
    # Three digits behind a point or comma may be thousands.
    if value is None or value != int(value) or abs(value) > LARGEST or _THOUSANDS.search(text):
        raise UsageError(f"{about}: {column} {text!r} is no whole number of frames")
    return int(value)


def _rate(text: str, about: str, options: EditOptions) -> float:
    if not text:
        if options.rate is None:
            raise UsageError(f"{about}: the file does not say the frame rate; say it with --rate")
        return canonical(options.rate)
    value = _number(text)
    if value is None or not 0 < value < 1000:
        raise UsageError(f"{about}: rate {text!r} is no number of frames per second")
    if options.rate is not None and not same_rate(options.rate, value):
        raise UsageError(f"{about}: the rate is {value:g}, not {options.rate:g} as --rate says")
    return canonical(value)


def _number(text: str) -> float | None:
    """The number, with a decimal point or comma; None if the text is none."""
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None
