"""A native schema in the vendor's format, so that the vendor's client can work with any store.

Names stay as they are. Metadata and custom attributes become rows of types of their own, as the client needs
them; a type without a place for files gets the vendor's ``Location``, without which the client does not start.
What the vendor's format has no word for has a word of ours, which its client ignores: ``inverse`` is the
attribute that mirrors a collection.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callsheet.model.schema import Attribute, EntityType, Schema

__all__ = ["rendered", "values_type"]

Table = dict[str, Any]
_PROPERTIES: dict[str, Table] = {
    "string": {"type": "string"},
    "enum": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
    "json": {"type": "variable"},
}
_ID: Table = {"type": "string", "default": "{uid}"}
_MAPPED: Table = {"type": "mapped_array", "key_value_attributes": {"key": "key", "value": "value"}}
CONFIGURATION = "CustomAttributeConfiguration"
_LOOKED_FOR = ("project_id", "object_type_id", "is_hierarchical")


def rendered(schema: Schema) -> list[Table]:
    """The list of schemas that a vendor's client gets.

    >>> schema = Schema({"types": {"Dot": {"attributes": {"size": {"type": "number"}}}}})
    >>> [each["id"] for each in rendered(schema)]
    ['Dot', 'Location']
    """
    found = {name: _type(schema, entity_type) for name, entity_type in schema.types.items()}
    mapped = [each for each in schema.types.values() if "custom_attributes" in each.attributes]
    for entity_type in mapped:
        found.setdefault(values_type(entity_type), _values(values_type(entity_type)))
    if any("metadata" in each.attributes for each in schema.types.values()):
        found.setdefault("Metadata", _metadata())
    found.setdefault("Location", _made("Location", ["id"], {"id": _ID, "name": {"type": "string"}}))
    return [found[name] for name in sorted(found)]


def values_type(entity_type: EntityType) -> str:
    """The name of the type that the values of an entity type's custom attributes have on the wire."""
    return f"{entity_type.root}CustomAttributeValue"


def _made(name: str, key: list[str], properties: Mapping[str, Table], defaults: list[str] | None = None) -> Table:
    return {
        "id": name,
        "type": "object",
        "primary_key": key,
        "default_projections": defaults or key,
        "required": key,
        "immutable": key,
        "properties": dict(properties),
    }


def _values(name: str) -> Table:
    texts = ("configuration_id", "entity_id", "key")
    properties: dict[str, Table] = {each: {"type": "string"} for each in texts}
    properties["value"] = {"type": "variable"}
    properties["configuration"] = {"$ref": CONFIGURATION}
    return _made(name, ["configuration_id", "entity_id"], properties, list(texts))


def _metadata() -> Table:
    names = ["parent_id", "key", "value", "parent_type"]
    return _made("Metadata", ["parent_id", "key"], {each: {"type": "string"} for each in names}, names)


def _type(schema: Schema, entity_type: EntityType) -> Table:
    properties: dict[str, Table] = {"id": dict(_ID)}
    immutable, computed = ["id"], []
    for attribute in entity_type.attributes.values():
        if attribute.name == "id":
            continue
        properties.update(_property(schema, entity_type, attribute))
        names = [attribute.name, *([attribute.foreign_key] if attribute.foreign_key else [])]
        immutable += names if attribute.immutable or attribute.computed else []
        computed += names if attribute.computed else []
    if entity_type.name == CONFIGURATION:
        properties.update({name: {"type": "string"} for name in _LOOKED_FOR if name not in properties})
    label = [entity_type.label] if entity_type.label in properties and entity_type.label != "id" else []
    rendered_type = _made(entity_type.name, ["id"], properties, ["id", *label])
    rendered_type["required"] = [
        "id",
        *(a.name for a in entity_type.attributes.values() if a.required and a.kind == "scalar"),
    ]
    return {**rendered_type, "immutable": sorted(set(immutable)), "computed": computed}


def _property(schema: Schema, entity_type: EntityType, attribute: Attribute) -> dict[str, Table]:
    name = attribute.name
    if attribute.kind == "scalar":
        scalar = dict(_PROPERTIES[attribute.data_type])
        if attribute.default is not None and attribute.data_type not in ("date", "datetime"):
            scalar["default"] = attribute.default
        return {name: scalar}
    if attribute.kind == "mapping":
        if attribute.data_type != "custom":
            return {name: {**_MAPPED, "items": {"$ref": "Metadata"}}}
        if CONFIGURATION not in schema.types:
            return {}
        return {name: {**_MAPPED, "items": {"$ref": values_type(entity_type)}}}
    if attribute.kind == "collection":
        mirrored = {"inverse": attribute.inverse} if attribute.inverse else {}
        return {name: {"type": "array", "items": {"$ref": attribute.target}, **mirrored}}
    found: dict[str, Table] = {name: {"$ref": attribute.target}}
    if attribute.foreign_key:
        foreign = f"Foreign key(s): {attribute.target}.id"
        found[attribute.foreign_key] = {"type": "string", "format": "foreign_key", "description": foreign}
    return found
