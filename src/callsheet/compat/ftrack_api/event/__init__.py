"""Events."""

from __future__ import annotations

from callsheet.compat.ftrack_api.event import base, hub, subscriber

__all__ = ["base", "hub", "subscriber"]
