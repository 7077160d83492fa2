"""The commands as a user types them."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner, Result

from callsheet import __version__, cli
from callsheet.cli.commands import COMMANDS
from callsheet.cli.commands import callsheet as commands
from callsheet.cli.doctor import vendor
from callsheet.dialects.protocol import Description
from callsheet.model.schema import Schema
from callsheet.server.schemas.document import load_schema_document

Invoke = Callable[..., Result]


def test_help_names_every_command() -> None:
    """``--help`` lists all commands, each with a line of its own; each command explains its options."""
    told = CliRunner().invoke(commands, ["--help"]).output
    for name in COMMANDS:
        assert f"\n  {name}" in told
        assert "--" in CliRunner().invoke(commands, [name, "--help"]).output


@pytest.mark.parametrize("group", [[], ["users"], ["roles"], ["events"]])
def test_lines_of_help_are_whole(group: list[str]) -> None:
    """In a window of 80 columns too."""
    told = CliRunner().invoke(commands, [*group, "--help"], env={"COLUMNS": "80"}).output
    assert "..." not in told.partition("Commands:")[2]


def test_version() -> None:
    """``--version`` tells the package's version."""
    assert CliRunner().invoke(commands, ["--version"]).output == f"callsheet {__version__}\n"


def test_an_unknown_command() -> None:
    """A command that does not exist is a usage error, which tells the nearest."""
    result = CliRunner().invoke(commands, ["qury"])
    assert result.exit_code == 2
    assert "No such command 'qury'; did you mean `query`?" in result.output


def test_a_server_that_is_not_there() -> None:
    """What could not be reached is told, and what to look at."""
    result = CliRunner().invoke(commands, ["query", "Project", "--server", "http://127.0.0.1:1", "--key", "k"])
    assert result.exit_code == 1
    assert "127.0.0.1:1" in result.output
    assert "callsheet serve" in result.output


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without click and rich the command says what to install."""

    def find(name: str) -> ModuleType | None:
        return None

    monkeypatch.setattr(importlib.util, "find_spec", find)
    with pytest.raises(SystemExit, match=r"pip install 'callsheet\[cli\]'"):
        cli.main()


def test_errors_are_told_without_a_traceback(invoke: Invoke) -> None:
    """An error of the user's is one message and exit code 1."""
    result = invoke("query", "Tsk")
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert "did you mean `Task`" in result.output
    assert "Traceback" not in result.output


def test_query_as_table(invoke: Invoke) -> None:
    """Columns that were asked for appear in their order, one row for each entity."""
    result = invoke(
        "query", "select name, parent.name from Task where bid > 1 order by parent.name", "--format", "table"
    )
    assert result.exit_code == 0, result.output
    cells = [re.split("  +", line) for line in result.output.splitlines()[1:-1]]
    assert cells == [["layout", "sh010"], ["layout", "sh020"]]
    assert "2 rows." in result.output


def test_query_as_table_chooses_columns(invoke: Invoke) -> None:
    """Without a choice the table shows names instead of keys, and no empty columns."""
    result = invoke("query", "Shot where name = sh010", "--format", "table")
    header = re.split("  +", result.output.splitlines()[0])
    assert header[:3] == ["name", "parent.name", "project.name"]
    assert "status.name" not in header
    assert "sintel" in result.output


def test_query_as_json(invoke: Invoke) -> None:
    """JSON is a list of flat objects; nothing found is an empty list."""
    text = "select name, parent.name from Task where bid = 3.5 order by parent.name"
    result = invoke("query", text, "--format", "json")
    rows = json.loads(result.output)
    assert [(row["name"], row["parent.name"]) for row in rows] == [("layout", "sh010"), ("layout", "sh020")]
    assert json.loads(invoke("query", "Task where name = nothing", "--format", "json").output) == []


def test_query_as_csv(invoke: Invoke) -> None:
    """CSV has a header and quotes where it must."""
    result = invoke("query", "select name, bid from Task order by name", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(result.output)))
    assert [row["name"] for row in rows] == ["edit, and mix", "layout", "layout"]
    assert rows[1]["bid"] == "3.5"


def test_schema_lists_types(invoke: Invoke) -> None:
    """All entity types are listed, abstract ones in parentheses."""
    told = invoke("schema").output
    assert "\nTask " in told
    assert "\n(Context) " in told


def test_schema_of_one_type(invoke: Invoke) -> None:
    """One type is shown with its ancestors, attributes and rules."""
    told = invoke("schema", "Shot").output
    assert told.startswith("Shot → TypedContext → Context")
    assert "→ Status" in told
    assert "on delete: restrict" in told
    assert "Unique together: parent, name" in told


def test_schema_saved(invoke: Invoke, tmp_path: Path) -> None:
    """The saved file is a valid schema with the server's types."""
    path = tmp_path / "show.json"
    assert invoke("schema", "--save", str(path)).exit_code == 0
    assert Schema(load_schema_document(path)).hash == Schema(load_schema_document("production")).hash
    refused = invoke("schema", "--save", str(tmp_path / "show.toml"))
    assert refused.exit_code == 1
    assert "show.json" in refused.output


def test_users(invoke: Invoke) -> None:
    """An account can be added, used, given another key and disabled."""
    first = invoke("users", "add", "anna").stdout.strip()
    whoami = ("shell", "-c", "print(session.server_information.user)")
    second = invoke("users", "key", "anna").stdout.strip()
    assert invoke(*whoami, "--user", "anna", key=first).exit_code == 1
    assert invoke(*whoami, "--user", "anna", key=second).output == "anna\n"
    assert "ask an administrator" in invoke("users", "list", "--user", "anna", key=second).output
    assert invoke("users", "disable", "anna").output == "anna is disabled.\n"
    assert invoke(*whoami, "--user", "anna", key=second).exit_code == 1
    rows = [line for line in invoke("users", "list").output.splitlines() if "anna" in line]
    assert len(rows) == 1
    assert "disabled" in rows[0]


def test_roles_and_grants(invoke: Invoke) -> None:
    """A role is added, granted in a project, seen in the lists, taken back and removed; refusals are in the audit."""
    assert invoke("roles", "add", "animator", "read:*", "update:Task,!Milestone").output == "animator is a role now.\n"
    assert "update:Task,!Milestone" in invoke("roles", "list").output
    key = invoke("users", "add", "vendor", "--role", "guest", "--expires", "30").stdout.strip()
    count = ("shell", "-c", "print(session.query('Task').count())", "--user", "vendor")
    assert invoke(*count, key=key).output == "0\n"
    granted = invoke("users", "grant", "vendor", "animator", "--project", "sintel")
    assert granted.output == "vendor has the role animator in sintel.\n"
    assert invoke(*count, key=key).output == "3\n"
    rows = [line for line in invoke("users", "list").output.splitlines() if "vendor" in line]
    assert "animator in " in rows[0]
    assert invoke("roles", "remove", "animator").exit_code == 1
    assert invoke("roles", "list", "--user", "vendor", key=key).exit_code == 1
    noted = [line for line in invoke("audit").output.splitlines() if "vendor" in line]
    assert "roles.list" in noted[-1]
    assert invoke("users", "revoke", "vendor", "animator", "--project", "sintel").exit_code == 0
    assert invoke("users", "role", "vendor", "reader").output == "vendor has the role reader.\n"
    assert invoke(*count, key=key).output == "3\n"
    assert invoke("roles", "remove", "animator").output == "animator is no role any more.\n"
    assert invoke("users", "disable", "vendor").exit_code == 0
    assert invoke(*count, key=key).exit_code == 1
    assert invoke("users", "enable", "vendor").output == "vendor is enabled.\n"
    assert invoke(*count, key=key).output == "3\n"


def test_unfinished_uploads_are_listed_and_removed(invoke: Invoke) -> None:
    """Whose they are and how large they are; what is younger than a day stays."""
    code = (
        "def flow():\n"
        "    upload = yield from session._dialect.upload('loose', 'a.png', 4)\n"
        "    yield from upload.send(b'ab')\n"
        "session.run(flow())"
    )
    result = invoke("shell", "-c", code)
    assert result.exit_code == 0, result.output
    (row,) = [line.split() for line in invoke("uploads", "list").output.splitlines() if "incomplete" in line]
    assert row[:3] == ["admin", "incomplete", "2"]
    assert invoke("uploads", "remove", "--older-than", "1").output == "0 uploads removed, 0 bytes.\n"
    assert invoke("uploads", "remove", "--older-than", "0.5").exit_code == 2


def test_shell_runs_a_command(invoke: Invoke) -> None:
    """Code runs with a connected session; what was not committed is told."""
    result = invoke("shell", "-c", "session.create('Project', {'name': 'x'}); print(session.query('Task').count())")
    assert result.stdout == "3\n"
    assert "1 operation not committed; dropped" in result.stderr


def test_shell_asks(invoke: Invoke) -> None:
    """The prompt greets with what it is connected to, and takes Python."""
    result = invoke("shell", input="print(session.types['Task'])\n")
    assert result.exit_code == 0, result.output
    assert "connected as admin" in result.output


def test_doctor_expects_no_version_of_ours_of_another_server() -> None:
    """An ftrack site has versions of its own."""
    told = Description("ftrack", "4.13.8", datetime.now(UTC), "hash", None)
    check = vendor("0.1.0", told)
    assert (check.well, check.result) == (True, "here 0.1.0, server ftrack 4.13.8")


def test_a_studio_needs_a_schema(tmp_path: Path) -> None:
    """Without one no database is made, which could never be seeded."""
    database = tmp_path / "studio.db"
    result = CliRunner().invoke(commands, ["seed", "--database", f"sqlite:///{database.as_posix()}"])
    assert result.exit_code == 1
    assert "a new database needs `--schema FILE`" in result.output
    assert not database.exists()


def test_doctor_is_content(invoke: Invoke) -> None:
    """Everything well: one line a check, exit code 0."""
    result = invoke("doctor")
    assert result.exit_code == 0, result.output
    names = [line.split()[1] for line in result.output.splitlines()]
    assert names == ["here", "connection", "versions", "schema", "clocks", "round"]
    assert all(line.startswith("ok") for line in result.output.splitlines())


@pytest.mark.parametrize(
    ("options", "cure"),
    [
        (["--key", "a wrong key"], "check CALLSHEET_API_USER and CALLSHEET_API_KEY"),
        (["--server", "http://127.0.0.1:9"], "start a server"),
    ],
)
def test_doctor_knows_the_cure(invoke: Invoke, options: list[str], cure: str) -> None:
    """What fails is told with its cure, and the exit code is 1."""
    result = invoke("doctor", *options)
    assert result.exit_code == 1
    assert "fail  connection" in result.output
    assert cure in result.output
