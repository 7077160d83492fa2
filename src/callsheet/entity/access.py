"""Item access written out for one class: the other place, beside ``loader.py``, where speed goes before brevity.

Theory. ``task["name"]`` and ``task["name"] = value`` are what scripts do most. Looking up a class's tables
on the entity costs a third of a read, since a class with ``__getattr__`` pays for each look-up; so each
class gets functions that hold its tables. `item_writer` is the path of a plain scalar of the right type, of a
session that belongs to this thread and records: it checks, compares with the slot, notes the value in the
log and fills the slot, with one comparison for all that may be in the way (`UnitOfWork.writer`). All else
goes to `UnitOfWork.assign`, which takes every attribute and every value, and which it must agree with (the
tests compare the two).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any, TypeAlias

from callsheet.entity.entity import NOTHING, PendingChanges
from callsheet.entity.log import UPDATE
from callsheet.model.normalisation import INDEXED_BYTES, normalised
from callsheet.model.record import NOT_SET, Identity
from callsheet.model.schema import Attribute

__all__ = ["Fast", "attribute_writer", "is_surely_right", "item_reader", "item_writer"]

#: How a plain scalar is read and written past all checks, the exact type its values have, and what it is.
Fast: TypeAlias = tuple[Callable[[Any], Any], Callable[[Any, Any], None], Any, Attribute]


def is_surely_right(kind: Any, value: Any) -> bool:
    """Whether an attribute of this exact type surely takes the value, so that it needs no closer look."""
    if type(value) is not kind:
        return False
    if kind is str:
        return value.isascii() and len(value) <= INDEXED_BYTES and "\x00" not in value
    return kind is bool or (kind is float and isfinite(value))


def item_reader(slot_of: Mapping[str, str]) -> Callable[[Any, str], Any]:
    """`Entity.__getitem__` for one class."""
    get = getattr

    def __getitem__(self: Any, name: str) -> Any:
        try:
            return get(self, slot_of[name])
        except KeyError:
            if name in slot_of:
                raise
            raise self._unknown(name) from None

    return __getitem__


def item_writer(type_name: str, fast: Mapping[str, Fast], storage: type) -> Callable[[Any, str, Any], None]:
    """`Entity.__setitem__` for one class."""
    put_changes = vars(storage)["_changes"].__set__
    new_identity = tuple.__new__

    def __setitem__(self: Any, name: str, value: Any) -> None:
        changes = self._changes
        unit = self._core._unit if changes is None else changes.unit
        known = True
        try:
            get, put, kind, attribute = fast[name]
        except KeyError:
            # `assign` is called below: its error would be shown as raised while this one was handled.
            known = False
        if not known or unit.who() != unit.writer or (changes is not None and not changes.writable):
            unit.assign(self, name, value)
            return
        if type(value) is not kind or (
            # `is_surely_right`, without the call.
            not value.isascii() or len(value) > INDEXED_BYTES or "\x00" in value
            if kind is str
            else kind is not float or not isfinite(value)
        ):
            value = normalised(type_name, attribute, value)
        try:
            old = get(self)
        except AttributeError:
            old = NOT_SET
        if old == value and type(old) is type(value):
            return
        if changes is None:
            identity = new_identity(Identity, (type_name, self._key))
            changes = PendingChanges(identity, "modified", unit, self._version)
            put_changes(self, changes)
            unit.changed[identity] = self
        unit.log.add((UPDATE, changes.identity, name, value, old, changes.version))
        put(self, value)
        if changes.born:
            return
        before = changes.before
        if before is NOTHING:
            changes.before = {name: old}
        elif name not in before:
            before[name] = old
        elif before[name] == value and type(before[name]) is type(value):
            unit.taken_back(self, name, changes)

    return __setitem__


def attribute_writer(attribute_of: Mapping[str, str], write: Callable[[Any, str, Any], None]) -> Any:
    """`Entity.__setattr__` for one class: the slot's attribute is set as an item."""

    def __setattr__(self: Any, name: str, value: Any) -> None:
        write(self, attribute_of.get(name, name), value)

    return __setattr__
