"""Attributes and items of mappings get new values, checked and recorded."""

from __future__ import annotations

from typing import Any

from callsheet.entity.collection import MappingView
from callsheet.entity.entity import PendingChanges
from callsheet.entity.frozen import freeze, thaw
from callsheet.entity.mirroring import Mirroring
from callsheet.entity.types import slot_name
from callsheet.errors import SchemaError, UnknownAttribute
from callsheet.model.normalisation import item_key, normalised, normalised_items
from callsheet.model.record import NOT_SET, same
from callsheet.model.schema import Attribute, did_you_mean

__all__ = ["Assigning"]


class Assigning(Mirroring):
    """One way in for each kind of attribute."""

    def assign(self, entity: Any, name: str, value: Any) -> None:
        """Set an attribute; recorded unless it has this value already. Plain values mostly go past this."""
        self._check_turn()
        self.check_usable(entity)
        if entity._type.abstract:
            self._core.resolve(entity)
            self.assign(entity, name, value)
            return
        entity_type = entity._type
        if name not in entity_type.attributes and name not in entity_type.aliases:
            raise UnknownAttribute(f"{entity._name} has no attribute `{name}`{did_you_mean(name, entity_type.names)}")
        attribute = entity_type.attribute(name)
        self._check_writable(entity, attribute)
        if attribute.kind == "collection":
            self.collection(entity, name).replace(value)
        elif attribute.kind == "mapping":
            self._replace_items(entity, name, value)
        elif attribute.kind == "reference":
            if name != attribute.name:
                value = self.refer(attribute, value)
            self._assign_reference(entity, attribute, value)
        else:
            self._assign_scalar(entity, attribute, value)

    def assign_item(self, entity: Any, mapping: str, key: str, value: Any) -> None:
        """Set or (None) remove one item of a mapping."""
        self._check_turn()
        self.check_usable(entity)
        if entity._type.abstract:
            self._core.resolve(entity)
        attribute = entity._type.attributes[mapping]
        if attribute.computed:
            raise SchemaError(f"{entity._name}.{mapping} is computed by the server and cannot be set")
        key = item_key(entity._name, mapping, key)
        item = entity._type.item(mapping, key)
        if item.computed:
            raise SchemaError(f"{entity._name}.{mapping} `{key}` is computed by the server and cannot be set")
        value = normalised(entity._name, item, value)
        cell = f"{mapping}.{key}"
        changes = entity._changes
        known = entity.peek(mapping)
        adjusted = changes is not None and cell in changes.adjusted
        if adjusted:
            old = self._set_over(entity, cell)
        elif changes is not None and cell in changes.items:
            old = changes.items[cell]
        elif changes is not None and changes.born:
            old = None
        else:
            old = NOT_SET if known is NOT_SET else (known or {}).get(key)
        if not adjusted and old is not NOT_SET and same(old, value):
            return
        if not self.recording:
            if known is not NOT_SET:
                vars(entity._storage)[f"{mapping}_"].__set__(entity, {**(known or {}), key: value})
            return
        changes = self._begin(entity)
        changes.own_items()[cell] = value
        self._note(entity, cell, value, old)
        if entity._changes is not None and not changes.born and cell not in changes.before:
            changes.items.pop(cell, None)

    def _check_writable(self, entity: Any, attribute: Attribute) -> None:
        if attribute.computed:
            raise SchemaError(f"{entity._name}.{attribute.name} is computed by the server and cannot be set")
        if attribute.name in entity._type.key or attribute.foreign_key in entity._type.key:
            raise SchemaError(f"{entity._name}.{attribute.name} is the primary key; it is given to `create` only")
        if attribute.immutable and not (entity._changes is not None and entity._changes.born):
            raise SchemaError(f"{entity._name}.{attribute.name} is immutable: only `create` can set it")

    def _assign_scalar(self, entity: Any, attribute: Attribute, value: Any) -> None:
        value = normalised(entity._name, attribute, value)
        plain = value
        if attribute.data_type == "json":
            value = freeze(value)
        old = entity.peek(attribute.name)
        if entity._changes is not None and attribute.name in entity._changes.adjusted:
            old = self._set_over(entity, attribute.name)
        elif old is not NOT_SET and same(old, value):
            return
        vars(entity._storage)[slot_name(attribute)].__set__(entity, value)
        if not self.recording:
            return
        if attribute.data_type == "json":
            self._note(entity, attribute.name, plain, thaw(old), old)
        else:
            self._note(entity, attribute.name, value, old)

    def _set_over(self, entity: Any, name: str) -> Any:
        """A number that was adjusted is set instead; gives the server's value, which was adjusted: that is the base."""
        changes = entity._changes
        base = self._server_value(entity, name)
        if base is NOT_SET:
            base = changes.before[name]
        changes.own_before()[name] = base
        changes.set_over(name)
        return base

    def _server_value(self, entity: Any, name: Any) -> Any:
        """The latest server value of a changed attribute or item; `NOT_SET` where none is known."""
        changes: PendingChanges = entity._changes
        if name in changes.items:
            mapping, _, item = name.partition(".")
            held = entity.peek(mapping)
            return NOT_SET if held is NOT_SET else (held or {}).get(item)
        return changes.remote.get(name, NOT_SET)

    def _assign_reference(self, entity: Any, attribute: Attribute, value: Any) -> None:
        if value is not None:
            self.check_target(entity._name, attribute, value)
        old = entity.peek(attribute.name)
        if old is value:
            return
        vars(entity._storage)[slot_name(attribute)].__set__(entity, value)
        if self.recording:
            # What was deleted is not there to be compared with: the server has emptied the reference.
            gone = old is NOT_SET or (old is not None and old.state == "detached")
            was = NOT_SET if gone else self._identity(old)
            self._note(entity, attribute.name, self._identity(value), was, old)
        self._mirror(entity, attribute.name, old or None, value)

    def _replace_items(self, entity: Any, name: str, value: Any) -> None:
        view = MappingView(entity, name)
        items = normalised_items(entity._type, name, value)
        for key in [key for key in view if key not in items]:
            self.assign_item(entity, name, key, None)
        for key, item in items.items():
            self.assign_item(entity, name, key, item)
