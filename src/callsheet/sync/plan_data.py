"""What a plan found, as plain data."""

from __future__ import annotations

from attrs import frozen

from callsheet.sync.cells import RefusedRow
from callsheet.sync.steps import Addition, Modification, Removal, Same

__all__ = ["PlanData"]


@frozen
class PlanData:
    """What a plan found; see `Plan` for the words.

    ``ended`` of the ``in_scope`` entities have no row. ``nameless`` rows have no key that can be read: because of them
    nothing is taken for gone.
    """

    entity_type: str
    keys: tuple[str, ...]
    created: tuple[Addition, ...] = ()
    changed: tuple[Modification, ...] = ()
    deleted: tuple[Removal, ...] = ()
    unchanged: tuple[Same, ...] = ()
    refused: tuple[RefusedRow, ...] = ()
    scope: str = ""
    in_scope: int = 0
    ended: int = 0
    max_deleted: float = 0.1
    on_error: str = "stop"
    nameless: int = 0

    @property
    def too_many_end(self) -> bool:
        """Whether more of the scope would go than ``max_deleted`` allows."""
        return self.ended > 0 and self.ended / max(self.in_scope, 1) > self.max_deleted
