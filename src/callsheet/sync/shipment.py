"""What applying a plan sends: its operations in order, of a large plan one after the other from disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from attrs import frozen

from callsheet.model.operation import Operation
from callsheet.model.record import Identity
from callsheet.sync.plan_data import PlanData
from callsheet.sync.spill import joined
from callsheet.sync.steps import create, creates, delete, operations, update, with_links

__all__ = ["LargeOperations", "Shipment", "operations_of"]

Required = Callable[[Identity, str], bool]


@frozen
class LargeOperations(Iterable[Operation]):
    """The operations of a plan that is on disk: iterating reads them, and ``len`` says how many there are.

    A circle of new entities takes updates beside the creates, which are not counted.
    """

    steps: tuple[PlanData, ...]
    required: Required
    links: Mapping[Identity, Operation]

    def __len__(self) -> int:
        return sum(len(each.created) + len(each.changed) + len(each.deleted) for each in self.steps) + len(self.links)

    def __iter__(self) -> Iterator[Operation]:
        return with_links(self._entities(), self.links)

    def _entities(self) -> Iterator[Operation]:
        for step in self.steps:
            if step.refers:
                yield from creates(step.created, self.required)
            else:
                # Nothing waits for anything else.
                yield from map(create, step.created)
        for step in self.steps:
            yield from map(update, step.changed)
        for step in reversed(self.steps):
            yield from map(delete, step.deleted)


def operations_of(
    steps: Sequence[PlanData], required: Required, links: Mapping[Identity, Operation]
) -> tuple[Operation, ...] | LargeOperations:
    """The operations of a plan, each referring to what exists by then."""
    large = LargeOperations(tuple(steps), required, links)
    created = joined([step.created for step in steps])
    changed = joined([step.changed for step in steps])
    deleted = [each for step in reversed(steps) for each in step.deleted]
    if not isinstance(created, tuple) or not isinstance(changed, tuple):
        return large
    return tuple(with_links(operations(created, changed, deleted, required), links))


@frozen
class Shipment:
    """What is sent: operations, which of them are links in the registry (with the entity of each), and the origin."""

    operations: tuple[Operation, ...] | LargeOperations
    links: Mapping[Identity, Identity]
    origin: str

    def entity(self, operation: Operation) -> Identity:
        """The entity that an operation is about; of a link the one that it links."""
        return self.links.get(operation.identity, operation.identity)

    @property
    def has_circles(self) -> bool:
        """Whether a new entity may be updated too, because others had to be there first."""
        return isinstance(self.operations, tuple) or any(step.refers for step in self.operations.steps)

    def chunks(self, size: int) -> Iterator[list[Operation]]:
        """The operations in runs of about this size; an entity and its link are not torn apart."""
        run: list[Operation] = []
        for operation in self.operations:
            if len(run) >= size and self.entity(operation) != self.entity(run[-1]):
                yield run
                run = []
            run.append(operation)
        if run:
            yield run
