"""Which names of a schema the vendor has, and its own description of them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeVar

from callsheet.dialects.ftrack.common.custom_attributes import configured_types
from callsheet.dialects.ftrack.common.schema import TypeList, vendor_schemas
from callsheet.dialects.ftrack.common.wiring import Through, wiring
from callsheet.model.language.resolution import ResolvedPath
from callsheet.model.query import Path, Step
from callsheet.model.schema import Attribute, EntityType, Schema

__all__ = ["Vocabulary"]

T = TypeVar("T")


class Vocabulary:
    """A schema, and the vendor's list of it. Without a list (a document made otherwise), all names count as known."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema

    @cached_property
    def _properties(self) -> dict[str, Mapping[str, Mapping[str, Any]]]:
        return {each["id"]: each["properties"] for each in vendor_schemas(self.schema.document)}

    @property
    def configurations(self) -> list[Mapping[str, Any]]:
        """The configurations of custom attributes, as they were when the session was opened."""
        found: list[Mapping[str, Any]] = self.schema.document.get("vendor", {}).get("configurations", [])
        return found

    @cached_property
    def _configured(self) -> dict[str, list[tuple[set[str], Mapping[str, Any]]]]:
        """By key, the configurations and the entity types they are for."""
        family = TypeList(vendor_schemas(self.schema.document), wiring())
        found: dict[str, list[tuple[set[str], Mapping[str, Any]]]] = {}
        for row in self.configurations:
            found.setdefault(str(row.get("key")), []).append((set(configured_types(row, family)), row))
        return found

    def configured(self, entity_type: EntityType, key: str) -> list[Mapping[str, Any]]:
        """The configurations of a key that are for entities of a type, of any project."""
        line = {entity_type.name, *entity_type.ancestors}
        return [row for types, row in self._configured.get(key, ()) if types & line]

    @cached_property
    def _ranks(self) -> dict[Any, tuple[bool, bool]]:
        return {
            row["id"]: (bool(row.get("is_hierarchical")), row.get("project_id") is None) for row in self.configurations
        }

    def rank(self, configuration: Any) -> tuple[bool, bool]:
        """The place of a configuration among those of the same key: the least stands for all."""
        return self._ranks.get(configuration, (False, True))

    def values_type(self, entity_type: EntityType) -> str | None:
        """The type of the rows that hold the values of custom attributes."""
        found: str | None = self.described(entity_type.name, "custom_attributes").get("items", {}).get("$ref")
        return found

    def rows(self, entity_type: EntityType, mapping: str) -> tuple[str, str] | None:
        """The type of the rows of a mapping, and what of them holds the key of the entity."""
        found = self.schema.types.get(str(self.described(entity_type.name, mapping).get("items", {}).get("$ref")))
        if found is None:
            return None
        owning = [part for part in found.key if part in found.attributes and part != "key"]
        return (found.name, owning[0]) if owning else None

    def knows(self, owner: EntityType, name: str) -> bool:
        """Whether the vendor has a property of this name."""
        properties = self._properties.get(owner.name)
        return properties is None or name in properties

    def described(self, owner: str, name: str) -> Mapping[str, Any]:
        """The vendor's description of a property."""
        return self._properties.get(owner, {}).get(name, {})

    def restricted(self, way: ResolvedPath) -> bool:
        """Whether a relation can stand in conditions only."""
        owner, attribute = way.chain[-1]
        return bool(self.described(owner.name, attribute.name).get("restricted_projection"))

    def is_text(self, owner: EntityType, attribute: Attribute) -> bool:
        """Whether JSON data travels as a string."""
        if attribute.data_type != "json" or attribute.kind != "scalar":
            return False
        description = self.described(owner.name, attribute.name)
        return description.get("type") == "string" and description.get("format") == "json"

    def nullable(self, way: ResolvedPath) -> bool:
        """Whether the value at the end of a way may be None."""
        sure = all(attribute.required or attribute.name in owner.key for owner, attribute in way.chain)
        return not sure or any(step.cast for step in way.steps)

    def plain(self, entity_type: EntityType) -> tuple[Path, ...]:
        """What is fetched by default: all but collections, and what the server computes for each row."""
        return tuple(
            Path((Step(attribute.name),))
            for attribute in entity_type.attributes.values()
            if attribute.kind != "collection" and not attribute.computed and attribute.name not in entity_type.key
        )

    def other_side(self, entity_type: EntityType, collection: str) -> str | None:
        """The collection of the members that is written in place of this one."""
        return _nearest(wiring().written_at, entity_type, collection)

    def through(self, entity_type: EntityType, collection: str) -> Through | None:
        """The rows that hold a many-to-many collection, where they are rows of a type that the server has."""
        found = _nearest(wiring().through, entity_type, collection)
        return found if found is not None and found.entity_type in self.schema.types else None


def _nearest(facts: Mapping[str, T], entity_type: EntityType, collection: str) -> T | None:
    names = (f"{name}.{collection}" for name in (entity_type.name, *entity_type.ancestors))
    return next((facts[name] for name in names if name in facts), None)
