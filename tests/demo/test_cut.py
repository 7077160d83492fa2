"""Cuts are read from CSV and from what OpenTimelineIO knows."""

from __future__ import annotations

import sys
from pathlib import Path

import opentimelineio as otio
import pytest

from callsheet.demo.cut import Clip, Cut, read_cut, revised, sol_levante
from callsheet.errors import StorageError, UsageError

REAL = Path(__file__).parents[3] / "shared" / "data" / "cuts" / "SolLevante_HDR10_r2020_ST2084_UHD_24fps_1000nit.otio"


def timeline(durations: list[int], rate: float = 24.0) -> otio.schema.Timeline:
    """Clips of these lengths with a gap of ten frames before the last, and a sound track."""
    track = otio.schema.Track("V1", kind=otio.schema.TrackKind.Video)
    for number, duration in enumerate(durations):
        if number == len(durations) - 1:
            track.append(otio.schema.Gap(duration=otio.opentime.RationalTime(10, rate)))
        start = otio.opentime.RationalTime(100, rate)
        span = otio.opentime.TimeRange(start, otio.opentime.RationalTime(duration, rate))
        track.append(otio.schema.Clip(f"clip_{number}", source_range=span))
    made = otio.schema.Timeline("Edit")
    made.tracks.append(track)
    made.tracks.append(otio.schema.Track("A1", kind=otio.schema.TrackKind.Audio))
    return made


def test_sol_levante_ships_with_its_facts() -> None:
    """The cut has 72 clips without gaps, 6,314 frames at 24 frames per second, and names its owner."""
    cut = sol_levante()
    assert len(cut.clips) == 72
    assert cut.clips[3] == Clip(40, 144, 310, 24.0)
    assert sum(clip.duration for clip in cut.clips) == 6314
    assert all(one.start + one.duration == other.start for one, other in zip(cut.clips, cut.clips[1:], strict=False))
    assert "Netflix" in cut.credit
    assert "CC BY 4.0" in cut.credit


@pytest.mark.skipif(not REAL.exists(), reason="the published timelines are not beside this project")
def test_sol_levante_agrees_with_the_published_timeline() -> None:
    """The facts that ship are those of the timeline they were taken from."""
    assert read_cut(REAL).clips == sol_levante().clips


def test_csv_with_comments_and_names(tmp_path: Path) -> None:
    """Comments and empty lines are skipped; names are optional; numbers count in tens."""
    path = tmp_path / "edit.csv"
    path.write_text("# mine\n\nstart,duration,rate,name\n0,24,25,first\n24,48,25,\n")
    assert read_cut(path) == Cut("edit", (Clip(10, 0, 24, 25.0, "first"), Clip(20, 24, 48, 25.0)))


def test_otio_takes_the_first_video_track(tmp_path: Path) -> None:
    """Clips of the first video track, where they stand in it, in frames of its rate; gaps and sound are skipped."""
    path = tmp_path / "edit.otio"
    otio.adapters.write_to_file(timeline([24, 48]), str(path))
    assert read_cut(path) == Cut("Edit", (Clip(10, 0, 24, 24.0, "clip_0"), Clip(20, 34, 48, 24.0, "clip_1")))


def test_an_edit_decision_list(tmp_path: Path) -> None:
    """EDL files are read through the adapter that comes with the extra."""
    path = tmp_path / "edit.edl"
    otio.adapters.write_to_file(timeline([24, 48]), str(path))
    assert [clip.duration for clip in read_cut(path).clips] == [24, 48]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("cut.csv", "start,length\n1,2\n", "the cut cut has no column duration, rate"),
        ("cut.csv", "# a\nstart,duration,rate\n1,2,24\n1,two,24\n", "cut, line 4: start and duration are whole"),
        ("cut.csv", "start,duration,rate\n1,0,24\n", "line 2: duration and rate must be more than nothing"),
        ("cut.csv", "start,duration,rate\n", "has no clips"),
        ("cut.otio", "no timeline", "OpenTimelineIO cannot read .*cut.otio"),
        ("cut.xyz", "", "OpenTimelineIO cannot read .*cut.xyz"),
    ],
)
def test_broken_cuts(tmp_path: Path, name: str, content: str, message: str) -> None:
    """What is wrong with a cut is told with its file and line."""
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(UsageError, match=message):
        read_cut(path)


@pytest.mark.parametrize("name", ["gone.csv", "gone.otio"])
def test_missing_cuts(tmp_path: Path, name: str) -> None:
    """A file that is not there is named."""
    with pytest.raises(StorageError, match=name):
        read_cut(tmp_path / name)


def test_without_opentimelineio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra to install is named."""
    monkeypatch.setitem(sys.modules, "opentimelineio", None)
    with pytest.raises(UsageError, match=r"callsheet\[otio\]"):
        read_cut(tmp_path / "edit.edl")


@pytest.mark.parametrize(("count", "numbers"), [(1, [10, 15]), (2, [10, 20, 25]), (3, [10, 20, 25])])
def test_small_cuts_can_be_revised(count: int, numbers: list[int]) -> None:
    """However short the cut, one clip is longer and one is new; one is gone where there is another."""
    cut = Cut("c", tuple(Clip(place * 10, 0, 24, 24.0) for place in range(1, count + 1)))
    after = revised(cut)
    expected = [number for number in numbers if not (count == 2 and number == 20 and len(after.clips) == 2)]
    assert [clip.number for clip in after.clips] == expected
    assert 36 in [clip.duration for clip in after.clips]
