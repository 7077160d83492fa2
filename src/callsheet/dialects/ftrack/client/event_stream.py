"""The client's half of ftrack's events: one connection as an `EventStream`, text in, events out.

ftrack's events have no positions: what happens while there is no connection is lost. What is
published meanwhile waits, and is sent with the next connection.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from callsheet.dialects.ftrack.client import responses as answers
from callsheet.dialects.ftrack.client.subscriptions import ALL, OURS, subscribed_topics, subscriptions
from callsheet.dialects.ftrack.client.update_events import updates_in
from callsheet.dialects.ftrack.client.vocabulary import Vocabulary
from callsheet.dialects.ftrack.common.envelope import SUBSCRIBE, UNSUBSCRIBE, UPDATE, envelope_of, event_in
from callsheet.dialects.ftrack.common.socket import (
    Kind,
    Packet,
    event_packet,
    read_acknowledgement,
    read_envelopes,
    read_handshake,
    read_packet,
)
from callsheet.errors import Disconnected, TransportError, Unavailable
from callsheet.flow import Request, Response
from callsheet.model.event import Event, Position
from callsheet.model.plain import Malformed

__all__ = ["FtrackEventStream", "Waiting"]

PATH = "/socket.io/1/"
WAITING = 1_000
_log = logging.getLogger("callsheet.events")


class Waiting:
    """Events that are to be published as soon as there is a connection; a bounded queue."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()

    def put(self, event: Event) -> None:
        """Keep an event; `Unavailable` where there are too many."""
        if len(self._events) >= WAITING:
            raise Unavailable(f"{WAITING:,} events wait to be published already, and there is no connection")
        self._events.append(event)

    def take(self) -> list[Event]:
        """All of them, once."""
        found = []
        while self._events:
            found.append(self._events.popleft())
        return found


class FtrackEventStream:
    """One connection.

    ``path`` is that of the websocket, after `opened`; ``on_queued`` is called when there is something to send, as long
    as there is a connection; ``begun`` is true once the server has the subscriptions.
    """

    kind = "websocket"

    def __init__(
        self, expressions: Sequence[str], subscriber: Mapping[str, Any], vocabulary: Vocabulary, waiting: Waiting
    ) -> None:
        self.position: Position | None = None
        self.path = ""
        self.on_queued: Callable[[], None] | None = None
        self._vocabulary, self._waiting = vocabulary, waiting
        self._queue: deque[Packet] = deque()
        self._asked: dict[str, tuple[dict[str, Any], str]] = {}
        self._sent: dict[int, str] = {}
        self._number = 0
        self._source = {"id": str(subscriber["id"])}
        self._subscriber = subscriber
        self._translates = False
        self._ask(expressions)
        #: What the server must have acknowledged for the stream to have begun.
        self._open = set(self._sent)

    @property
    def begun(self) -> bool:
        return not self._open

    def opening(self) -> Request:
        """The handshake."""
        return Request("GET", PATH, safe=True)

    def opened(self, response: Response) -> None:
        """Take the session that the handshake gave; raises what the server refused with."""
        if response.status != 200:
            answers.results(response, 1)
        try:
            handshake = read_handshake(response.content.decode("utf-8", "replace"))
        except Malformed as error:
            raise TransportError(f"this is no event server of ftrack's: {error}") from None
        self.path = f"{PATH}websocket/{handshake.session}"

    def receive(self, data: bytes) -> list[Event]:
        """The events in a message; messages about the connection itself are handled here."""
        try:
            packet = read_packet(data.decode("utf-8", "surrogatepass"))
            if packet.kind is Kind.EVENT:
                self._open.clear()
                return [found for envelope in read_envelopes(packet) for found in self._events(event_in(envelope))]
            self._note(packet)
        except (Malformed, UnicodeDecodeError) as error:
            _log.warning("a packet of the event server cannot be read: %s", error)
        return []

    def to_send(self) -> list[bytes]:
        """The packets to send now: what is subscribed to, answers to heartbeats, and what is published."""
        for event in self._waiting.take():
            self._publish(event)
        found = []
        while self._queue:
            found.append(str(self._queue.popleft()).encode("utf-8", "surrogatepass"))
        return found

    def publish(self, event: Event) -> None:
        """Have an event sent."""
        self._publish(event)
        self._wake()

    def resubscribe(self, expressions: Sequence[str], subscriber: Mapping[str, Any] | None = None) -> bool:
        """Subscribe to these expressions; earlier subscriptions end after that."""
        if subscriber is not None:
            self._subscriber = subscriber
        self._ask(expressions)
        self._wake()
        return True

    def _ask(self, expressions: Sequence[str]) -> None:
        topics = {topic for expression in expressions for topic in subscribed_topics(expression)}
        self._translates = ALL in topics or any(OURS in expression for expression in expressions)
        wanted = subscriptions(expressions, self._subscriber)
        for name, (subscriber, expression) in wanted.items():
            if self._asked.get(name) == (subscriber, expression):
                continue
            if name in self._asked:
                self._meta(UNSUBSCRIBE, {"subscriber": {"id": name}})
            self._meta(SUBSCRIBE, {"subscriber": subscriber, "subscription": expression})
        for name in self._asked.keys() - wanted.keys():
            self._meta(UNSUBSCRIBE, {"subscriber": {"id": name}})
        self._asked = wanted

    def _meta(self, topic: str, data: Mapping[str, Any]) -> None:
        self._publish(Event(topic, data, source=self._source), f"{topic} {data.get('subscription', '')}".strip())

    def _publish(self, event: Event, what: str = "") -> None:
        self._number += 1
        self._queue.append(event_packet(envelope_of(event), self._number))
        self._sent[self._number] = what or f"the event {event.id} of {event.topic}"
        if len(self._sent) > WAITING:
            del self._sent[next(iter(self._sent))]

    def _wake(self) -> None:
        if self.on_queued is not None:
            self.on_queued()

    def _events(self, event: Event) -> list[Event]:
        translated = updates_in(event, self._vocabulary) if self._translates and event.topic == UPDATE else []
        return [event, *translated]

    def _note(self, packet: Packet) -> None:
        if packet.kind is Kind.HEARTBEAT:
            # A server that acknowledges nothing shows by its packets that it is alive.
            self._open.clear()
            self._queue.append(Packet(Kind.HEARTBEAT))
        elif packet.kind is Kind.DISCONNECT:
            raise Disconnected("the event server has ended the connection")
        elif packet.kind is Kind.ACKNOWLEDGE:
            acknowledgement = read_acknowledgement(packet)
            self._open.discard(acknowledgement.number)
            what = self._sent.pop(acknowledgement.number, "")
            if not acknowledgement.success:
                _log.warning(
                    "the event server refused %s: %s",
                    what or f"packet {acknowledgement.number}",
                    acknowledgement.message,
                )
        elif packet.kind is Kind.ERROR:
            _log.warning("the event server reports an error: %s", packet.data or packet.path)
