"""Both sides of a relation agree: the collections that mirror a reference or another collection."""

from __future__ import annotations

from typing import Any

from callsheet.entity.collection import Collection
from callsheet.entity.recording import Recording
from callsheet.model.schema import Attribute

__all__ = ["Mirroring", "toggle"]


class Mirroring(Recording):
    """Collections, and the other side of each change."""

    def collection(self, entity: Any, name: str) -> Collection:
        """The collection of an entity, made where there is none yet; remembered as touched."""
        try:
            found: Collection = entity._getters[name](entity)
        except AttributeError:
            born = entity._changes is not None and entity._changes.born
            found = Collection(entity, name, [] if born else None)
            entity._setters[name](entity, found)
        self._collections[id(found)] = found
        return found

    def _mirror(self, entity: Any, reference: str, old: Any, new: Any) -> None:
        """Let the collections that mirror a reference show its change."""
        for owner_type, name in self._types.mirrors(entity._name, reference):
            if old is not None and old._name == owner_type:
                toggle(self.collection(old, name), entity, False)
            if new is not None and new._name == owner_type:
                toggle(self.collection(new, name), entity, True)

    def _mirror_link(self, entity: Any, name: str, member: Any, present: bool) -> None:
        inverse = self.inverse(entity._type.attributes[name])
        if inverse is not None and inverse.kind == "collection" and inverse.name in member._type.attributes:
            toggle(self.collection(member, inverse.name), entity, present)

    def inverse(self, attribute: Attribute) -> Attribute | None:
        return self._types.schema.inverse(attribute)

    def is_near_side(self, type_name: str, attribute: Attribute, inverse: Attribute) -> bool:
        """Whether this side of a many-to-many relation is the one that operations name."""
        schema = self._types.schema
        near = (schema.declarer(type_name, attribute.name), attribute.name)
        far = (schema.declarer(str(attribute.target), inverse.name), inverse.name)
        return near <= far


def toggle(collection: Collection, member: Any, present: bool) -> None:
    """Change the local membership, cancelling the opposite change."""
    if present:
        if member in collection.removed:
            del collection.removed[member]
        if collection.remote is None or member not in collection.remote:
            collection.added[member] = None
    else:
        collection.added.pop(member, None)
        if collection.remote is None or member in collection.remote:
            collection.removed[member] = None
