"""Values that an entity has from those above it: hierarchical custom attributes.

An entity that has no value of its own has that of the nearest one above which has; without any, the default. The
way up is ``parent`` (of contexts and assets) and ``asset`` (of versions). What is not known of it is fetched for all
peers at once: where a type has ``ancestors`` in one request, however deep the tree is, else one for each step.
"""

from __future__ import annotations

from typing import Any

from callsheet.model.record import NOT_SET
from callsheet.model.schema import EntityType, Schema

__all__ = ["inherited_value", "lineage_paths"]

WAYS_UP = ("parent", "asset")
MAPPING = "custom_attributes"


def inherited_value(entity: Any, key: str) -> tuple[Any, Any]:
    """The value that an entity inherits, and None; or nothing, and the entity of which too little is known."""
    default = entity._type.custom[key].default
    at = entity
    while True:
        up = _way_up(at._type)
        above = None if up is None else at.peek(up)
        if above is NOT_SET:
            return None, at
        if above is None:
            return default, None
        own = _own(above, key)
        if own is NOT_SET:
            return None, at
        if own is not None:
            return own, None
        at = above


def _own(entity: Any, key: str) -> Any:
    """An entity's own value; `NOT_SET` where it is not known."""
    item = entity._type.custom.get(key)
    if item is not None and not item.inherited:
        return None
    changes = entity._changes
    if changes is not None and f"{MAPPING}.{key}" in changes.items:
        return changes.items[f"{MAPPING}.{key}"]
    if changes is not None and changes.born:
        return None
    if MAPPING not in entity._type.attributes:
        return None
    held = entity.peek(MAPPING)
    return NOT_SET if held is NOT_SET else (held or {}).get(key)


def _way_up(entity_type: EntityType) -> str | None:
    return next((name for name in WAYS_UP if name in entity_type.attributes), None)


def lineage_paths(schema: Schema, entity_type: EntityType) -> tuple[str, ...]:
    """What must be loaded of an entity to know what it inherits.

    >>> lineage_paths(Schema({"types": {"Dot": {}}}), EntityType("Dot"))
    ()
    """
    up = _way_up(entity_type)
    if up is None:
        return ()
    if "ancestors" in entity_type.attributes:
        above = [f"ancestors.{MAPPING}", "ancestors.parent"]
        return ("parent", *([f"project.{MAPPING}"] if "project" in entity_type.attributes else ()), *above)
    target = schema.types[str(entity_type.attributes[up].target)]
    found = [up]
    if MAPPING in target.attributes:
        found.append(f"{up}.{MAPPING}")
    cast = "" if target.name == entity_type.root else _deeper(schema, target)
    lower = schema.types[cast] if cast else target
    if target.name != entity_type.root:
        found += [f"{up}{f'[{cast}]' if cast else ''}.{path}" for path in lineage_paths(schema, lower)]
    return tuple(found)


def _deeper(schema: Schema, target: EntityType) -> str:
    """The type below a target that knows its ancestors, where the target does not."""
    if "ancestors" in target.attributes:
        return ""
    return next((name for name in schema.children[target.name] if "ancestors" in schema.types[name].attributes), "")
