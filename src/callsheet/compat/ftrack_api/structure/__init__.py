"""Structures: where the file of a component is within a location."""

from __future__ import annotations

from callsheet.compat.ftrack_api.structure import base, entity_id, id, origin, standard

__all__ = ["base", "entity_id", "id", "origin", "standard"]
