"""Ranges of frames: read as they are meant, or refused in one line; frames that are missing are said."""

from __future__ import annotations

from pathlib import Path

import pytest

import callsheet
from callsheet.errors import FileMissing, UsageError
from callsheet.storage.sequence import parse_sequence


@pytest.mark.parametrize(
    ("told", "frames"),
    [
        ("1-3", (1, 2, 3)),
        (" 1 - 3 , 8 ", (1, 2, 3, 8)),
        ("1-7x3", (1, 4, 7)),
        ("-2-1", (-2, -1, 0, 1)),
        ("5", (5,)),
    ],
)
def test_ranges(told: str, frames: tuple[int, ...]) -> None:
    """Frames, ranges, and steps."""
    found = parse_sequence(f"a.%04d.exr [{told}]")
    assert found is not None
    assert found.frames == frames


@pytest.mark.parametrize("told", ["1.5-3", "1-3.5", "1,,3", "", "a-b", "1-", "1--", "1-5z2", "1 2", "1e3", "\uff11-3"])
def test_ranges_that_are_none(told: str) -> None:
    """One line with the part that is wrong, and how frames are written; no regular expression."""
    with pytest.raises(UsageError) as raised:
        parse_sequence(f"a.%04d.exr [{told}]")
    assert "write frames as [1-5, 8, 10-20x2]" in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert "\\d" not in str(raised.value)


def test_missing_frames_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A component of files with holes is made, and the log says which frames are missing."""
    for frame in (1, 2, 5, 9):
        (tmp_path / f"a.{frame:04d}.exr").write_bytes(b"x")
    with callsheet.Session("memory:", seed=True) as session:
        session.create_component(str(tmp_path / "a.%04d.exr"), location=None)
        assert "5 of its frames are missing: 3-4, 6-8" in caplog.text
        caplog.clear()
        session.create_component(str(tmp_path / "a.%04d.exr [1-2]"), location=None)
        assert caplog.text == ""


def test_missing_frames_are_given_or_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The component gives them, pending or read again; by option nothing is created, or nothing is said."""
    for frame in (1, 2, 5):
        (tmp_path / f"a.{frame:04d}.exr").write_bytes(b"x")
    (tmp_path / "b.exr").write_bytes(b"x")
    path = str(tmp_path / "a.%04d.exr")
    with callsheet.Session("memory:", seed=True) as session:
        with pytest.raises(FileMissing, match=r"2 of its frames are missing: 3-4; nothing was created"):
            session.create_component(path, location=None, missing="refuse")
        assert session.pending == ()
        component = session.create_component(path, location=None, missing="allow")
        single = session.create_component(str(tmp_path / "b.exr"), location=None, missing="refuse")
        assert caplog.text == ""
        assert component.get_missing_frames() == [3, 4]
        assert single.get_missing_frames() == []
        session.commit()
        assert session.fork().get("Component", component.id).get_missing_frames() == [3, 4]
        with pytest.raises(UsageError, match="`missing` is one of warn, refuse, allow"):
            session.create_component(path, location=None, missing="drop")  # type: ignore[arg-type]
