"""Events in the vendor's envelope, both ways.

An envelope has exactly seven keys; with any other the vendor's Python client drops the event. Some topics have
another name on this wire: a reply to a vendor's client must be a reply by the vendor's name. The user of an event
is filled in by the server, with the key of the user: a client cannot set it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from attrs import evolve

from callsheet.model.event import Event
from callsheet.model.plain import Malformed
from callsheet.model.record import Identity, new_key

__all__ = ["META", "REPLY", "SUBSCRIBE", "TOPICS", "UNSUBSCRIBE", "UPDATE", "envelope_of", "event_in", "renamed"]

META = "ftrack.meta."
SUBSCRIBE = "ftrack.meta.subscribe"
UNSUBSCRIBE = "ftrack.meta.unsubscribe"
REPLY = "ftrack.meta.reply"
UPDATE = "ftrack.update"
#: Our topics by the names they have on this wire.
TOPICS: Mapping[str, str] = {
    REPLY: "callsheet.reply",
    "ftrack.location.component-added": "callsheet.location.component-added",
    "ftrack.location.component-removed": "callsheet.location.component-removed",
}
_OURS = {ours: theirs for theirs, ours in TOPICS.items()}


def renamed(event: Event) -> Event:
    """The event under the topic that it has on this wire.

    >>> renamed(Event("callsheet.reply")).topic
    'ftrack.meta.reply'
    """
    return evolve(event, topic=_OURS[event.topic]) if event.topic in _OURS else event


def envelope_of(event: Event, user_id: Callable[[str], str | None] | None = None) -> dict[str, Any]:
    """The envelope of an event; ``user_id`` gives the key of an account's user.

    >>> envelope = envelope_of(Event("demo", {"take": 3}, id="1"))
    >>> sorted(envelope), envelope["sent"], envelope["source"]
    (['data', 'id', 'inReplyToEvent', 'sent', 'source', 'target', 'topic'], None, {})
    """
    return {
        "id": event.id,
        "topic": _OURS.get(event.topic, event.topic),
        "data": _plain(event.data),
        "sent": None if event.sent is None else _moment(event.sent),
        "source": _source(event.source, user_id),
        "target": event.target,
        "inReplyToEvent": event.in_reply_to_event,
    }


def event_in(envelope: Mapping[str, Any]) -> Event:
    """The event in an envelope, under our topic; what an envelope does not know is left out.

    >>> event_in({"topic": "ftrack.meta.reply", "id": "2", "inReplyToEvent": "1"}).topic
    'callsheet.reply'
    """
    topic = envelope.get("topic")
    if not isinstance(topic, str) or not topic:
        raise Malformed(f"an event has a topic, a text, not {topic!r:.80}")
    source = envelope.get("source") or {}
    if not isinstance(source, dict):
        raise Malformed(f"an event's source is a table, not {source!r:.80}")
    data = envelope.get("data")
    return Event(
        topic=TOPICS.get(topic, topic),
        data={} if data is None else data,
        id=_text(envelope, "id") or new_key(),
        sent=_sent(envelope.get("sent")),
        source=source,
        target=_text(envelope, "target"),
        in_reply_to_event=_text(envelope, "inReplyToEvent") or None,
    )


def _text(envelope: Mapping[str, Any], name: str) -> str:
    value = envelope.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Malformed(f"an event's `{name}` is a text, not {value!r:.80}")
    return value


def _source(source: Mapping[str, Any], user_id: Callable[[str], str | None] | None) -> dict[str, Any]:
    full: dict[str, Any] = _plain(source)
    user = full.get("user")
    name = user.get("username") if isinstance(user, dict) else user
    if isinstance(name, str):
        key = None if user_id is None else user_id(name)
        full["user"] = {"username": name} if key is None else {"username": name, "id": key}
    return full


def _sent(value: Any) -> datetime | None:
    """When an event was sent; None if that cannot be read."""
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if found is not None and found.tzinfo is None else found


def _moment(value: datetime) -> str:
    """A moment as the vendor writes it: in UTC, without a time zone."""
    return value.astimezone(UTC).replace(tzinfo=None).isoformat()


def _plain(value: Any) -> Any:
    """Data as JSON knows it: dates become texts, references tables."""
    if isinstance(value, datetime):
        return _moment(value) if value.tzinfo is not None else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Identity):
        return {"type": value.entity_type, "id": value.key}
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
