"""``callsheet scenario``: scenarios are made, listed, compared, brought up to date, committed, shared and deleted."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from callsheet.cli.connection import connected
from callsheet.cli.terminal import Terminal, counted
from callsheet.model.record import Identity

if TYPE_CHECKING:
    from callsheet.model.history import EntityChange
    from callsheet.model.operation import Change
    from callsheet.session.blocking import Session

__all__ = ["command"]

_NAME = click.argument("name")
_CONFLICTS = click.option(
    "--conflicts",
    type=click.Choice(["raise", "ours", "theirs"]),
    default="raise",
    show_default=True,
    help="Where both changed a value: refuse, or let the scenario's stand (ours), or the other one (theirs).",
)


@click.group("scenario", short_help="Make, compare, commit and delete scenarios: what if.")
def command() -> None:
    """Make, list, compare, rebase, commit, share and delete scenarios.

    A scenario is a named unit of work that the server keeps, and that nobody has committed. NAME is the scenario's
    name, or OWNER/NAME.
    """


@command.command("list")
@connected
def list_(session: Session) -> None:
    """List the scenarios that you may read, your own ones first."""
    found = session.scenarios
    if not found:
        Terminal().say("There are no scenarios.")
        return
    rows = [
        (name, each.owner, each.origin or "", str(each.revision), _day(each.expires), each.description)
        for name, each in found.items()
    ]
    Terminal().table(("scenario", "owner", "on", "commits", "expires", "description"), rows, whole="scenario")


@command.command("create")
@_NAME
@click.option("--origin", metavar="NAME", help="The scenario that it stands on; without one, the base.")
@click.option("--description", default="", help="What it is for.")
@click.option("--days", type=click.FloatRange(0, min_open=True), help="After how many days the server forgets it.")
@connected
def create(session: Session, name: str, origin: str | None, description: str, days: float | None) -> None:
    """Make the scenario NAME."""
    expires = None if days is None else timedelta(days=days)
    made = session.create_scenario(name, origin, description=description, expires=expires)
    Terminal().say(f"The scenario {made.label} is made.")


@command.command("show")
@_NAME
@connected
def show(session: Session, name: str) -> None:
    """Show what the server says of the scenario NAME."""
    found = _found(session, name)
    readers = {None: "", (): "nobody", ("*",): "everybody"}.get(found.readers, ", ".join(found.readers or ()))
    rows = [
        ("owner", found.owner),
        ("on", found.origin or "the base"),
        ("as of", f"commit {found.position}"),
        ("commits in it", str(found.revision)),
        ("created", _day(found.created)),
        ("expires", _day(found.expires)),
        ("description", found.description),
        ("shared with", readers),
    ]
    Terminal().table(("what", found.label), rows)


@command.command("diff")
@_NAME
@click.option("--base", is_flag=True, help="Also what the scenarios below it change.")
@connected
def diff(session: Session, name: str, base: bool) -> None:
    """Show what the scenario NAME changes, entity by entity."""
    from callsheet.core.operation_table import names_of

    found = _found(session, name).diff(base)
    if not found.changes:
        Terminal().say("The scenario changes nothing.")
        return
    names = names_of(session)
    Terminal().table(("change", "entity", "values"), _rows(found.changes, names))
    if not found.complete:
        Terminal().say("… and more.")


@command.command("rebase")
@_NAME
@_CONFLICTS
@connected
def rebase(session: Session, name: str, conflicts: Any) -> None:
    """Bring the scenario NAME up to what it stands on now, and name the entities that moved there."""
    found = _found(session, name).rebase(conflicts)
    terminal = Terminal()
    for identity, kind in found.moved.items():
        terminal.say(f"{kind}: {identity.entity_type} {identity.key}")
    if not found.done:
        _explain(found.conflicts)
        raise click.ClickException("nothing was changed; --conflicts ours or --conflicts theirs decides")
    terminal.say(
        f"The scenario is up to date with commit {found.position}; {counted(len(found.moved), 'move')} below it."
    )


@command.command("commit")
@_NAME
@_CONFLICTS
@click.option("--yes", is_flag=True, help="Commit it without asking.")
@connected
def commit(session: Session, name: str, conflicts: Any, yes: bool) -> None:
    """Commit all that the scenario NAME holds as one commit, which ends it."""
    found = _found(session, name)
    changes = len(found.diff())
    into = found.origin or "the base"
    if not yes and not _agreed(f"{counted(changes, 'change')} of {found.label} into {into}: commit?"):
        return
    done = found.commit(conflicts)
    Terminal().say(f"{found.label} is committed into {into}: commit {done.position}.")


@command.command("share")
@_NAME
@click.argument("accounts", nargs=-1)
@click.option("--stop", is_flag=True, help="Let them no longer read it; without ACCOUNTS, nobody but its owner.")
@connected
def share(session: Session, name: str, accounts: tuple[str, ...], stop: bool) -> None:
    """Let ACCOUNTS read the scenario NAME; without any, everybody."""
    found = _found(session, name)
    (found.unshare if stop else found.share)(*accounts)
    readers = ", ".join(found.readers or ()) or "nobody else"
    Terminal().say(f"{found.label} is read by its owner and {'everybody' if readers == '*' else readers}.")


@command.command("delete")
@_NAME
@click.option("--yes", is_flag=True, help="Delete it without asking.")
@connected
def delete(session: Session, name: str, yes: bool) -> None:
    """Delete the scenario NAME with all that it holds."""
    found = _found(session, name)
    if yes or _agreed(f"{found.label} has {counted(len(found.diff()), 'change')}: delete it?"):
        found.delete()
        Terminal().say(f"The scenario {found.label} is deleted.")


def _found(session: Session, name: str) -> Any:
    """The scenario of a name; the server's error if there is none."""
    found = session.scenarios
    if name in found:
        return found[name]
    by_owner = {f"{each.owner}/{each.name}": each for each in found.values()}
    return by_owner[name] if name in by_owner else found[name]


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise click.ClickException("nobody is here to be asked; --yes does it without asking")
    return click.confirm(question)


def _rows(changes: Iterable[EntityChange], names: Any) -> Iterable[tuple[str, str, str]]:
    for change in changes:
        values = [_value(change, name, value, names) for name, value in change.after.items()]
        for sign, members in (("+", change.added), ("-", change.removed)):
            values += [f"{name}: {sign}{', '.join(map(names, found))}" for name, found in members.items()]
        yield change.kind, f"{change.identity.entity_type} {names(change.identity)}", ", ".join(values)


def _value(change: EntityChange, name: str, value: Any, names: Any) -> str:
    old, new = (names(each) if isinstance(each, Identity) else str(each) for each in (change.before.get(name), value))
    return f"{name}: {old} → {new}" if change.kind == "update" else f"{name}: {new}"


def _explain(conflicts: Iterable[Change]) -> None:
    rows = []
    for each in conflicts:
        entity = f"{each.identity.entity_type} {each.identity.key}"
        rows.append((entity, each.attribute, *(str(value) for value in (each.base, each.ours, each.theirs))))
    Terminal(err=True).table(("entity", "attribute", "was", "in the scenario", "now"), rows)


def _day(moment: Any) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M}"
