"""Each thing that a plugin can add is added by a plugin of ours, and works."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import callsheet
from callsheet.cli.commands import callsheet as commands
from callsheet.cli.plugins import command as plugins_command
from callsheet.errors import QueryError
from callsheet.model.language.parser import OPERATOR_NAMES

PLUGINS = Path(__file__).parents[2] / "plugins"
NAMES = ("between", "frame_range", "shot_numbers", "stale")


@pytest.fixture
def session(callsheet_connect: Any) -> Any:
    """A session that has them, on an empty production."""
    return callsheet_connect(plugin_paths=[PLUGINS / f"{name}.py" for name in NAMES])


@pytest.fixture
def sequence(session: Any) -> Any:
    """A sequence of three shots."""
    project = session.create("Project", {"name": "p"})
    sequence = session.create("Sequence", {"name": "sq", "parent": project})
    for number, first in ((10, 1001), (20, 1050), (30, 1100)):
        session.create("Shot", {"name": f"sh{number:03}", "parent": sequence, "fstart": first})
    session.commit()
    return sequence


def test_all_of_them_register(session: Any) -> None:
    """And say what they add."""
    session.open()
    assert {found.name: found.added for found in session.plugging.found} == {
        "between": ["operator between"],
        "frame_range": ["type Shot: FrameRange"],
        "shot_numbers": ["default Shot.name"],
        "stale": ["command stale"],
    }


def test_an_operator_expands_to_what_every_server_knows(session: Any, sequence: Any) -> None:
    """In the text of a query and in `where`; both ends are included."""
    query = session.query("Shot where fstart between (1001, 1099) order by name")
    assert str(query) == "Shot where fstart >= 1001 and fstart <= 1099 order by name"
    assert [shot["name"] for shot in query] == ["sh010", "sh020"]
    assert session.query("Shot").where("not fstart between (1001, 1099)").one()["name"] == "sh030"
    assert session.fork().query("Shot where name is between or fstart BETWEEN (1, 2)").count() == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fstart between 1001", "takes two values"),
        ("fstart between (1, 2, 3)", "takes two values"),
        ("id between (select id from Shot)", "takes values, not a query"),
        ("fstart betwen (1, 2)", "did you mean `between`"),
    ],
)
def test_a_wrong_use_of_an_operator_says_where(session: Any, text: str, message: str) -> None:
    """As a `QueryError` with a place."""
    session.open()
    with pytest.raises(QueryError, match=message) as caught:
        session.query(f"Shot where {text}")
    assert caught.value.position >= 11


def test_other_sessions_do_not_know_the_operator(callsheet_session: Any) -> None:
    """Nor do the language's own operators give way."""
    with pytest.raises(QueryError, match="expected an operator"):
        callsheet_session.query("Shot where fstart between (1, 2)")
    assert "between" not in OPERATOR_NAMES


def test_a_default_is_used_where_nothing_is_given(session: Any, sequence: Any) -> None:
    """The next number of the sequence, pending ones included; a given name stands."""
    first = session.create("Shot", {"parent": sequence})
    second = session.create("Shot", {"parent": sequence, "name": "special"})
    third = session.create("Shot", {"parent": sequence})
    assert [first["name"], second["name"], third["name"]] == ["040", "special", "050"]
    session.commit()


def test_a_default_takes_the_plugins_arguments(callsheet_connect: Any) -> None:
    """Shots may be nearer to each other."""
    session = callsheet_connect(plugin_paths=[PLUGINS / "shot_numbers.py"], plugin_arguments={"shot_step": 5})
    session.open()
    project = session.create("Project", {"name": "p"})
    sequence = session.create("Sequence", {"name": "s", "parent": project})
    assert session.create("Shot", {"parent": sequence})["name"] == "005"


def test_a_command_is_one_of_the_command_line(tmp_path: Path) -> None:
    """Its parameters are options; its help is its docstring; without plugins there is no such command."""
    url = f"sqlite:///{tmp_path / 'show.db'}"
    with callsheet.Session(url, seed=True) as session:
        project = session.create("Project", {"name": "p"})
        session.create("Task", {"name": "anim", "parent": project})
        session.commit()
    environment = {"CALLSHEET_SERVER": url, "CALLSHEET_PLUGIN_PATH": str(PLUGINS / "stale.py")}
    runner = CliRunner()
    told = runner.invoke(commands, ["stale", "--days", "3"], env=environment)
    assert (told.exit_code, told.output) == (0, "every task was touched within 3 days\n")
    told = runner.invoke(commands, ["stale", "--days=-1", "--server", url], env=environment)
    today = datetime.now(UTC)
    assert told.output in {f"{day:%Y-%m-%d}  p/anim\n" for day in (today, today - timedelta(days=1))}
    helped = runner.invoke(commands, ["stale", "--help"], env=environment)
    assert "Tasks that nobody has touched for so many days" in helped.output
    assert "--days INTEGER" in helped.output
    wrong = runner.invoke(commands, ["stal"], env=environment)
    assert (wrong.exit_code, "plugins give: stale" in wrong.output) == (2, True)
    without = runner.invoke(commands, ["stale"], env={"CALLSHEET_SERVER": url, "CALLSHEET_PLUGIN_PATH": ""})
    assert "No such command 'stale'" in without.output


def test_plugins_are_listed(tmp_path: Path) -> None:
    """Where they are and what they added; a failure is an exit status."""
    url = f"sqlite:///{tmp_path / 'show.db'}"
    environment = {"CALLSHEET_SERVER": url, "CALLSHEET_PLUGIN_PATH": str(PLUGINS / "between.py"), "COLUMNS": "300"}
    runner = CliRunner()
    listed = runner.invoke(commands, ["plugins"], env=environment)
    assert listed.exit_code == 0
    for text in ("between", "file", str(PLUGINS / "between.py"), "operator between"):
        assert text in listed.output
    bad = tmp_path / "bad.py"
    bad.write_text("def register(session): 1 / 0\n")
    plain = runner.invoke(plugins_command, ["--format", "json", "--path", str(bad)], env=environment)
    assert plain.exit_code == 1
    assert '"error":"ZeroDivisionError: division by zero"' in plain.output
    none = runner.invoke(commands, ["plugins"], env={**environment, "CALLSHEET_PLUGIN_PATH": ""})
    assert "No others" in none.output
    assert "built-in" in none.output
