"""``callsheet users``: the accounts of a server. For administrators."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from callsheet.cli.connection import connected
from callsheet.cli.terminal import Terminal

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["command"]

_EXPIRES = click.option(
    "--expires", type=click.IntRange(1, 36_500), metavar="DAYS", help="The key stops working after so many days."
)


def _until(days: int | None) -> dict[str, datetime]:
    return {} if days is None else {"expires": datetime.now(UTC) + timedelta(days=days)}


@click.group("users", short_help="Add, list and disable accounts; make keys; grant roles.")
def command() -> None:
    """Add, list and disable accounts, make keys, set passwords, and say what accounts may do."""


@command.command("add", short_help="Add the account NAME and print its API key.")
@click.argument("name")
@click.option(
    "--role",
    default="user",
    show_default=True,
    metavar="admin|user|reader|guest|…",
    help="What it may do everywhere; `guest` is for accounts that are granted roles in projects.",
)
@_EXPIRES
@click.option("--first-name", default="", help="The person's first name.")
@click.option("--last-name", default="", help="The person's last name.")
@click.option("--email", default="", help="The person's address.")
@connected
def add(session: Session, name: str, role: str, expires: int | None, **person: str) -> None:
    """Add the account NAME, with a User, and print its API key, only now."""
    given = {attribute: value for attribute, value in person.items() if value}
    _print_key(session.call("users.add", name=name, role=role, **_until(expires), **given))


@command.command("invite", short_help="Print a code that lets NAME choose a password.")
@click.argument("name")
@click.option("--days", type=click.IntRange(1, 366), metavar="DAYS", help="The code stops working after so many days.")
@connected
def invite(session: Session, name: str, days: int | None) -> None:
    """Print a code with which NAME, an account or a User, chooses a password, once."""
    made = session.call("users.invite", name=name, **({} if days is None else {"days": days}))
    Terminal(err=True).say(f"The invitation of {name}, until {str(made['expires'])[:16]}; it is not shown again:")
    click.echo(made["code"])


@command.command("key")
@click.argument("name")
@_EXPIRES
@connected
def key(session: Session, name: str, expires: int | None) -> None:
    """Make a new API key for NAME; the old one stops working at once."""
    _print_key(session.call("users.key", name=name, **_until(expires)))


@command.command("disable")
@click.argument("name")
@connected
def disable(session: Session, name: str) -> None:
    """Let NAME in no more. What it did stays."""
    session.call("users.disable", name=name)
    Terminal().say(f"{name} is disabled.")


@command.command("enable")
@click.argument("name")
@connected
def enable(session: Session, name: str) -> None:
    """Let NAME in again, with the key it had."""
    session.call("users.enable", name=name)
    Terminal().say(f"{name} is enabled.")


@command.command("role")
@click.argument("name")
@click.argument("role")
@connected
def role(session: Session, name: str, role: str) -> None:
    """Make ROLE what NAME may do everywhere; what it was granted stays."""
    session.call("users.role", name=name, role=role)
    Terminal().say(f"{name} has the role {role}.")


@command.command("password", short_help="Give NAME a password to log in with.")
@click.argument("name")
@click.option("--stdin", "from_stdin", is_flag=True, help="Read the password from standard input, one line.")
@connected
def password(session: Session, name: str, from_stdin: bool) -> None:
    """Give NAME a password to log in with, and end its logins. Nothing is shown as you type."""
    session.call("users.password", name=name, password=_new_password(from_stdin))
    Terminal().say(f"{name} has a new password.")


def _new_password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise click.UsageError("there is no terminal to type a password in; use --stdin")
    return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))


@command.command("sessions", short_help="List the logins of NAME.")
@click.argument("name")
@connected
def sessions(session: Session, name: str) -> None:
    """List the logins of NAME: on which devices, from where, and until when."""
    rows = []
    for login in session.call("users.sessions", name=name):
        state = login["reason"] if login["ended"] else "valid"
        times = (str(login[each])[:16].replace("T", " ") for each in ("created", "last_used", "expires"))
        rows.append((login["id"][:8], login["device"], login["address"], state, *times))
    Terminal().table(("login", "device", "address", "state", "began", "last used", "ends"), rows)


@command.command("sign-out")
@click.argument("name")
@connected
def sign_out(session: Session, name: str) -> None:
    """End all logins of NAME, now. Its API key stays."""
    count = session.call("users.sign_out", name=name)
    Terminal().say(f"{count} login{'' if count == 1 else 's'} of {name} ended.")


@command.command("link", short_help="Link NAME with a person at a provider.")
@click.argument("name")
@click.argument("provider")
@click.argument("subject")
@connected
def link(session: Session, name: str, provider: str, subject: str) -> None:
    """Make NAME the account of SUBJECT at PROVIDER, as the refusal of a sign-on names both."""
    session.call("users.link", name=name, provider=provider, subject=subject)
    Terminal().say(f"{name} is the account of {subject} at {provider}.")


@command.command("unlink", short_help="Take back what `link` did.")
@click.argument("provider")
@click.argument("subject")
@connected
def unlink(session: Session, provider: str, subject: str) -> None:
    """Take the account from SUBJECT at PROVIDER, with the roles that the provider gave, and end its logins."""
    session.call("users.unlink", provider=provider, subject=subject)
    Terminal().say(f"{subject} at {provider} has no account here any more.")


@command.command("linked", short_help="List who NAME is at providers.")
@click.argument("name")
@connected
def linked(session: Session, name: str) -> None:
    """List who NAME is at providers of the house, and the roles that they give."""
    rows = []
    for each in session.call("users.identities", name=name):
        state = each["reason"] or "ended" if each["ended"] else "valid"
        rows.append((each["provider"], each["subject"], ", ".join(each["roles"]), state))
    Terminal().table(("provider", "subject", "roles", "state"), rows)


_PROJECT = click.option("--project", metavar="KEY|NAME", help="Only in this project; everywhere without.")


@command.command("grant")
@click.argument("name")
@click.argument("role")
@_PROJECT
@connected
def grant(session: Session, name: str, role: str, project: str | None) -> None:
    """Let NAME do what ROLE allows, too."""
    session.call("grants.add", account=name, role=role, project=project)
    Terminal().say(f"{name} has the role {role} {_where(project)}.")


@command.command("revoke")
@click.argument("name")
@click.argument("role")
@_PROJECT
@connected
def revoke(session: Session, name: str, role: str, project: str | None) -> None:
    """Take back what `grant` gave, from now on."""
    session.call("grants.remove", account=name, role=role, project=project)
    Terminal().say(f"{name} has not the role {role} {_where(project)} any more.")


def _where(project: str | None) -> str:
    return "everywhere" if project is None else f"in {project}"


@command.command("list")
@connected
def list_(session: Session) -> None:
    """List all accounts."""
    granted: dict[str, list[str]] = {}
    for each in session.call("grants.list"):
        granted.setdefault(each["account"], []).append(f"{each['role']} {_where(each['project'])}")
    rows = []
    for account in session.call("users.list"):
        state = "disabled" if account.get("disabled") else "active"
        times = (str(account.get(name) or "")[:16].replace("T", " ") for name in ("created", "expires", "last_used"))
        rows.append((account["name"], account["role"], granted.get(account["name"], ()), state, *times))
    Terminal().table(("name", "role", "granted", "state", "created", "key expires", "last used"), rows)


def _print_key(account: dict[str, Any]) -> None:
    """Only the key goes to standard output, so that scripts can use it."""
    Terminal(err=True).say(f"The API key of {account['name']}; keep it safe, it is not shown again:")
    click.echo(account["key"])
