"""The data of a create, checked as a whole before anything is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from callsheet.entity.frozen import thaw
from callsheet.errors import SchemaError, UnknownAttribute
from callsheet.model.record import Key, new_key
from callsheet.model.schema import Attribute, EntityType, check_value, did_you_mean

__all__ = ["Draft"]


class Relations(Protocol):
    """What a draft needs of the unit of work."""

    def refer(self, attribute: Attribute, key: Key | None) -> Any: ...

    def check_target(self, owner: str, attribute: Attribute, value: Any) -> None: ...

    def inverse(self, attribute: Attribute) -> Attribute | None: ...

    def is_near_side(self, type_name: str, attribute: Attribute, inverse: Attribute) -> bool: ...


class Draft:
    """The data of a create, sorted by what is to be done with it, once all of it is known to be right."""

    def __init__(self, unit: Relations, entity_type: EntityType, data: Mapping[str, Any]) -> None:
        self.plain: dict[str, Any] = {}
        self.references: dict[str, Any] = {}
        self.items: dict[str, Any] = {}
        self.links: dict[str, list[Any]] = {}
        self.members: dict[str, list[Any]] = {}
        if not isinstance(data, Mapping):
            raise SchemaError(f"the data of a {entity_type.name} is a mapping, not {type(data).__name__}")
        attributes = entity_type.attributes
        for name, value in data.items():
            attribute = attributes.get(name)
            if attribute is None:
                if name not in entity_type.aliases:
                    raise UnknownAttribute(
                        f"{entity_type.name} has no attribute `{name}`{did_you_mean(name, entity_type.names)}"
                    )
                attribute = attributes[entity_type.aliases[name]]
            if attribute.computed:
                raise SchemaError(f"{entity_type.name}.{name} is computed by the server and cannot be set")
            self._take(unit, entity_type, attribute, name, value)
        self.key = self._key(entity_type)

    def _key(self, entity_type: Any) -> Any:
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

    def _take(self, unit: Relations, entity_type: Any, attribute: Attribute, name: str, value: Any) -> None:
        if attribute.kind == "scalar":
            check_value(entity_type.name, attribute, value)
            self.plain[name] = thaw(value) if attribute.data_type == "json" else value
        elif attribute.kind == "reference":
            if name != attribute.name:
                value = unit.refer(attribute, value)
            elif value is not None:
                unit.check_target(entity_type.name, attribute, value)
            if attribute.name in self.references and self.references[attribute.name] is not value:
                raise SchemaError(f"{entity_type.name}.{attribute.name} and {attribute.foreign_key} disagree")
            self.references[attribute.name] = value
        elif attribute.kind == "mapping":
            for key, item in dict(value).items():
                check_value(entity_type.name, entity_type.item(name, key), item)
                self.items[f"{name}.{key}"] = item
        else:
            members = list(value)
            for member in members:
                unit.check_target(entity_type.name, attribute, member)
            inverse = unit.inverse(attribute)
            mirrored = inverse is not None and (
                inverse.kind == "reference" or not unit.is_near_side(entity_type.name, attribute, inverse)
            )
            (self.members if mirrored else self.links)[name] = members
