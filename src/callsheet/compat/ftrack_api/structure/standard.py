"""A structure of Callsheet's own."""

from __future__ import annotations

from callsheet.storage.structure import StandardStructure

__all__ = ["StandardStructure"]
