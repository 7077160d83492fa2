"""Cuts: which clips follow each other, read from CSV, or from any format of OpenTimelineIO."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

from attrs import evolve, frozen

from callsheet.errors import StorageError, UsageError

__all__ = ["Clip", "Cut", "read_cut", "revised", "sol_levante"]

COLUMNS = ("start", "duration", "rate", "name")


@frozen
class Clip:
    """One clip: ``number`` is its place in tens (10, 20, …), so that others fit between.

    ``start`` is its first frame and ``duration`` its length in frames, ``rate`` the frames per second.
    """

    number: int
    start: int
    duration: int
    rate: float
    name: str = ""


@frozen
class Cut:
    """A named list of clips. ``credit`` names the owner, where known."""

    name: str
    clips: tuple[Clip, ...]
    credit: str = ""


def sol_levante() -> Cut:
    """The cut of *Sol Levante*, whose bare facts are part of this package.

    >>> cut = sol_levante()
    >>> cut.name, len(cut.clips), cut.clips[0].duration
    ('Sol Levante', 72, 24)
    """
    text = (resources.files("callsheet.demo") / "data" / "sol_levante.csv").read_text(encoding="utf-8")
    cut = _from_csv("Sol Levante", text.splitlines())
    return evolve(cut, credit="Sol Levante, Netflix, opencontent.netflix.com, CC BY 4.0")


def read_cut(path: Path) -> Cut:
    """The cut in a file: ``.csv`` with the columns start, duration and rate, or what OpenTimelineIO reads."""
    try:
        cut = _from_csv(path.stem, path.read_text(encoding="utf-8-sig").splitlines()) if _is_csv(path) else _otio(path)
    except OSError as error:
        raise StorageError(f"the cut {path} cannot be read: {error.strerror}") from None
    if not cut.clips:
        raise UsageError(f"the cut {path} has no clips in its first video track")
    return cut


def _is_csv(path: Path) -> bool:
    return path.suffix.lower() == ".csv"


def _from_csv(name: str, lines: Iterable[str]) -> Cut:
    """Lines that begin with ``#`` are comments; line numbers in errors count them."""
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip() and not line.startswith("#")]
    rows = csv.DictReader(line for _, line in numbered)
    missing = [column for column in COLUMNS[:3] if column not in (rows.fieldnames or ())]
    if missing:
        raise UsageError(f"the cut {name} has no column {', '.join(missing)}; a cut has {', '.join(COLUMNS)}")
    clips = [_clip(name, number, row) for (number, _), row in zip(numbered[1:], rows)]
    return Cut(name, tuple(evolve(clip, number=place * 10) for place, clip in enumerate(clips, 1)))


def _clip(name: str, line: int, row: dict[str, Any]) -> Clip:
    try:
        clip = Clip(0, int(row["start"]), int(row["duration"]), float(row["rate"]), row.get("name") or "")
    except (TypeError, ValueError):
        raise UsageError(f"the cut {name}, line {line}: start and duration are whole frames, rate a number") from None
    if clip.duration <= 0 or not 0 < clip.rate < 1000:
        raise UsageError(f"the cut {name}, line {line}: duration and rate must be more than nothing")
    return clip


def _otio(path: Path) -> Cut:
    try:
        import opentimelineio as otio
    except ImportError:
        raise UsageError(
            f"reading {path.suffix or 'this kind of'} files needs OpenTimelineIO, which comes with the extra `otio`: "
            "pip install 'callsheet[otio]'"
        ) from None
    if not path.exists():
        raise StorageError(f"the cut {path} does not exist")
    try:
        read = otio.adapters.read_from_file(str(path))
    except Exception as error:  # Each adapter raises what it likes.
        raise UsageError(f"OpenTimelineIO cannot read {path}: {type(error).__name__}: {error}") from None
    timeline = read if isinstance(read, otio.schema.Timeline) else next(iter(read.find_children(otio.schema.Timeline)))
    return Cut(timeline.name or path.stem, tuple(_clips(otio, timeline)))


def _clips(otio: Any, timeline: Any) -> Iterator[Clip]:
    """What is seen in the first video track that shows anything: clips, and nested stacks as one clip each."""
    for track in timeline.video_tracks():
        shown = [item for item in track if isinstance(item, otio.schema.Clip | otio.schema.Stack)]
        for place, item in enumerate(shown, 1):
            span = track.range_of_child(item)
            rate = float(span.duration.rate)
            frames = round(span.start_time.value_rescaled_to(rate)), round(span.duration.value)
            yield Clip(place * 10, *frames, rate, item.name or "")
        if shown:
            return


def revised(cut: Cut) -> Cut:
    """What editorial might send next week: one clip longer, one gone, one new between two others.

    >>> before, after = sol_levante(), revised(sol_levante())
    >>> len(set(after.clips) - set(before.clips)), len(set(before.clips) - set(after.clips))
    (2, 2)
    """
    clips = list(cut.clips)
    longer, middle = len(clips) // 3, clips[len(clips) // 2]
    gone = min(longer * 2, len(clips) - 1)
    clips[longer] = evolve(clips[longer], duration=clips[longer].duration + 12)
    if gone != longer:
        del clips[gone]
    new = evolve(middle, number=middle.number + 5, duration=48, name="")
    return evolve(cut, clips=tuple(sorted((*clips, new), key=lambda clip: clip.number)))
