"""A change set in parts that one request may hold each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from callsheet.model.operation import Delete, Operation, Update
from callsheet.model.record import Identity

__all__ = ["split"]


def split(operations: Sequence[Operation], count: int, size: int) -> Iterator[tuple[Operation, ...]]:
    """The operations in parts of at most so many, and at most so many bytes as estimated."""
    part: list[Operation] = []
    weight = 0
    for operation in operations:
        heavy = _weight(operation)
        if part and (len(part) >= count or weight + heavy > size * 3 // 4):
            yield tuple(part)
            part, weight = [], 0
        part.append(operation)
        weight += heavy
    yield tuple(part)


#: What takes no more than a hundred bytes, whatever its value.
_LIGHT = frozenset((int, float, bool, type(None), date, datetime, Identity))


def _weight(operation: Operation) -> int:
    """About how many bytes the operation has on the wire; more rather than less."""
    if isinstance(operation, Delete):
        return 120
    total = 120 + _cells_weight(operation.values)
    links = operation.added
    if isinstance(operation, Update):
        if operation.before:
            total += _cells_weight(operation.before)
        total += 160 * len(operation.adjusted)
        if operation.removed:
            links = {**links, **{f"-{name}": found for name, found in operation.removed.items()}}
    for name, found in links.items():
        total += len(name) + 100 * len(found)
    return total


def _cells_weight(values: Mapping[str, Any]) -> int:
    total = len("".join(values)) + 108 * len(values)
    for value in values.values():
        kind = type(value)
        if kind is str:
            total += 6 * len(value)
        elif kind not in _LIGHT:
            total += 6 * len(str(value))
    return total
