"""A structure of Callsheet's own."""

from __future__ import annotations

from callsheet.storage.structure import OriginStructure

__all__ = ["OriginStructure"]
