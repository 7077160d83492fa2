"""``callsheet schema diff`` and ``callsheet schema apply``: what a schema file would change, and the change."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from callsheet.cli.serve import require_extra
from callsheet.cli.terminal import Terminal, counted
from callsheet.errors import UsageError

if TYPE_CHECKING:
    from callsheet.server.migration.applying import WantedSchema

__all__ = ["apply", "diff"]

F = TypeVar("F", bound=Callable[..., Any])

_SIGNS = {"add": ("+", "green"), "drop": ("-", "red"), "rename": ("~", "yellow"), "change": ("~", "yellow")}


def _options(command: F) -> F:
    """The file, the database, and what becomes of values that do not fit."""
    for option in reversed(
        (
            click.argument("file", metavar="FILE|PRESET"),
            click.option(
                "--database",
                envvar="CALLSHEET_DATABASE",
                show_envvar=True,
                metavar="URL",
                help="sqlite:///FILE, which no server may have open, or postgresql+psycopg://USER:PASSWORD@HOST/NAME.",
            ),
            click.option("--fill", multiple=True, metavar="TYPE.ATTRIBUTE=VALUE", help="What a missing value becomes."),
            click.option(
                "--replace",
                multiple=True,
                metavar="TYPE.ATTRIBUTE:OLD=NEW",
                help="What a value becomes; NEW may be empty.",
            ),
            click.option(
                "--clear", multiple=True, metavar="TYPE.ATTRIBUTE", help="Values that do not fit are emptied."
            ),
            click.option("--json", "as_json", is_flag=True, help="The plan as JSON."),
        )
    ):
        command = option(command)
    return command


@click.command("diff", short_help="What a schema file would change in a database.")
@_options
def diff(
    file: str,
    database: str | None,
    fill: tuple[str, ...],
    replace: tuple[str, ...],
    clear: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what the schema in FILE would change in a database, and in how many of its rows. Nothing is written.

    Ends with code 1 if rows do not fit.
    """
    from callsheet.server.migration.applying import plan_schema
    from callsheet.server.migration.plan import plan_to_plain

    wanted = _wanted(file, fill, replace, clear)
    store = _opened(database)
    try:
        plan = plan_to_plain(plan_schema(store, wanted, datetime.now(UTC)))
    finally:
        store.close()
    _show(plan, as_json)
    if plan["unfit"]:
        sys.exit(1)


@click.command("apply", short_help="Change a database's schema to that of a file.")
@_options
@click.option("--why", default="", help="Why, for the log.")
@click.option("--backup", type=click.Path(path_type=Path, dir_okay=False), help="Where the backup goes, a new file.")
@click.option("--no-backup", is_flag=True, help="Make no backup first.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def apply(
    file: str,
    database: str | None,
    fill: tuple[str, ...],
    replace: tuple[str, ...],
    clear: tuple[str, ...],
    as_json: bool,
    why: str,
    backup: Path | None,
    no_backup: bool,
    yes: bool,
) -> None:
    """Change the schema of a database to that in FILE, with its rows, in one transaction.

    Shows the plan and asks. A backup is made first, beside the database's file. Rows that do not fit are named, and
    nothing is changed. A process that is killed leaves the old schema or the new one.
    """
    from callsheet.server.migration.applying import plan_schema
    from callsheet.server.migration.plan import check_fits, plan_to_plain
    from callsheet.server.migration.running import change_schema

    wanted = _wanted(file, fill, replace, clear)
    store = _opened(database)
    try:
        plan = plan_schema(store, wanted, datetime.now(UTC))
        _show(plan_to_plain(plan), as_json)
        if not plan.changes:
            return
        check_fits(plan)
        if not yes:
            click.confirm("Change the schema so?", abort=True, err=True)
        done = change_schema(store, wanted, "admin", why, expected=plan.before, backup=backup, keep=not no_backup)
    finally:
        store.close()
    if done.backup is not None:
        Terminal(err=True).say(f"The database as it was is in {done.backup}.")
    Terminal(err=True).say(f"The schema is changed, by commit {done.position} of the log.")


def _opened(database: str | None) -> Any:
    """The store of a database that is there."""
    require_extra()
    from callsheet.server.archive.dumping import DEADLINE
    from callsheet.server.store.store import Store

    address = database or "sqlite:///callsheet.db"
    if address.startswith("sqlite:///") and not Path(address.removeprefix("sqlite:///")).exists():
        raise UsageError(f"there is no database {address}: name one with --database")
    return Store.open(address, deadline=DEADLINE)


def _wanted(file: str, fill: tuple[str, ...], replace: tuple[str, ...], clear: tuple[str, ...]) -> WantedSchema:
    require_extra()
    from callsheet.server.migration.applying import WantedSchema
    from callsheet.server.migration.cells import Cure
    from callsheet.server.schemas.document import read_schema

    document, former = read_schema(file)
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for text in fill:
        place, value = _split(text, "=", "--fill TYPE.ATTRIBUTE=VALUE")
        found.setdefault(_place(place), {})["fill"] = value
    for text in replace:
        place, pair = _split(text, ":", "--replace TYPE.ATTRIBUTE:OLD=NEW")
        old, new = _split(pair, "=", "--replace TYPE.ATTRIBUTE:OLD=NEW")
        found.setdefault(_place(place), {}).setdefault("replace", {})[old] = new or None
    for text in clear:
        found.setdefault(_place(text), {})["clear"] = True
    return WantedSchema(document, former, {place: Cure(**cure) for place, cure in found.items()})


def _split(text: str, sign: str, form: str) -> tuple[str, str]:
    first, found, last = text.partition(sign)
    if not found:
        raise click.UsageError(f"{text!r}: the form is {form}")
    return first, last


def _place(text: str) -> tuple[str, str]:
    return _split(text, ".", "TYPE.ATTRIBUTE")


def _show(plan: dict[str, Any], as_json: bool) -> None:
    terminal = Terminal()
    if as_json:
        click.echo(json.dumps(plan, indent=2, ensure_ascii=False))
        return
    if not plan["changes"]:
        terminal.say("The database has this schema: nothing is to be changed.")
        return
    for change in plan["changes"]:
        sign, style = _SIGNS[change["action"]]
        terminal.say((f"{sign} {_name(change)}", style), *[f"  {words}" for words in _words(change)])
        for each in change["examples"]:
            terminal.say(f"    {each['type']} {each['key']}: {each['why']}", style="red")
        if (more := change["unfit"] - len(change["examples"])) > 0:
            terminal.say(f"    and {more:,} more", style="red")
    totals = [f"{_counted(plan['lost'], 'value or entity', 'values and entities')} lost"]
    totals += [f"{counted(plan['changed'], 'value')} changed", f"{_counted(plan['unfit'], 'entity', 'entities')} unfit"]
    terminal.say(f"{counted(len(plan['changes']), 'change')}: {', '.join(totals)}.", style="bold")


def _name(change: dict[str, Any]) -> str:
    if change["type"] is None:
        return "the schema"
    name = change["type"] if change["attribute"] is None else f"{change['type']}.{change['attribute']}"
    return f"{name} (was {change['was']})" if "was" in change else name


def _words(change: dict[str, Any]) -> Iterator[str]:
    """What changes, and for how many rows."""
    for key, (before, after) in change["facts"].items():
        if change["action"] == "add":
            yield f"{key}: {_value(after)}"
        else:
            yield f"{key}: {_value(before)} → {_value(after)}"
    entities = change["attribute"] is None
    if change["lost"]:
        yield f"{_counted(change['lost'], *(('entity', 'entities') if entities else ('value', 'values')))} lost"
    if change["changed"]:
        yield f"{counted(change['changed'], 'value')} changed"
    if change["unfit"]:
        yield f"{_counted(change['unfit'], 'entity', 'entities')} unfit"


def _value(value: Any) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)


def _counted(number: int, one: str, more: str) -> str:
    return f"{number:,} {one if number == 1 else more}"
