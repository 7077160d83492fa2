"""The vendor's accessor of the server's own files, which cannot be made."""

from __future__ import annotations

from callsheet.compat.ftrack_api.absent import absent

__all__ = ["ServerFile"]

ServerFile = absent("ServerFile", "the location `server` moves files itself: `location.add_component(…)`")
