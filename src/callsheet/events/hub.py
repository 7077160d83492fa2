"""`Hub`: the subscriptions, and the dispatch of an event to the matching subscribers.

It is a pure state machine: it starts no threads and never waits. Subscriptions are indexed by the literal topic of
their expressions, so an event is compared only with the subscriptions of its topic, and with those without a topic.
The tables are replaced, never changed, so an event is dispatched to the subscribers at the beginning of its
dispatch, whatever a callback or another thread does.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from inspect import isawaitable
from typing import Any, TypeAlias

from attrs import field, frozen

from callsheet.deferred import deferring
from callsheet.errors import UsageError
from callsheet.events.predicate import Predicate, predicate
from callsheet.model.event import Event
from callsheet.model.language.events import expression_text, parse_expression, record_of, topics_of
from callsheet.model.language.matching import matches
from callsheet.model.query import Condition
from callsheet.model.record import new_key

__all__ = ["Callback", "Hub", "Subscriber"]

Callback: TypeAlias = Callable[[Event], Any]

_log = logging.getLogger("callsheet.events")


@frozen(eq=False)
class Subscriber:
    """A callback with its condition; subscribers are called in order of priority (low first), then of age.

    ``metadata`` is matched against the targets of events; it includes the ``id``.
    """

    id: str
    expression: str
    condition: Condition
    callback: Callback
    priority: int
    age: int
    metadata: Mapping[str, Any] = field(factory=dict)
    topics: frozenset[str] | None = None
    fulfils: Predicate = field(init=False, repr=False)

    @fulfils.default
    def _fulfils(self) -> Predicate:
        """Whether a record of an event (`record_of`) fulfils the condition."""
        return predicate(self.condition)

    def is_target(self, event: Event) -> bool:
        """Whether the event has no target, or one that the metadata fulfil."""
        return not event.target or target_matches(event.target, self.metadata)


class Hub:
    """The subscriptions of a session and its forks.

    ``aliases`` are further names of topics: an event of the topic on the right is also one of that on the left.

    >>> hub = Hub()
    >>> name = hub.subscribe("topic=studio.* and data.take > 1", lambda event: event.data["take"] * 10)
    >>> hub.dispatch(Event("studio.render", {"take": 2})), hub.dispatch(Event("studio.render", {"take": 1}))
    ([20], [])
    """

    def __init__(self, aliases: Mapping[str, str] | None = None) -> None:
        self.id = new_key()
        #: Called with the subscriber after each `subscribe` and `unsubscribe`.
        self.on_change: list[Callable[[Subscriber], None]] = []
        self._aliases: dict[str, list[str]] = {}
        self._subscribers: dict[str, Subscriber] = {}
        self._by_topic: dict[str, tuple[Subscriber, ...]] = {}
        self._of_any: tuple[Subscriber, ...] = ()
        self._age = 0
        self.alias(aliases or {})

    def __repr__(self) -> str:
        return f"<Hub {self.id}: {len(self._subscribers)} subscribers>"

    def alias(self, names: Mapping[str, str]) -> None:
        """Add alternative names of topics: name → topic."""
        for name, topic in names.items():
            self._aliases.setdefault(topic, []).append(name)

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        """All subscribers, in the order of their subscription."""
        return tuple(self._subscribers.values())

    def subscribe(
        self,
        expression: str | Condition,
        callback: Callback,
        subscriber: Mapping[str, Any] | None = None,
        priority: int = 100,
    ) -> str:
        """Call a callback for every event that fulfils an expression; returns the subscription's id.

        ``subscriber`` is the metadata for targets; its ``id`` is the subscription's. Raises `QueryError` for an invalid
        expression, `UsageError` for an id that is taken.
        """
        if not callable(callback):
            raise UsageError(f"a subscription takes a callback, not {callback!r:.80}")
        if (kind := deferring(callback)) in ("a generator", "an async generator"):
            raise UsageError(f"a callback with `yield` does nothing when it is called: it gives {kind}")
        condition = parse_expression(expression)
        metadata = dict(subscriber or {})
        name = str(metadata.setdefault("id", new_key()))
        if name in self._subscribers:
            raise UsageError(f"there is a subscriber `{name}` already; each needs an id of its own")
        self._age += 1
        text = expression_text(expression)
        topics = topics_of(condition)
        added = Subscriber(name, text, condition, callback, priority, self._age, metadata, topics)
        self._subscribers = {**self._subscribers, name: added}
        self._index(added)
        self._changed(added)
        return name

    def unsubscribe(self, name: str) -> None:
        """End a subscription. Raises `UsageError` if there is none with this id."""
        gone = self._subscribers.get(name)
        if gone is None:
            raise UsageError(f"there is no subscriber `{name}`")
        self._subscribers = {key: value for key, value in self._subscribers.items() if key != name}
        self._of_any = tuple(each for each in self._of_any if each is not gone)
        for topic in gone.topics or ():
            left = tuple(each for each in self._by_topic[topic] if each is not gone)
            if left:
                self._by_topic[topic] = left
            else:
                del self._by_topic[topic]
        self._changed(gone)

    def get_subscriber_by_identifier(self, identifier: str) -> Subscriber | None:
        """The subscriber of this id, or None."""
        return self._subscribers.get(identifier)

    def wants(self, topic: str) -> bool:
        """Whether there may be subscribers for this topic; cheap, so that unneeded events are not made."""
        if self._of_any or topic in self._by_topic:
            return True
        return any(name in self._by_topic for name in self._aliases.get(topic, ()))

    def matching(self, event: Event) -> list[Subscriber]:
        """The matching subscribers of an event, in the order in which they are called."""
        record = record_of(event)
        names = self._aliases.get(event.topic)
        if names is None:
            found = self._fulfilled(event.topic, record)
        else:
            aged = {each.age: each for each in self._fulfilled(event.topic, record)}
            for name in names:
                aged |= {each.age: each for each in self._fulfilled(name, {**record, "topic": name})}
            found = sorted(aged.values(), key=_place)
        return [each for each in found if each.is_target(event)] if event.target else found

    def _fulfilled(self, topic: str, record: Mapping[str, Any]) -> list[Subscriber]:
        return [each for each in self._candidates(topic) if each.fulfils(record)]

    def calls(self, event: Event) -> Iterator[tuple[Subscriber, Callable[[], Any]]]:
        """Each matching subscriber with a function that calls it, until one stops the event."""
        for subscriber in self.matching(event):
            if event.is_stopped():
                return
            yield subscriber, lambda callback=subscriber.callback: callback(event)  # type: ignore[misc]

    def dispatch(self, event: Event, raises: tuple[type[Exception], ...] = ()) -> list[Any]:
        """Call the matching subscribers; returns their results, in order.

        An exception of a callback is logged with the event and the subscriber, and the others are still called. An
        exception of the classes ``raises`` is raised instead, and no further subscriber is called.
        """
        results = []
        for subscriber, call in self.calls(event):
            try:
                results.append(_plain(call()))
            except raises:
                raise
            except Exception:
                report(event, subscriber)
        return results

    def _candidates(self, topic: str) -> tuple[Subscriber, ...]:
        own = self._by_topic.get(topic, ())
        if not self._of_any:
            return own
        return tuple(sorted(own + self._of_any, key=_place)) if own else self._of_any

    def _index(self, added: Subscriber) -> None:
        if added.topics is None:
            self._of_any = tuple(sorted((*self._of_any, added), key=_place))
        for topic in added.topics or ():
            self._by_topic[topic] = tuple(sorted((*self._by_topic.get(topic, ()), added), key=_place))

    def _changed(self, subscriber: Subscriber) -> None:
        for callback in tuple(self.on_change):
            callback(subscriber)


def target_matches(target: str, metadata: Mapping[str, Any]) -> bool:
    """Whether a subscriber's metadata fulfil the target of an event, which is an expression.

    >>> target_matches("id=a17 or role=farm*", {"id": "b2", "role": "farm-3"})
    True
    """
    try:
        return not target or matches(parse_expression(target), metadata)
    except UsageError:
        _log.warning("the target %r of an event cannot be read; no subscriber is called", target)
        return False


def report(event: Event, subscriber: Subscriber) -> None:
    """Log the exception of a callback; called while it is being handled."""
    _log.exception(
        "the subscriber %s (%s) raised for the event %s of %s",
        subscriber.id,
        getattr(subscriber.callback, "__qualname__", subscriber.callback),
        event.id,
        event.topic,
        extra={"event_id": event.id, "topic": event.topic, "subscriber_id": subscriber.id},
    )


def _plain(result: Any) -> Any:
    """The result, unless it is awaitable: a blocking hub cannot await it."""
    if not isawaitable(result):
        return result
    close = getattr(result, "close", None)
    if close is not None:
        close()
    raise UsageError("an `async` callback needs an AsyncSession")


def _place(subscriber: Subscriber) -> tuple[int, int]:
    return subscriber.priority, subscriber.age
