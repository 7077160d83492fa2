"""The vendor's factories of entity classes, which cannot be made."""

from __future__ import annotations

from callsheet.compat.ftrack_api.absent import absent

__all__ = ["Factory", "StandardFactory"]

_REASON = "`session.types.extend(name, behaviour)` gives an entity type and all below it more methods"

Factory = absent("Factory", _REASON)
StandardFactory = absent("StandardFactory", _REASON)
