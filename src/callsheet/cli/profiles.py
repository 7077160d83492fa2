"""``callsheet profiles``: the logins that are kept on this machine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from callsheet.cli.terminal import Terminal
from callsheet.errors import StorageError, TransportError

if TYPE_CHECKING:
    from callsheet.credentials.profiles import Profiles

__all__ = ["command"]


@click.group("profiles", short_help="List and remove the logins kept on this machine.", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the profiles: the servers, accounts and logins kept on this machine. No server is asked."""
    if context.invoked_subcommand is None:
        _list()


@command.command("remove")
@click.argument("name")
def remove(name: str) -> None:
    """End the login of profile NAME, and remove the profile."""
    from callsheet.cli.logout import log_out
    from callsheet.credentials.profiles import Profiles

    profiles = Profiles()
    try:
        log_out(profiles, name, everywhere=False)
    except (StorageError, TransportError) as error:
        Terminal(err=True).say(str(error))
    profiles.remove(name)
    Terminal().say(f"Profile `{name}` is removed.")


def _list() -> None:
    from callsheet.credentials.profiles import Profiles

    profiles = Profiles()
    rows = [_row(profiles, name) for name in profiles.names()]
    if not rows:
        Terminal().say("There are no profiles; `callsheet login URL` makes one.")
        return
    Terminal().table(("profile", "server", "account", "kept in", "login"), rows)


def _row(profiles: Profiles, name: str) -> tuple[str, ...]:
    try:
        profile = profiles.read(name)
        return (name, profile.url, profile.user, profile.tokens, _state(profiles.keeper(profile).read()))
    except StorageError as error:
        return (name, "", "", "", str(error))


def _state(tokens: object) -> str:
    """Until when a login can be renewed, as far as this machine knows."""
    from callsheet.dialects.accounts import LoginTokens

    if not isinstance(tokens, LoginTokens):
        return "logged out"
    until = datetime.fromtimestamp(tokens.refresh_expires, UTC)
    return "expired" if until < datetime.now(UTC) else f"until {until:%Y-%m-%d}"
