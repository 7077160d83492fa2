"""Collections that are written as whole lists: who leaves and who joins."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from callsheet.dialects.ftrack.server.schema.catalogue import Property, joined_key
from callsheet.dialects.ftrack.server.writing.change_draft import ChangeDraft
from callsheet.dialects.ftrack.server.writing.deserialization import DeserializedValues
from callsheet.dialects.ftrack.server.writing.wire_operation import WireOperation
from callsheet.model.operation import Create, Delete, Update
from callsheet.model.record import Identity, new_key

__all__ = ["MemberWrites"]


@frozen
class MemberWrites:
    """Translates lists of members; they are written last, because members may be created after the list names them."""

    draft: ChangeDraft

    def replace(self, order: WireOperation, owner: Identity, values: DeserializedValues) -> None:
        """Make the listed members those of the entity's collections."""
        for prop, members in values.lists.values():
            place = (order.key, prop.name)
            present = self.draft.known.members.get(place, {})
            self.draft.known.members[place] = dict.fromkeys(members)
            gone = [member for member in present if member not in members]
            new = [member for member in members if member not in present]
            if prop.kind == "collection":
                self._replace_stored(order, owner, prop, gone, new)
            else:
                self._replace_related(order, owner, prop, gone, new)

    def _replace_stored(
        self, order: WireOperation, owner: Identity, prop: Property, gone: list[Identity], new: list[Identity]
    ) -> None:
        attribute = prop.attribute
        assert attribute is not None
        target = self.draft.reader.catalogue.types[str(attribute.target)].entity_type
        assert target is not None
        inverse = target.attributes.get(attribute.inverse or "")
        if inverse is None or inverse.kind != "reference":
            changed = Update(owner, added={prop.stored: tuple(new)}, removed={prop.stored: tuple(gone)})
            self.draft.last.append((order.index, changed))
            return
        for member in gone:
            if not self.draft.is_settled(order, member, inverse.name):
                ending = Delete(member) if inverse.required else Update(member, {inverse.name: None})
                self.draft.last.append((order.index, ending))
        for member in new:
            if not self.draft.is_settled(order, member, inverse.name):
                self.draft.last.append((order.index, Update(member, {inverse.name: owner})))

    def _replace_related(
        self, order: WireOperation, owner: Identity, prop: Property, gone: list[Identity], new: list[Identity]
    ) -> None:
        related = prop.related
        assert related is not None
        if related.far is not None:
            rows = self.draft.known.links.get((order.key, prop.name), {})
            self.draft.last += [(order.index, Delete(rows[member.key])) for member in gone if member.key in rows]
            for member in new:
                self.draft.last.append(
                    (order.index, self._linked(related.entity_type, related.near, related.far, owner, member))
                )
            return
        for member in gone:
            if not self.draft.is_settled(order, member, related.near):
                leaving = Update(member, {"parent_id": None, "parent_type": None})
                self.draft.last.append((order.index, leaving if related.near == "parent_id" else Delete(member)))
        for member in new:
            if self.draft.is_settled(order, member, related.near):
                continue
            near: dict[str, Any] = {related.near: owner}
            if related.near == "parent_id":
                near = {"parent_id": owner.key, "parent_type": owner.entity_type}
            self.draft.last.append((order.index, Update(member, near)))

    def _linked(self, kind: str, near: str, far: str, owner: Identity, member: Identity) -> Create:
        found = self.draft.reader.catalogue.types[kind]
        parts = {f"{near}_id": owner.key, f"{far}_id": member.key}
        key = new_key() if found.key == ("id",) else joined_key([parts[name] for name in found.key])
        return Create(Identity(kind, key), {near: owner, far: member})
