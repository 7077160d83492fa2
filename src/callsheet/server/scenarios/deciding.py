"""The operations of a stage as they were decided: what a scenario keeps meets no conflict a second time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from attrs import evolve

from callsheet.model.operation import Delete, Operation, Update

__all__ = ["decided"]

Met = Mapping[tuple[int, str], Any]
"""What was there instead of what the author saw, by operation and attribute (empty: the version, of a delete)."""


def decided(operations: Iterable[Operation], met: Met, policy: str) -> list[Operation]:
    """Operations whose authors saw what was there; what a policy gave up is left out.

    >>> from callsheet.model.record import Identity
    >>> change = Update(Identity("Task", "a"), {"bid": 1.0, "name": "x"}, {"bid": 4.0})
    >>> decided([change], {(0, "bid"): 9.0}, "ours")[0].before
    {'bid': 9.0}
    >>> decided([change], {(0, "bid"): 9.0}, "theirs")[0].values
    {'name': 'x'}
    """
    decide = _theirs if policy == "theirs" else _ours
    kept = (decide(index, operation, met) for index, operation in enumerate(operations))
    return [each for each in kept if each is not None]


def _ours(index: int, operation: Operation, met: Met) -> Operation | None:
    """The operation as if its author had seen what was there."""
    if isinstance(operation, Delete):
        return evolve(operation, version=met[index, ""]) if (index, "") in met else operation
    if isinstance(operation, Update):
        return evolve(
            operation, before={name: met.get((index, name), value) for name, value in operation.before.items()}
        )
    return operation


def _theirs(index: int, operation: Operation, met: Met) -> Operation | None:
    """The operation without what was in conflict; None if nothing of it is left."""
    if isinstance(operation, Delete):
        return None if (index, "") in met else operation
    if not isinstance(operation, Update):
        return operation
    values = {name: value for name, value in operation.values.items() if (index, name) not in met}
    before = {name: value for name, value in operation.before.items() if (index, name) not in met}
    kept = evolve(operation, values=values, before=before)
    return kept if values or kept.added or kept.removed or kept.adjusted else None
