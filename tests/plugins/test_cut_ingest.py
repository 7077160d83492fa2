"""An edit becomes shots and tasks; reading it again, or a later one, changes what differs and doubles nothing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from callsheet import Session, UsageError

PLUGINS = Path(__file__).parents[2] / "plugins"
FIRST = """name,start,duration,rate
sq010_sh010,0,48,24
sq010_sh020,48,24,24
sq020_sh010,0,100,24
"""
SECOND = """name,start,duration,rate
sq010_sh010,0,60,24
sq020_sh010,0,100,24
sq020_sh020,10,20,24
"""


@pytest.fixture
def cut_ingest(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(PLUGINS))
    yield importlib.import_module("cut_ingest")
    sys.modules.pop("cut_ingest", None)


def write(folder: Path, text: str, name: str = "edit.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_new_edit_makes_sequences_shots_and_tasks(cut_ingest: ModuleType, session: Session, tmp_path: Path) -> None:
    """One shot for each clip, below the sequence its name speaks of, with a task of each type."""
    report = cut_ingest.ingest(session, "sintel", write(tmp_path, FIRST))
    session.commit()
    assert str(report) == "3 made, 0 changed, 0 omitted, 0 as they were"
    shot = session.query('Shot where name is "sq010_sh020"').one()
    assert (shot["fstart"], shot["fend"], shot["source_in"], shot["cut_order"]) == (1001, 1024, 48, 2)
    assert shot["parent"]["name"] == "sq010"
    assert sorted(task["name"] for task in shot["children"]) == ["animation", "compositing", "layout", "lighting"]
    assert session.query("Sequence").count() == 2


def test_the_same_edit_again_changes_nothing(cut_ingest: ModuleType, session: Session, tmp_path: Path) -> None:
    """Nothing is pending after a second reading."""
    path = write(tmp_path, FIRST)
    cut_ingest.ingest(session, "sintel", path)
    session.commit()
    assert str(cut_ingest.ingest(session, "sintel", path)) == "0 made, 0 changed, 0 omitted, 3 as they were"
    assert session.pending == ()


def test_a_changed_edit_updates_adds_and_omits(cut_ingest: ModuleType, session: Session, tmp_path: Path) -> None:
    """A longer shot is updated, a new one made, one that is gone omitted; and back again."""
    cut_ingest.ingest(session, "sintel", write(tmp_path, FIRST))
    session.commit()
    report = cut_ingest.ingest(session, "sintel", write(tmp_path, SECOND))
    session.commit()
    assert report.made == ("sq020_sh020",)
    assert report.changed == ("sq010_sh010", "sq020_sh010")  # the second moved up in the cut
    assert report.omitted == ("sq010_sh020",)
    assert session.query("Shot").count() == 4
    assert session.query('Shot where status.name is "Omitted"').one()["name"] == "sq010_sh020"
    back = cut_ingest.ingest(session, "sintel", write(tmp_path, FIRST))
    session.commit()
    assert (back.omitted, session.query("Shot").count()) == (("sq020_sh020",), 4)
    assert session.query('Shot where name is "sq010_sh020"').one()["status"]["name"] == "Not started"


def test_a_timeline_is_read(cut_ingest: ModuleType, session: Session, tmp_path: Path) -> None:
    """Clips of the first video track of what OpenTimelineIO reads."""
    otio = pytest.importorskip("opentimelineio")
    rate = 25.0
    clips = [
        otio.schema.Clip(
            name,
            source_range=otio.opentime.TimeRange(
                otio.opentime.RationalTime(start, rate), otio.opentime.RationalTime(length, rate)
            ),
        )
        for name, start, length in (("sq_a", 10, 30), ("sq_b", 0, 50))
    ]
    track = otio.schema.Track("V1", children=clips, kind=otio.schema.TrackKind.Video)
    timeline = otio.schema.Timeline("edit")
    timeline.tracks.append(track)
    path = tmp_path / "edit.otio"
    otio.adapters.write_to_file(timeline, str(path))
    cut_ingest.ingest(session, "sintel", path)
    shot = next(each for each in session.created if each["name"] == "sq_a")
    assert (shot["source_in"], shot["source_out"], shot["frame_count"], shot["fps"]) == (10, 39, 30, 25.0)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,start,duration,rate\na,0,1,24\na,1,1,24\n", "line 3 `a` is used by line 2 already"),
        ("name,start,duration,rate\n,0,1,24\n", "line 2 has no name"),
        ("name,start,rate\na,0,24\n", "no column duration"),
        ("name,start,duration,rate\na,0,x,24\n", "line 2, `a`: duration 'x' is no whole number"),
        ("name,start,duration,rate\na,0,0,24\n", "line 2, `a`: duration must be more than nothing"),
        ("name,start,duration,rate\n", "no clips"),
    ],
)
def test_a_wrong_edit_is_refused_whole(
    cut_ingest: ModuleType, session: Session, tmp_path: Path, text: str, told: str
) -> None:
    """The error names what is wrong, and nothing is recorded."""
    with pytest.raises(UsageError, match=told):
        cut_ingest.ingest(session, "sintel", write(tmp_path, text))
    assert session.pending == ()


def test_a_dry_run_shows_shots(cut_ingest: ModuleType, session: Session, tmp_path: Path) -> None:
    """The command's dry run has a line for each shot, from → to, and leaves nothing behind."""
    cut_ingest.cut_ingest(session, "sintel", str(write(tmp_path, FIRST)))
    told = cut_ingest.cut_ingest(session, "sintel", str(write(tmp_path, SECOND)), scope="sq010", dry_run=True)
    assert told.splitlines() == [
        "changed  sq010  sq010_sh010  fend 1048 → 1060, frame_count 48 → 60, source_out 47 → 59",
        "omitted  sq010  sq010_sh020  status Not started → Omitted",
        "0 made, 1 changed, 1 omitted, 0 as they were (nothing was written)",
    ]
    assert session.pending == ()
