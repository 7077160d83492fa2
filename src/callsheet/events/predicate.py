"""Conditions are compiled to functions, because subscriptions are matched with very many events.

The result is that of `matches`. Equality with a text, ``and``, ``or`` and ``not`` make up nearly all subscriptions, so
they have functions of their own; everything else is evaluated by `matches`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from callsheet.model.language.matching import matches
from callsheet.model.query import And, Comparison, Condition, Not, Or

__all__ = ["Predicate", "predicate"]

Predicate: TypeAlias = Callable[[Mapping[str, Any]], bool]


def predicate(condition: Condition) -> Predicate:
    """A function that returns whether a record fulfils the condition.

    >>> from callsheet.model.language.parser import parse_condition
    >>> predicate(parse_condition("topic = a and not data.x = b"))({"topic": "a", "data": {"x": "c"}})
    True
    """
    if isinstance(condition, And):
        return _both(tuple(map(predicate, condition.conditions)))
    if isinstance(condition, Or):
        return _either(tuple(map(predicate, condition.conditions)))
    if isinstance(condition, Not):
        part = predicate(condition.condition)
        return lambda record: not part(record)
    if isinstance(condition, Comparison) and condition.operator == "=" and isinstance(condition.value, str):
        return _equal(condition, condition.value)
    return partial(matches, condition)


def _both(parts: tuple[Predicate, ...]) -> Predicate:
    def holds(record: Mapping[str, Any]) -> bool:
        # A loop, because a generator would cost more than the tests.
        for part in parts:  # noqa: SIM110
            if not part(record):
                return False
        return True

    return holds


def _either(parts: tuple[Predicate, ...]) -> Predicate:
    def holds(record: Mapping[str, Any]) -> bool:
        for part in parts:  # noqa: SIM110
            if part(record):
                return True
        return False

    return holds


def _equal(comparison: Comparison, expected: str) -> Predicate:
    names = comparison.path.names
    if any(step.cast is not None for step in comparison.path.steps):
        return partial(matches, comparison)
    if len(names) == 1:
        (name,) = names
        return lambda record: bool(record.get(name) == expected)

    def holds(record: Mapping[str, Any]) -> bool:
        value: Any = record
        for name in names:
            if isinstance(value, list | tuple):
                # The path leads through a collection: any of its members may fulfil it.
                return matches(comparison, record)
            value = value.get(name) if isinstance(value, Mapping) else None
        return bool(value == expected)

    return holds
