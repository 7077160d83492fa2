"""One connection of a vendor's event hub, as a machine: packets in, packets and events out. It does no I/O.

Each connection has a `Hub` for its subscriptions, so that the vendor's expressions have the same meaning everywhere.
An event goes to a connection once, even if several of its subscribers get it: the client distributes it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from attrs import field, frozen

from callsheet.dialects.ftrack.common.envelope import META, REPLY, SUBSCRIBE, UNSUBSCRIBE, UPDATE, event_in, renamed
from callsheet.dialects.ftrack.common.socket import Kind, Packet, acknowledgement, read_envelopes, read_packet
from callsheet.dialects.routes import FrameOutcome, SubscriptionHub
from callsheet.errors import CallsheetError, QueryError, UsageError
from callsheet.model.event import Event, Position
from callsheet.model.language.events import parse_expression, record_of
from callsheet.model.plain import Malformed

__all__ = ["Conversation"]

SUBSCRIPTIONS = 1_000
BEGINNING = Position(0, 0)
LONGEST_ID = 255


@frozen
class _ConversationEnded:
    """A subscription that has ended, and the positions between which its events are."""

    subscriber: Any
    since: Position
    until: Position

    def is_for(self, event: Event, record: Mapping[str, Any]) -> bool:
        within = event.position is not None and self.since < event.position <= self.until
        return within and self.subscriber.fulfils(record) and self.subscriber.is_target(event)


@frozen
class Conversation:
    """What one connection subscribed to.

    >>> from callsheet.events.hub import Hub
    >>> talk = Conversation(Hub())
    >>> step = talk.receive('5:1+::{"name": "ftrack.event", "args": [{"topic": "ftrack.meta.subscribe", "data": '
    ...                     '{"subscriber": {"id": "a"}, "subscription": "topic=demo"}}]}')
    >>> [str(packet) for packet in step.answers], talk.wants(Event("demo")), talk.wants(Event("other"))
    (['6:::1+[{"success":true}]'], True, False)
    """

    hub: SubscriptionHub
    _since: dict[str, Position] = field(factory=dict)
    _ended: deque[_ConversationEnded] = field(factory=lambda: deque(maxlen=SUBSCRIPTIONS))

    def receive(self, frame: str, now: Position = BEGINNING) -> FrameOutcome:
        """What follows from a frame. A frame that cannot be read is answered with an error.

        A subscription is for the events after ``now``, however late those before it are read; and when it ends, for
        those up to ``now``. So a client that replaces one by another misses nothing between them.
        """
        try:
            packet = read_packet(frame)
        except Malformed as error:
            return FrameOutcome([Packet(Kind.ERROR, data=str(error))])
        if packet.kind is Kind.DISCONNECT:
            return FrameOutcome(ended=True)
        if packet.kind is not Kind.EVENT:
            # Heartbeats and acknowledgements need no answer.
            return FrameOutcome(_acknowledged(packet.number if packet.wants else None))
        number = packet.number if packet.wants else None
        try:
            envelopes = read_envelopes(packet)
            return self._event(envelopes[0], number, now) if envelopes else FrameOutcome(_acknowledged(number))
        except (Malformed, CallsheetError) as error:
            return FrameOutcome(_acknowledged(number, str(error)))

    def wants(self, event: Event) -> bool:
        """Whether a subscriber of this connection subscribed to the event, and is a target of it."""
        known = renamed(event)
        if self.hub.wants(known.topic) and any(self._began(each.id, event) for each in self.hub.matching(known)):
            return True
        return bool(self._ended) and self._wanted(known)

    def _wanted(self, event: Event) -> bool:
        """Whether an event was asked for by a subscription that ended after it."""
        while event.position is not None and self._ended and self._ended[0].until < event.position:
            self._ended.popleft()
        record = record_of(event)
        # Frames are received in another thread than events are read.
        return any(each.is_for(event, record) for each in tuple(self._ended))

    def _began(self, subscriber: str, event: Event) -> bool:
        return event.position is None or event.position > self._since.get(subscriber, BEGINNING)

    @property
    def wants_updates(self) -> bool:
        """Whether a subscriber of this connection may get what commits changed."""
        return self.hub.wants(UPDATE) or bool(self._ended)

    def _event(self, envelope: Mapping[str, Any], number: int | None, now: Position) -> FrameOutcome:
        topic = envelope.get("topic")
        if topic == SUBSCRIBE:
            self._since[_subscribe(self.hub, envelope.get("data"))] = now
            return FrameOutcome(_acknowledged(number))
        if topic == UNSUBSCRIBE:
            self._end(envelope.get("data"), now)
            return FrameOutcome(_acknowledged(number))
        if topic == UPDATE or (isinstance(topic, str) and topic.startswith(META) and topic != REPLY):
            raise UsageError(f"`{topic:.80}` is the server's own; publish under another topic")
        event = event_in(envelope)
        try:
            parse_expression(event.target) if event.target else None
        except QueryError as error:
            raise UsageError(f"the target of the event cannot be read: {error}") from None
        return FrameOutcome(publish=event, published=partial(_acknowledged, number))

    def _end(self, data: Any, now: Position) -> None:
        """End a subscription; what happened until now may not have been read."""
        known = {each.id: each for each in self.hub.subscribers}
        name = _unsubscribe(self.hub, data)
        self._ended.append(_ConversationEnded(known[name], self._since.pop(name, BEGINNING), now))


def _subscribe(hub: SubscriptionHub, data: Any) -> str:
    subscriber = _subscriber(data)
    expression = data.get("subscription")
    if not isinstance(expression, str):
        raise UsageError("a subscription is an expression, a text")
    if len(hub.subscribers) >= SUBSCRIPTIONS:
        raise UsageError(f"there are {SUBSCRIPTIONS:,} subscriptions of this connection already; end one first")
    return hub.subscribe(expression, _nothing, subscriber)


def _unsubscribe(hub: SubscriptionHub, data: Any) -> str:
    name: str = _subscriber(data)["id"]
    hub.unsubscribe(name)
    return name


def _subscriber(data: Any) -> dict[str, Any]:
    found = data.get("subscriber") if isinstance(data, dict) else None
    if not isinstance(found, dict) or not isinstance(found.get("id"), str) or len(found["id"]) > LONGEST_ID:
        raise UsageError("a subscriber is a table with an `id`, a text")
    return found


def _nothing(_: Event) -> None:
    """No callback runs here: the subscribers are at the other end."""


def _acknowledged(number: int | None, refused: str | None = None) -> list[Packet]:
    return list(_packets(number, refused))


def _packets(number: int | None, refused: str | None) -> Iterator[Packet]:
    if number is not None:
        yield acknowledgement(number, refused)
