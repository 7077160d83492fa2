"""Entities that are created, updated and deleted, and what the vendor's server adds to that by itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from attrs import frozen

from callsheet.dialects.ftrack.server.schema.catalogue import SEPARATOR, VendorType, joined_key
from callsheet.dialects.ftrack.server.writing.change_draft import ChangeDraft
from callsheet.dialects.ftrack.server.writing.created_defaults import CreatedDefaults, finish
from callsheet.dialects.ftrack.server.writing.deserialization import deserialized
from callsheet.dialects.ftrack.server.writing.echo import Echo
from callsheet.dialects.ftrack.server.writing.member_writes import MemberWrites
from callsheet.dialects.ftrack.server.writing.wire_operation import WireOperation
from callsheet.errors import Invalid
from callsheet.model.operation import Create, Delete, Update
from callsheet.model.record import Identity, new_key

__all__ = ["EntityWrites"]


@frozen
class EntityWrites:
    """Translates writes of entities into a draft; lists of members are translated beside them."""

    draft: ChangeDraft
    supplier: CreatedDefaults
    now: datetime
    members: MemberWrites

    def create(self, order: WireOperation) -> None:
        """Create an entity, with what the vendor's server adds."""
        found, catalogue = self._concrete(order), self.draft.reader.catalogue
        assert found.entity_type is not None
        given = deserialized(catalogue, found, order.data)
        if found.key != ("id",):
            for name, part in zip(found.key, order.key.split(SEPARATOR)):
                self._take_key_part(found, name, part, given.values)
        self.supplier.supply(found, order.key, given.values)
        identity = Identity(found.entity_type.name, order.key)
        if identity.entity_type == "AssetVersion" and not catalogue.native:
            self.draft.known.number(given.values)
        # A null is no value, except in a store of our own, where it overrules a default.
        values = {name: value for name, value in given.values.items() if catalogue.native or value is not None}
        if order.key not in self.draft.created:
            self.draft.created[order.key] = (len(self.draft.operations), values)
        self.draft.emit(order.index, Create(identity, values))
        self.draft.echoes.append(Echo(order.index, "create", order.type, found, order.key, order.data, values))
        self._beside(order, identity, values)
        self.members.replace(order, identity, given)

    def _concrete(self, order: WireOperation) -> VendorType:
        """The type to create where an abstract one was named."""
        found, catalogue = order.type, self.draft.reader.catalogue
        assert found.entity_type is not None
        if not found.entity_type.abstract:
            return found
        object_type = order.data.get("object_type_id")
        if found.name == "Component":
            return catalogue.types["FileComponent"]
        if isinstance(object_type, str) and (name := catalogue.of_object_type(object_type)):
            return catalogue.types[name]
        raise Invalid(f"{found.name} is abstract and cannot be created.")

    def _take_key_part(self, found: VendorType, name: str, part: str, values: dict[str, Any]) -> None:
        prop = found.properties.get(name)
        if prop is None or prop.attribute is None or prop.stored == "id":
            return
        whole = Identity(str(prop.attribute.target), part) if prop.kind == "key" else part
        values.setdefault(prop.stored, whole)

    def _beside(self, order: WireOperation, identity: Identity, values: Mapping[str, Any]) -> None:
        """Write what the vendor's server adds to a new note or label."""
        kind = identity.entity_type
        types = self.draft.reader.catalogue.types
        if self.draft.reader.catalogue.native:
            return
        if kind == "Note" and isinstance(values.get("author"), Identity) and "Recipient" in types:
            key = joined_key([order.key, values["author"].key])
            if key not in self.draft.known.recipients:
                self.draft.last.append(
                    (order.index, Create(Identity("Recipient", key), {"note": identity, "recipient": values["author"]}))
                )
        note = values.get("note")
        if kind == "NoteLabelLink" and isinstance(values.get("label"), Identity) and isinstance(note, Identity):
            self.draft.last.append((order.index, Update(note, {"category": values["label"]})))

    def update(self, order: WireOperation) -> None:
        """Update an entity."""
        found, catalogue = order.type, self.draft.reader.catalogue
        given = deserialized(catalogue, found, order.data)
        identity = self.draft.known.identity(order, self.draft.created)
        if identity.entity_type == "Job" and found.entity_type is not None and not catalogue.native:
            finish(found.entity_type, given.values, self.now)
        if given.values:
            self._record_status(order, identity, given.values)
            seen = deserialized(catalogue, found, order.before).values if order.before else {}
            before = {name: value for name, value in seen.items() if name in given.values}
            self.draft.emit(order.index, Update(identity, given.values, before))
        elif order.key not in self.draft.created:
            self.draft.emit(order.index, Update(identity))
        self.draft.echoes.append(Echo(order.index, "update", found, found, order.key, order.data))
        self.members.replace(order, identity, given)

    def _record_status(self, order: WireOperation, identity: Identity, values: Mapping[str, Any]) -> None:
        """Create a row for a change of status."""
        status, before = values.get("status"), self.draft.known.statuses.get(order.key)
        kind = self.draft.reader.catalogue.is_a(identity.entity_type, "TypedContext") and "TypedContextStatusChange"
        kind = kind or (identity.entity_type == "AssetVersion" and "AssetVersionStatusChange")
        if not kind or kind not in self.draft.reader.catalogue.types or not isinstance(status, Identity):
            return
        if before is None or before == status.key:
            return
        self.draft.known.statuses[order.key] = status.key
        row: dict[str, Any] = {
            "parent_id": order.key,
            "parent_type": identity.entity_type,
            "date": self.now.replace(microsecond=0),
            "status": status,
            "from_status": Identity("Status", before),
        }
        if self.supplier.actor is not None:
            row["user"] = self.supplier.actor
        self.draft.last.append((order.index, Create(Identity(kind, new_key()), row)))

    def delete(self, order: WireOperation) -> None:
        """Delete an entity."""
        identity = self.draft.known.identity(order, self.draft.created)
        self.draft.deleted.add(order.key)
        self.draft.emit(order.index, Delete(identity))
        self.draft.echoes.append(Echo(order.index, "delete", order.type, order.type, order.key, {}))
