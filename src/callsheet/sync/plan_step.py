"""What is planned of one entity type, as a caller or a sync file gives it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from callsheet.sync.external import External
from callsheet.sync.listed_parents import ListedParents
from callsheet.sync.mapping import DeletePolicy, RowMapping

__all__ = ["PlanStep"]


@frozen
class PlanStep:
    """What is planned of one entity type: its rows, key and mapping, and what becomes of entities without a row."""

    entity_type: str
    rows: Any
    key: tuple[str, ...] | External
    mapping: RowMapping | None = None
    delete: DeletePolicy = "keep"
    scope: str = ""
    max_deleted: float = 0.1
    on_error: str = "stop"
    adopt: tuple[str, ...] = ()
    conflicts: str | Mapping[str, str] | None = None
    gone: str = "leave"
    updated_at: str = ""
    since: Any = None
    #: Of rows within rows: the entities below which those that no row names end.
    parents: ListedParents | None = None
