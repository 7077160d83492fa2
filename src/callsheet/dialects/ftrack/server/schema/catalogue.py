"""Every type and property of the vendor's schema, and what the store has for it.

Most properties are an attribute of the same name. A foreign key (``status_id``) is the key of a reference.
The rest is made when it is read: rows of another type that name this entity (`Related`), the line of
parents (``ancestors``), items of mappings as rows of their own (metadata, custom attributes), values that are
computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal
from weakref import WeakKeyDictionary

from attrs import define, field, frozen

from callsheet.dialects.ftrack.common.schema import vendor_hash, vendor_schemas
from callsheet.dialects.ftrack.common.wiring import shared
from callsheet.dialects.ftrack.server.schema.rendering import rendered
from callsheet.dialects.ftrack.server.schema.store_facts import Related, store_facts
from callsheet.errors import QueryError
from callsheet.model.schema import Attribute, EntityType, Schema, did_you_mean

__all__ = ["Catalogue", "Property", "VendorType", "catalogue_of", "joined_key"]

Kind = Literal["value", "key", "reference", "pointer", "collection", "related", "lineage", "metadata", "custom", "made"]
LINK = "CustomAttributeLink"
SEPARATOR = "\x1f"
"""Between the parts of a key that the vendor makes of several attributes, in the one key that the store has."""


@frozen
class Property:
    """A property on the wire. ``stored`` is the attribute of the store that stands for it (also for its key).

    A pointer is a relation by a key that the store knows as a mere text.
    """

    name: str
    kind: Kind
    stored: str = ""
    target: str = ""
    attribute: Attribute | None = None
    related: Related | None = None


@define(eq=False)
class VendorType:
    """A type on the wire, and the store's type that holds its entities (None: they are made)."""

    name: str
    description: Mapping[str, Any]
    entity_type: EntityType | None
    key: tuple[str, ...]
    defaults: tuple[str, ...]
    system: tuple[str, ...]
    properties: dict[str, Property] = field(factory=dict)
    scalars: tuple[str, ...] = ()
    discriminator: str | None = None
    readers: dict[str, Any] = field(factory=dict)
    sides: dict[str, Any] = field(factory=dict)
    names: dict[str, tuple[str, ...]] = field(factory=dict)
    """The scalars on the wire that stand for an attribute of the store."""

    @property
    def view(self) -> bool:
        """Whether it is another name for rows of another type, which it keeps on the wire."""
        return self.entity_type is not None and self.entity_type.name != self.name


class Catalogue:
    """All types of a store as the vendor's client knows them; made once for each schema (`catalogue_of`)."""

    def __init__(self, schema: Schema) -> None:
        kept = vendor_schemas(schema.document)
        self.native = not kept
        self.schemas: Sequence[Mapping[str, Any]] = kept or rendered(schema)
        self._bases = {name: (found.name, *found.ancestors) for name, found in schema.types.items()}
        self.types = {each["id"]: _vendor_type(each, schema) for each in self.schemas}
        for found in self.types.values():
            self._fill(found, schema)
        contexts = {name for name, line in self._bases.items() if "TypedContext" in line}
        self.link_words = {name: "TypedContext" if name in contexts else name for name in self._bases}
        """The vendor's words for types in the way to an entity."""

    def type(self, name: str) -> VendorType:
        """The type of this name; `QueryError` where there is none."""
        found = self.types.get(name)
        if found is None:
            raise QueryError(f"There is no entity type {name!r:.80}{did_you_mean(name, self.types)}")
        return found

    def property(self, found: VendorType, name: str) -> Property | None:
        """A property of a type, also one that the vendor's schema keeps to itself."""
        prop = found.properties.get(name)
        if prop is None and found.entity_type is not None:
            prop = self._pointer(found, name) or self._stored(found.entity_type, name, name)
        return prop

    def _pointer(self, found: VendorType, name: str) -> Property | None:
        """A relation by a text: who is linked by a custom attribute, whose status has changed."""
        assert found.entity_type is not None
        facts = store_facts()
        key, target = facts.pointers.find([found.name], name), found.description["properties"].get(name, {}).get("$ref")
        if found.entity_type.name == LINK:
            target = facts.link_ends.get(name)
        if not key or target is None:
            return None
        return Property(name, "pointer", key, target, found.entity_type.attributes[key])

    def below(self, found: VendorType, name: str) -> VendorType | None:
        """The type nearest below that has a property which this one has not (``username`` of a Resource)."""
        having = [
            other
            for other in self.types.values()
            if other.entity_type is not None and found.name in other.entity_type.ancestors and name in other.properties
        ]
        return max(having, key=lambda other: self._weight(other.name), default=None)

    def _weight(self, name: str) -> int:
        return sum(name in line for line in self._bases.values())

    def is_a(self, name: str, ancestor: str) -> bool:
        return ancestor in self._bases.get(name, ())

    def of_object_type(self, key: str) -> str | None:
        """The type of the entities with this object type."""
        return next((name for name, found in self.types.items() if found.discriminator == key), None)

    def _fill(self, found: VendorType, schema: Schema) -> None:
        scalars = []
        for name, description in found.description["properties"].items():
            made = self._property(found, name, description, schema)
            found.properties[name] = made
            if made.kind in ("value", "key"):
                scalars.append(name)
        found.scalars = tuple(scalars)
        for name in scalars:
            stored = found.properties[name].stored
            found.names[stored] = (*found.names.get(stored, ()), name)

    def _property(self, found: VendorType, name: str, description: Mapping[str, Any], schema: Schema) -> Property:
        target = description.get("items", description).get("$ref", "")
        if description.get("type") == "mapped_array" and target == "Metadata":
            return Property(name, "metadata", "metadata", target)
        if description.get("type") == "mapped_array" and target.endswith("CustomAttributeValue"):
            return Property(name, "custom", "custom_attributes", target)
        if found.entity_type is None:
            kind: Kind = "reference" if "$ref" in description and "type" not in description else "made"
            return Property(name, kind, name, target)
        pointer = self._pointer(found, name)
        if pointer is not None:
            return pointer
        line = self._bases[found.entity_type.name]
        direct = self._stored(found.entity_type, name, self._stored_name(found.entity_type, line, name), target)
        if direct is not None:
            return direct
        if name in ("ancestors", "descendants"):
            return Property(name, "lineage", "parent", target)
        related = store_facts().related.find(line, name)
        if related is not None and related.entity_type in schema.types:
            return Property(name, "related", target=target or related.entity_type, related=related)
        return Property(name, "made", target=target)

    def _stored_name(self, entity_type: EntityType, line: Sequence[str], name: str) -> str:
        """The attribute of the store that a property is another name of."""
        stored = shared().same.find(line, name)
        if stored in entity_type.attributes:
            return stored
        return store_facts().stored_as.find(line, name) or name

    def _stored(self, entity_type: EntityType, name: str, stored: str, target: str = "") -> Property | None:
        if stored in entity_type.aliases:
            reference = entity_type.attributes[entity_type.aliases[stored]]
            return Property(name, "key", reference.name, attribute=reference)
        attribute = entity_type.attributes.get(stored)
        if attribute is None or attribute.kind == "mapping":
            return None
        if attribute.kind == "scalar":
            return Property(name, "value", stored, attribute=attribute)
        # A list of tasks holds shots too: the store's type counts, though the vendor names a narrower one.
        wider = str(attribute.target) in self._bases.get(target, ())
        kind: Kind = "reference" if attribute.kind == "reference" else "collection"
        return Property(name, kind, stored, str(attribute.target) if wider or not target else target, attribute)


def _vendor_type(listed: Mapping[str, Any], schema: Schema) -> VendorType:
    name = listed["id"]
    entity_type = schema.types.get(store_facts().rows_of(name)) or schema.types.get(name)
    system = []
    for each in listed.get("system_projections", ()):
        system += [key for key, prop in listed["properties"].items() if each in (key, prop.get("alias_for"))][:1]
    alias = listed.get("alias_for")
    classifiers = alias.get("classifiers", {}) if isinstance(alias, Mapping) else {}
    discriminator = classifiers.get("object_typeid")
    if discriminator is not None and "object_type_id" not in system:
        system.append("object_type_id")
    return VendorType(
        name,
        listed,
        entity_type,
        tuple(listed["primary_key"]),
        tuple(each for each in listed.get("default_projections", ()) if each in listed["properties"]),
        tuple(system),
        discriminator=discriminator,
    )


def joined_key(parts: Sequence[str]) -> str:
    """The store's key of an entity, from the parts of its key on the wire.

    >>> joined_key(["a"])
    'a'
    """
    return SEPARATOR.join(parts)


_KNOWN: WeakKeyDictionary[Schema, tuple[Catalogue, str]] = WeakKeyDictionary()


def catalogue_of(schema: Schema) -> tuple[Catalogue, str]:
    """The catalogue of a schema and the hash of its list, made once."""
    found = _KNOWN.get(schema)
    if found is None:
        made = Catalogue(schema)
        found = _KNOWN[schema] = (made, vendor_hash(made.schemas))
    return found
