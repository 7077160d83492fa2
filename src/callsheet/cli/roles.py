"""``callsheet roles``: what accounts may do, by name. For administrators."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from callsheet.cli.connection import connected
from callsheet.cli.terminal import Terminal

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
    found = session.call("roles.list")
    rows = [(role["name"], role["rules"] or "(nothing by itself)") for role in found]
    Terminal().table(("name", "rules"), rows)


@command.command("add")
@click.argument("name")
@click.argument("rules", nargs=-1, required=True)
@connected
def add(session: Session, name: str, rules: tuple[str, ...]) -> None:
    """Add the role NAME, which allows what any of its RULES allows.

    A rule is verbs and entity types: `read:*`, `read,update:Task,Note`, `create:*,!Setting` (all but one).
    """
    session.call("roles.add", name=name, rules=list(rules))
    Terminal().say(f"{name} is a role now.")


@command.command("remove")
@click.argument("name")
@connected
def remove(session: Session, name: str) -> None:
    """Remove the role NAME, which no account may have any more."""
    session.call("roles.remove", name=name)
    Terminal().say(f"{name} is no role any more.")
