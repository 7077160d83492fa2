"""``callsheet demo``: a real cut through the whole of Callsheet."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console

from callsheet.cli.edit_options import edit_options
from callsheet.conform.edit import Edit, EditOptions
from callsheet.demo.cut import project_name, read_cut, sol_levante
from callsheet.demo.story import introduce, play
from callsheet.private import make_folder

__all__ = ["command"]

DATABASE = "demo.db"


@click.command("demo", short_help="Import a real cut, change it, and see what that costs.")
@click.option("--cut", "cut_path", type=click.Path(path_type=Path), help="A cut of yours: .csv, .otio, .edl …")
@edit_options
@click.option(
    "--keep",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the database in this folder (made if needed) instead of throwing it away.",
)
def command(cut_path: Path | None, options: EditOptions, keep: Path | None) -> None:
    """Import a real cut, change it, read it back, and see what that costs.

    Without --cut this is Sol Levante, a film that Netflix published under CC BY 4.0. A server is started in a
    process of its own, on a database that is thrown away in the end.
    """
    console = Console()
    cut = read_cut(cut_path, options) if cut_path else sol_levante()
    introduce(console, cut)
    with _folder(keep) as folder:
        key = play(console, cut, folder / DATABASE)
    what_next(console, cut, keep, key)


def what_next(console: Console, cut: Edit, keep: Path | None, key: str) -> None:
    """What to type now."""
    console.rule("6 · Your turn")
    if keep is None:
        console.print("The database is gone. Keep it next time:  [bold]callsheet demo --keep demo[/bold]")
        console.print("Start a server for your team:             [bold]callsheet serve[/bold]")
        console.print("Find out about everything else:           [bold]callsheet --help[/bold]")
        return
    lines = (
        f"callsheet serve --database sqlite:///{(keep / DATABASE).as_posix()}",
        f"export CALLSHEET_API_USER=admin CALLSHEET_API_KEY={key}",
        f'callsheet query \'Task where project.name is "{project_name(cut)}" and status.name is "Not started"\'',
        "callsheet shell",
    )
    console.print("The database is kept. Serve it in one terminal, and talk to it in another:")
    for line in lines:
        console.print(f"  {line}", style="bold", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="callsheet-demo-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    make_folder(keep)
    if (keep / DATABASE).exists():
        raise click.ClickException(f"{keep / DATABASE} exists already; choose another folder, or delete it")
    yield keep
