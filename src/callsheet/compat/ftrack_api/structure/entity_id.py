"""A structure of Callsheet's own."""

from __future__ import annotations

from callsheet.storage.structure import EntityIdStructure

__all__ = ["EntityIdStructure"]
