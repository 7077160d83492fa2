"""The action `counts`: how many entities several types have, by one request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from callsheet.errors import Invalid, TooLarge
from callsheet.model.measure import Aggregate
from callsheet.model.query import Select

__all__ = ["counts"]

TYPES = 200
"""The most types of one request."""


def counts(aggregate: Callable[[Aggregate], list[tuple[Any, ...]]], arguments: Mapping[str, Any]) -> dict[str, int]:
    """The number of entities by type, each as the caller's own query would count it.

    >>> counts(lambda question: [(3,)], {"types": ["Task"]})
    {'Task': 3}
    """
    names = arguments.get("types")
    if set(arguments) != {"types"} or not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise Invalid("counts: takes `types`, a list of names of entity types")
    if len(names) > TYPES:
        raise TooLarge(f"counts: {len(names):,} types in one request; the limit is {TYPES}")
    return {name: int(aggregate(Aggregate(Select(name)))[0][0]) for name in dict.fromkeys(names)}
