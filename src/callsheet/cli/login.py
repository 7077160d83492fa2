"""``callsheet login``: log in, and keep the login as a profile."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import click
from attrs import frozen

from callsheet.cli.connection import DialectName, profile_option
from callsheet.cli.terminal import Terminal
from callsheet.errors import CallsheetError, StorageError, UsageError

if TYPE_CHECKING:
    from callsheet.credentials.profiles import Profile, Profiles
    from callsheet.dialects.accounts import LoginTokens
    from callsheet.secret import Secret
    from callsheet.session.blocking import Session

__all__ = ["command"]


@click.command("login", short_help="Log in, and keep the login as a profile.")
@click.argument("url", required=False)
@click.option("--user", envvar="CALLSHEET_API_USER", show_envvar=True, help="Your account.")
@profile_option
@click.option("--sign-on", is_flag=True, help="Sign on by the provider of the house, in any browser.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, one line.")
@click.option("--dialect", type=DialectName(), help="The server's language, if its address does not decide it.")
def command(
    url: str | None, user: str | None, profile: str | None, sign_on: bool, password_stdin: bool, dialect: str | None
) -> None:
    """Log in to the server at URL, and keep the login as a profile.

    The password is not shown as you type, and is not kept. The login is kept in the system's keyring if there is one,
    else in a file that only you can read. The next commands, and scripts, use it: the profile `default` by themselves,
    another by --profile, CALLSHEET_PROFILE, or Session(profile=NAME). URL and --user may be left out if the profile has
    them. With --sign-on there is no password: you open an address in any browser, and enter a code there.
    """
    from callsheet.credentials.profiles import DEFAULT, Profiles
    from callsheet.session.login import login

    profiles, name = Profiles(), profile or DEFAULT
    known = _known(profiles, name)
    goal = Destination(
        url or (known.url if known else "") or os.environ.get("CALLSHEET_SERVER", ""),
        user or (known.user if known and known.url == (url or known.url) else ""),
    )
    if sign_on:
        opened = _signed_on(goal.located(name).url, dialect)
    else:
        goal = goal.complete(name)
        opened = login(goal.url, user=goal.user, password=_line() if password_stdin else None, dialect=dialect)
    with opened as session:
        old = _old_tokens(profiles, known) if known and known.url == session.url else None
        kept = keep(profiles, name, session)
        if old is not None:
            _end(session, old)
    where = "the system's keyring" if kept.tokens == "keyring" else str(profiles.folder / f"{name}.tokens.json")
    Terminal(err=True).say(f"You are logged in to {kept.url} as {kept.user}: profile `{name}`, kept in {where}.")


@frozen
class Destination:
    """Where to log in, and as whom."""

    url: str
    user: str

    def located(self, profile: str) -> Destination:
        """Raises `UsageError` if it is not known where the server is."""
        if not self.url:
            raise UsageError(f"name the server: callsheet login https://…; there is no profile `{profile}` yet")
        return self

    def complete(self, profile: str) -> Destination:
        """With a user, who is asked for in a terminal; raises `UsageError` if something is still missing."""
        self.located(profile)
        if self.user:
            return self
        if not sys.stdin.isatty():
            raise UsageError("name your account: --user NAME, or CALLSHEET_API_USER")
        return Destination(self.url, str(click.prompt("User", err=True)))


def _signed_on(url: str, dialect: str | None) -> Session:
    """A session of a person who signs on in any browser."""
    from callsheet.session.sign_on import sign_on

    terminal = Terminal(err=True)
    return sign_on(
        url, lambda address, code: terminal.say(f"Open {address} and enter the code {code}"), dialect=dialect
    )


def keep(profiles: Profiles, name: str, session: Session) -> Profile:
    """Keep the login of a session as a profile."""
    from callsheet.credentials.profiles import Profile

    login = session._login
    assert login is not None
    assert login.tokens is not None
    made = Profile(name, session.url, login.tokens.account, dialect=session._dialect.name)
    return profiles.keep(made, login.tokens)


def _known(profiles: Profiles, name: str) -> Profile | None:
    """The profile of this name; one that is damaged is replaced."""
    try:
        return profiles.read(name) if profiles.has(name) else None
    except StorageError:
        return None


def _old_tokens(profiles: Profiles, known: Profile) -> LoginTokens | None:
    try:
        return profiles.keeper(known).read()
    except StorageError:
        return None


def _end(session: Session, old: LoginTokens) -> None:
    """End the login that the profile had; it may have ended already."""
    from callsheet.dialects.accounts import LoginDialect

    dialect: object = session._dialect
    assert isinstance(dialect, LoginDialect)
    with suppress(CallsheetError):
        session.run(dialect.logout(old.refresh, False))


def _line() -> Secret:
    """The password of a pipe: its first line."""
    from callsheet.secret import Secret

    return Secret(sys.stdin.readline().rstrip("\r\n"))
