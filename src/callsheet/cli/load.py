"""``callsheet load``: a database made of what `callsheet dump` wrote."""

from __future__ import annotations

from pathlib import Path

import click
from rich.progress import Progress

from callsheet.cli.connection import workspace_option
from callsheet.cli.dump import bar, workspace_database
from callsheet.cli.serve import database_option, require_extra
from callsheet.cli.terminal import Terminal, counted

__all__ = ["command"]


@click.command("load", short_help="Fill a new database with what `callsheet dump` wrote.")
@click.argument("path", metavar="FILE", type=click.Path(dir_okay=False, exists=True, path_type=Path))
@database_option("sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST/NAME; new or empty.")
@workspace_option
@click.option("--replace", is_flag=True, help="Delete what the database has.")
@click.option(
    "--files", type=click.Path(path_type=Path, file_okay=False), help="Where uploaded files go, if FILE has any."
)
def command(path: Path, database: str, workspace: str | None, replace: bool, files: Path | None) -> None:
    """Fill a database with what FILE has, and compare the two.

    Run it again after an interruption: it continues. Until it is done, no server opens the database.
    """
    require_extra()
    from callsheet.server.archive.loading import load

    with Progress(console=Terminal(err=True).console, transient=True) as bars:
        manifest = load(workspace_database(database, workspace), path, replace=replace, files=files, progress=bar(bars))
    terminal = Terminal()
    terminal.say(
        f"{counted(manifest.rows, 'row')} of {counted(len(manifest.tables), 'table')} are loaded and compared."
    )
    if manifest.files and files is None:
        terminal.say(f"{counted(len(manifest.files), 'file')} of the archive stay in it: --files FOLDER writes them.")
