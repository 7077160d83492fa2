"""``callsheet conform``: a table of shots before anything is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import Result

import callsheet

Invoke = Callable[..., Result]
FIRST = "Name;Start;Duration\nsq010_sh010;0;48\nsq010_sh020;48;24\nsq020_sh010;0;100\n"


def test_an_edit_is_shown_and_then_written(invoke: Invoke, tmp_path: Path) -> None:
    """The dry run shows each shot from → to and writes nothing; the run itself shows the same and commits."""
    path = tmp_path / "edit.csv"
    path.write_text(FIRST)
    url = f"sqlite:///{(tmp_path / 'show.db').as_posix()}"
    with callsheet.Session(url, seed=True) as session:
        session.open()
    arguments = ("conform", str(path), "--project", "conformed", "--rate", "24", "--task", "Layout", "--server", url)
    dry = invoke(*arguments, "--dry-run")
    assert dry.exit_code == 0, dry.output
    assert "new  sq010     sq010_sh010  48 frames at 24" in dry.output
    assert "note: the project conformed is new" in dry.output
    assert "3 made, 0 changed, 0 omitted, 0 as they were (dry run: nothing was written)" in dry.output
    assert "0 as they were\n" in invoke(*arguments).output
    path.write_text(FIRST.replace("sh010;0;48", "sh010;0;60").replace("sq010_sh020;48;24\n", ""))
    changed = invoke(*arguments, "--scope", "sq010").output.splitlines()
    assert changed[0] == "conformed"
    assert changed[1].split() == ["sequence", "shot", "from", "→", "to"]
    assert changed[2] == ("changed  sq010     sq010_sh010  fend 1048 → 1060, frame_count 48 → 60, source_out 47 → 59")
    assert changed[3] == "omitted  sq010     sq010_sh020  status Not started → Omitted"
    assert changed[-1] == "0 made, 1 changed, 1 omitted, 0 as they were"


def test_refusals_are_one_message(invoke: Invoke, tmp_path: Path) -> None:
    """A file that is missing or wrong is an error with its reason, without a traceback."""
    gone = invoke("conform", str(tmp_path / "gone.edl"), "--project", "p")
    assert (gone.exit_code, gone.output) == (1, f"Error: the edit {tmp_path / 'gone.edl'} does not exist\n")
    (tmp_path / "a.csv").write_text("name,start,duration\na,0,1\n")
    wrong = invoke("conform", str(tmp_path / "a.csv"), "--project", "p")
    assert wrong.output == "Error: a.csv: line 2, `a`: the file does not say the frame rate; say it with --rate\n"
