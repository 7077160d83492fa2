"""Times relative to now become times: a whole query by one moment, which is that of the clock that answers."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

import attrs

from callsheet.model.measure import Aggregate
from callsheet.model.query import Condition, Path, Select
from callsheet.model.relative_time import RelativeTime

__all__ = ["fixed_aggregate", "fixed_condition", "fixed_select", "is_relative"]

T = TypeVar("T")


def is_relative(question: Select | Aggregate | Condition) -> bool:
    """Whether the question holds a time relative to now."""
    return _holds(question)


def fixed_select(select: Select, moment: datetime) -> Select:
    """The query as it is when it is ``moment`` now; it must have been checked by the schema."""
    return _fixed(select, moment)


def fixed_aggregate(aggregate: Aggregate, moment: datetime) -> Aggregate:
    """The aggregate as it is when it is ``moment`` now, with the conditions of its measures."""
    return _fixed(aggregate, moment)


def fixed_condition(condition: Condition, moment: datetime) -> Condition:
    """The condition as it is when it is ``moment`` now.

    >>> from datetime import UTC
    >>> from callsheet.model.language.parser import parse_condition
    >>> condition = parse_condition("created_at > now(-1 day)")
    >>> fixed_condition(condition, datetime(2026, 3, 2, tzinfo=UTC)).value.isoformat()
    '2026-03-01T00:00:00+00:00'
    """
    return _fixed(condition, moment)


def _holds(value: Any) -> bool:
    """Whether there is a relative time anywhere in a question, which is made of frozen data and tuples."""
    kind = type(value)
    if kind is RelativeTime:
        return True
    if kind is tuple:
        return any(map(_holds, value))
    if kind is Path or not attrs.has(kind):
        return False
    return any(_holds(getattr(value, each.name)) for each in attrs.fields(kind))


def _fixed(value: T, moment: datetime) -> T:
    found: Any = value
    kind: Any = type(value)
    if kind is RelativeTime:
        return found.at(moment)  # type: ignore[no-any-return]
    if kind is tuple:
        return tuple([_fixed(each, moment) for each in found])  # type: ignore[return-value]
    if kind is Path or not attrs.has(kind):
        return value
    changes = {}
    for each in attrs.fields(kind):
        held = getattr(found, each.name)
        if _holds(held):
            changes[each.name] = _fixed(held, moment)
    return attrs.evolve(found, **changes) if changes else value
