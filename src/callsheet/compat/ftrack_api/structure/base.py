"""The vendor's base class of structures, which cannot be made."""

from __future__ import annotations

from callsheet.compat.ftrack_api.absent import absent

__all__ = ["Structure"]

Structure = absent(
    "Structure",
    "a structure has `identifier(component)`, which is given a description of the component, not an entity: see "
    "callsheet.storage.structure",
)
