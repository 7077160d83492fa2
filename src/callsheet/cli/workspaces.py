"""``callsheet workspaces``: the workspaces of a server. For administrators of its default workspace."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from callsheet.cli.connection import ServerChoice, bare_server_options
from callsheet.cli.terminal import Terminal
from callsheet.errors import UsageError

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["command"]

_NAME = click.argument("name")


def _connected(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give the command a session on the default workspace, whatever ``CALLSHEET_WORKSPACE`` says."""

    @bare_server_options
    @functools.wraps(command)
    def run(
        server: str, user: str | None, key: str | None, dialect: str | None, profile: str | None, **arguments: Any
    ) -> Any:
        with closing(ServerChoice(server, user, key, "default", dialect, profile).session()) as session:
            return command(session, **arguments)

    return run


@click.group("workspaces", short_help="Add, list and drop the workspaces of a server.")
def command() -> None:
    """Add, list and drop workspaces: each has a schema, data, accounts and files of its own.

    With --server sqlite:///FILE the database is opened here, and no server may run on it.
    """


@command.command("add")
@_NAME
@click.option("--schema", metavar="production|lab|FILE", show_default="production", help="What a new workspace holds.")
@click.option("--description", default="", help="What it is for.")
@click.option("--address", metavar="URL", help="A database of your own for it; only with --server sqlite:///… or such.")
@click.option(
    "--files", type=click.Path(path_type=Path, file_okay=False), help="The folder of its uploads; only with --address."
)
@_connected
def add(
    session: Session, name: str, schema: str | None, description: str, address: str | None, files: Path | None
) -> None:
    """Add the workspace NAME and print the API key of its account admin, only now.

    NAME has one or two parts: lab, or holidays/uk (a data view and a system).
    """
    if address is not None or files is not None:
        added, key = _attached(session, name, schema, description, address, files)
    else:
        found = session.call("workspaces.add", name=name, schema=_document(schema), description=description)
        added, key = found["address"], found["key"]
    terminal = Terminal(err=True)
    terminal.say(f"The workspace {name} is added: {added}")
    if key is None:
        terminal.say("Its database was there before, with its accounts; their keys stay as they are.")
        return
    terminal.say(f"The API key of its account admin; keep it safe, it is not shown again (--workspace {name}):")
    click.echo(key)


def _document(schema: str | None) -> Any:
    """A preset by its name; a file as the document in it, because the server cannot read files of this machine."""
    if schema is None:
        return None
    try:
        from callsheet.server.schemas.document import PRESETS, load_schema_document
    except ImportError:
        return schema
    return schema if schema in PRESETS else load_schema_document(schema)


def _attached(
    session: Session, name: str, schema: str | None, description: str, address: str | None, files: Path | None
) -> tuple[str, str | None]:
    """Add a workspace on a database that the operator names: not over the wire."""
    service = session._connection.service
    if service is None:
        raise UsageError(
            "--address and --files are of the machine of the database: stop the server, and name its database, "
            "--server sqlite:///FILE or postgresql+psycopg://…"
        )
    found = service.workspaces.add(name, schema, description, address=address, files=files)
    return found.address, found.key


@command.command("list")
@_connected
def list_(session: Session) -> None:
    """List the workspaces beside the default one."""
    rows = []
    for each in session.call("workspaces.list"):
        rows.append(
            (each["name"], each["schema"], f"{each['created']:%Y-%m-%d %H:%M}", each["description"], each["address"])
        )
    if not rows:
        Terminal().say("There is only the default workspace.")
        return
    Terminal().table(("name", "schema", "created", "description", "database"), rows, whole="name")


@command.command("drop")
@_NAME
@click.option("--keep-data", "data", flag_value="keep", help="Leave its database and files where they are.")
@click.option("--delete-data", "data", flag_value="delete", help="Delete its database and files, for good.")
@click.option("--yes", is_flag=True, help="Drop without asking.")
@_connected
def drop(session: Session, name: str, data: str | None, yes: bool) -> None:
    """Drop the workspace NAME: its sessions and event streams end, and its keys are refused.

    Its data are kept, and can be added again with --address; or they are deleted.
    """
    if data is None:
        raise UsageError("say what becomes of the data: --keep-data or --delete-data")
    if not yes:
        _confirm(name, data)
    where = session.call("workspaces.drop", name=name, data=data)["address"]
    Terminal().say(f"{name} is dropped; its data {'stay in' if data == 'keep' else 'were deleted from'} {where}")


def _confirm(name: str, data: str) -> None:
    """Ask for the name; raises `UsageError` where nobody can answer, or if another name is typed."""
    if not sys.stdin.isatty():
        raise UsageError("nothing was dropped: --yes drops it without asking")
    does = "deletes its database and files, for good" if data == "delete" else "keeps its database and files"
    if click.prompt(f"This ends all sessions in {name} and {does}. Type the name to confirm") != name:
        raise UsageError("nothing was dropped: that was another name")
