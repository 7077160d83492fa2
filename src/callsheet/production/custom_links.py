"""Custom attributes that are links, by their keys and from both ends.

They are rows: `CustomAttributeLink` has the entities at both ends (``from_id``, ``to_id``), its configuration has the
key and the types allowed at each end. An entity at the ``to`` end can follow a link backwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callsheet.core.core import Core
from callsheet.errors import Invalid
from callsheet.flow import Flow
from callsheet.model.schema import EntityType, did_you_mean
from callsheet.production.queries import entities, is_, known, one_of

__all__ = ["CustomLinked"]

ROW, CONFIGURATION = "CustomAttributeLink", "CustomAttributeLinkConfiguration"
ENDS = {
    "task": "TypedContext",
    "show": "Project",
    "user": "User",
    "group": "Group",
    "asset": "Asset",
    "assetversion": "AssetVersion",
    "list": "List",
    "component": "Component",
}
"""The entity types, by their names in a configuration."""


class CustomLinked:
    """The methods of entities with custom links."""

    __slots__ = ()
    session: Any

    def add_custom_link(self, key: str, other: Any) -> Any:
        """Link another entity under a key, unless it is linked; returns the link, pending until the next commit.

        If the configuration allows only one link, it replaces the existing one.
        """
        return self.session.run(_add(self.session, self, key, other))

    def remove_custom_link(self, key: str, other: Any) -> Any:
        """Delete the link of a key to another entity with the next commit; returns how many."""
        return self.session.run(_remove(self.session, self, key, other))

    def get_custom_links(self, key: str) -> Any:
        """The entities that the links of a key lead to."""
        return self.session.run(_ends(self.session, self, key, ("from_id", "to_id")))

    def get_custom_links_from(self, key: str) -> Any:
        """The entities whose links of a key lead to this one."""
        return self.session.run(_ends(self.session, self, key, ("to_id", "from_id")))


def _add(core: Core, entity: Any, key: str, other: Any) -> Flow[Any]:
    configuration = yield from _configuration(core, entity, key, backwards=False)
    row_type = _row_type(core, configuration, other)
    rows = yield from _rows(core, entity, [configuration], "from_id")
    same = [row for row in rows if row.peek("to_id") == other.id]
    if same:
        return same[0]
    for row in rows if configuration.peek("one_to_one") else ():
        core.delete(row)
    return core.create(row_type, {"configuration": configuration, "from_id": entity.id, "to_id": other.id})


def _remove(core: Core, entity: Any, key: str, other: Any) -> Flow[int]:
    configuration = yield from _configuration(core, entity, key, backwards=False)
    rows = yield from _rows(core, entity, [configuration], "from_id")
    gone = [row for row in rows if row.peek("to_id") == other.id]
    for row in gone:
        core.delete(row)
    return len(gone)


def _ends(core: Core, entity: Any, key: str, direction: tuple[str, str]) -> Flow[list[Any]]:
    """The entities at the far ends of an entity's links, in the order of the links."""
    near, far = direction
    configurations = yield from _fitting(core, entity, key, backwards=near == "to_id")
    rows = yield from _rows(core, entity, configurations, near)
    found: dict[str, Any] = {}
    for configuration in configurations:
        name = ENDS.get(str(configuration.peek("entity_type_to" if far == "to_id" else "entity_type")), "")
        keys = [row.peek(far) for row in rows if row.peek("configuration") is configuration]
        if keys and name in core.schema.types:
            ends = yield from entities(core, name, one_of("id", dict.fromkeys(keys)))
            pending = [each for each in core.created if each.id in keys]
            found |= {each.id: each for each in (*ends, *pending)}
    return [found[key] for key in dict.fromkeys(row.peek(far) for row in rows) if key in found]


def _rows(core: Core, entity: Any, configurations: Sequence[Any], near: str) -> Flow[list[Any]]:
    """The links of an entity: those on the server, and those not yet committed."""
    found: list[Any] = []
    if not (entity._changes is not None and entity._changes.born):
        chosen = one_of("configuration.id", [each.id for each in configurations])
        found = yield from entities(core, ROW, is_(near, entity.id), chosen, bring="from_id, to_id, configuration.id")
    for row in core.created:
        if ROW in (row.entity_type, *row._type.ancestors) and row.peek(near) == entity.id:
            found += [row] if row.peek("configuration") in configurations else []
    return [row for row in dict.fromkeys(found) if core.unit.is_alive(row)]


def _configuration(core: Core, entity: Any, key: str, backwards: bool) -> Flow[Any]:
    """The configuration of a key: one for an object type comes before one for all."""
    found = yield from _fitting(core, entity, key, backwards)
    side = "object_type_to" if backwards else "object_type"
    return min(found, key=lambda each: each.peek(side) is None)


def _fitting(core: Core, entity: Any, key: str, backwards: bool) -> Flow[list[Any]]:
    """The configurations of a key that have this entity at their near end."""
    bring = "key, entity_type, entity_type_to, one_to_one, object_type.id, object_type_to.id"
    every = yield from entities(core, CONFIGURATION, bring=bring)
    side = ("entity_type_to", "object_type_to") if backwards else ("entity_type", "object_type")
    kind = None
    if "object_type" in entity._type.attributes:
        (kind,) = yield from known(core, entity, "object_type")
    fitting = [each for each in every if _is_end(entity._type, each, side, kind)]
    found = [each for each in fitting if each.peek("key") == key]
    if not found:
        hint = did_you_mean(key, [str(each.peek("key")) for each in fitting])
        direction = "leads to" if backwards else "starts at"
        raise Invalid(f"no link of custom attributes `{key}` {direction} {entity.entity_type}{hint}")
    return found


def _is_end(entity_type: EntityType, configuration: Any, side: tuple[str, str], kind: Any) -> bool:
    named, objects = configuration.peek(side[0]), configuration.peek(side[1])
    fits = ENDS.get(str(named)) in (entity_type.name, *entity_type.ancestors)
    return fits and (objects is None or kind is None or objects is kind)


def _row_type(core: Core, configuration: Any, other: Any) -> str:
    """The type of a link to this entity; raises `Invalid` if the configuration does not allow it."""
    families = (other.entity_type, *other._type.ancestors)
    if not _is_end(other._type, configuration, ("entity_type_to", "object_type_to"), _kind(other)):
        objects = configuration.peek("object_type_to")
        expected = ENDS.get(str(configuration.peek("entity_type_to")), "something else")
        more = f" of the object type {objects.id}" if objects is not None else ""
        raise Invalid(f"links `{configuration.peek('key')}` lead to {expected}{more}, not to {other!r}")
    names = (f"{family}{ROW}" for family in families)
    return next((name for name in names if name in core.schema.types), ROW)


def _kind(entity: Any) -> Any:
    kind = entity.peek("object_type") if "object_type" in entity._type.attributes else None
    return kind if kind else None
