"""Attributes of an entity type under the vendor's names: ``entity.attributes`` and what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import field, frozen

from callsheet.model.record import NOT_SET
from callsheet.model.schema import Attribute as SchemaAttribute
from callsheet.model.schema import EntityType

__all__ = [
    "Attributes",
    "CollectionAttribute",
    "KeyValueMappedCollectionAttribute",
    "NamedAttribute",
    "ReferenceAttribute",
    "ScalarAttribute",
    "attributes_of",
]


@frozen
class NamedAttribute:
    """One attribute: its name, and whether scripts may set it."""

    name: str
    mutable: bool = True
    computed: bool = False
    default_value: Any = NOT_SET

    def get_value(self, entity: Any) -> Any:
        """The value of an entity; fetched where it is not loaded."""
        return entity[self.name]

    def get_local_value(self, entity: Any) -> Any:
        """The value that was set here and is not committed, or NOT_SET."""
        return entity.peek(self.name) if self.is_modified(entity) else NOT_SET

    def get_remote_value(self, entity: Any) -> Any:
        """The value on the server as far as it is known here, or NOT_SET."""
        if not self.is_modified(entity):
            return entity.peek(self.name)
        changes = entity._changes
        return changes.remote.get(self.name, changes.before.get(self.name, NOT_SET))

    def is_modified(self, entity: Any) -> bool:
        """Whether it has a value that is not committed."""
        changes = entity._changes
        if changes is None or entity.peek(self.name) is NOT_SET:
            return False
        return bool(changes.born or self.name in changes.before)

    def is_set(self, entity: Any) -> bool:
        """Whether a value is known here."""
        return entity.peek(self.name) is not NOT_SET


@frozen
class ScalarAttribute(NamedAttribute):
    """A plain value, of this type."""

    data_type: str = "variable"


@frozen
class ReferenceAttribute(NamedAttribute):
    """Another entity, of this type."""

    entity_type: str = ""


@frozen
class CollectionAttribute(NamedAttribute):
    """Related entities, of this type."""

    entity_type: str = ""


@frozen
class KeyValueMappedCollectionAttribute(NamedAttribute):
    """Items by key: metadata, and custom attributes."""


@frozen
class Attributes:
    """The attributes of an entity type, by name."""

    _known: Mapping[str, NamedAttribute] = field(factory=dict)

    def get(self, name: str) -> NamedAttribute | None:
        """The attribute of this name, or None."""
        return self._known.get(name)

    def keys(self) -> list[str]:
        """The names."""
        return list(self._known)

    def __contains__(self, item: object) -> bool:
        return item in self._known.values()

    def __iter__(self) -> Iterator[NamedAttribute]:
        return iter(self._known.values())

    def __len__(self) -> int:
        return len(self._known)


def attributes_of(entity_type: EntityType) -> Attributes:
    """The attributes that an entity type has, its foreign keys among them.

    >>> told = {"name": SchemaAttribute("name"), "bid": SchemaAttribute("bid", data_type="number")}
    >>> [each.data_type for each in attributes_of(EntityType("Task", attributes=told))]
    ['string', 'number']
    """
    found = {name: _attribute(each) for name, each in entity_type.attributes.items()}
    keys = {name: ScalarAttribute(name, data_type="string") for name in entity_type.aliases if name not in found}
    return Attributes({**found, **keys})


def _attribute(attribute: SchemaAttribute) -> NamedAttribute:
    fixed = (attribute.name, not (attribute.immutable or attribute.computed), bool(attribute.computed))
    target = str(attribute.target)
    if attribute.kind == "reference":
        return ReferenceAttribute(*fixed, entity_type=target)
    if attribute.kind == "collection":
        return CollectionAttribute(*fixed, entity_type=target)
    if attribute.kind == "mapping":
        return KeyValueMappedCollectionAttribute(*fixed)
    return ScalarAttribute(*fixed, data_type=attribute.data_type)
