"""``callsheet dump``: a whole database as one file, for another engine or another machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from callsheet.cli.connection import workspace_option
from callsheet.cli.serve import database_option, require_extra
from callsheet.cli.terminal import Terminal, counted
from callsheet.errors import UsageError

__all__ = ["bar", "command", "workspace_database"]


@click.command("dump", short_help="Write a whole database to one file.")
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@database_option("sqlite:///FILE, which no server may have open, or postgresql+psycopg://USER:PASSWORD@HOST/NAME.")
@workspace_option
@click.option("--no-log", is_flag=True, help="Leave out the history: commits, events, what handlers have not done.")
@click.option(
    "--files",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The folder of uploaded files, to write them too.",
)
def command(path: Path, database: str, workspace: str | None, no_log: bool, files: Path | None) -> None:
    """Write everything that a database has to FILE, as of one moment: schema, rows, accounts, log.

    `callsheet load` makes a database of it, on any engine. Keep it as safe as the database: it has the hashes of
    accounts' keys. Workspaces of the database are not in it; --workspace dumps one.
    """
    require_extra()
    from callsheet.server.archive.dumping import DEADLINE, dump
    from callsheet.server.store.store import Store

    if database.startswith("sqlite:///") and not Path(database.removeprefix("sqlite:///")).exists():
        raise UsageError(f"there is no database {database}: name one with --database")
    store = Store.open(workspace_database(database, workspace), deadline=DEADLINE)
    try:
        with Progress(console=Terminal(err=True).console, transient=True) as bars:
            manifest = dump(store, path, log=not no_log, files=files, progress=bar(bars))
    finally:
        store.close()
    written = f"{counted(manifest.rows, 'row')} of {counted(len(manifest.tables), 'table')}"
    more = f" and {counted(len(manifest.files), 'file')}" if manifest.files is not None else ""
    Terminal().say(f"{written}{more} are in {path}.")


def workspace_database(database: str, workspace: str | None) -> str:
    """The database of a workspace of this one."""
    from callsheet.server.service import Service

    return Service.workspace_address(database, workspace or "default")[0]


def bar(bars: Progress) -> Callable[[str, int], None]:
    """What moves a bar for each table."""
    tasks: dict[str, Any] = {}

    def progress(name: str, done: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=None)
        bars.update(tasks[name], completed=done)

    return progress
