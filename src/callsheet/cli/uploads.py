"""``callsheet uploads``: files that were uploaded and are no component's. For administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from callsheet.cli.connection import connected
from callsheet.cli.terminal import Terminal, counted

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["command"]


@click.group("uploads", short_help="List and remove uploads that nobody finished.")
def command() -> None:
    """List and remove uploads that are incomplete, or whose component does not exist."""


@command.command("list")
@connected
def list_uploads(session: Session) -> None:
    """List uploads that are no component's file, the oldest first."""
    Terminal().table(("account", "state", "bytes", "changed"), map(_row, session.call("uploads.list")))


@command.command("remove")
@click.option(
    "--older-than",
    type=click.FloatRange(1),
    metavar="DAYS",
    help="What has not changed for so many days; without it, what the server calls old.",
)
@connected
def remove(session: Session, older_than: float | None) -> None:
    """Remove old uploads that are no component's file."""
    gone = session.call("uploads.remove", days=older_than)
    size = sum(each["size"] for each in gone)
    Terminal().say(f"{counted(len(gone), 'upload')} removed, {counted(size, 'byte')}.")


def _row(upload: dict[str, Any]) -> tuple[str, ...]:
    changed = str(upload["changed"])[:19].replace("T", " ")
    return upload["account"], upload["state"], f"{upload['size']:,}", changed
