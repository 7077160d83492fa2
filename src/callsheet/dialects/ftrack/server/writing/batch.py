"""The writes of one request: the vendor's operations become one change set of ours, and its answers are made.

What the operations need to know of the store is read first, in bulk (`_Known`). Then each operation is
translated in order. Members that join and leave collections come last, since they may be created later in the
batch than the list that names them. After the commit the server follows up on what it keeps itself: the latest
versions of assets, and the notes of what was deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from attrs import define, field

from callsheet.dialects.ftrack.server.reading.mapping_items import applicable, row_type
from callsheet.dialects.ftrack.server.reading.store_reader import StoreReader
from callsheet.dialects.ftrack.server.schema.catalogue import SEPARATOR, Property, VendorType, joined_key
from callsheet.dialects.ftrack.server.schema.configurations import Configuration
from callsheet.dialects.ftrack.server.writing.batch_prefetch import BatchPrefetch
from callsheet.dialects.ftrack.server.writing.created_defaults import CreatedDefaults, finish
from callsheet.dialects.ftrack.server.writing.deserialization import DeserializedValues, deserialized, key_of, moment
from callsheet.dialects.ftrack.server.writing.echo import Echo, echoed
from callsheet.dialects.ftrack.server.writing.follow_up import follow_up
from callsheet.dialects.ftrack.server.writing.list_rows import following_rows
from callsheet.dialects.ftrack.server.writing.wholeness import check_whole
from callsheet.dialects.ftrack.server.writing.wire_operation import WireOperation
from callsheet.errors import Invalid, NotFound, ServerError
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.record import Identity, new_key

__all__ = ["Batch"]

METADATA = "Metadata"


@define(eq=False)
class Batch:
    """Translates and commits operations, all or none."""

    reader: StoreReader
    user: str
    now: datetime
    origin: str
    orders: list[WireOperation] = field(factory=list)
    known: BatchPrefetch = field(factory=BatchPrefetch)
    supplier: CreatedDefaults = field(init=False)
    _operations: list[Operation] = field(factory=list)
    _sources: list[int] = field(factory=list)
    _last: list[tuple[int, Operation]] = field(factory=list)
    _created: dict[str, tuple[int, dict[str, Any]]] = field(factory=dict)
    _deleted: set[str] = field(factory=set)
    _echoes: list[Echo] = field(factory=list)
    _configured: dict[tuple[str, bool], list[Configuration]] = field(factory=dict)

    def add(self, index: int, action: str, told: Mapping[str, Any]) -> None:
        """Take one operation in; `Invalid` or `QueryError` where it cannot be read."""
        data = told.get("entity_data", {}) if action != "delete" else {}
        if not isinstance(data, Mapping):
            raise Invalid("entity_data is a table of attributes.")
        found = self._type(told.get("entity_type"), data)
        given = told.get("entity_key")
        key = key_of(found, given if given else None, data)
        if key is None:
            if action != "create" or found.key != ("id",):
                raise Invalid(f"The key of the {found.name} is missing.")
            key = new_key()
        self.orders.append(WireOperation(index, action, found, key, data))

    def _type(self, name: Any, data: Mapping[str, Any]) -> VendorType:
        if not isinstance(name, str):
            raise Invalid("entity_type is the name of a type.")
        return self.reader.catalogue.type(name)

    def run(self) -> dict[int, Any]:
        """Do it all; the answers by the operations' indices."""
        self.known = BatchPrefetch.of(self.reader, self.orders)
        self.supplier = CreatedDefaults(self.reader, self.user, self.now)
        for order in self.orders:
            try:
                _STEPS[order.action](self, order)
            except ServerError as error:
                error.operation = order.index
                raise
        for source, operation in self._last:
            self._emit(source, operation)
        if not self.reader.catalogue.native:
            for place, operation in following_rows(self.reader, list(self._operations)):
                self._emit(self._sources[place], operation)
        deleted = self._commit()
        touched = [*self._operations, *(Delete(identity) for identity in deleted)]
        follow_up(self.reader, touched, self._send)
        return echoed(self.reader, self._echoes, self._deleted)

    def _commit(self) -> list[Identity]:
        if not self._operations:
            return []
        try:
            if not self.reader.catalogue.native:
                check_whole(self.reader.catalogue, self._operations)
            return self._send(self._operations)
        except ServerError as error:
            if error.operation is not None and error.operation < len(self._sources):
                error.operation = self._sources[error.operation]
            raise

    def _send(self, operations: list[Operation]) -> list[Identity]:
        changes = ChangeSet(str(uuid4()), tuple(operations), origin=self.origin)
        return list(self.reader.backend.commit(changes).deleted)

    def _emit(self, source: int, operation: Operation) -> None:
        self._sources.append(source)
        self._operations.append(operation)

    # Entities

    def _create(self, order: WireOperation) -> None:
        found = order.type
        if row_type(found):
            self._create_item(order)
            return
        found = self._concrete(order)
        told = deserialized(self.reader.catalogue, found, order.data)
        if found.key != ("id",):
            for name, part in zip(found.key, order.key.split(SEPARATOR)):
                self._take_key_part(found, name, part, told)
        self.supplier.supply(found, order.key, told.values)
        assert found.entity_type is not None
        identity = Identity(found.entity_type.name, order.key)
        if identity.entity_type == "AssetVersion" and not self.reader.catalogue.native:
            self.known.number(told.values)
        # Null stands for what was not said, unless the store is our own: there it overrules a default.
        native = self.reader.catalogue.native
        values = {name: value for name, value in told.values.items() if native or value is not None}
        if order.key not in self._created:
            self._created[order.key] = (len(self._operations), values)
        self._emit(order.index, Create(identity, values))
        self._echoes.append(Echo(order.index, "create", order.type, found, order.key, order.data, values))
        self._beside(order, identity, values)
        self._replace(order, identity, told)

    def _concrete(self, order: WireOperation) -> VendorType:
        """The type to create where an abstract one was named."""
        found, catalogue = order.type, self.reader.catalogue
        assert found.entity_type is not None
        if not found.entity_type.abstract:
            return found
        object_type = order.data.get("object_type_id")
        if found.name == "Component":
            return catalogue.types["FileComponent"]
        if isinstance(object_type, str) and (name := catalogue.of_object_type(object_type)):
            return catalogue.types[name]
        raise Invalid(f"{found.name} is abstract and cannot be created.")

    def _take_key_part(self, found: VendorType, name: str, part: str, told: DeserializedValues) -> None:
        prop = found.properties.get(name)
        if prop is None or prop.attribute is None or prop.stored == "id":
            return
        whole = Identity(str(prop.attribute.target), part) if prop.kind == "key" else part
        told.values.setdefault(prop.stored, whole)

    def _beside(self, order: WireOperation, identity: Identity, values: Mapping[str, Any]) -> None:
        """What the vendor's server makes of a new entity by itself."""
        kind = identity.entity_type
        types = self.reader.catalogue.types
        if self.reader.catalogue.native:
            return
        if kind == "Note" and isinstance(values.get("author"), Identity) and "Recipient" in types:
            key = joined_key([order.key, values["author"].key])
            if key not in self.known.recipients:
                self._last.append(
                    (order.index, Create(Identity("Recipient", key), {"note": identity, "recipient": values["author"]}))
                )
        note = values.get("note")
        if kind == "NoteLabelLink" and isinstance(values.get("label"), Identity) and isinstance(note, Identity):
            self._last.append((order.index, Update(note, {"category": values["label"]})))

    def _update(self, order: WireOperation) -> None:
        found = order.type
        if row_type(found):
            self._update_item(order)
            return
        told = deserialized(self.reader.catalogue, found, order.data)
        identity = self.known.identity(order, self._created)
        if identity.entity_type == "Job" and found.entity_type is not None and not self.reader.catalogue.native:
            finish(found.entity_type, told.values, self.now)
        if told.values:
            self._note_status(order, identity, told.values)
            self._emit(order.index, Update(identity, told.values))
        elif order.key not in self._created:
            self._emit(order.index, Update(identity))
        self._echoes.append(Echo(order.index, "update", found, found, order.key, order.data))
        self._replace(order, identity, told)

    def _note_status(self, order: WireOperation, identity: Identity, values: Mapping[str, Any]) -> None:
        """A row that tells of a change of status."""
        status, before = values.get("status"), self.known.statuses.get(order.key)
        kind = self.reader.catalogue.is_a(identity.entity_type, "TypedContext") and "TypedContextStatusChange"
        kind = kind or (identity.entity_type == "AssetVersion" and "AssetVersionStatusChange")
        if not kind or kind not in self.reader.catalogue.types or not isinstance(status, Identity):
            return
        if before is None or before == status.key:
            return
        self.known.statuses[order.key] = status.key
        row: dict[str, Any] = {
            "parent_id": order.key,
            "parent_type": identity.entity_type,
            "date": self.now.replace(microsecond=0),
            "status": status,
            "from_status": Identity("Status", before),
        }
        if self.supplier.actor is not None:
            row["user"] = self.supplier.actor
        self._last.append((order.index, Create(Identity(kind, new_key()), row)))

    def _delete(self, order: WireOperation) -> None:
        if row_type(order.type):
            self._delete_item(order)
            return
        identity = self.known.identity(order, self._created)
        self._deleted.add(order.key)
        self._emit(order.index, Delete(identity))
        self._echoes.append(Echo(order.index, "delete", order.type, order.type, order.key, {}))

    # Items

    def _create_item(self, order: WireOperation) -> None:
        if order.type.name == METADATA:
            owner, _, key = order.key.partition(SEPARATOR)
            if self.known.holds(owner, key):
                raise Invalid(f"Metadata with key {key!r:.80} exists already.")
            self._write_item(order, owner, f"metadata.{key}", self._text(order.data.get("value")))
            self.known.hold(owner, key, True)
        elif order.type.name == "CustomAttributeValue":
            self._update_item(order)
        else:
            raise Invalid(f"{order.type.name} cannot be created: update the value instead.")

    def _text(self, value: Any) -> str:
        if value is None:
            raise Invalid("The value of metadata is required.")
        return value if isinstance(value, str) else str(value)

    def _update_item(self, order: WireOperation) -> None:
        if order.type.name == METADATA:
            owner, _, key = order.key.partition(SEPARATOR)
            if not self.known.holds(owner, key):
                raise NotFound(f"There is no Metadata with the key {key!r:.80}.")
            if "value" in order.data:
                self._write_item(order, owner, f"metadata.{key}", self._text(order.data["value"]))
            else:
                self._note_item(order)
            return
        configuration, owner = order.key.split(SEPARATOR)
        found = self._configuration(order, configuration, owner)
        value = order.data.get("value")
        if found.kind == "date" and isinstance(value, Mapping):
            value = moment(found.key, value)
        self._write_item(order, owner, f"custom_attributes.{found.item}", found.kept(value))

    def _configuration(self, order: WireOperation, key: str, owner: str) -> Configuration:
        for found in self._applicable(owner):
            if found.id == key:
                if not found.writable:
                    raise Invalid(f"Custom attribute {found.key!r:.80} is computed.")
                return found
        raise Invalid("There is no such custom attribute for the entity.")

    def _applicable(self, owner: str) -> list[Configuration]:
        """The configurations that apply to an entity, read once: nothing is committed while a batch is translated."""
        kind, new = self._owner(owner), owner in self._created
        known = self._configured.get((owner, new))
        if known is None:
            known = list(applicable(self.reader, {owner: kind})[owner])
            if new:
                # In which project an entity will be that is not in the store yet is not known.
                everything = self.reader.configurations()
                known += [each for each in everything if each.project is not None and each not in known]
            self._configured[owner, new] = known
        return known

    def _delete_item(self, order: WireOperation) -> None:
        if order.type.name == METADATA:
            owner, _, key = order.key.partition(SEPARATOR)
            if not self.known.holds(owner, key):
                raise NotFound(f"There is no Metadata with the key {key!r:.80}.")
            self.known.hold(owner, key, False)
            self._write_item(order, owner, f"metadata.{key}", None)
            return
        configuration, owner = order.key.split(SEPARATOR)
        found = self._configuration(order, configuration, owner)
        self._write_item(order, owner, f"custom_attributes.{found.item}", None)

    def _owner(self, key: str) -> str:
        if key in self._created:
            operation = self._operations[self._created[key][0]]
            return operation.identity.entity_type
        kind = self.known.owners.get(key)
        if kind is None:
            raise NotFound(f"There is no entity {key!r:.80} to hold this.")
        return kind

    def _note_item(self, order: WireOperation) -> None:
        self._echoes.append(Echo(order.index, order.action, order.type, order.type, order.key, order.data))

    def _write_item(self, order: WireOperation, owner: str, name: str, value: Any) -> None:
        self._note_item(order)
        if owner in self._deleted:
            return
        if owner in self._created and value is not None:
            self._created[owner][1][name] = value
            return
        self._emit(order.index, Update(Identity(self._owner(owner), owner), {name: value}))

    # Collections

    def _replace(self, order: WireOperation, owner: Identity, told: DeserializedValues) -> None:
        for prop, members in told.lists.values():
            place = (order.key, prop.name)
            present = self.known.members.get(place, {})
            self.known.members[place] = dict.fromkeys(members)
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
        target = self.reader.catalogue.types[str(attribute.target)].entity_type
        assert target is not None
        inverse = target.attributes.get(attribute.inverse or "")
        if inverse is None or inverse.kind != "reference":
            changed = Update(owner, added={prop.stored: tuple(new)}, removed={prop.stored: tuple(gone)})
            self._last.append((order.index, changed))
            return
        for member in gone:
            if not self._is_settled(order, member, inverse.name):
                ending = Delete(member) if inverse.required else Update(member, {inverse.name: None})
                self._last.append((order.index, ending))
        for member in new:
            if not self._is_settled(order, member, inverse.name):
                self._last.append((order.index, Update(member, {inverse.name: owner})))

    def _is_settled(self, order: WireOperation, member: Identity, name: str) -> bool:
        """Whether the batch says something else of the member, later or more plainly."""
        if member.key in self._deleted or (member.key, "") in self.known.deletes:
            return True
        written = self.known.writes.get((member.key, name))
        return written is not None and written > order.index

    def _replace_related(
        self, order: WireOperation, owner: Identity, prop: Property, gone: list[Identity], new: list[Identity]
    ) -> None:
        related = prop.related
        assert related is not None
        if related.far is not None:
            rows = self.known.links.get((order.key, prop.name), {})
            self._last += [(order.index, Delete(rows[member.key])) for member in gone if member.key in rows]
            for member in new:
                self._last.append(
                    (order.index, self._linked(related.entity_type, related.near, related.far, owner, member))
                )
            return
        for member in gone:
            if not self._is_settled(order, member, related.near):
                leaving = Update(member, {"parent_id": None, "parent_type": None})
                self._last.append((order.index, leaving if related.near == "parent_id" else Delete(member)))
        for member in new:
            if self._is_settled(order, member, related.near):
                continue
            near: dict[str, Any] = {related.near: owner}
            if related.near == "parent_id":
                near = {"parent_id": owner.key, "parent_type": owner.entity_type}
            self._last.append((order.index, Update(member, near)))

    def _linked(self, kind: str, near: str, far: str, owner: Identity, member: Identity) -> Create:
        found = self.reader.catalogue.types[kind]
        parts = {f"{near}_id": owner.key, f"{far}_id": member.key}
        key = new_key() if found.key == ("id",) else joined_key([parts[name] for name in found.key])
        return Create(Identity(kind, key), {near: owner, far: member})


_STEPS = {"create": Batch._create, "update": Batch._update, "delete": Batch._delete}
