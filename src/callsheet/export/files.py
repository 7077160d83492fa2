"""A query's results as a file, written page by page; the file is complete or is not there."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from callsheet.errors import StorageError, UsageError
from callsheet.export.layout import ExportColumn, columns_of
from callsheet.export.sheets import ExcelWriter
from callsheet.export.tables import next_batch, pyarrow, schema_of
from callsheet.flow import Flow, Work
from callsheet.model.record import new_key
from callsheet.model.schema import did_you_mean

__all__ = ["export"]


def export(result: Any, path: str | Path, format: str = "") -> Flow[int]:
    """Write all rows to a file; gives their number.

    ``format`` is csv, jsonl, parquet or excel; by default the file's ending says it. The file takes its place when it
    is complete: an export that fails leaves what was there.

    Raises `UsageError` for an ending that says nothing, `StorageError` where the file cannot be written.

    >>> session.query("Task").export("tasks.csv")  # doctest: +SKIP
    1200
    """
    target = _target(path)
    if not isinstance(format, str):
        raise UsageError(f"format is one of {', '.join(WRITERS)}, not {format!r:.60}")
    kind = format or ENDINGS.get(target.suffix.lower(), "")
    if kind not in WRITERS:
        known = ", ".join(WRITERS)
        if format:
            raise UsageError(f"there is no format {format!r:.20}: {known}{did_you_mean(format, WRITERS)}")
        raise UsageError(f"{target.name}: its ending does not say what it is; give format= ({known})")
    columns = columns_of(result._core.schema, result.select_statement)
    part = target.with_name(f".{new_key()}.part")
    count = 0
    writer: Any = None
    try:
        writer = yield Work(lambda: _guarded(target, lambda: WRITERS[kind](part, columns)))
        cursor = None
        while True:
            batch, cursor = yield from next_batch(result, columns, cursor)
            count += int(batch.num_rows)
            yield Work(lambda batch=batch: _guarded(target, lambda: writer.write(batch)))  # type: ignore[misc]
            if cursor is None:
                break
        yield Work(lambda: _guarded(target, lambda: _finish(writer, part, target)))
    except BaseException:
        with suppress(Exception):
            if writer is not None:
                writer.close()
        part.unlink(missing_ok=True)
        raise
    return count


def _target(path: Any) -> Path:
    """The file itself: a link goes on leading to it."""
    try:
        return Path(os.path.realpath(Path(path)))
    except (TypeError, ValueError):
        raise UsageError(f"a path is needed, not {path!r:.80}") from None


def _guarded(target: Path, function: Callable[[], Any]) -> Any:
    try:
        return function()
    except OSError as error:
        raise StorageError(f"{target} cannot be written: {error.strerror or error}") from error


def _finish(writer: Any, part: Path, target: Path) -> None:
    writer.close()
    if target.exists():
        # Who could read the old file, and nobody else, can read the new one.
        part.chmod(target.stat().st_mode & 0o7777)
    os.replace(part, target)


class CsvWriter:
    """Delimited text in UTF-8: a header, then a line for each row, numbers with all their digits."""

    def __init__(self, path: Path, columns: Sequence[ExportColumn]) -> None:
        self._stream = open(path, "w", encoding="utf-8", newline="")  # noqa: SIM115
        self._writer = csv.writer(self._stream, lineterminator="\r\n")
        self._writer.writerow([column.name for column in columns])

    def write(self, batch: Any) -> None:
        columns = [column.to_pylist() for column in batch.columns]
        self._writer.writerows([_cell(value) for value in row] for row in zip(*columns))

    def close(self) -> None:
        self._stream.close()


class JsonLinesWriter:
    """One JSON object a line."""

    def __init__(self, path: Path, columns: Sequence[ExportColumn]) -> None:
        self._stream = open(path, "wb")  # noqa: SIM115

    def write(self, batch: Any) -> None:
        self._stream.writelines(msgspec.json.encode(row) + b"\n" for row in batch.to_pylist())

    def close(self) -> None:
        self._stream.close()


class ParquetWriter:
    """A Parquet file with a row group for each page."""

    def __init__(self, path: Path, columns: Sequence[ExportColumn]) -> None:
        pyarrow()
        parquet: Any = import_module("pyarrow.parquet")
        self._writer = parquet.ParquetWriter(path, schema_of(columns))

    def write(self, batch: Any) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()


def _cell(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    return msgspec.json.encode(value).decode().strip('"')


WRITERS: dict[str, Any] = {
    "csv": CsvWriter,
    "jsonl": JsonLinesWriter,
    "parquet": ParquetWriter,
    "excel": ExcelWriter,
}
ENDINGS = {
    ".csv": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "excel",
}
