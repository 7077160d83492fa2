"""``callsheet export``: what a query finds, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from callsheet.cli.connection import connected
from callsheet.cli.terminal import Terminal, counted

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["command"]


@click.command("export", short_help="Write what a query finds to a file.")
@click.argument("text")
@click.option("--to", "path", required=True, type=click.Path(dir_okay=False, path_type=Path), help="The file.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "jsonl", "parquet", "excel"]),
    help="How it is written; by default its ending says it.",
)
@connected
def command(session: Session, text: str, path: Path, form: str | None) -> None:
    """Write what a query finds to a file: CSV, JSON Lines, Parquet or Excel.

    TEXT is a query, as in `callsheet query`. The columns and their types come from the schema; without projections
    they are the values of the type, and each reference as its key and its label.
    """
    count = session.query(text).export(path, form or "")
    Terminal().say(f"{counted(count, 'row')} in {path}.")
