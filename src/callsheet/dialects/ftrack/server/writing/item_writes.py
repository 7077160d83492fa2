"""Items of mappings that are written as rows: metadata, and values of custom attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import define, field

from callsheet.dialects.ftrack.server.reading.mapping_items import applicable
from callsheet.dialects.ftrack.server.schema.catalogue import SEPARATOR
from callsheet.dialects.ftrack.server.schema.configurations import Configuration
from callsheet.dialects.ftrack.server.writing.change_draft import ChangeDraft
from callsheet.dialects.ftrack.server.writing.deserialization import moment
from callsheet.dialects.ftrack.server.writing.echo import Echo
from callsheet.dialects.ftrack.server.writing.wire_operation import WireOperation
from callsheet.errors import Invalid, NotFound
from callsheet.model.operation import Update
from callsheet.model.record import Identity

__all__ = ["ItemWrites"]

METADATA = "Metadata"


@define(eq=False)
class ItemWrites:
    """Translates writes of such rows as updates of the entity that holds the item."""

    draft: ChangeDraft
    _configured: dict[tuple[str, bool], list[Configuration]] = field(factory=dict)

    def create(self, order: WireOperation) -> None:
        """Create an item."""
        if order.type.name == METADATA:
            owner, _, key = order.key.partition(SEPARATOR)
            if self.draft.known.holds(owner, key):
                raise Invalid(f"Metadata with key {key!r:.80} exists already.")
            self._write_item(order, owner, f"metadata.{key}", self._text(order.data.get("value")))
            self.draft.known.hold(owner, key, True)
        elif order.type.name == "CustomAttributeValue":
            self.update(order)
        else:
            raise Invalid(f"{order.type.name} cannot be created: update the value instead.")

    def _text(self, value: Any) -> str:
        if value is None:
            raise Invalid("The value of metadata is required.")
        return value if isinstance(value, str) else str(value)

    def update(self, order: WireOperation) -> None:
        """Change an item."""
        if order.type.name == METADATA:
            owner, _, key = order.key.partition(SEPARATOR)
            if not self.draft.known.holds(owner, key):
                raise NotFound(f"There is no Metadata with the key {key!r:.80}.")
            if "value" in order.data:
                self._write_item(order, owner, f"metadata.{key}", self._text(order.data["value"]))
            else:
                self._echo(order)
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
        kind, new = self.draft.owner_type(owner), owner in self.draft.created
        known = self._configured.get((owner, new))
        if known is None:
            known = list(applicable(self.draft.reader, {owner: kind})[owner])
            if new:
                # The project of an entity that is not in the store yet is not known.
                everything = self.draft.reader.configurations()
                known += [each for each in everything if each.project is not None and each not in known]
            self._configured[owner, new] = known
        return known

    def delete(self, order: WireOperation) -> None:
        """Delete an item."""
        if order.type.name == METADATA:
            owner, _, key = order.key.partition(SEPARATOR)
            if not self.draft.known.holds(owner, key):
                raise NotFound(f"There is no Metadata with the key {key!r:.80}.")
            self.draft.known.hold(owner, key, False)
            self._write_item(order, owner, f"metadata.{key}", None)
            return
        configuration, owner = order.key.split(SEPARATOR)
        found = self._configuration(order, configuration, owner)
        self._write_item(order, owner, f"custom_attributes.{found.item}", None)

    def _echo(self, order: WireOperation) -> None:
        self.draft.echoes.append(Echo(order.index, order.action, order.type, order.type, order.key, order.data))

    def _write_item(self, order: WireOperation, owner: str, name: str, value: Any) -> None:
        self._echo(order)
        if owner in self.draft.deleted:
            return
        if owner in self.draft.created and value is not None:
            self.draft.created[owner][1][name] = value
            return
        self.draft.emit(order.index, Update(Identity(self.draft.owner_type(owner), owner), {name: value}))
