"""The vendor's base class of accessors, which cannot be made."""

from __future__ import annotations

from callsheet.compat.ftrack_api.absent import absent

__all__ = ["Accessor"]

Accessor = absent("Accessor", "accessors have other methods here: see callsheet.storage.accessor")
