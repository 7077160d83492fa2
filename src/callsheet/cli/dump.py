"""``callsheet dump``: a whole database as one file, for another engine or another machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from rich.progress import Progress

from callsheet.cli.serve import database_option, require_extra
from callsheet.cli.terminal import Terminal, counted
from callsheet.errors import UsageError

__all__ = ["bar", "command"]


@click.command("dump", short_help="Write a whole database to one file.")
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path))
@database_option("sqlite:///FILE, which no server may have open, or postgresql+psycopg://USER:PASSWORD@HOST/NAME.")
@click.option("--no-log", is_flag=True, help="Leave out the history: commits, events, what handlers have not done.")
@click.option(
    "--files",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="The folder of uploaded files, to write them too.",
)
def command(path: Path, database: str, no_log: bool, files: Path | None) -> None:
    """Write everything that a database has to FILE, as of one moment: schema, rows, accounts, log.

    `callsheet load` makes a database of it, on any engine. Keep it as safe as the database: it has the hashes of
    accounts' keys.
    """
    require_extra()
    from callsheet.server.archive.dumping import DEADLINE, dump
    from callsheet.server.store.store import Store

    if database.startswith("sqlite:///") and not Path(database.removeprefix("sqlite:///")).exists():
        raise UsageError(f"there is no database {database}: name one with --database")
    store = Store.open(database, deadline=DEADLINE)
    try:
        with Progress(console=Terminal(err=True).console, transient=True) as bars:
            manifest = dump(store, path, log=not no_log, files=files, progress=bar(bars))
    finally:
        store.close()
    written = f"{counted(manifest.rows, 'row')} of {counted(len(manifest.tables), 'table')}"
    more = f" and {counted(len(manifest.files), 'file')}" if manifest.files is not None else ""
    Terminal().say(f"{written}{more} are in {path}.")


def bar(bars: Progress) -> Callable[[str, int], None]:
    """What moves a bar for each table."""
    tasks: dict[str, Any] = {}

    def progress(name: str, done: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=None)
        bars.update(tasks[name], completed=done)

    return progress
