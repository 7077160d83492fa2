"""The example plugin gives shots a behaviour that uses their attributes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

PLUGINS = Path(__file__).parents[2] / "plugins"


@pytest.fixture
def shot(callsheet_session: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A shot of 42 frames in a project at 25 frames per second."""
    monkeypatch.syspath_prepend(str(PLUGINS))
    import frame_range

    frame_range.register(callsheet_session)
    project = callsheet_session.create("Project", {"name": "p", "fps": 25.0})
    yield callsheet_session.create("Shot", {"name": "010", "parent": project, "fstart": 1001, "fend": 1042})
    sys.modules.pop("frame_range", None)


def test_frames_are_counted_with_and_without_handles(shot: Any) -> None:
    """Both ends are included."""
    shot["handles"] = 8
    assert (shot.frame_range(), shot.frame_total()) == ((1001, 1042), 42)
    assert (shot.frame_range(handles=True), shot.frame_total(handles=True)) == ((993, 1050), 58)


def test_a_shot_without_a_cut_has_no_frames(shot: Any) -> None:
    """Rather than an error."""
    shot["fend"] = None
    assert (shot.frame_range(), shot.frame_total()) == (None, 0)


def test_timecodes_use_the_rate_of_the_project_unless_the_shot_has_its_own(shot: Any, callsheet_session: Any) -> None:
    """Hours, minutes, seconds and frames."""
    callsheet_session.commit()
    assert shot.timecode_at(25 * 3661 + 3) == "01:01:01:03"
    shot["fps"] = 24.0
    assert shot.timecode_at(23) == "00:00:00:23"
