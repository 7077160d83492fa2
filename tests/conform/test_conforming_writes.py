"""A project agrees with an edit; sequences that the edit is not about stay as they are."""

from __future__ import annotations

import pytest

import callsheet
from callsheet.conform.edit import EditOptions
from callsheet.conform.reading import read_table
from callsheet.conform.report import ConformReport
from callsheet.conform.writing import ConformOptions, conform
from callsheet.errors import UsageError

HEADER = "sequence,name,start,duration,rate\n"
BOTH = HEADER + "sq1,sh1,0,24,24\nsq1,sh2,24,24,24\nsq2,sh1,0,48,24\n"


def take(session: callsheet.Session, text: str, project: str = "sintel", **options: object) -> ConformReport:
    """Conform the project to a table, and commit."""
    report = conform(session, project, read_table("edit", text, EditOptions()), ConformOptions(**options))  # type: ignore[arg-type]
    session.commit()
    return report


def shots(session: callsheet.Session) -> dict[tuple[str, str], tuple[int, str]]:
    """Length and status of each shot, by sequence and name."""
    found = session.query("select name, parent.name, frame_count, status.name from Shot")
    return {(each["parent"]["name"], each["name"]): (each["frame_count"], each["status"]["name"]) for each in found}


def test_shots_that_share_a_name(session: callsheet.Session) -> None:
    """A shot is found by its sequence and name."""
    assert take(session, BOTH).made == ("sh1", "sh2", "sh1")
    assert take(session, BOTH.replace("sq2,sh1,0,48", "sq2,sh1,0,50")).changed == ("sh1",)
    assert {name: length for name, (length, _) in shots(session).items()} == {
        ("sq1", "sh1"): 24,
        ("sq1", "sh2"): 24,
        ("sq2", "sh1"): 50,
    }
    with pytest.raises(UsageError, match=r"line 2 `sh1`: shots of this name are in sq1, sq2; say which with --scope"):
        take(session, "name,start,duration,rate\nsh1,0,1,24\n")
    take(session, "name,start,duration,rate\nsh1,0,30,24\n", scope=("sq2",))
    assert shots(session)["sq2", "sh1"] == (30, "Not started")


def test_one_sequence_at_a_time(session: callsheet.Session) -> None:
    """Only the sequences of the edit, or of the scope, are about to lose shots; the whole project if one says so."""
    take(session, BOTH)
    one = HEADER + "sq1,sh1,0,24,24\n"
    report = take(session, one)
    assert report.omitted == ("sh2",)
    assert report.notes == ("not in the edit, left as they are: the shots of sq2 (--whole-project omits them)",)
    assert shots(session)["sq2", "sh1"] == (48, "Not started")
    assert take(session, one, whole_project=True).omitted == ("sh1",)
    assert shots(session)["sq2", "sh1"] == (48, "Omitted")


def test_a_scope_leaves_the_rest_of_the_edit(session: callsheet.Session) -> None:
    """Clips outside the scope are not written, which a note says; a scope that the edit lacks is refused."""
    take(session, BOTH)
    longer = BOTH.replace(",24,24\n", ",30,24\n").replace(",48,24\n", ",60,24\n")
    report = take(session, longer, scope=("SQ2",))
    assert report.changed == ("sh1",)
    assert report.notes == ("2 clips are outside the scope: sq1",)
    assert {length for length, _ in shots(session).values()} == {24, 60}
    with pytest.raises(UsageError, match="edit has no clip of sq9; its sequences are sq1, sq2"):
        take(session, BOTH, scope=("sq9",))
    assert session.pending == ()


def test_a_shot_that_comes_back(session: callsheet.Session) -> None:
    """It is no longer omitted, and its record is the same."""
    take(session, BOTH)
    take(session, BOTH.replace("sq1,sh2,24,24,24\n", ""))
    assert shots(session)["sq1", "sh2"] == (24, "Omitted")
    report = take(session, BOTH)
    assert [str(each) for each in report.changes if each.shot == "sh2"] == ["status Omitted → Not started"]
    assert len(shots(session)) == 3


def test_capitals_and_sequences_by_name(session: callsheet.Session) -> None:
    """Names in capitals are the shots they mean; a sequence that only the name speaks of gives way to the real one."""
    take(session, HEADER + "act one,sq1_sh1,0,24,24\n")
    report = take(session, "name,start,duration,rate\nSQ1_SH1,0,30,24\nsq2_sh1,0,10,24\nzz,0,10,24\n")
    assert [(each.kind, each.sequence, each.shot) for each in report.changes] == [
        ("changed", "act one", "sq1_sh1"),
        ("new", "sq2", "sq2_sh1"),
        ("new", "main", "zz"),
    ]


def test_two_clips_for_one_shot(session: callsheet.Session) -> None:
    """They are refused by name, and nothing is recorded."""
    take(session, HEADER + "sq1,sh1,0,24,24\n")
    with pytest.raises(UsageError, match="line 3 `sh1` is the shot of line 2 already"):
        take(session, HEADER + "sq1,sh1,0,24,24\n,sh1,0,30,24\n")
    assert session.pending == ()


def test_nothing_is_recorded_where_it_cannot_be_done(session: callsheet.Session) -> None:
    """A type of work that the server lacks is named with the nearest it has."""
    with pytest.raises(UsageError, match=r"no type of work `Layuot`.*Layout"):
        take(session, BOTH, tasks=("Layuot",))
    assert session.pending == ()


def test_options_for_new_shots(session: callsheet.Session) -> None:
    """Tasks, first frame, and the sequence of shots that name none."""
    take(session, "name,start,duration,rate\nsh1,0,24,24\n", tasks=("FX",), first_frame=1, sequence="reel")
    shot = session.query("Shot").one()
    assert (shot["fstart"], shot["fend"], shot["parent"]["name"]) == (1, 24, "reel")
    assert [task["name"] for task in shot["children"]] == ["fx"]
