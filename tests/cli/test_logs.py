"""The log of a server or a listener fills no disk, and floods nobody."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callsheet.cli import logs
from callsheet.cli.logs import PacedHandler, set_up


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, as it was before afterwards."""
    found = logging.getLogger()
    before, level = found.handlers[:], found.level
    yield found
    for handler in [each for each in found.handlers if each not in before]:
        found.removeHandler(handler)
        handler.close()
    found.handlers[:] = before
    found.setLevel(level)


def test_a_full_file_is_changed_and_a_few_are_kept(
    root: logging.Logger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is readable by its owner only."""
    monkeypatch.setattr(logs, "FILE_BYTES", 10_000)
    path = tmp_path / "listen.log"
    set_up("INFO", file=path)
    for number in range(2_000):
        root.info("line %d", number)
    files = sorted(each.name for each in tmp_path.iterdir())
    assert files == ["listen.log", *(f"listen.log.{number}" for number in range(1, 6))]
    assert all(each.stat().st_size <= 10_000 for each in tmp_path.iterdir())
    assert path.read_text().endswith(" INFO line 1999\n")
    if sys.platform != "win32":
        assert {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()} == {0o600}


def test_a_line_may_hold_what_is_no_unicode(root: logging.Logger, tmp_path: Path) -> None:
    """Such as a file name; as text and as JSON."""
    for as_json in (False, True):
        path = tmp_path / f"{as_json}.log"
        set_up("INFO", as_json, path)
        root.warning("plate-%s.exr", os.fsdecode(b"\xff"))
        assert "plate-\\udcff.exr" in path.read_text()
    assert json.loads(path.read_text())["message"] == "plate-\udcff.exr"


class Kept(logging.Handler):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def test_warnings_with_one_text_have_a_pace() -> None:
    """Others are not held up by them; how many were left out is told in the next minute, and at the end."""
    kept, now = Kept(), [0.0]
    logger = logging.Logger("test")
    logger.addHandler(paced := PacedHandler(kept, 3, lambda: now[0]))

    def say(times: int) -> None:
        for number in range(times):
            logger.warning("event %d failed", number)

    say(5)
    logger.error("another")
    assert kept.lines == ["event 0 failed", "event 1 failed", "event 2 failed", "another"]
    kept.lines.clear()
    now[0] = 60.0
    say(4)
    summary = "more lines like this were left out, since they came too fast: event %d failed"
    assert kept.lines == [f"2 {summary}", "event 0 failed", "event 1 failed", "event 2 failed"]
    kept.lines.clear()
    paced.close()
    assert kept.lines == [f"1 {summary}"]


def test_what_is_less_than_a_warning_is_written_as_it_comes() -> None:
    """Each event that was handled has its line."""
    kept = Kept()
    logger = logging.Logger("test")
    logger.addHandler(PacedHandler(kept, 3))
    for number in range(10):
        logger.info("event %d handled", number)
    assert len(kept.lines) == 10


def test_what_was_said_once_is_not_remembered_for_ever() -> None:
    """Texts without end take no memory without end."""
    now = [0.0]
    paced: Any = PacedHandler(Kept(), 3, lambda: now[0])
    for number in range(5_000):
        now[0] += 1.0
        paced.emit(logging.LogRecord("test", logging.WARNING, "", 0, f"text {number}", None, None))
    assert len(paced._kinds) <= logs.KINDS
