"""``callsheet roles``: what accounts may do, by name. For administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from callsheet.cli.connection import connected

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["command"]


@click.group("roles", short_help="List, add and remove roles.")
def command() -> None:
    """List, add and remove roles; `callsheet users grant` gives them to accounts."""


@command.command("list")
@connected
def list_(session: Session) -> None:
    """List all roles with their rules."""
    table = Table("name", "rules")
    for role in session.call("roles.list"):
        table.add_row(role["name"], "\n".join(role["rules"]) or "(nothing by itself)")
    Console().print(table)


@command.command("add")
@click.argument("name")
@click.argument("rules", nargs=-1, required=True)
@connected
def add(session: Session, name: str, rules: tuple[str, ...]) -> None:
    """Add the role NAME, which allows what any of its RULES allows.

    A rule is verbs and entity types: `read:*`, `read,update:Task,Note`, `create:*,!Setting` (all but one).
    """
    session.call("roles.add", name=name, rules=list(rules))
    click.echo(f"{name} is a role now.")


@command.command("remove")
@click.argument("name")
@connected
def remove(session: Session, name: str) -> None:
    """Remove the role NAME, which no account may have any more."""
    session.call("roles.remove", name=name)
    click.echo(f"{name} is no role any more.")
