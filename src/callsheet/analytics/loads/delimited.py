"""Files of delimited text: all columns are read as texts, and their types are found by looking at all values.

The types of a column are tried from the narrow to the wide: integer, decimal, number, boolean, date, datetime, text.
An integer has no leading zero, so that postal codes and numbers of articles stay texts. Numbers with a point are fixed
decimals if no value has more digits than a double holds exactly: then sums of them are exact, too.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from attrs import define, field

from callsheet.analytics.loads.streams import RowStream
from callsheet.analytics.loads.types import EXACT_DIGITS, arrow_compute
from callsheet.errors import StorageError, UsageError
from callsheet.export.tables import pyarrow
from callsheet.model.table_steps import ColumnSpec

__all__ = ["csv_stream", "csv_types"]

BLOCK = 2 * 2**20
SAMPLE = 64 * 2**10
DECIMALS = 9
_PATTERNS = {
    "integer": r"^-?(0|[1-9]\d{0,17})$",
    "decimal": r"^[-+]?\d{1,15}(\.\d{1,9})?$",
    "number": r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?$",
    "boolean": r"^(?i:true|false)$",
    "date": r"^\d{4}-\d\d-\d\d([T ]00:00:00(\.0+)?)?$",
    "datetime": r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?$",
}
_ZERO = r"^[-+]?0\d"


def csv_stream(path: Path, separator: str | None = None, encoding: str = "utf-8") -> RowStream:
    """The rows of a file, all columns as texts; empty values are none."""
    arrow = pyarrow()
    text: Any = import_module("pyarrow.csv")
    try:
        opened = arrow.input_stream(str(path), compression="detect")
        with opened:
            head = opened.read(SAMPLE)
        sample = head.decode(encoding, "replace")
        if not sample.strip():
            raise UsageError(f"{path.name} is empty: it has no names of columns")
        delimiter = separator or _delimiter(sample)
        names = next(csv.reader(sample.splitlines(keepends=True), delimiter=delimiter))
        names = [name.removeprefix("\ufeff").strip() or f"column_{place}" for place, name in enumerate(names, 1)]
        if twice := [name for name in names if names.count(name) > 1]:
            raise UsageError(f"{path.name} has two columns `{twice[0]}`; their names must differ")
        reader = text.open_csv(
            arrow.input_stream(str(path), compression="detect"),
            text.ReadOptions(
                block_size=BLOCK, encoding=encoding, column_names=names, skip_rows=0, skip_rows_after_names=1
            ),
            text.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            text.ConvertOptions(
                column_types={name: arrow.string() for name in names},
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except LookupError as error:
        raise UsageError(f"{path.name} cannot be read: {error!s:.200}") from None
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error!s:.200}") from None
    except arrow.ArrowException as error:
        raise UsageError(f"{path.name} cannot be read as delimited text: {error!s:.300}") from None
    return RowStream(reader.schema, _batches(path, reader), where=path.name)


def _batches(path: Path, reader: Any) -> Iterator[Any]:
    arrow = pyarrow()
    try:
        with reader:
            yield from reader
    except arrow.ArrowException as error:
        raise UsageError(f"{path.name} cannot be read as delimited text: {error!s:.300}") from None


def _delimiter(sample: str) -> str:
    """The separator that the first line has most often."""
    first = sample.splitlines()[0]
    return max(",;\t|", key=lambda each: (first.count(each), each == ","))


@define
class _Guess:
    """What a column may be after the values so far."""

    possible: list[str] = field(factory=lambda: [*_PATTERNS])
    decimals: int = 0
    digits: int = 0
    filled: bool = False


def csv_types(streams: Sequence[RowStream], names: Sequence[str], patterns: Mapping[str, str]) -> dict[str, ColumnSpec]:
    """The columns of these names, with the types that all their values have."""
    guesses = {name: _Guess() for name in names if name not in patterns}
    for stream in streams if guesses else ():
        for batch in stream.batches:
            for name, guess in guesses.items():
                if guess.possible and name in batch.schema.names:
                    _look(guess, batch.column(name))
    dated = {name: ColumnSpec(name, _of_pattern(patterns[name])) for name in names if name in patterns}
    return {**{name: _spec(name, guess) for name, guess in guesses.items()}, **dated}


def _of_pattern(pattern: str) -> str:
    return "datetime" if any(part in pattern for part in ("%H", "%M", "%S", "%T", "%I")) else "date"


def _look(guess: _Guess, texts: Any) -> None:
    """Strike out what these values are not."""
    compute = arrow_compute()
    values = compute.utf8_trim_whitespace(texts.drop_null())
    if len(values) == 0:
        return
    values = compute.unique(values)
    guess.filled = True
    guess.possible = [kind for kind in guess.possible if _all(compute, values, _PATTERNS[kind])]
    if ("number" in guess.possible or "decimal" in guess.possible) and compute.any(
        compute.match_substring_regex(values, _ZERO)
    ).as_py():
        guess.possible = []
    if "decimal" in guess.possible:
        points = compute.find_substring(values, ".")
        lengths = compute.utf8_length(values)
        after = compute.if_else(compute.less(points, 0), 0, compute.subtract(compute.subtract(lengths, points), 1))
        before = compute.if_else(compute.less(points, 0), lengths, points)
        guess.decimals = max(guess.decimals, compute.max(after).as_py())
        guess.digits = max(guess.digits, compute.max(before).as_py())
    for kind, target in (("date", "date"), ("datetime", "datetime")):
        if kind in guess.possible and not _real(values, target):
            guess.possible.remove(kind)


def _all(compute: Any, values: Any, pattern: str) -> bool:
    return bool(compute.all(compute.match_substring_regex(values, pattern)).as_py())


def _real(values: Any, kind: str) -> bool:
    """Whether texts that look like dates are dates: there is no 30 February."""
    arrow = pyarrow()
    for zone in (None, "UTC"):
        try:
            values.cast(arrow.timestamp("us", zone))
            return True
        except arrow.ArrowException:
            continue
    return False


def _spec(name: str, guess: _Guess) -> ColumnSpec:
    if not guess.filled or not guess.possible:
        return ColumnSpec(name, "string")
    kind = guess.possible[0]
    if kind == "decimal":
        if guess.digits + guess.decimals <= EXACT_DIGITS:
            return ColumnSpec(name, "number", None, guess.decimals)
        kind = "number" if "number" in guess.possible else "string"
    return ColumnSpec(name, kind)
