"""``callsheet undo``: a commit is taken back, once you have seen what that changes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from callsheet.cli.connection import connected
from callsheet.cli.terminal import Terminal, counted
from callsheet.display import cut
from callsheet.errors import ConflictError, UsageError
from callsheet.model.record import Identity

if TYPE_CHECKING:
    from callsheet.core.operation_table import Names
    from callsheet.session.blocking import Session

__all__ = ["command"]

SHOWN = 20


@click.command("undo", short_help="Take back a commit, once you have seen what that changes.")
@click.argument("commit")
@click.option("--yes", is_flag=True, help="Take it back without asking.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@click.option(
    "--conflicts",
    type=click.Choice(["raise", "skip", "force"]),
    default="raise",
    show_default=True,
    help="What changed since: refuse, leave it as it is, or take it back all the same.",
)
@connected
def command(session: Session, commit: str, yes: bool, dry_run: bool, conflicts: str) -> None:
    """Take back a COMMIT: its number in `callsheet log`, or its id.

    Shows what that changes and asks. What was changed since, and has nothing to do with the commit, is kept.
    """
    from callsheet.core.operation_table import names_of, operation_rows

    session.open()
    terminal = Terminal()
    name: Any = int(commit) if commit.isascii() and commit.isdigit() and len(commit) < 19 else commit
    try:
        passed = session.undo(name, conflicts)
    except ConflictError as error:
        _explain(error.conflicts, names_of(session))
        raise click.ClickException(
            f"commit {commit} was followed by changes of the same values; nothing was changed. "
            "--conflicts skip leaves these as they are, --conflicts force takes them back all the same"
        ) from None
    if not session.pending:
        terminal.say("There is nothing to take back: all of it is as it was before.")
        return
    names = names_of(session)
    terminal.table(("operation", "entity", "values"), operation_rows(session.pending, names))
    for each in passed:
        verb = "is left as it is" if conflicts == "skip" else "is overwritten"
        value = _short(each.theirs, names)
        terminal.say(f"{each.identity.entity_type} {names(each.identity)} {each.attribute} {verb}: {value}")
    if dry_run or not (yes or _confirmed()):
        session.rollback()
        terminal.say("Nothing was changed.")
        return
    count = len(session.pending)
    result = session.commit()
    place = f", as commit {result.position}" if result is not None else ""
    terminal.say(f"Commit {commit} is taken back{place}: {counted(count, 'operation')}.")


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        raise UsageError("nothing was changed: --yes takes it back, --dry-run only shows it")
    return click.confirm("Take it back?")


def _explain(conflicts: tuple[Any, ...], names: Names) -> None:
    """Each value that changed since, as the commit left it and as it is now."""
    terminal = Terminal(err=True)
    rows = [
        (
            f"{each.identity.entity_type} {names(each.identity)}",
            each.attribute or "(itself)",
            *(_short(value, names) for value in (each.base, each.theirs, each.ours)),
        )
        for each in conflicts[:SHOWN]
    ]
    terminal.table(("entity", "attribute", "as the commit left it", "now", "before the commit"), rows)
    if len(conflicts) > SHOWN:
        terminal.say(f"and {len(conflicts) - SHOWN:,} more")


def _short(value: Any, names: Names) -> str:
    if isinstance(value, Identity):
        return f"{value.entity_type} {names(value)}"
    return "(none)" if value is None or value == () else cut(str(value), 60)
