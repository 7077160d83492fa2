"""Files of components: locations with their accessors and structures, and the flows that move data."""

from __future__ import annotations

from typing import Any

__all__ = ["register"]


def register(session: Any) -> None:
    """Register the methods of components and locations, if the schema has these types; they load on first use."""
    types = session.types
    if {"Component", "Location", "ComponentLocation"} <= types.schema.types.keys():
        types.behave("Location", _location)
        types.behave("Component", _component)
        types.behave("AssetVersion", _version)
        for entity_type in types.schema.types.values():
            above = [types.schema.types[name] for name in entity_type.ancestors]
            if "thumbnail" in entity_type.attributes and not any("thumbnail" in each.attributes for each in above):
                types.behave(entity_type.name, _pictured)


def _version() -> type:
    from callsheet.storage.media import Encodable

    return Encodable


def _pictured() -> type:
    from callsheet.storage.media import Pictured

    return Pictured


def _location() -> type:
    from callsheet.storage.behaviours import LocationBehaviour

    return LocationBehaviour


def _component() -> type:
    from callsheet.storage.behaviours import ComponentBehaviour

    return ComponentBehaviour
