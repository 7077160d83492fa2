"""The change set of a batch while its operations are translated: what is written already, and what comes last."""

from __future__ import annotations

from typing import Any

from attrs import define, field

from callsheet.dialects.ftrack.server.reading.store_reader import StoreReader
from callsheet.dialects.ftrack.server.writing.batch_prefetch import BatchPrefetch
from callsheet.dialects.ftrack.server.writing.echo import Echo
from callsheet.dialects.ftrack.server.writing.wire_operation import WireOperation
from callsheet.errors import NotFound
from callsheet.model.operation import Operation
from callsheet.model.record import Identity

__all__ = ["ChangeDraft"]


@define(eq=False)
class ChangeDraft:
    """Collects the operations of a change set, each with the index of the wire's operation that it comes from.

    ``created`` has, by key, the place of each create and its values, to which later operations of the batch add.
    ``last`` are operations on what may be created later in the batch.
    """

    reader: StoreReader
    known: BatchPrefetch
    operations: list[Operation] = field(factory=list)
    sources: list[int] = field(factory=list)
    last: list[tuple[int, Operation]] = field(factory=list)
    created: dict[str, tuple[int, dict[str, Any]]] = field(factory=dict)
    deleted: set[str] = field(factory=set)
    echoes: list[Echo] = field(factory=list)

    def emit(self, source: int, operation: Operation) -> None:
        """Add an operation."""
        self.sources.append(source)
        self.operations.append(operation)

    def emit_last(self) -> None:
        """Add the operations that had to wait."""
        for source, operation in self.last:
            self.emit(source, operation)

    def owner_type(self, key: str) -> str:
        """The type of an entity that holds items; `NotFound` where there is none."""
        if key in self.created:
            operation = self.operations[self.created[key][0]]
            return operation.identity.entity_type
        kind = self.known.owners.get(key)
        if kind is None:
            raise NotFound(f"There is no entity {key!r:.80} to hold this.")
        return kind

    def is_settled(self, order: WireOperation, member: Identity, name: str) -> bool:
        """Whether the batch writes the member's side itself, later, or deletes the member."""
        if member.key in self.deleted or (member.key, "") in self.known.deletes:
            return True
        written = self.known.writes.get((member.key, name))
        return written is not None and written > order.index
