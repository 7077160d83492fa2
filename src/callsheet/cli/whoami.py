"""``callsheet whoami``: which account the commands act for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from callsheet.cli.connection import connected
from callsheet.cli.terminal import Terminal

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["command"]


@click.command("whoami", short_help="Say which account the commands act for, as the server sees it.")
@connected
def command(session: Session) -> None:
    """Say which account the commands act for, as the server sees it.

    Its name, its roles, and until when the token is valid.
    """
    from callsheet.core.account import described

    account = session.run(described(session))
    terminal, person = Terminal(), account.person
    name = " ".join(filter(None, (person.first_name, person.surname)))
    terminal.say(account.account + (f" ({name})" if name else "") + f" at {session.url}")
    if account.roles:
        terminal.say(f"roles: {', '.join(account.roles)}" + ("; an administrator" if account.administrator else ""))
    if account.workspace:
        terminal.say(f"workspace: {account.workspace}")
    if account.expires is not None:
        terminal.say(f"the token is valid until {account.expires:%Y-%m-%d %H:%M} UTC, and is renewed")
