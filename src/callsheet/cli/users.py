"""``callsheet users``: the accounts of a server. For administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

from callsheet.cli.connection import connected

if TYPE_CHECKING:
    from callsheet.session.sync import Session

__all__ = ["command"]


@click.group("users")
def command() -> None:
    """Add, list and disable accounts, and make new API keys."""


@command.command("add")
@click.argument("name")
@click.option("--role", type=click.Choice(["user", "admin"]), default="user", show_default=True)
@connected
def add(session: Session, name: str, role: str) -> None:
    """Add the account NAME and print its API key, which is shown only now."""
    _print_key(session.call("users.add", name=name, role=role))


@command.command("key")
@click.argument("name")
@connected
def key(session: Session, name: str) -> None:
    """Make a new API key for NAME; the old one stops working within a second."""
    _print_key(session.call("users.key", name=name))


@command.command("disable")
@click.argument("name")
@connected
def disable(session: Session, name: str) -> None:
    """Let NAME in no more. What it did stays."""
    session.call("users.disable", name=name)
    click.echo(f"{name} is disabled.")


@command.command("list")
@connected
def list_(session: Session) -> None:
    """List all accounts."""
    table = Table("name", "role", "state", "created", "last used")
    for account in session.call("users.list"):
        state = "disabled" if account.get("disabled") else "active"
        times = (str(account.get(name) or "")[:16].replace("T", " ") for name in ("created", "last_used"))
        table.add_row(account["name"], account["role"], state, *times)
    Console().print(table)


def _print_key(account: dict[str, Any]) -> None:
    """The key alone goes to standard output, so that scripts can take it."""
    click.echo(f"The API key of {account['name']}; keep it safe, it is not shown again:", err=True)
    click.echo(account["key"])
