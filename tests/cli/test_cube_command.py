"""``callsheet cube`` lists, shows, loads and asks cubes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from callsheet import Session
from callsheet.cli.commands import callsheet

CUBE = """name = "Work"
table = "Task"

[hierarchies.Project.levels]
Project = "project.name"
Task = "name"

[measures.Hours]
is = "sum(bid) / 3600"
format = "0.0"
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command on a database with a cube's text beside it."""
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{(tmp_path / 'show.db').as_posix()}"
    with Session(url) as session:
        project = session.create("Project", {"name": "sintel"})
        for name, bid in (("anim", 3600.0), ("comp", 7200.0)):
            session.create("Task", {"name": name, "parent": project, "bid": bid})
        session.commit()
    Path("work.toml").write_text(CUBE)

    def ran(*words: str) -> Any:
        return CliRunner().invoke(callsheet, ["cube", *words, "--server", url])

    return ran


def test_cubes_from_the_command_line(run: Any) -> None:
    """A text becomes a cube, which is listed, shown and asked."""
    assert "no cubes" in run("list").output
    assert run("load", "work.toml").output == "Work: 3 changes committed.\n"
    assert run("load", "work.toml").output == "Work was so already.\n"
    assert "Work" in run("list").output
    assert "sum(bid) / 3600" in run("show", "Work").output
    assert run("show", "Work", "--toml").output == CUBE
    rows = json.loads(run("query", "Work", "Hours", "--by", "Task", "--totals", "--json").output)
    assert rows[0] == {"Project": "sintel", "Task": "anim", "Hours": 1.0}
    assert rows[-1] == {"Project": "total", "Task": "total", "Hours": 3.0}
    assert (
        run("query", "Work", "--by", "Task", "--csv").output == "Project,Task,Hours\nsintel,anim,1.0\nsintel,comp,2.0\n"
    )
    assert run("query", "Work", "Hours", "--by", "Project", "--where", "name is comp").output.split()[-1] == "2.0"
    assert (
        run("query", "Work", "--by", "Task", "--order", "-Hours", "--limit", "1", "--chart").output
        == "sintel, comp\t2\n"
    )


def test_mistakes_are_named(run: Any) -> None:
    """By the level, the measure, the cube, or the line."""
    run("load", "work.toml")
    for words, message in [
        (("query", "Wrok"), "did you mean `Work`"),
        (("query", "Work", "Hors"), "did you mean `Hours`"),
        (("query", "Work", "--by", "Taks"), "did you mean `Task`"),
        (("query", "Work", "--where", "bidd > 3"), "did you mean `bid`"),
    ]:
        found = run(*words)
        assert found.exit_code == 1
        assert message in found.output
    Path("work.toml").write_text(CUBE.replace("sum(bid)", "sum(bid"))
    assert "line 9" in run("load", "work.toml").output
