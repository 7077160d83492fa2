"""How servers and listeners write their log: where, in which form, how much of it, and how fast.

Lines go to standard error, or to a file that is rotated when it is full. A few old files are kept, so a program that
runs for months does not fill the disk. Warnings and errors with the same text (whatever their facts) are limited to
a number per minute; a summary line counts those left out. Records below the level of a warning are not limited.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import define

from callsheet.private import make_file

__all__ = ["JsonLines", "PacedHandler", "log_options", "set_up"]

FILE_BYTES = 10 * 2**20
FILES = 5
MINUTE = 60.0
PACE = 1_000
KINDS = 1_000
F = TypeVar("F", bound=Callable[..., Any])


def log_options(function: F) -> F:
    """Add ``--log-file`` and ``--log-format`` to a command."""
    file = click.option(
        "--log-file",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write the log to this file instead of standard error. Changed at 10 MB; five older ones are kept.",
    )
    form = click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
    return file(form(function))


def set_up(level: str, as_json: bool = False, file: Path | None = None) -> None:
    """Write the log of this program to a file, or to standard error."""
    writer: logging.Handler = logging.StreamHandler() if file is None else _file(file)
    writer.setFormatter(JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=level, handlers=[PacedHandler(writer)], force=True)
    # httpx logs a line for each request.
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _file(path: Path) -> RotatingFileHandler:
    class PrivateFileHandler(RotatingFileHandler):
        """Each new file is readable only by its owner."""

        def _open(self) -> Any:
            make_file(Path(self.baseFilename))
            return super()._open()

    return PrivateFileHandler(path, maxBytes=FILE_BYTES, backupCount=FILES, encoding="utf-8", errors="backslashreplace")


class JsonLines(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the facts of the record.

    >>> record = logging.LogRecord("callsheet", logging.INFO, "", 0, "done", None, None)
    >>> record.created, record.facts = 0.0, {"event_id": "e1"}
    >>> print(JsonLines().format(record))
    {"time": "1970-01-01T00:00:00+00:00", "level": "info", "logger": "callsheet", "message": "done", "event_id": "e1"}
    """

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "facts", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


@define
class _Minute:
    """The lines of one kind since a time: how many were written, and how many left out."""

    since: float
    written: int = 0
    left_out: int = 0


class PacedHandler(logging.Handler):
    """Passes records to another handler, and limits warnings and errors with the same text and logger per minute."""

    def __init__(self, target: logging.Handler, most: int = PACE, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._target, self._most, self._clock = target, most, clock
        self._kinds: dict[tuple[str, int, str], _Minute] = {}

    def emit(self, record: logging.LogRecord) -> None:
        for each in self._due(record) if record.levelno >= logging.WARNING else (record,):
            self._target.handle(each)

    def close(self) -> None:
        for kind, minute in self._kinds.items():
            if minute.left_out:
                self._target.handle(_summary(kind, minute.left_out))
        self._kinds.clear()
        self._target.close()
        super().close()

    def _due(self, record: logging.LogRecord) -> Iterator[logging.LogRecord]:
        """The record, unless its limit is reached; before it, the summary of the last minute."""
        kind, now = (record.name, record.levelno, str(record.msg)), self._clock()
        minute = self._kinds.get(kind)
        if minute is None or now - minute.since >= MINUTE:
            if minute is not None and minute.left_out:
                yield _summary(kind, minute.left_out)
            self._forget(now)
            minute = self._kinds[kind] = _Minute(now)
        if minute.written < self._most:
            minute.written += 1
            yield record
        else:
            minute.left_out += 1

    def _forget(self, now: float) -> None:
        """Remove old counts, if there are many."""
        if len(self._kinds) >= KINDS:
            kept = {kind: each for kind, each in self._kinds.items() if each.left_out or now - each.since < MINUTE}
            self._kinds = kept if len(kept) < KINDS else {}


def _summary(kind: tuple[str, int, str], count: int) -> logging.LogRecord:
    name, level, text = kind
    summary = "%d more lines like this were left out, since they came too fast: %s"
    return logging.LogRecord(name, level, "", 0, summary, (count, text), None)
