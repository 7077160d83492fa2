"""The common part of the blocking and the awaiting event hub: all that does not wait."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, overload

from attrs import evolve

from callsheet.bounded import BoundedDict
from callsheet.dialects import declaration_of
from callsheet.dialects.protocol import EventDialect, EventStream
from callsheet.errors import StateError, TransportError, UsageError
from callsheet.events.checking import check_expression
from callsheet.events.hub import Callback, Hub, Subscriber
from callsheet.events.topics import CONNECTED, DISCONNECTED, REPLY, UPDATE
from callsheet.model.event import Event, Position
from callsheet.model.query import Condition
from callsheet.model.values import pack, unpack

if TYPE_CHECKING:
    from callsheet.model.schema import Schema
    from callsheet.session.connection import ServerConnection

__all__ = ["PATIENCE", "QUEUE", "Subscribing", "check_event", "failure"]

PATIENCE = 10.0
"""Seconds that ``connect`` waits for the connection by default."""
QUEUE = 1_000
"""The most received events that wait for dispatch."""
AWAITED_REPLIES = 10_000
"""The most events with a callback for replies; replies to older ones are ignored."""
_LOCAL = ("callsheet.session.", "callsheet.hub.")
_log = logging.getLogger("callsheet.events")


def check_event(event: Event) -> None:
    """Raise `UsageError` unless this is an `Event`."""
    if not isinstance(event, Event):
        raise UsageError(f"only an Event is published, such as callsheet.Event(topic, data), not {event!r:.80}")


class Subscribing:
    """The common part of the blocking and the awaiting hub, in which nothing waits."""

    def __init__(
        self,
        hub: Hub,
        connection: ServerConnection,
        open_session: Callable[[], Any],
        known_schema: Callable[[], Schema | None],
    ) -> None:
        self._hub = hub
        self._connection = connection
        #: Returns the schema for checks of expressions; None while the session is not open.
        self._known_schema = known_schema
        #: Opens the hub's session if it is not open, for the schema and for the subscriptions of plugins.
        self._open_session = open_session
        self._declaration = declaration_of(connection.dialect)
        #: The dialect's name of each topic that has one.
        self._theirs = {topic: name for name, topic in self._declaration.topics.items()}
        self._lock = threading.RLock()
        self._replies: BoundedDict[str, Callback] = BoundedDict(AWAITED_REPLIES)
        self._stream: EventStream | None = None
        self._listener: Any = None
        #: The position of the last dispatched event in the server's log, or where the hub began to listen.
        self.position: Position | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}{' connected' if self.connected else ''}>"

    @property
    def id(self) -> str:
        """The hub's id: the source of events it publishes, and the target of replies."""
        return self._hub.id

    @property
    def connected(self) -> bool:
        """Whether the hub has a connection to the server now."""
        return self._listener is not None and bool(self._listener.connected)

    @property
    def listening(self) -> bool:
        """Whether `connect` was called and not `disconnect`: broken connections are re-established."""
        return self._listener is not None

    @property
    def asks_server(self) -> bool:
        """Whether there is a subscription to events of a server."""
        return len(self._expressions()) > 1

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        """All subscribers, in the order of their subscription."""
        return self._hub.subscribers

    @overload
    def subscribe(
        self,
        expression: str | Condition,
        callback: None = None,
        *,
        subscriber: Mapping[str, Any] | None = None,
        priority: int = 100,
    ) -> Callable[[Callback], Callback]: ...

    @overload
    def subscribe(
        self,
        expression: str | Condition,
        callback: Callback,
        *,
        subscriber: Mapping[str, Any] | None = None,
        priority: int = 100,
    ) -> str: ...

    def subscribe(
        self,
        expression: str | Condition,
        callback: Callback | None = None,
        *,
        subscriber: Mapping[str, Any] | None = None,
        priority: int = 100,
    ) -> Any:
        """Call ``callback(event)`` for every event that fulfils an expression.

        The expression is a condition of the query language on the event: a text, or a condition object. Lower
        priorities are called first. ``subscriber`` is data for the targets of events; its ``id`` becomes the id of the
        subscription. Returns that id, or without a callback a decorator. Raises `QueryError` for an invalid expression,
        and for one that no event can fulfil: topics, names, entity types and attributes are checked. Before the session
        is open, the schema is not known, and ``connect`` checks the last two.

        >>> with Session("memory:") as session:  # doctest: +SKIP
        ...     @session.event_hub.subscribe("topic=studio.render.done and data.take > 1")
        ...     def done(event): ...
        """
        if callback is not None:
            check_expression(expression, self._known_schema(), local=True)
            with self._lock:
                return self._hub.subscribe(expression, callback, subscriber, priority)

        def decorate(function: Callback) -> Callback:
            self.subscribe(expression, function, subscriber=subscriber, priority=priority)
            return function

        return decorate

    def unsubscribe(self, identifier: str) -> None:
        """End a subscription. Raises `UsageError` if there is none with this id."""
        with self._lock:
            self._hub.unsubscribe(identifier)

    @contextmanager
    def subscription(
        self,
        expression: str | Condition,
        callback: Callback,
        *,
        subscriber: Mapping[str, Any] | None = None,
        priority: int = 100,
    ) -> Iterator[str]:
        """A subscription that ends with the block."""
        identifier = self.subscribe(expression, callback, subscriber=subscriber, priority=priority)
        try:
            yield identifier
        finally:
            if self._hub.get_subscriber_by_identifier(identifier) is not None:
                self.unsubscribe(identifier)

    def get_subscriber_by_identifier(self, identifier: str) -> Subscriber | None:
        """The subscriber of this id, or None."""
        return self._hub.get_subscriber_by_identifier(identifier)

    def _check_subscriptions(self) -> None:
        """Raise `QueryError` for a subscription that no event can fulfil; some are older than the schema."""
        for each in self._hub.subscribers:
            check_expression(each.expression, self._known_schema(), local=True)

    # -- what is sent to the server --------------------------------------------------------------------------

    @property
    def _dialect(self) -> EventDialect | None:
        dialect = self._connection.dialect
        return dialect if isinstance(dialect, EventDialect) else None

    def _sourced(self, event: Event) -> Event:
        """The event with its source, and with the dialect's name of its topic."""
        known = {"id": self.id, "user": {"username": self._connection.user}, "host": socket.gethostname()}
        topic = self._theirs.get(event.topic, event.topic)
        return evolve(event, source={**known, **event.source}, topic=topic)

    def _outgoing(self, event: Event) -> Event:
        """The event with plain data, so that every wire accepts or refuses the same."""
        return evolve(self._sourced(event), data=unpack(pack(event.data)))

    def _received(self, event: Event) -> Event:
        """The event with Callsheet's name of its topic."""
        topic = self._declaration.topics.get(event.topic, event.topic)
        return event if topic == event.topic else evolve(event, topic=topic)

    def _reply(self, source_event: Event, data: Any, source: Mapping[str, Any] | None) -> Event:
        target = source_event.source.get("id")
        if not target:
            raise StateError(f"{source_event!r} has no source with an id, so it cannot be answered")
        return Event(REPLY, data, source=source or {}, target=f'id="{target}"', in_reply_to_event=source_event.id)

    def _expressions(self) -> list[str]:
        """The expressions for the server: all but those about topics of this process."""
        wanted = {f"topic={REPLY}": None}
        for subscriber in self._hub.subscribers:
            topics = subscriber.topics
            if topics is None or not all(topic.startswith(_LOCAL) for topic in topics):
                wanted[subscriber.expression] = None
        return list(wanted)

    def _beginning(self, after: Position | str | None) -> Position | None:
        """Where a connection begins: after the given position, else after this hub's own; None means from now on."""
        return Position.parse(after) if isinstance(after, str) else after or self.position

    def _set_position(self, listener: Any) -> None:
        """After the first connection, set the position, so that a reconnection continues there even without events."""
        if self.position is None:
            self.position = listener.position

    def _metadata(self) -> dict[str, Any]:
        """The data for targets: those of this hub, and of each of its subscribers."""
        return {"id": self.id, "subscribers": [dict(each.metadata) for each in self._hub.subscribers]}

    def _open_stream(self, after: Position | None) -> EventStream:
        dialect = self._dialect
        assert dialect is not None
        self._stream = dialect.events(after, self._expressions(), self._metadata())
        return self._stream

    def _resubscribed(self, subscriber: Subscriber) -> None:
        """Subscriptions have changed: change those of the stream, or open another one at the present position."""
        listener, stream = self._listener, self._stream
        if listener is None or stream is None:
            return
        if subscriber.topics is not None and all(topic.startswith(_LOCAL) for topic in subscriber.topics):
            return
        if not stream.resubscribe(self._expressions(), self._metadata()):
            listener.resubscribe()

    def _await_replies(self, event: Event, callback: Callback) -> None:
        self._replies[event.id] = callback

    def _replies_here(self, event: Event, results: list[Any]) -> list[Event]:
        """Replies without a server: the results of the subscribers here."""
        return [self._reply(self._sourced(event), each, {"id": self.id}) for each in results if each is not None]

    def _check_startable(self, running: Any) -> None:
        if not self.listening:
            raise StateError("the hub is not connected; `connect()` first")
        if running is not None:
            raise StateError("events are dispatched in the background already")

    def _check_connectable(self) -> None:
        if self._dialect is None:
            raise StateError(f"the {self._connection.dialect.name} dialect has no events")
        if self._listener is not None:
            raise StateError("the hub is connected already; `disconnect()` first")

    # -- what is received ------------------------------------------------------------------------------------

    def _state_event(self, kind: str, error: Exception | None) -> Event | None:
        topic = CONNECTED if kind == "connected" else DISCONNECTED
        if kind == "failed":
            _log.error("the server sends no more events: %s", error)
        return Event(topic, {"reason": str(error or "")}) if self._hub.wants(topic) else None

    def _answered(self, event: Event) -> Callback | None:
        """The callback that waits for this reply."""
        if event.topic != REPLY or event.in_reply_to_event is None:
            return None
        return self._replies.get(event.in_reply_to_event)

    def _wants_reply(self, event: Event, result: Any) -> bool:
        """Whether a callback's result is sent as reply: the event must have been published by a hub."""
        final = event.topic in (UPDATE, REPLY, self._declaration.update_topic) or event.topic.startswith(_LOCAL)
        return result is not None and not final and bool(event.source.get("id"))


def failure(outcome: list[Any], timeout: float) -> Exception:
    """The reason why there is no connection."""
    error = outcome[-1].error if outcome else None
    if isinstance(error, Exception):
        return error
    return TransportError(f"no connection for events within {timeout} seconds")
