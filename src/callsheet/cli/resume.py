"""``callsheet resume``: finish the commits that a journal holds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import frozen

from callsheet.cli.connection import ServerChoice, profile_option
from callsheet.cli.terminal import Terminal, counted
from callsheet.errors import UsageError

if TYPE_CHECKING:
    from callsheet.core.resume import Resumed
    from callsheet.session.blocking import Session
    from callsheet.transport.journal import Journal, JournalEntry

__all__ = ["command"]


@click.command("resume")
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--server", envvar="CALLSHEET_SERVER", metavar="URL", help="Default: where the commits were going.")
@click.option("--user", envvar="CALLSHEET_API_USER", show_envvar=True, help="Default: whose commits they were.")
@click.option("--key", envvar="CALLSHEET_API_KEY", show_envvar=True, help="Your API key.")
@profile_option
@click.option("--list", "only_list", is_flag=True, help="Show what the journal holds, and send nothing.")
@click.option("--settle", metavar="COMMIT-ID", help="Look up what became of a commit, without sending it again.")
@click.option("--abandon", metavar="COMMIT-ID", help="Decide that a commit is not sent again; it stays, marked so.")
@click.option("--reason", default="", metavar="TEXT", help="Why it is abandoned; kept in the journal.")
@click.option("--drop", metavar="COMMIT-ID", help="Remove a refused commit that has been dealt with.")
def command(
    path: Path,
    server: str | None,
    user: str | None,
    key: str | None,
    profile: str | None,
    only_list: bool,
    settle: str | None,
    abandon: str | None,
    reason: str,
    drop: str | None,
) -> None:
    """Finish the commits in the journal at PATH.

    A commit whose answer was lost is sent again under its own id: what the server had done is not done
    again. What the server refuses stays in the journal, with the reason, until it is dropped. A commit that gets no
    answer time after time is ended by --settle, which looks it up, or by --abandon, which is your decision.
    """
    from callsheet.transport.journal import Journal

    journal = Journal(path)
    try:
        if drop is not None:
            _drop(journal, drop)
        elif only_list:
            _show(journal.entries())
        elif settle or abandon:
            _end(path, journal, Goal(server, user, key, profile), settle, abandon, reason)
        else:
            _resume(journal, path, Goal(server, user, key, profile))
    finally:
        journal.close()


@frozen
class Goal:
    """Where the commits are sent: what the options say, else where they were going."""

    server: str | None
    user: str | None
    key: str | None
    profile: str | None

    def session(self, path: Path, server: str, user: str) -> Session:
        """A session on the server that is named, else on this one, as this account, with the journal."""
        choice = ServerChoice(self.server or server, self.user or user or None, self.key, profile=self.profile)
        return choice.session(journal=path)


def _resume(journal: Journal, path: Path, goal: Goal) -> None:
    unfinished = journal.unfinished()
    if not unfinished:
        Terminal().say("Nothing is unfinished.")
        _show(journal.entries())
        return
    refused = unknown = 0
    firsts = {entry.server: entry for entry in reversed(unfinished)}
    for address in (*reversed(firsts),) if goal.server is None else (goal.server,):
        with goal.session(path, address, (firsts.get(address) or unfinished[0]).user) as session:
            for resumed in session.resume():
                _echo(resumed)
                refused += resumed.outcome == "refused"
                unknown += resumed.outcome == "unknown"
    if unknown:
        raise UsageError(f"the server has no outcome for {unknown} commits; check them, then `--abandon COMMIT-ID`")
    if refused:
        raise UsageError(f"{refused} commits were refused; they stay in the journal (`--list`, `--drop COMMIT-ID`)")


def _end(
    path: Path,
    journal: Journal,
    goal: Goal,
    settle: str | None,
    abandon: str | None,
    reason: str,
) -> None:
    commit_id = settle or abandon
    entry = next((entry for entry in journal.unfinished() if entry.changes.commit_id == commit_id), None)
    if entry is None:
        raise UsageError(f"the journal has no unfinished commit {commit_id}")
    with goal.session(path, entry.server, entry.user) as session:
        _echo(session.settle(commit_id) if settle else session.abandon(commit_id, reason))


def _echo(resumed: Resumed) -> None:
    terminal = Terminal()
    terminal.say(f"{resumed.commit_id}  {counted(len(resumed.operations), 'operation')}  {resumed.outcome}")
    if resumed.reason:
        terminal.say(f"  {resumed.reason}")
    for place, outcome in enumerate(resumed.outcomes):
        identity = outcome.operation.identity
        kind = type(outcome.operation).__name__.lower()
        terminal.say(f"  {place}  {kind} {identity.entity_type} {identity.key}  {outcome.state}")


def _drop(journal: Journal, commit_id: str) -> None:
    found = [entry for entry in journal.entries() if entry.changes.commit_id == commit_id]
    if not found:
        raise UsageError(f"the journal has no commit {commit_id}")
    if found[0].refusal is None:
        raise UsageError(f"commit {commit_id} is not finished; resume it first, only refused ones can be dropped")
    journal.finish(commit_id)
    Terminal().say(f"{commit_id} is dropped.")


def _show(entries: list[JournalEntry]) -> None:
    if not entries:
        return
    rows = []
    for entry in entries:
        state = "unfinished" if entry.refusal is None else f"refused: {entry.refusal}"
        count = str(len(entry.changes.operations))
        rows.append((entry.changes.commit_id, f"{entry.time:%Y-%m-%d %H:%M}", entry.server, entry.user, count, state))
    Terminal().table(("commit", "time", "server", "user", "operations", "state"), rows, whole="commit")
