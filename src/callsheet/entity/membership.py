"""Entities join and leave collections."""

from __future__ import annotations

from typing import Any

from callsheet.entity.assigning import Assigning
from callsheet.entity.log import LINK
from callsheet.entity.mirroring import toggle
from callsheet.errors import SchemaError
from callsheet.model.record import NOT_SET
from callsheet.model.schema import Attribute

__all__ = ["Memberships"]


class Memberships(Assigning):
    """A membership is a reference of the member, or a link of its own."""

    def link(self, entity: Any, name: str, member: Any, present: bool) -> None:
        """Begin or end the membership of an entity in a collection."""
        self._check_turn()
        self.check_usable(entity)
        attribute = entity._type.attributes[name]
        if attribute.computed:
            raise SchemaError(f"{entity._name}.{name} is computed by the server and cannot be changed")
        self.check_target(entity._name, attribute, member)
        inverse = self.inverse(attribute)
        if inverse is not None and inverse.kind == "reference":
            self._link_by_reference(entity, name, member, inverse, present)
            return
        collection = self.collection(entity, name)
        loaded = collection.remote
        was = None if loaded is None else member in loaded
        local = member in collection.added or (was and member not in collection.removed)
        if loaded is not None and bool(local) == present:
            return
        if (present and member in collection.added) or (not present and member in collection.removed):
            return
        toggle(collection, member, present)
        self._mirror_link(entity, name, member, present)
        if not self.recording:
            return
        owner, cell, other, known = entity, name, member, was
        if inverse is not None and not self.is_near_side(entity._name, attribute, inverse):
            owner, cell, other = member, inverse.name, entity
        changes = self._begin(owner)
        before = NOT_SET if known is None else bool(local)
        place = (cell, self._identity(other))
        self.log.add((LINK, changes.identity, place, present, before, owner._version))
        marked = changes.own_before()
        if marked.setdefault(place, NOT_SET if known is None else known) is present:
            del marked[place]
            self._clean_if_unchanged(owner, changes)

    def _link_by_reference(self, entity: Any, name: str, member: Any, inverse: Attribute, present: bool) -> None:
        if present and member.peek(inverse.name) is entity:
            # A member already, which a member whose key names its owner always is.
            return
        if present:
            self.assign(member, inverse.name, entity)
        elif member.peek(inverse.name) in (entity, NOT_SET):
            if member._type.attributes[inverse.name].required:
                raise SchemaError(
                    f"{member!r} cannot leave {entity._name}.{name}: its {inverse.name} is required; "
                    f"give it another {inverse.name}, or delete it"
                )
            self.assign(member, inverse.name, None)
