"""``callsheet shell``: a Python prompt with an open session."""

from __future__ import annotations

import code
from typing import TYPE_CHECKING, Any

import click

from callsheet.cli.connection import connected
from callsheet.cli.terminal import Terminal, counted

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["command"]


@click.command("shell")
@click.option("--command", "-c", "source", help="Run this instead of asking.")
@connected
def command(session: Session, source: str | None) -> None:
    """Open a Python prompt in which `session` is connected.

    Pending changes are dropped when you leave; a message says how many.
    """
    import callsheet

    names: dict[str, Any] = {"session": session, "callsheet": callsheet}
    if source is not None:
        exec(compile(source, "<command>", "exec"), names)
    else:
        session.open()
        _complete(names)
        code.interact(_banner(session), local=names, exitmsg="")
    if not session.closed and session.pending:
        Terminal(err=True).say(f"{counted(len(session.pending), 'operation')} not committed; dropped.")


def _banner(session: Session) -> str:
    server, types = session.server_information, session.schema.types
    return (
        f"Callsheet {server.version}, connected as {server.user or 'nobody'}; {len(types)} entity types.\n"
        "Try: session.query('Project').all()     session.types     session.pending     session.commit()"
    )


def _complete(names: dict[str, Any]) -> None:
    """Completion with the Tab key, where this Python has it."""
    try:
        import readline
        import rlcompleter
    except ImportError:
        return
    readline.set_completer(rlcompleter.Completer(names).complete)
    readline.parse_and_bind("tab: complete")
