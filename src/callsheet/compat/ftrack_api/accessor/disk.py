"""Files on a disk; Callsheet's own."""

from __future__ import annotations

from callsheet.storage.disk import DiskAccessor

__all__ = ["DiskAccessor"]
