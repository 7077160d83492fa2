"""A structure of Callsheet's own."""

from __future__ import annotations

from callsheet.storage.structure import IdStructure

__all__ = ["IdStructure"]
