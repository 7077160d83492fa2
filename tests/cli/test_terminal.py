"""One door to the terminal: data is shown as data, whatever it holds, and in every code page."""

from __future__ import annotations

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from callsheet.cli.commands import callsheet
from callsheet.cli.terminal import Terminal, printable
from callsheet.session.blocking import Session

NAMES = ("plate [left]", "[/]", "[bold]x[/bold]", ":smile:", "a\x1b[2Jb", "e\rf", "猫", "a\u202eb", 'x","y', "#010")


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A database with a folder for each awkward name."""
    url = f"sqlite:///{tmp_path / 'names.db'}"
    with Session(url) as session:
        project = session.create("Project", {"name": "p"})
        for number, name in enumerate(NAMES):
            session.create("Folder", {"name": name, "parent": project, "sort": float(number) + 0.1 + 0.2})
        session.commit()
    return url


COMMAND = (sys.executable, "-c", "from callsheet.cli import main; main()")


def run(*arguments: str) -> str:
    """What a command prints; it must succeed."""
    done = CliRunner().invoke(callsheet, arguments)
    assert done.exit_code == 0, done.output
    return done.output


def test_names_are_never_markup(database: str) -> None:
    """Brackets stay, colons are no pictures, and characters that steer a terminal are shown as escapes."""
    shown = run("query", "select name from Folder order by sort", "--server", database)
    for name in ("plate [left]", "[/]", "[bold]x[/bold]", ":smile:", r"a\x1b[2Jb", r"e\rf", "猫", r"a\u202eb"):
        assert name in shown
    assert "\x1b" not in shown


def test_a_table_in_a_pipe_has_no_lines_and_is_not_cut(database: str) -> None:
    """Rows are plain columns of full width, so that other programs can read them."""
    with Session(database) as session:
        session.query('Folder where name is "猫"').one()["name"] = "x" * 300
        session.commit()
    shown = run("query", "select name, sort from Folder order by sort", "--server", database)
    assert "x" * 300 in shown
    assert set("│┃─━┏┓") & set(shown) == set()


def test_csv_is_read_as_it_was_written(database: str) -> None:
    """Every value comes back whole: a lone carriage return is quoted, and numbers keep their digits."""
    shown = run("query", "select name, sort from Folder order by sort", "--format", "csv", "--server", database)
    header, *rows = csv.reader(io.StringIO(shown, newline=""))
    assert header == ["id", "name", "sort"]
    assert tuple(name for _, name, _ in rows) == NAMES
    assert [float(sort) for _, _, sort in rows] == [float(number) + 0.1 + 0.2 for number in range(len(NAMES))]


def test_csv_has_the_columns_of_every_type(database: str) -> None:
    """A column that only the last rows fill is in the header, however many rows come before them."""
    with Session(database) as session:
        project = session.create("Project", {"name": "a"})
        for number in range(510):
            session.create("Folder", {"name": f"f{number}", "parent": project})
        session.create("Task", {"name": "zz", "parent": project, "bid": 0.1 + 0.2})
        session.commit()
    shown = run("query", "Context order by name", "--format", "csv", "--server", database)
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(shown, newline=""))}
    assert (rows["zz"]["bid"], rows["zz"]["parent"], rows["a"]["bid"]) == ("0.30000000000000004", "a", "")
    assert rows["a"]["is_private"] == "false"


@pytest.mark.parametrize("form", ["table", "json", "csv"])
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_small_code_page_stops_no_output(database: str, form: str, encoding: str) -> None:
    """A table shows escapes for what the code page lacks; JSON and CSV are UTF-8 always."""
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C", "PYTHONUTF8": "0"}
    command = [*COMMAND, "query", "select name from Folder", "--format", form]
    done = subprocess.run([*command, "--server", database], capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr
    expected = rb"\u732b" if form == "table" else "猫".encode()
    assert expected in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_line(database: str) -> None:
    """Where the output cannot be written, one line says so, and no traceback."""
    command = [*COMMAND, "query", "Folder", "--server", database]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (1, "Error: the output cannot be written: No space left on device\n")


@given(st.text())
def test_nothing_steers_the_terminal(text: str) -> None:
    """Whatever the text, no control character but ends of lines and tabs is left."""
    assert all(character in "\n\t" or ord(character) >= 32 for character in printable(text))
    assert not any(0x7F <= ord(character) < 0xA0 for character in printable(text))
    assert "\n" not in printable(text, lines=False)


def test_cells_of_several_lines_stay_in_their_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """Each line of a cell is a line of the output, below its column."""
    Terminal().table(("name", "rules", "n"), [("a", ["read:*", "update:Task"], "1"), ("猫", None, "2")])
    assert capsys.readouterr().out == (
        "name  rules        n\na     read:*       1\n      update:Task\n猫                 2\n"
    )
