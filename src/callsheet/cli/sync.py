"""``callsheet sync``: rows of files brought into a server, by a plan that is shown first."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from callsheet.cli.asking import CONFLICT, PENDING, REFUSED, Asking
from callsheet.cli.connection import ServerChoice, connected, server_options
from callsheet.cli.logs import log_options, set_up
from callsheet.cli.terminal import Terminal, counted, data
from callsheet.cli.two_way import run_two_way
from callsheet.config import log_level
from callsheet.errors import CommitError, ConflictError, UsageError

if TYPE_CHECKING:
    from callsheet.session.blocking import Session
    from callsheet.sync.applying import SyncResult
    from callsheet.sync.plan import Plan
    from callsheet.sync.runs import SyncRun

__all__ = ["command"]


class SyncGroup(click.Group):
    """The commands of ``sync``; a file instead of a command is run."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        with _usage_is_no_plan():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        with _usage_is_no_plan():
            return super().invoke(ctx)


@contextmanager
def _usage_is_no_plan() -> Iterator[None]:
    """Wrong usage exits with 1: the 2 that click has for it says here that changes are pending."""
    try:
        yield
    except click.UsageError as error:
        vars(error)["exit_code"] = 1
        raise


@click.group("sync", cls=SyncGroup, short_help="Bring rows of files into a server, by a plan shown first.")
def command() -> None:
    """Bring rows into a server: `callsheet sync FILE.toml` plans, shows the plan, and applies it.

    A sync file says which rows go into which type, or which two servers are kept in step; `callsheet sync draft ROWS
    TYPE` writes a first one.
    """


@command.command("run")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Show the plan and change nothing; exit status 2 if it would.")
@click.option("--yes", is_flag=True, help="Apply without asking.")
@click.option("--json", "as_json", is_flag=True, help="The plan as JSON.")
@click.option("--chunk", type=click.IntRange(1), metavar="N", help="Commit every N operations instead of all at once.")
@click.option("--whole", is_flag=True, help="Two ways: compare everything, not only what changed.")
@log_options
@server_options
def run(
    file: Path,
    dry_run: bool,
    yes: bool,
    as_json: bool,
    chunk: int | None,
    whole: bool,
    log_file: Path | None,
    log_format: str,
    **account: Any,
) -> None:
    """Plan what a sync file says, show the plan, and apply it.

    Exit status: 0 done, or nothing to do; 2 changes are pending (dry run, or not confirmed); 3 rows were refused;
    4 both sides changed the same, and nobody has decided; 1 anything else. A bar shows how far it is; where there is
    no terminal, lines of the log do, with --log-format json or --log-file.
    """
    from callsheet.sync.files.documents import is_two_way, read_document

    if log_file is not None or log_format == "json":
        set_up(log_level(), log_format == "json", log_file)
    ask = Asking(dry_run, yes, as_json)
    document = read_document(file)
    if is_two_way(document):
        sys.exit(run_two_way(document, file, account, ask, chunk, whole))
    if whole:
        raise UsageError(f"--whole is for syncs of two ways; {file.name} brings rows in, and always compares all")
    with closing(ServerChoice(**account).session()) as session:
        sys.exit(_run(session.plan_file(file), ask, chunk))


def _run(plan: Plan, ask: Asking, chunk: int | None) -> int:
    terminal = ask.show(plan)
    if _is_stopped(plan):
        terminal.say('Nothing was changed: mend these rows, or set on_error = "skip".', style="bold")
        return REFUSED
    if _is_undecided(plan):
        terminal.say("Nothing was changed: decide on the conflicts, by a policy or on one side.", style="bold")
        return CONFLICT
    if plan.is_empty:
        return _left_open(plan)
    if not ask.may_apply():
        return PENDING
    _apply(terminal, plan, chunk, ask.as_json)
    return _left_open(plan)


def _left_open(plan: Plan) -> int:
    """The exit status for what is left when the rest is done."""
    return REFUSED if plan.refused else CONFLICT if plan.conflicts else 0


def _is_undecided(plan: Plan) -> bool:
    return any(step.conflicts and step.on_error != "skip" for step in plan.steps)


def _is_stopped(plan: Plan) -> bool:
    return any(step.refused and step.on_error != "skip" for step in plan.steps)


def _apply(terminal: Terminal, plan: Plan, chunk: int | None, as_json: bool) -> None:
    try:
        result = plan.apply(atomic=chunk is None, chunk=chunk or 5_000, progress=True)
    except ConflictError as error:
        Terminal(err=True).say(f"{error}")
        for each in error.conflicts[:20]:
            changed = f"{each.base!r:.40} became {each.theirs!r:.40}, the plan says {each.ours!r:.40}"
            Terminal(err=True).say(f"  {each.identity.entity_type} {each.identity.key}.{each.attribute}: {changed}")
        _say_what_was_done(error.result)
        sys.exit(CONFLICT)
    except CommitError as error:
        _say_what_was_done(error.result)
        raise
    if not as_json:
        did = f"{result.created:,} created, {result.changed:,} changed, {result.deleted:,} deleted"
        did += f", {result.linked:,} linked" if result.linked else ""
        terminal.say(f"Done: {did}, in {counted(len(result.commits), 'commit')}.")
    for operation, reason in result.refused[:20]:
        Terminal(err=True).say(f"refused: {operation.identity.entity_type} {operation.identity.key}: {reason}")
    if result.refused:
        sys.exit(REFUSED)


def _say_what_was_done(result: SyncResult | None) -> None:
    """What the commits before the one that failed did."""
    if result is not None and result.commits:
        did = f"{result.created:,} created, {result.changed:,} changed, {result.deleted:,} deleted"
        Terminal(err=True).say(f"Done before: {did}, in {counted(len(result.commits), 'commit')}; run it again.")


@command.command("log")
@click.option("--name", default="", help="Only the runs of this sync.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@connected
def log(session: Session, name: str, limit: int) -> None:
    """List the runs of syncs, newest first: who, when, what each did."""
    runs = session.sync_runs(name, limit)
    terminal = Terminal()
    if not runs:
        terminal.say("No runs.")
        return
    columns = ("run", "sync", "time", "user", "created", "changed", "deleted", "file")
    terminal.table(columns, map(_log_line, runs), whole="run")


def _log_line(run: SyncRun) -> list[str]:
    counts = [f"{run.count(kind):,}" for kind in ("create", "update", "delete")]
    return [run.id, run.name, f"{run.time:%Y-%m-%d %H:%M}", run.user, *counts, run.digest[:12]]


@command.command("undo")
@click.argument("run_id", metavar="RUN")
@click.option("--conflicts", type=click.Choice(["raise", "skip", "force"]), default="raise", show_default=True)
@connected
def undo(session: Session, run_id: str, conflicts: str) -> None:
    """Take back everything that a run did, in one commit."""
    passed = session.undo_sync(run_id, conflicts)
    left = f"; {counted(len(passed), 'value')} changed since" if passed else ""
    Terminal().say(f"Run {run_id} is taken back{left}.")


@command.command("draft")
@click.argument("rows_file", metavar="ROWS", type=click.Path(dir_okay=False, path_type=Path))
@click.argument("entity_type", metavar="TYPE")
@connected
def draft(session: Session, rows_file: Path, entity_type: str) -> None:
    """Print a first sync file for the rows of ROWS: columns beside the attributes that they are called like."""
    from callsheet.sync.files.draft import draft as drafted
    from callsheet.sync.rows.opening import rows

    data(drafted(session.schema, rows(rows_file), entity_type).rstrip())


@command.command("schema")
def schema() -> None:
    """Print the JSON Schema of sync files, for editors and checks."""
    from callsheet.sync.definition_schema import definition_schema

    data(msgspec.json.format(msgspec.json.encode(definition_schema()), indent=2).decode())
