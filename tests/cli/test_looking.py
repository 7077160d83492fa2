"""`query`, `log`, `history` and `undo` in a window and in a pipe: they fit, and pipes get plain data."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callsheet import Session
from callsheet.cli.commands import callsheet
from callsheet.cli.moments import read_moment
from cli.windows import in_terminal

HOSTILE = "light [/]\x1b[2J"
needs_a_terminal = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")


@pytest.fixture(scope="module")
def show(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with four commits: entities made, a shot renamed, a task deleted, a note on nothing of these."""
    url = f"sqlite:///{tmp_path_factory.mktemp('show') / 'show.db'}"
    with Session(url, seed=True) as session:
        project = session.create("Project", {"name": "sintel"})
        for number in (1, 2):
            sequence = session.create("Sequence", {"name": f"sq0{number}0", "parent": project})
            shot = session.create("Shot", {"name": f"sh{number}0", "parent": sequence, "fstart": 1001})
            session.create("Task", {"name": "anim", "parent": shot, "bid": number * 0.1 + 0.2})
            session.create("Task", {"name": HOSTILE, "parent": shot, "description": "word " * 100})
        session.commit()
        shot["name"], shot["fstart"] = "sh25", 1009
        session.commit()
        session.delete(session.query("Task").where(name="anim", parent=shot).one())
        session.commit()
    return url


def run(*arguments: str) -> Result:
    """A command whose output is no terminal."""
    return CliRunner().invoke(callsheet, arguments)


def test_a_query_in_a_pipe_is_plain(show: str) -> None:
    """Columns are apart by tabs, numbers have all their digits, and nothing steers or draws."""
    found = run("query", "select name, bid, parent.name from Task order by bid, parent.name", "--server", show)
    assert found.stdout == (
        "name\tbid\tparent.name\n"
        "light [/]\\x1b[2J\t0.0\tsh10\nlight [/]\\x1b[2J\t0.0\tsh25\nanim\t0.30000000000000004\tsh10\n"
    )


@needs_a_terminal
def test_a_query_in_a_window_fits(show: str) -> None:
    """A table has 80 columns at most; what is cut ends in an ellipsis, and columns without room are named."""
    text = "select name, description, parent.name, project.name, bid, created_at, updated_at, id, parent.id from Task"
    found, code, styled = in_terminal("query", text, "--server", show)
    assert code == 0, found
    assert styled
    assert max(map(len, found.splitlines())) <= 80
    assert "light […" in found
    assert "…" in found
    assert "No room for: " in found
    assert "0.30000000000000004" in in_terminal("query", "select name, bid from Task", "--server", show)[0]


@needs_a_terminal
def test_a_tree_shows_what_entities_are_in(show: str) -> None:
    """Each entity is below what it is in, with the values that were chosen; in a pipe by indentation alone."""
    found, code, _ = in_terminal(
        "query", "select name, bid from Task where name is anim", "--format", "tree", "--server", show
    )
    assert (code, found) == (
        0,
        "Project sintel\n└── Sequence sq010\n    └── Shot sh10\n        └── Task anim · 0.30000000000000004\n1 row.\n",
    )
    piped = run("query", "Shot order by name", "--format", "tree", "--server", show).stdout
    assert piped == "Project sintel\n  Sequence sq010\n    Shot sh10\n  Sequence sq020\n    Shot sh25\n"


@needs_a_terminal
def test_a_chart_has_bars(show: str) -> None:
    """Numbers are summed for each text, or counted; bars fit, and a pipe gets texts and numbers."""
    found, code, _ = in_terminal("query", "select name from Task", "--format", "chart", "--server", show)
    assert code == 0, found
    bars = {line.split("█")[0].strip(): line.count("█") for line in found.splitlines()}
    assert max(map(len, found.splitlines())) <= 80
    assert list(bars) == ["anim", "light [/]\\x1b[2J"] or list(bars) == ["light [/]\\x1b[2J", "anim"]
    assert bars["light [/]\\x1b[2J"] in (2 * bars["anim"], 2 * bars["anim"] - 1, 2 * bars["anim"] + 1)
    piped = run("query", "select name, bid from Task order by bid", "--format", "chart", "--server", show).stdout
    assert piped == "light [/]\\x1b[2J\t0\nanim\t0.30000000000000004\n"


def test_the_log_lists_commits_newest_first(show: str) -> None:
    """Who, when, how many, of which types; filters leave out; JSON has one object a line."""
    lines = [json.loads(line) for line in run("log", "--json", "--server", show).stdout.splitlines()]
    assert [(each["position"], each["created"], each["changed"], each["deleted"]) for each in lines[:3]] == [
        (4, 0, 0, 1),
        (3, 0, 1, 0),
        (2, 9, 0, 0),
    ]
    assert lines[2]["types"] == {"Project": 1, "Sequence": 2, "Shot": 2, "Task": 4}

    def positions(*options: str) -> list[int]:
        done = run("log", "--json", *options, "--server", show)
        assert done.exit_code == 0, done.output
        return [json.loads(line)["position"] for line in done.stdout.splitlines()]

    assert positions("--type", "Task") == [4, 2]
    assert positions("--type", "Context", "--limit", "1") == [4]
    assert positions("--by", "nobody") == []
    assert positions("--by", "admin", "--limit", "2") == [4, 3]
    assert len(positions("--since", "1d")) == 4
    assert positions("--since", "2999-01-01") == []
    assert "did you mean `Task`" in run("log", "--type", "Tsk", "--server", show).output
    assert "is no moment" in run("log", "--since", "yesterday", "--server", show).output


@needs_a_terminal
def test_the_log_fits_a_window(show: str) -> None:
    """The table of commits has 80 columns at most, with whole numbers and times."""
    found, code, _ = in_terminal("log", "--server", show)
    assert code == 0, found
    assert max(map(len, found.splitlines())) <= 80
    assert "1 changed" in found
    assert "│ 3      │ 20" in found


def test_history_takes_a_key_a_path_and_a_query(show: str) -> None:
    """All name the same entity; values are shown before and after, without what the server writes each time."""
    key = json.loads(
        run("query", "select id from Shot where name is sh25", "--format", "json", "--server", show).stdout
    )[0]["id"]
    by_key = run("history", f"Shot:{key}", "--server", show)
    assert by_key.exit_code == 0, by_key.output
    assert "fstart: 1001 → 1009" in by_key.output
    assert "name: sh20 → sh25" in by_key.output
    assert "parent: sq020" in by_key.output
    assert "updated_at" not in by_key.output
    for name in ("sintel/sq020/sh25", "/ sintel / sq020 / sh25", "Shot where name is sh25"):
        assert run("history", name, "--server", show).output == by_key.output
    entry = json.loads(run("history", f"Shot:{key}", "--json", "--server", show).stdout.splitlines()[0])
    assert (entry["kind"], entry["before"]["name"], entry["after"]["name"]) == ("update", "sh20", "sh25")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sintel/sq020/sh99", "there is nothing at 'sintel/sq020/sh99'"),
        ("Shot", "Shot"),
        ("Shot:", "has no key"),
        ("a//b", "names no entity"),
        ("Tsk:1", "did you mean `Task`"),
    ],
)
def test_what_names_no_entity_is_refused(show: str, name: str, said: str) -> None:
    """A wrong name is an error that says what was meant, or how entities are named."""
    found = run("history", name, "--server", show)
    assert found.exit_code == 1
    assert said in found.output


def test_undo_shows_asks_and_takes_back(show: str, tmp_path: Path) -> None:
    """Nothing happens without --yes where nobody can be asked; with it the deleted task is there again."""
    before = run("query", "select name from Task", "--server", show).stdout
    assert "anim\n" in before
    assert before.count("anim") == 1
    asked = run("undo", "4", "--server", show)
    assert asked.exit_code == 1
    assert "--yes takes it back" in asked.output
    dry = run("undo", "4", "--dry-run", "--server", show)
    assert "create" in dry.output
    assert "name: anim" in dry.output
    assert "Nothing was changed." in dry.output
    assert run("query", "select name from Task", "--server", show).stdout == before
    done = run("undo", "4", "--yes", "--server", show)
    assert done.exit_code == 0, done.output
    assert "Commit 4 is taken back, as commit 5: 1 operation." in done.output
    assert run("query", "select name from Task", "--server", show).stdout.count("anim") == 2
    again = run("undo", "5", "--yes", "--server", show)
    assert "Commit 5 is taken back, as commit 6: 1 operation." in again.output


@needs_a_terminal
def test_undo_is_confirmed_in_a_window(show: str) -> None:
    """A person sees the table, is asked, and may say no."""
    found, code, _ = in_terminal("undo", "3", "--server", show, answer="n\n")
    assert code == 0, found
    assert "Take it back? [y/N]" in found
    assert "sh25 → sh20" in found
    assert "Nothing was changed." in found
    assert max(map(len, found.splitlines())) <= 80


def test_conflicts_of_an_undo_are_explained(show: str) -> None:
    """Each value that changed since is shown as it was left, as it is, and as it would be; both ways on are named."""
    found = run("undo", "2", "--yes", "--server", show)
    assert found.exit_code == 1
    assert "Shot sh25" in found.output
    assert "sh20" in found.output
    assert "--conflicts skip" in found.output
    assert "there is no commit 99" in run("undo", "99", "--yes", "--server", show).output


def test_moments_are_read() -> None:
    """ISO texts are in the local zone; numbers with a unit are so long ago."""
    from datetime import UTC, datetime

    now = datetime(2026, 2, 1, 12, tzinfo=UTC)
    assert read_moment("90m", now) == datetime(2026, 2, 1, 10, 30, tzinfo=UTC)
    assert read_moment("1w", now) == datetime(2026, 1, 25, 12, tzinfo=UTC)
    assert read_moment("2026-01-31T18:30", now) == datetime(2026, 1, 31, 18, 30, tzinfo=UTC)
    assert read_moment("2026-01-31T18:30+02:00", now) == datetime(2026, 1, 31, 16, 30, tzinfo=UTC)
