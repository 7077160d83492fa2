"""``callsheet cube watch`` prints what differs, draws on a terminal, and goes on while commits come."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner

from callsheet import Session
from callsheet.cli.commands import callsheet
from callsheet.server.process import Server, serve


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server with a cube of two tasks, of which the second came later."""
    with serve("production") as running, Session(running.url, "admin", running.admin_key) as session:
        cube = session.create_cube("Task", "Work", mode="manual")
        cube.hierarchies["Task"] = {"Task": "name"}
        project = session.create("Project", {"name": "sintel"})
        session.create("Task", {"name": "anim", "parent": project, "bid": 1.0})
        session.commit()
        session.create("Task", {"name": "comp", "parent": project, "bid": 2.0})
        session.commit()
        yield running


def words(server: Server, *more: str) -> list[str]:
    account = ("--server", server.url, "--user", "admin", "--key", server.admin_key)
    return ["cube", "watch", "Work", "sum(bid)", "--by", "Task", *more, *account]


def run(server: Server, *more: str) -> Any:
    return CliRunner().invoke(callsheet, words(server, *more))


def test_rows_are_lines(server: Server) -> None:
    """All rows at first; from a position on, those that differ."""
    first = run(server, "--changes", "1")
    assert first.exit_code == 0, first.output
    assert [line.split("\t")[1:] for line in first.output.splitlines()] == [
        ["first", "anim", "1.00"],
        ["first", "comp", "2.00"],
    ]
    position = int(first.output.split("\t")[0])
    later = run(server, "--changes", "1", "--since", str(position - 1))
    assert later.output == f"{position}\tadded\tcomp\t2.00\n"


def test_rows_are_objects_for_programs(server: Server) -> None:
    """One on a line, with the measures before and after."""
    found = run(server, "--changes", "1", "--json", "--totals")
    rows = [json.loads(line) for line in found.output.splitlines()]
    assert [(row["kind"], row["levels"], row["before"], row["after"]) for row in rows] == [
        ("first", {"Task": "anim"}, None, {"sum(bid)": 1.0}),
        ("first", {"Task": "comp"}, None, {"sum(bid)": 2.0}),
        ("first", {"Task": "total"}, None, {"sum(bid)": 3.0}),
    ]


@pytest.mark.parametrize("more", [(), ("--chart",)])
def test_on_a_terminal_the_numbers_are_drawn(server: Server, more: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the last ones, with the position and what changed."""
    position = int(run(server, "--changes", "1").output.split("\t")[0])
    monkeypatch.setenv("FORCE_COLOR", "1")
    found = run(server, "--changes", "1", "--since", str(position - 1), *more).output
    assert "\x1b[2J" in found
    assert "comp" in found
    assert "1 added" in found


def test_mistakes_of_a_watch_are_named(server: Server) -> None:
    """Before anything is drawn."""
    found = run(server, "--order", "bidd")
    assert found.exit_code == 1
    assert "bidd" in found.output


def test_it_goes_on_while_commits_come(server: Server) -> None:
    """A process that watches prints a line for what a commit changed, and ends after so many changes."""
    command = [
        sys.executable,
        "-c",
        "from callsheet.cli import main; main()",
        *words(server, "--changes", "2", "--where", 'name is "light"'),
    ]
    with (
        Session(server.url, "admin", server.admin_key) as session,
        subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"}) as process,
    ):
        try:
            # There is no task `light`, so the first answer has no row.
            project = session.query("Project").one()
            task = session.create("Task", {"name": "light", "parent": project, "bid": 4.0})
            session.commit()
            assert process.stdout is not None
            seen = process.stdout.readline().decode().rstrip("\n").split("\t")
            assert seen[1] in ("first", "added")
            assert seen[2:] == ["light", "4.00"]
            if seen[1] == "first":
                task["bid"] = 5.0
                session.commit()
                assert process.stdout.readline().decode().rstrip("\n").split("\t")[1:] == ["changed", "light", "5.00"]
            assert process.wait(30) == 0
        finally:
            process.kill()
