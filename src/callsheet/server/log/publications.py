"""Published events are stored as rows of ``_event`` for some days, each id once.

Events of commits are not stored: they are made from the log when they are read (``events.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, delete, insert, select

from callsheet.errors import Forbidden, Invalid, SchemaError, TooLarge
from callsheet.events.topics import REPLY
from callsheet.model.event import Event
from callsheet.model.moments import in_utc
from callsheet.model.plain import encode
from callsheet.model.values import pack
from callsheet.server.store.counter import next_position
from callsheet.server.store.store import Store

__all__ = ["KEPT", "LARGEST", "drop_old_events", "event_row", "received_row", "save_event"]

KEPT = timedelta(days=7)
"""How long published events are kept; changes of commits are kept for ever."""
LARGEST = 256 * 2**10
"""Bytes of an event's data, as JSON."""
LONGEST = 255
LONGEST_TARGET = 4_096
OURS = "callsheet."


def drop_old_events(store: Store, connection: Connection, now: datetime) -> None:
    """Delete published events older than `KEPT`."""
    table = store.table("_event")
    connection.execute(delete(table).where(table.c.time < now - KEPT))


def save_event(store: Store, connection: Connection, row: Mapping[str, Any]) -> int:
    """Store an event; returns its position, or that of the event stored before with the same id."""
    table = store.table("_event")
    known = select(table.c.position).where(table.c.id == row["id"])
    position: int | None = connection.execute(known).scalar()
    if position is None:
        position = next_position(store, connection)
        connection.execute(insert(table), {**row, "position": position})
    return position


def event_row(event: Event, user: str, now: datetime) -> dict[str, Any]:
    """The row of an event, with the authenticated user as publisher; raises if the event cannot be stored."""
    _check_texts(event)
    source = {**event.source, "user": _user(event.source.get("user"), user)}
    row = received_row(evolve(event, source=source, sent=_moment(event.sent)), user, now)
    for name in ("data", "source"):
        if len(row[name]) > LARGEST:
            raise TooLarge(
                f"an event's `{name}` has {len(row[name]):,} bytes; the limit is {LARGEST:,}: "
                "publish where the data is, not the data itself"
            )
    return row


def received_row(event: Event, user: str, now: datetime) -> dict[str, Any]:
    """The row of an event that another server has checked and stored."""
    return {
        "id": event.id,
        "topic": event.topic,
        "data": _json("data", event.data),
        "source": _json("source", dict(event.source)),
        "target": event.target,
        "in_reply_to": event.in_reply_to_event,
        "user_name": user,
        "sent": event.sent,
        "time": now,
    }


def _check_texts(event: Event) -> None:
    for name, most in (("topic", LONGEST), ("id", LONGEST), ("in_reply_to_event", LONGEST), ("target", LONGEST_TARGET)):
        text = getattr(event, name)
        if text is None and name == "in_reply_to_event":
            continue
        least = 0 if name == "target" else 1
        if not isinstance(text, str) or not least <= len(text) <= most or not text.isprintable():
            raise Invalid(
                f"an event's `{name}` is a printable text of {least} to {most:,} characters, not {text!r:.80}"
            )
    if ":" in event.id:
        raise Invalid(f"`{event.id:.80}` cannot be the id of a published event: ids with `:` are those of commits")
    if event.topic.startswith(OURS) and event.topic != REPLY:
        raise Forbidden(f"topics that begin with `{OURS}` are the server's own; `{event.topic:.80}` needs another name")
    if not isinstance(event.source, Mapping):
        raise Invalid(f"an event's `source` is a mapping, not {event.source!r:.80}")


def _user(given: Any, user: str) -> dict[str, Any]:
    return {**(given if isinstance(given, Mapping) else {}), "username": user}


def _moment(sent: Any) -> datetime | None:
    if sent is None:
        return None
    try:
        if isinstance(sent, datetime):
            return in_utc(sent)
    except ValueError:
        pass
    raise Invalid(f"an event's `sent` is a datetime with a time zone, not {sent!r:.80}")


def _json(name: str, value: Any) -> bytes:
    try:
        return encode(pack(value))
    except SchemaError as error:
        raise Invalid(f"an event's `{name}` cannot be stored: {error}") from None
