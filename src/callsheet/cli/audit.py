"""``callsheet audit``: the refused attempts of each account. For administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from callsheet.cli.connection import connected
from callsheet.cli.terminal import Terminal

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["command"]


@click.command("audit", short_help="List refused attempts: wrong keys, forbidden actions.")
@click.option("--after", type=click.IntRange(0), default=0, help="Only what has a greater number.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=100, show_default=True, help="At most so many.")
@connected
def command(session: Session, after: int, limit: int) -> None:
    """List refused attempts, oldest first: wrong keys, forbidden actions, commits out of bounds."""
    rows = []
    for note in session.call("audit.list", after=after, limit=limit):
        entity = f"{note['entity_type']} {note['key']}".strip()
        time = str(note["time"])[:19].replace("T", " ")
        account, action, reason = note["account"], note["action"], note["reason"]
        rows.append((str(note["position"]), time, account, action, entity, reason, note["address"]))
    Terminal().table(("number", "time", "account", "action", "entity", "reason", "from"), rows)
