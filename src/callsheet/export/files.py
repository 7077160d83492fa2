"""A query's results as a file, written page by page; the file is complete or is not there."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec

from callsheet.errors import StorageError, UsageError
from callsheet.export.delimited import DelimitedText
from callsheet.export.layout import ExportColumn
from callsheet.export.pages import ColumnPages, Values
from callsheet.export.sheets import ExcelWriter
from callsheet.export.tables import BatchPages, schema_of
from callsheet.flow import Flow, Work
from callsheet.model.record import new_key
from callsheet.model.schema import did_you_mean

__all__ = ["export", "to_csv", "to_excel", "to_jsonl", "to_parquet"]


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
    pages: Any = ColumnPages.of(result)
    columns = pages.columns
    part = target.with_name(f".{new_key()}.part")
    count = 0
    writer: Any = None
    try:
        writer = yield Work(lambda: _guarded(target, lambda: WRITERS[kind](part, columns)))
        if kind == "parquet":
            pages = BatchPages.over(pages)
        while not pages.are_read:
            values = yield from pages.fetch()
            count += len(values[0])
            yield Work(lambda values=values: _guarded(target, lambda: writer.write(values)))  # type: ignore[misc]
        yield Work(lambda: _guarded(target, lambda: _finish(writer, part, target)))
    except BaseException:
        with suppress(Exception):
            if writer is not None:
                writer.close()
        part.unlink(missing_ok=True)
        raise
    return count


def to_csv(result: Any, path: str | Path) -> Flow[int]:
    """Write all rows as delimited text, in UTF-8; gives their number. See `export`."""
    return export(result, path, "csv")


def to_jsonl(result: Any, path: str | Path) -> Flow[int]:
    """Write all rows as JSON Lines; gives their number. See `export`."""
    return export(result, path, "jsonl")


def to_parquet(result: Any, path: str | Path) -> Flow[int]:
    """Write all rows as Parquet; gives their number. See `export`."""
    return export(result, path, "parquet")


def to_excel(result: Any, path: str | Path) -> Flow[int]:
    """Write all rows as a sheet of Excel; gives their number. See `export`."""
    return export(result, path, "excel")


def _target(path: Any) -> Path:
    """The file itself: a link stays a link to it."""
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


class CsvWriter(DelimitedText):
    """A file of delimited text in UTF-8."""

    def __init__(self, path: Path, columns: Sequence[ExportColumn]) -> None:
        self._stream = open(path, "w", encoding="utf-8", newline="")  # noqa: SIM115
        super().__init__(self._stream, columns)

    def close(self) -> None:
        self._stream.close()


class JsonLinesWriter:
    """One JSON object a line; JSON data stand in it as they are."""

    def __init__(self, path: Path, columns: Sequence[ExportColumn]) -> None:
        self._names = [column.name for column in columns]
        self._stream = open(path, "wb")  # noqa: SIM115

    def write(self, values: Values) -> None:
        encode, names = msgspec.json.Encoder().encode, self._names
        self._stream.writelines(encode(dict(zip(names, row))) + b"\n" for row in zip(*values))

    def close(self) -> None:
        self._stream.close()


class ParquetWriter:
    """A Parquet file with a row group for each page."""

    def __init__(self, path: Path, columns: Sequence[ExportColumn]) -> None:
        parquet: Any = import_module("pyarrow.parquet")
        self._writer = parquet.ParquetWriter(path, schema_of(columns))

    def write(self, batch: Any) -> None:
        self._writer.write_batch(batch)

    def close(self) -> None:
        self._writer.close()


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
