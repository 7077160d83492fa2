"""The data of a create, checked as a whole before anything is recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from callsheet.entity.access import is_surely_right
from callsheet.entity.entity import NOTHING
from callsheet.errors import SchemaError, UnknownAttribute
from callsheet.model.normalisation import normalised, normalised_items
from callsheet.model.record import Key
from callsheet.model.schema import Attribute, EntityType, did_you_mean

__all__ = ["Blueprint", "Draft"]


class Relations(Protocol):
    """What a draft needs of the unit of work."""

    #: Gives the key of an entity that is created without one.
    new_key: Callable[[], str]

    def refer(self, attribute: Attribute, key: Key | None) -> Any: ...

    def check_target(self, owner: str, attribute: Attribute, value: Any) -> None: ...

    def check_usable(self, entity: Any) -> None: ...

    def inverse(self, attribute: Attribute) -> Attribute | None: ...

    def is_near_side(self, type_name: str, attribute: Attribute, inverse: Attribute) -> bool: ...


class Blueprint:
    """What every create of one class needs, looked up once, since looking up on a class of entities is slow.

    ``accepted`` has, for each reference, the classes that were found to be right for it.
    """

    __slots__ = ("accepted", "entity_class", "entity_type", "fast", "put_changes", "root", "storage")

    def __init__(self, entity_class: Any) -> None:
        self.entity_class = entity_class
        self.entity_type: EntityType = entity_class._type
        self.fast = entity_class._fast
        self.root = self.entity_type.root
        self.storage: type = entity_class._storage
        self.put_changes = vars(self.storage)["_changes"].__set__
        self.accepted: dict[str, set[type]] = {}


class Draft:
    """The data of a create, sorted by what is to be done with it, once all of it is known to be right."""

    __slots__ = ("items", "key", "links", "members", "plain", "references")

    def __init__(self, unit: Relations, blueprint: Blueprint, data: Mapping[str, Any]) -> None:
        self.plain: dict[str, Any] = {}
        self.references: dict[str, Any] = {}
        # Most drafts have none of these.
        self.items: dict[str, Any] = NOTHING
        self.links: dict[str, list[Any]] = NOTHING
        self.members: dict[str, list[Any]] = NOTHING
        if not isinstance(data, Mapping):
            raise SchemaError(f"the data of a {blueprint.entity_type.name} is a mapping, not {type(data).__name__}")
        fast, accepted = blueprint.fast, blueprint.accepted
        for name, value in data.items():
            if name in fast and is_surely_right(fast[name][2], value):
                self.plain[name] = value
            elif name in accepted and type(value) in accepted[name] and name not in self.references:
                unit.check_usable(value)
                self.references[name] = value
            else:
                self._take(unit, blueprint, name, value)
        self.key = self._key(blueprint.entity_type, unit.new_key)

    def _key(self, entity_type: Any, new_key: Callable[[], str]) -> Any:
        """The primary key: of what the data says, or a new one where the type has only `id`."""
        if entity_type.key == ("id",):
            return self.plain.pop("id", None) or new_key()
        parts = []
        for name in entity_type.key:
            if name in entity_type.attributes:
                part = self.plain.pop(name, None)
            else:
                other = self.references.get(entity_type.aliases[name])
                part = None if other is None else other._key
            if part is None:
                raise SchemaError(f"a {entity_type.name} needs `{'` and `'.join(entity_type.key)}`, which make its key")
            parts.append(part)
        return tuple(parts) if len(parts) > 1 else parts[0]

    def _take(self, unit: Relations, blueprint: Blueprint, name: str, value: Any) -> None:
        entity_type = blueprint.entity_type
        attribute = _attribute(entity_type, name)
        if attribute.kind == "reference":
            self._refer(unit, blueprint, attribute, name, value)
        elif attribute.kind == "scalar":
            self.plain[name] = normalised(entity_type.name, attribute, value)
        elif attribute.kind == "mapping":
            items = normalised_items(entity_type, name, value)
            self.items = {**self.items, **{f"{name}.{key}": item for key, item in items.items()}}
        else:
            self._gather(unit, entity_type, attribute, value)

    def _refer(self, unit: Relations, blueprint: Blueprint, attribute: Attribute, name: str, value: Any) -> None:
        type_name = blueprint.entity_type.name
        if name != attribute.name:
            value = unit.refer(attribute, value)
        elif value is not None:
            unit.check_target(type_name, attribute, value)
            blueprint.accepted.setdefault(name, set()).add(type(value))
        name = attribute.name
        if name in self.references and self.references[name] is not value:
            raise SchemaError(f"{type_name}.{name} and {attribute.foreign_key} disagree")
        self.references[name] = value

    def _gather(self, unit: Relations, entity_type: EntityType, attribute: Attribute, value: Any) -> None:
        members = list(value)
        for member in members:
            unit.check_target(entity_type.name, attribute, member)
        inverse = unit.inverse(attribute)
        mirrored = inverse is not None and (
            inverse.kind == "reference" or not unit.is_near_side(entity_type.name, attribute, inverse)
        )
        if mirrored:
            self.members = {**self.members, attribute.name: members}
        else:
            self.links = {**self.links, attribute.name: members}


def _attribute(entity_type: EntityType, name: str) -> Attribute:
    """The attribute of this name, which a create may give a value."""
    attribute = entity_type.attributes.get(name)
    if attribute is None:
        if name not in entity_type.aliases:
            raise UnknownAttribute(
                f"{entity_type.name} has no attribute `{name}`{did_you_mean(name, entity_type.names)}"
            )
        attribute = entity_type.attributes[entity_type.aliases[name]]
    if attribute.computed:
        raise SchemaError(f"{entity_type.name}.{name} is computed by the server and cannot be set")
    return attribute
