"""``callsheet events``: the waiting events and the dead letters of durable handlers and schedules."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import click

from callsheet.cli.connection import connected
from callsheet.cli.terminal import Terminal, counted, data
from callsheet.errors import NotFound, UsageError
from callsheet.model.values import pack

if TYPE_CHECKING:
    from callsheet.session.blocking import Session

__all__ = ["command"]

WIDTH = 80
ERROR = 400

_HANDLER = click.option("--handler", metavar="NAME", help="Only those of this handler.")
_USER = click.option("--of", "of", metavar="ACCOUNT", help="Those of another account (for administrators).")


@click.group("events", short_help="List, show, replay and skip events of durable handlers.")
def command() -> None:
    """List and manage the events of durable handlers: waiting ones, and dead letters.

    An event that failed more often than its handler allows is a dead letter: it waits here, with its traceback,
    until you replay or skip it. The ticks of schedules are events too.
    """


@command.command("list")
@_HANDLER
@click.option("--state", type=click.Choice(["ready", "leased", "dead", "all"]), default="dead", show_default=True)
@click.option("--limit", type=click.IntRange(1, 1_000), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: the events, as tests can replay them.")
@_USER
@connected
def list_(session: Session, handler: str | None, state: str, limit: int, as_json: bool, of: str | None) -> None:
    """List events not handled, oldest first, and the state of handlers.

    For each handler: how many commits it is behind, how many events are ready, leased or dead, and how long the oldest
    has been waiting. For each schedule: when it is due next, and its ticks.
    """
    wanted = None if state == "all" else state
    found = session.call("handlers.deliveries", handler=handler, state=wanted, limit=limit, user=of)
    if as_json:
        for each in found:
            data(_line(each["event"]))
        return
    terminal = Terminal()
    _show_handlers(terminal, session.call("handlers.status", user=of))
    if session.features.schedules:
        _show_schedules(terminal, session.call("handlers.schedules", user=of))
    for each in found:
        _show_delivery(terminal, each)
    if not found:
        terminal.say("No such events." if wanted != "dead" else "No dead letters.")


@command.command("show")
@click.argument("event_id")
@_HANDLER
@click.option("--json", "as_json", is_flag=True, help="The event as one line of JSON, as tests can replay it.")
@_USER
@connected
def show(session: Session, event_id: str, handler: str | None, as_json: bool, of: str | None) -> None:
    """Show an event that was not handled, and its last traceback."""
    terminal = Terminal()
    for each in _found(session, event_id, handler, of):
        if as_json:
            data(_line(each["event"]))
            return
        failures = counted(each["failures"], "failure")
        terminal.say(f"{each['handler']}: {each['state']}, attempt {each['attempt']}, {failures}")
        terminal.say(json.dumps(each["event"], indent=2, default=_text))
        if each["traceback"]:
            terminal.say(f"\n{each['traceback']}")


@command.command("replay")
@click.argument("event_ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All dead letters of the handler named with --handler.")
@_HANDLER
@_USER
@connected
def replay(session: Session, event_ids: tuple[str, ...], everything: bool, handler: str | None, of: str | None) -> None:
    """Give dead letters back to their handlers, after a repair."""
    if everything:
        if handler is None or event_ids:
            raise UsageError("`--all` goes with --handler NAME, and with no event")
        count = session.call("handlers.replay", handler=handler, user=of)
    elif not event_ids:
        raise UsageError("name the events to replay, or say `--all --handler NAME`; `callsheet events list` has them")
    else:
        count = _each(session, "replay", event_ids, handler, of)
    Terminal().say(f"{count} given back")


@command.command("skip")
@click.argument("event_ids", nargs=-1, required=True)
@_HANDLER
@_USER
@connected
def skip(session: Session, event_ids: tuple[str, ...], handler: str | None, of: str | None) -> None:
    """Drop events without handling them.

    One that is being handled stays.
    """
    Terminal().say(f"{_each(session, 'skip', event_ids, handler, of)} dropped")


@command.command("remove")
@click.argument("handler")
@_USER
@connected
def remove(session: Session, handler: str, of: str | None) -> None:
    """Remove a handler or a schedule that is not run any more.

    Its place in the log and its dead letters are removed too. If it is run again, it begins as a new one.
    """
    session.call("handlers.remove", handler=handler, user=of)
    Terminal().say(f"{handler} is forgotten")


def _each(session: Session, action: str, event_ids: tuple[str, ...], handler: str | None, of: str | None) -> int:
    """Apply the action to each delivery of these events, print why one is refused, and count the others."""
    done = 0
    for event_id in event_ids:
        for each in _found(session, event_id, handler, of):
            count = session.call(f"handlers.{action}", handler=each["handler"], event_id=event_id, user=of)
            done += count
            if not count:
                Terminal(err=True).say(f"{event_id}: not done, since {_why_not(each)}")
    return done


def _why_not(each: dict[str, Any]) -> str:
    """Why an event in this state cannot be given back or dropped."""
    name, until = each["handler"], f"{each['next_try']:%H:%M:%S} UTC"
    if each["state"] == "leased":
        return f"{name} is handling it now; try again when that is over, or end its listener first"
    if each["state"] == "ready":
        return f"it is no dead letter: {name} will try it (again) at {until} or later"
    return f"its state changed meanwhile; `callsheet events list --state all --handler {name}` has the rest"


def _found(session: Session, event_id: str, handler: str | None, of: str | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = session.call("handlers.deliveries", event_id=event_id, handler=handler, user=of)
    if not found:
        raise NotFound(f"no handler has the event {event_id}; `callsheet events list --state all` lists what there is")
    return found


def _show_handlers(terminal: Terminal, status: list[dict[str, Any]]) -> None:
    rows = []
    for each in status:
        numbers = [each[name] for name in ("behind", "ready", "leased", "dead")]
        rows.append((each["handler"], *map(str, numbers), f"{each['waiting_seconds']:.1f}"))
    terminal.table(("handler", "behind", "ready", "leased", "dead", "waits (s)"), rows)


def _show_schedules(terminal: Terminal, status: list[dict[str, Any]]) -> None:
    """Print when each schedule is due; nothing if there are no schedules."""
    rows = []
    for each in status:
        numbers = [str(each[name]) for name in ("ready", "leased", "dead")]
        rows.append((each["schedule"], each["expression"], _due(each), *numbers))
    if rows:
        terminal.table(("schedule", "cron", "next due", "ready", "leased", "dead"), rows)


def _due(schedule: dict[str, Any]) -> str:
    """When a schedule is due next; in the past if no listener runs it."""
    from callsheet.listening import cron

    if not cron.is_there():
        return f"in {schedule['zone']}; `pip install cronsim` tells when"
    try:
        cron.check_cron(schedule["schedule"], schedule["expression"], schedule["zone"])
    except UsageError:
        return f"in {schedule['zone']}; this machine cannot read when"
    seen = datetime.fromtimestamp(schedule["due"], UTC)
    found = next(cron.ticks(schedule["expression"], schedule["zone"], seen), None)
    return "never" if found is None else f"{found:%Y-%m-%d %H:%M %Z}"


def _show_delivery(terminal: Terminal, each: dict[str, Any]) -> None:
    """Print an event in lines of at most 80 columns; the id is alone in its line and never cut, to be copied."""
    entity = each["event"]["data"].get("entity") or {}
    about = f"{entity.get('type', '')} {entity.get('id', '')}".strip()
    terminal.say(each["event"]["id"])
    for text in (f"{each['handler']}: {each['state']}, attempt {each['attempt']}", about, each["error"][:ERROR]):
        for line in wrap(text, WIDTH - 2, break_on_hyphens=False):
            terminal.say(f"  {line}")


def _line(event: dict[str, Any]) -> str:
    return json.dumps(pack(event), ensure_ascii=False)


def _text(value: Any) -> str:
    """Dates and times, which JSON lacks."""
    return str(value.isoformat() if hasattr(value, "isoformat") else value)
