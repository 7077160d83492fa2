"""Timelines for tests of edits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

otio = pytest.importorskip("opentimelineio")

Write = Callable[..., Path]
"""Writes a timeline, text or bytes to a file of a name; gives its path."""


def span(start: float, length: float, rate: float = 24.0) -> Any:
    """A range of frames."""
    return otio.opentime.TimeRange(otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(length, rate))


def clip(name: str, start: float = 0, length: float = 24, rate: float = 24.0, **more: Any) -> Any:
    """A clip of so many frames."""
    return otio.schema.Clip(name, source_range=span(start, length, rate), **more)


def track(*items: Any, name: str = "V1") -> Any:
    """A video track."""
    return otio.schema.Track(name, children=list(items), kind=otio.schema.TrackKind.Video)


def timeline(*tracks: Any, name: str = "edit") -> Any:
    """A timeline of these tracks; items that are no tracks make one."""
    made = otio.schema.Timeline(name)
    plain = [each for each in tracks if not isinstance(each, otio.schema.Track)]
    for each in [track(*plain)] if plain else tracks:
        made.tracks.append(each)
    return made
