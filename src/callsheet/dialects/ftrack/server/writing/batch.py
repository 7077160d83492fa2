"""The writes of one request: the vendor's operations become one change set, and their answers are made.

What the operations need to know of the store is read first, in bulk. Then each operation is translated, in order
(``entity_writes.py``, ``item_writes.py``). Members that join and leave collections come last (``member_writes.py``),
since they may be created later in the batch than the list that names them. After the commit the server updates what
follows from it: the latest versions of assets, and the notes of what was deleted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import uuid4

from attrs import define, field

from callsheet.dialects.ftrack.common.codec import BEFORE
from callsheet.dialects.ftrack.server.reading.mapping_items import row_type
from callsheet.dialects.ftrack.server.reading.store_reader import StoreReader
from callsheet.dialects.ftrack.server.schema.catalogue import VendorType
from callsheet.dialects.ftrack.server.writing.batch_prefetch import BatchPrefetch
from callsheet.dialects.ftrack.server.writing.change_draft import ChangeDraft
from callsheet.dialects.ftrack.server.writing.created_defaults import CreatedDefaults
from callsheet.dialects.ftrack.server.writing.deserialization import key_of
from callsheet.dialects.ftrack.server.writing.echo import echoed
from callsheet.dialects.ftrack.server.writing.entity_writes import EntityWrites
from callsheet.dialects.ftrack.server.writing.follow_up import follow_up
from callsheet.dialects.ftrack.server.writing.item_writes import ItemWrites
from callsheet.dialects.ftrack.server.writing.list_rows import following_rows
from callsheet.dialects.ftrack.server.writing.member_writes import MemberWrites
from callsheet.dialects.ftrack.server.writing.wholeness import check_whole
from callsheet.dialects.ftrack.server.writing.wire_operation import WireOperation
from callsheet.errors import Invalid, ServerError
from callsheet.model.operation import ChangeSet, Delete, Operation
from callsheet.model.record import Identity, new_key

__all__ = ["Batch"]


@define(eq=False)
class Batch:
    """Translates and commits operations, all or none."""

    reader: StoreReader
    user: str
    now: datetime
    origin: str
    orders: list[WireOperation] = field(factory=list)

    def add(self, index: int, action: str, written: Mapping[str, Any]) -> None:
        """Add an operation; `Invalid` or `QueryError` if it cannot be read."""
        data = written.get("entity_data", {}) if action != "delete" else {}
        if not isinstance(data, Mapping):
            raise Invalid("entity_data must be a table of attributes.")
        before = written.get(BEFORE, {}) if action == "update" else {}
        if not isinstance(before, Mapping):
            raise Invalid(f"{BEFORE} must be a table of attributes.")
        found = self._type(written.get("entity_type"))
        given = written.get("entity_key")
        key = key_of(found, given if given else None, data)
        if key is None:
            if action != "create" or found.key != ("id",):
                raise Invalid(f"The key of the {found.name} is missing.")
            key = new_key()
        self.orders.append(WireOperation(index, action, found, key, data, before))

    def _type(self, name: Any) -> VendorType:
        if not isinstance(name, str):
            raise Invalid("entity_type must be the name of a type.")
        return self.reader.catalogue.type(name)

    def run(self) -> dict[int, Any]:
        """Translate and commit all operations; their answers, by index."""
        draft = self._translated()
        deleted = self._commit(draft)
        touched = [*draft.operations, *(Delete(identity) for identity in deleted)]
        follow_up(self.reader, touched, self._send)
        return echoed(self.reader, draft.echoes, draft.deleted)

    def _translated(self) -> ChangeDraft:
        draft = ChangeDraft(self.reader, BatchPrefetch.of(self.reader, self.orders))
        items, supplier = ItemWrites(draft), CreatedDefaults(self.reader, self.user, self.now)
        entities = EntityWrites(draft, supplier, self.now, MemberWrites(draft))
        for order in self.orders:
            try:
                _translate(items if row_type(order.type) else entities, order)
            except ServerError as error:
                error.operation = order.index
                raise
        draft.emit_last()
        if not self.reader.catalogue.native:
            for place, operation in following_rows(self.reader, list(draft.operations)):
                draft.emit(draft.sources[place], operation)
        return draft

    def _commit(self, draft: ChangeDraft) -> Sequence[Identity]:
        if not draft.operations:
            return ()
        try:
            if not self.reader.catalogue.native:
                check_whole(self.reader.catalogue, draft.operations)
            return self._send(draft.operations)
        except ServerError as error:
            if error.operation is not None and error.operation < len(draft.sources):
                error.operation = draft.sources[error.operation]
            raise

    def _send(self, operations: Sequence[Operation]) -> list[Identity]:
        changes = ChangeSet(str(uuid4()), tuple(operations), origin=self.origin)
        return list(self.reader.backend.commit(changes).deleted)


def _translate(writes: EntityWrites | ItemWrites, order: WireOperation) -> None:
    {"create": writes.create, "update": writes.update, "delete": writes.delete}[order.action](order)
