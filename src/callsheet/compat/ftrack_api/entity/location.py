"""Marks that scripts mix into locations; what they say is built into Callsheet's locations."""

from __future__ import annotations

from callsheet.compat.ftrack_api.absent import absent

__all__ = ["MemoryLocationMixin", "OriginLocationMixin", "ServerLocationMixin", "UnmanagedLocationMixin"]

_REASON = "`session.locations.add(…)` says how a location is reached; the built-in ones are known"

MemoryLocationMixin = absent("MemoryLocationMixin", _REASON)
UnmanagedLocationMixin = absent("UnmanagedLocationMixin", _REASON)
OriginLocationMixin = absent("OriginLocationMixin", _REASON)
ServerLocationMixin = absent("ServerLocationMixin", _REASON)
