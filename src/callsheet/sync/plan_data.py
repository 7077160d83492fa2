"""What a plan found, as plain data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import field, frozen

from callsheet.model.operation import Operation
from callsheet.model.record import Identity
from callsheet.sync.cells import RefusedRow
from callsheet.sync.steps import Addition, Disagreement, Linked, LostEntity, Modification, Removal, Same

__all__ = ["PlanData"]

FEW = 20
"""Members and items that may go whatever their share."""


@frozen
class PlanData:
    """What a plan found; see `Plan` for the words.

    ``ended`` of the ``in_scope`` entities have no row. ``nameless`` rows have no key that can be read: because of them
    nothing is taken for gone. ``links`` are what the registry gets, by the entity that it is about.
    The sequences are tuples, or on disk, if there are many rows; ``refers`` says whether new entities may refer to each
    other.
    """

    entity_type: str
    keys: tuple[str, ...]
    created: Sequence[Addition] = ()
    changed: Sequence[Modification] = ()
    deleted: Sequence[Removal] = ()
    unchanged: Sequence[Same] = ()
    refused: Sequence[RefusedRow] = ()
    scope: str = ""
    in_scope: int = 0
    ended: int = 0
    max_deleted: float = 0.1
    on_error: str = "stop"
    nameless: int = 0
    linked: Sequence[Linked] = ()
    gone: Sequence[LostEntity] = ()
    conflicts: Sequence[Disagreement] = ()
    overridden: Sequence[Disagreement] = ()
    links: Mapping[Identity, Operation] = field(factory=dict)
    #: How many rows say that they are older than what the plan looks at.
    skipped: int = 0
    refers: bool = True
    #: Members and items in collections and mappings that rows list as a whole, and how many of them would go.
    held_members: int = 0
    lost_members: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change, and nothing to note."""
        return not (self.created or self.changed or self.deleted or self.links)

    @property
    def noted(self) -> int:
        """How many bases are noted of rows that change nothing else."""
        if not self.links:
            return 0
        others = {each.identity for each in self.created} | {each.identity for each in self.changed}
        others |= {each.identity for each in self.deleted} | {each.identity for each in self.linked}
        return len(self.links.keys() - others)

    @property
    def too_many_leave(self) -> bool:
        """Whether more members and items would go than ``max_deleted`` allows; a few may go whatever their share."""
        return self.lost_members > FEW and self.lost_members / max(self.held_members, 1) > self.max_deleted

    @property
    def too_many_end(self) -> bool:
        """Whether more of the scope would go than ``max_deleted`` allows."""
        return self.ended > 0 and self.ended / max(self.in_scope, 1) > self.max_deleted
