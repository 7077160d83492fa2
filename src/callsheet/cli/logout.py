"""``callsheet logout``: end the login of a profile."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from callsheet.cli.connection import profile_option
from callsheet.cli.terminal import Terminal
from callsheet.errors import TransportError

if TYPE_CHECKING:
    from callsheet.credentials.profiles import Profiles

__all__ = ["command"]


@click.command("logout", short_help="End the login of a profile.")
@profile_option
@click.option("--everywhere", is_flag=True, help="End all logins of the account, on other machines too.")
def command(profile: str | None, everywhere: bool) -> None:
    """End the login of a profile, here and at the server.

    The profile keeps the address and the account; `callsheet profiles remove NAME` removes it as a whole.
    """
    from callsheet.credentials.profiles import DEFAULT, Profiles

    log_out(Profiles(), profile or DEFAULT, everywhere)


def log_out(profiles: Profiles, name: str, everywhere: bool) -> None:
    """End the login of a profile. If the server cannot be reached, it is removed here, and the error says so."""
    from callsheet.session.blocking import Session

    found = profiles.read(name)
    keeper, terminal = profiles.keeper(found), Terminal(err=True)
    if keeper.read() is None:
        terminal.say(f"Profile `{name}` was logged out already.")
        return
    with closing(Session(profile=name)) as session:
        try:
            session.logout(everywhere=everywhere)
        except TransportError as error:
            keeper.forget()
            raise TransportError(
                f"the login is removed from this machine, but the server was not reached ({error}): there it goes on "
                "until it expires"
            ) from error
    terminal.say(f"{found.user} is logged out of {found.url}.")
