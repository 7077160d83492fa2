"""Filters of events by many expressions: an event is compared only with the expressions of its topic."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import TypeAlias

from callsheet.events.predicate import Predicate, predicate
from callsheet.model.event import Event
from callsheet.model.language.events import parse_expression, record_of, topics_of
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or

__all__ = ["EventFilter", "comparisons", "filter_of"]

_Predicates: TypeAlias = tuple[Predicate, ...]
KEPT = 128
"""Filters that are cached for the next batch of their reader."""


class EventFilter:
    """Expressions compiled to functions, indexed by their topics.

    >>> wanted = filter_of(["topic=a and data.x=1", "topic=b", "data.take > 3"])
    >>> wanted(Event("a", {"x": "1"})), wanted(Event("a", {"x": "2"})), wanted(Event("c", {"take": 4}))
    (True, False, True)
    >>> len(wanted.candidates("a")), len(wanted.candidates("z"))
    (2, 1)
    """

    def __init__(self, conditions: Iterable[Condition]) -> None:
        by_topic: dict[str, list[Predicate]] = {}
        of_any: list[Predicate] = []
        for condition in conditions:
            made, topics = predicate(condition), topics_of(condition)
            for found in [of_any] if topics is None else [by_topic.setdefault(topic, []) for topic in topics]:
                found.append(made)
        self._of_any: _Predicates = tuple(of_any)
        self._by_topic = {topic: (*found, *of_any) for topic, found in by_topic.items()}

    def candidates(self, topic: str) -> _Predicates:
        """The functions that an event of this topic is compared with."""
        return self._by_topic.get(topic, self._of_any)

    def __call__(self, event: Event) -> bool:
        """Whether the event is wanted."""
        candidates = self.candidates(event.topic)
        if not candidates:
            return False
        record = record_of(event)
        return any(holds(record) for holds in candidates)


def filter_of(expressions: Sequence[str | Condition]) -> Callable[[Event], bool] | None:
    """A filter for events that fulfil any of these expressions; None if there are none. Raises `QueryError`."""
    return _kept(tuple(expressions)) if expressions else None


@lru_cache(maxsize=KEPT)
def _kept(expressions: tuple[str | Condition, ...]) -> EventFilter:
    return EventFilter(map(parse_expression, expressions))


def comparisons(condition: Condition) -> int:
    """The number of comparisons in a condition, which is approximately its cost per event.

    >>> comparisons(parse_expression("topic=a and (data.x=y or not data.z)"))
    3
    """
    if isinstance(condition, And | Or):
        return sum(map(comparisons, condition.conditions))
    if isinstance(condition, Not):
        return comparisons(condition.condition)
    if isinstance(condition, Any_):
        return 1 if condition.condition is None else 1 + comparisons(condition.condition)
    assert isinstance(condition, Comparison)
    return 1 + (len(condition.value) // 16 if isinstance(condition.value, tuple) else 0)
