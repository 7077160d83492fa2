"""Events: something happened. Plain data with a topic, an origin and, where it comes from a server's log, a position.

A subscription's expression is matched with `described`: the event as nested plain data, in which the data's
``entity``, ``changes``, ``action``, ``user`` and ``commit_id`` can also be named without ``data.`` before them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from attrs import define, field

from callsheet.model.record import new_key

__all__ = ["FIELDS", "SHORT", "Event", "Position", "described", "event_from_plain", "event_to_plain"]

#: The data of an event that an expression may name without ``data.`` before it.
SHORT = ("entity", "changes", "action", "user", "commit_id")
#: What an event has.
FIELDS = ("topic", "data", "id", "sent", "source", "target", "in_reply_to_event", "position")


LAST_INDEX = 2**31 - 1
"""The index behind all events of a commit."""


class Position(NamedTuple):
    """The place of an event in a server's log: the commit's position, and which of its events it is (from 0).

    >>> Position(12, 3) < Position(12, 4) < Position(13, 0)
    True
    >>> str(Position(12, 3)), Position.parse("12.3")
    ('12.3', Position(commit=12, index=3))
    """

    commit: int
    # It hides a tuple's method of this name, which is not used here.
    index: int  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.commit}.{self.index}"

    @staticmethod
    def parse(text: str) -> Position:
        """The position that was written as this text. Raises `ValueError` for any other."""
        commit, _, index = text.partition(".")
        return Position(int(commit), int(index or 0))


@define(eq=False, repr=False)
class Event(Mapping[str, Any]):
    """Something that happened. ``topic`` says what, ``data`` the rest.

    ``id`` is unique; an event delivered again (after a reconnect, from the log) has the same. ``source`` says who
    published it: ``id`` (a hub's or a subscriber's), ``user``, ``host``. ``target`` is an expression over
    the metadata of subscribers (empty: for everybody). ``in_reply_to_event`` is the id of the event answered.
    ``position`` is its place in the server's log, for events that have one. Reads like a mapping too.

    >>> event = Event("studio.render.done", {"shot": "010"})
    >>> event.topic, event["data"]["shot"], event.data["shot"]
    ('studio.render.done', '010', '010')
    """

    topic: str
    data: Any = field(factory=dict)
    id: str = field(factory=new_key)
    sent: datetime | None = None
    source: Mapping[str, Any] = field(factory=dict)
    target: str = ""
    in_reply_to_event: str | None = None
    position: Position | None = None
    _stopped: bool = field(default=False, init=False)

    def stop(self) -> None:
        """Keep the event from the subscribers that have not had it yet."""
        self._stopped = True

    def is_stopped(self) -> bool:
        """Whether a subscriber has stopped the event."""
        return self._stopped

    def __getitem__(self, name: str) -> Any:
        if name in FIELDS:
            return getattr(self, name)
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(FIELDS)

    def __len__(self) -> int:
        return len(FIELDS)

    def __repr__(self) -> str:
        place = "" if self.position is None else f" at {self.position}"
        return f"<Event {self.topic} {self.id}{place}>"

    # -- what the server's events of changed entities hold ------------------------------------------------

    @property
    def entity(self) -> Mapping[str, Any]:
        """Which entity the event is about: ``type`` and ``id``; empty where it is about none."""
        found: Mapping[str, Any] = self._held("entity", {})
        return found

    @property
    def changes(self) -> Mapping[str, Any]:
        """Attribute name → ``{"old": …, "new": …}``; empty where nothing changed."""
        found: Mapping[str, Any] = self._held("changes", {})
        return found

    def _held(self, name: str, default: Any) -> Any:
        return self.data.get(name, default) if isinstance(self.data, Mapping) else default


def described(event: Event) -> dict[str, Any]:
    """The event as the nested plain data that conditions are matched with (``matching.py``)."""
    data = event.data
    plain: dict[str, Any] = {
        "topic": event.topic,
        "data": data,
        "id": event.id,
        "sent": event.sent,
        "source": event.source,
        "target": event.target,
        "in_reply_to_event": event.in_reply_to_event,
        "position": event.position,
    }
    if isinstance(data, Mapping):
        for name in SHORT:
            if name in data:
                plain[name] = data[name]
    return plain


def event_to_plain(event: Event) -> dict[str, Any]:
    """The event as plain data, for a wire or a file; what is empty is left out.

    >>> event_to_plain(Event("x", {"a": 1}, id="1"))
    {'topic': 'x', 'id': '1', 'data': {'a': 1}}
    """
    plain: dict[str, Any] = {"topic": event.topic, "id": event.id, "data": event.data}
    for name in ("sent", "source", "target", "in_reply_to_event"):
        if value := getattr(event, name):
            plain[name] = value
    if event.position is not None:
        plain["position"] = list(event.position)
    return plain


def event_from_plain(plain: Mapping[str, Any]) -> Event:
    """The event `event_to_plain` was given; ``sent`` may still be text."""
    sent = plain.get("sent")
    position = plain.get("position")
    return Event(
        plain["topic"],
        plain.get("data", {}),
        plain["id"],
        datetime.fromisoformat(sent) if isinstance(sent, str) else sent,
        plain.get("source", {}),
        plain.get("target", ""),
        plain.get("in_reply_to_event"),
        None if position is None else Position(*position),
    )
