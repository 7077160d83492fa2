"""Workspaces are added, listed and dropped from the terminal, on a server and on a database."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from callsheet import Session
from callsheet.cli.commands import callsheet as commands
from callsheet.server.process import Server

TINY = """
name = "tiny"
[types.Dot.attributes.name]
type = "string"
"""


def test_a_workspace_from_the_first_to_the_last_command(server: Server, invoke: object, tmp_path: Path) -> None:
    """Its key goes to standard output; every command reaches it by --workspace or by the variable."""
    run = invoke
    assert callable(run)
    schema = tmp_path / "tiny.toml"
    schema.write_text(TINY, encoding="utf-8")
    done: Result = run("workspaces", "add", "lab/one", "--schema", str(schema), "--description", "For dots")
    assert done.exit_code == 0, done.output
    key = done.stdout.strip()
    assert key.startswith("cs_")
    listed = run("workspaces", "list")
    assert "lab/one" in listed.output
    assert "For dots" in listed.output
    asked = run("query", "Dot", "--workspace", "lab/one", key=key)
    assert asked.exit_code == 0, asked.output
    with Session(server.url, "admin", key, workspace="lab/one") as session:
        session.create("Dot", {"name": "a"})
        session.commit()
    environment = {"CALLSHEET_SERVER": server.url, "CALLSHEET_API_USER": "admin", "CALLSHEET_API_KEY": key}
    inside = {**environment, "CALLSHEET_WORKSPACE": "lab/one", "COLUMNS": "160"}
    assert "a\n" in CliRunner().invoke(commands, ["query", "select name from Dot"], env=inside).output
    # The commands about workspaces speak to the default one, whatever the variable says.
    refused = CliRunner().invoke(commands, ["workspaces", "list"], env=inside)
    assert "the API key is unknown" in refused.output
    assert "--keep-data or --delete-data" in run("workspaces", "drop", "lab/one").output
    assert "--yes drops it without asking" in run("workspaces", "drop", "lab/one", "--delete-data").output
    dropped = run("workspaces", "drop", "lab/one", "--delete-data", "--yes")
    assert "lab/one is dropped; its data were deleted" in dropped.output
    assert "There is only the default workspace." in run("workspaces", "list").output


def test_a_database_without_a_server(tmp_path: Path) -> None:
    """The operator names the database; an own one for a workspace is attached with --address."""
    url, own = (f"sqlite:///{tmp_path}/{name}.db" for name in ("show", "own"))
    Session(url, schema={"name": "tiny", "types": {"Dot": {}}}).close()

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(commands, ["workspaces", *arguments, "--server", url], env={"COLUMNS": "200"})

    added = run("add", "lab", "--schema", "lab", "--address", own)
    assert added.exit_code == 0, added.output
    assert added.stdout.strip().startswith("cs_")
    assert "own.db" in run("list").output
    kept = run("drop", "lab", "--keep-data", "--yes")
    assert f"its data stay in {own}" in kept.output
    again = run("add", "lab", "--address", own)
    assert again.stdout.strip() == ""
    assert "their keys stay as they are" in again.output


def test_an_address_is_not_sent_to_a_server(invoke: object) -> None:
    """What is on the disk of the server's machine is for those who are on it."""
    assert callable(invoke)
    done: Result = invoke("workspaces", "add", "x", "--address", "sqlite:////tmp/x.db")
    assert "--address and --files are of the machine of the database" in done.output
