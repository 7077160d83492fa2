"""``callsheet history``: what happened to one entity, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from callsheet.cli.connection import connected
from callsheet.cli.naming import named_entity
from callsheet.cli.terminal import Terminal, data_stream
from callsheet.display import cut, number_text
from callsheet.model.history import HistoryEntry
from callsheet.model.record import Identity

if TYPE_CHECKING:
    from callsheet.core.operation_table import Names
    from callsheet.session.blocking import Session

__all__ = ["command"]

WRITTEN_BY_THE_SERVER = ("created_at", "created_by", "updated_at", "updated_by")


@click.command("history", short_help="Show what happened to an entity, newest first.")
@click.argument("entity")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many commits.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, with all values.")
@connected
def command(session: Session, entity: str, limit: int, as_json: bool) -> None:
    """Show what happened to an ENTITY, newest first: who, when, and each value before and after.

    ENTITY is Task:ID (also of a deleted one), a path of names such as sintel/sq010/sh020, or a query with one result.
    """
    from callsheet.core.operation_table import names_of

    session.open()
    identity = named_entity(session, entity)
    entries = session.history(identity, limit)
    if as_json:
        with data_stream() as stream:
            for each in entries:
                stream.write(msgspec.json.encode(_plain(each)).decode() + "\n")
        return
    terminal = Terminal()
    if not entries:
        terminal.say(f"{identity.entity_type} {identity.key} has no history that you could read.")
        return
    _load_labels(session, identity, entries)
    names = names_of(session)
    terminal.say((f"{identity.entity_type} {names(identity)}", "bold"), f"  {identity.key}")
    columns = ("commit", "time", "by", "what", "values")
    attributes = session.schema.types[identity.entity_type].attributes
    hidden = {name for name, found in attributes.items() if found.computed in WRITTEN_BY_THE_SERVER}
    terminal.table(columns, (_line(each, names, hidden) for each in entries), whole=("commit", "time"))


def _load_labels(session: Session, identity: Identity, entries: list[HistoryEntry]) -> None:
    """Fetch the entity and those that its values refer to, a request for each type, so that their labels are known."""
    wanted: dict[str, set[Any]] = {identity.entity_type: {identity.key}}
    for entry in entries:
        for value in (*entry.before.values(), *entry.after.values()):
            if isinstance(value, Identity):
                wanted.setdefault(value.entity_type, set()).add(value.key)
    for name, keys in wanted.items():
        if session.schema.types[name].key == ("id",):
            session.query(name).where(id=sorted(keys, key=str)).all()


def _line(entry: HistoryEntry, names: Names, hidden: set[str]) -> list[str | list[str]]:
    when = f"{entry.time.astimezone():%Y-%m-%d %H:%M}"
    return [str(entry.position), when, entry.user, entry.kind, _values(entry, names, hidden)]


def _values(entry: HistoryEntry, names: Names, hidden: set[str]) -> list[str]:
    """What changed, without what the server writes with every change."""
    lines = []
    for name in [each for each in dict.fromkeys([*entry.before, *entry.after]) if each not in hidden]:
        before, after = (_text(side.get(name), names) for side in (entry.before, entry.after))
        if entry.kind == "create":
            lines += [f"{name}: {after}"] if after else []
        elif entry.kind == "delete":
            lines += [f"{name}: {before}"] if before else []
        else:
            lines.append(f"{name}: {before or '(none)'} → {after or '(none)'}")
    for sign, members in (("+", entry.added), ("-", entry.removed)):
        lines += [f"{name}: {sign}{' '.join(map(names, each))}" for name, each in members.items()]
    return lines


def _text(value: Any, names: Names) -> str:
    if value is None:
        return ""
    if isinstance(value, Identity):
        return names(value)
    if isinstance(value, float):
        return number_text(value)
    return cut(value if isinstance(value, str) else msgspec.json.encode(value).decode().strip('"'), 200)


def _plain(entry: HistoryEntry) -> dict[str, Any]:
    return {
        "position": entry.position,
        "commit_id": entry.commit_id,
        "time": entry.time,
        "user": entry.user,
        "origin": entry.origin,
        "kind": entry.kind,
        "before": dict(entry.before),
        "after": dict(entry.after),
        "added": {name: list(each) for name, each in entry.added.items()},
        "removed": {name: list(each) for name, each in entry.removed.items()},
    }
