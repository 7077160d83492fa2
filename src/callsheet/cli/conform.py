"""``callsheet conform``: changes the shots of a project to agree with an edit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from callsheet.cli.connection import connected
from callsheet.cli.edit_options import edit_options
from callsheet.cli.terminal import Terminal
from callsheet.conform.edit import EditOptions
from callsheet.conform.reading import read_edit
from callsheet.conform.report import ConformReport
from callsheet.conform.writing import TASKS, ConformOptions, conform

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["command"]


@click.command("conform", short_help="Make the shots of a project agree with an edit (EDL, OTIO, XML, CSV).")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--project", required=True, metavar="NAME", help="The project; it is made if there is none of this name.")
@edit_options
@click.option(
    "--names",
    type=click.Choice(["clip", "place"]),
    default="clip",
    help="Shots are called like their clips (default), or numbered.",
)
@click.option(
    "--pattern", default="", metavar="REGEX", help="Finds the names in a clip's: groups `shot` and `sequence`."
)
@click.option("--number-repeats", is_flag=True, help="A clip that is used again is the shot NAME_2, NAME_3 …")
@click.option("--scope", multiple=True, metavar="SEQUENCE", help="Only shots of this sequence; may be given again.")
@click.option("--whole-project", is_flag=True, help="Omit shots of sequences too that the edit does not have.")
@click.option("--sequence", default="main", show_default=True, help="For new shots whose sequence nothing names.")
@click.option(
    "--task", "tasks", multiple=True, metavar="TYPE", help=f"A task for each new shot; default {', '.join(TASKS)}."
)
@click.option("--no-tasks", is_flag=True, help="New shots get no tasks.")
@click.option("--first-frame", type=int, default=1001, show_default=True, help="The number of a shot's first frame.")
@click.option("--dry-run", is_flag=True, help="Show what would change, shot by shot, and write nothing.")
@connected
def command(
    session: Session,
    file: Path,
    project: str,
    options: EditOptions,
    dry_run: bool,
    tasks: tuple[str, ...],
    no_tasks: bool,
    **further: Any,
) -> None:
    """Make the shots of a project agree with the edit in FILE.

    New shots are created with their tasks, changed shots are updated, and shots that are no longer in the edit get the
    status Omitted. Reading the same edit again changes nothing. If a file is ambiguous, or lacks a value, it is
    refused; the error names the clip, and the option that decides.
    """
    reading = {name: further.pop(name) for name in ("names", "pattern", "number_repeats")}
    edit = read_edit(file, evolve(options, **reading))
    wanted = () if no_tasks else tasks or TASKS
    report = conform(session, project, edit, ConformOptions(tasks=wanted, **further))
    if dry_run:
        session.rollback()
    else:
        session.commit()
    _print(Terminal(), report, dry_run)


def _print(terminal: Terminal, report: ConformReport, dry_run: bool) -> None:
    if report.rows:
        terminal.table(("", "sequence", "shot", "from → to"), report.rows, report.project, whole="shot")
    for note in report.notes:
        terminal.say(f"note: {note}")
    terminal.say(f"{report}{' (dry run: nothing was written)' if dry_run else ''}")
