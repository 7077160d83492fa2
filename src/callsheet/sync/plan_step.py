"""What is planned of one entity type, as a caller or a sync file gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from attrs import frozen

from callsheet.sync.external import External
from callsheet.sync.mapping import RowMapping

__all__ = ["DeletePolicy", "PlanStep"]

DeletePolicy = str | Mapping[str, Any] | Callable[[Mapping[str, Any]], str | Mapping[str, Any]]
"""What becomes of entities without a row: a word, the values they get, or a function that says which."""


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
