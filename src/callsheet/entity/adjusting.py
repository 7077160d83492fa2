"""Numbers are counted on from what they are, known or not.

Theory. What is recorded is the adjustment. Where the server's value is known here, its slot shows the adjusted one at
once; where it is not, the slot stays empty, and shows the adjusted one as soon as the value is loaded (``loader.py``).
On a value that was set here, or of an entity that was created here, nothing of the server's is counted on from:
there an adjustment is recorded as the value it makes.
"""

from __future__ import annotations

from typing import Any

from callsheet.entity.assigning import Assigning
from callsheet.entity.entity import PendingChanges
from callsheet.entity.log import ADJUST
from callsheet.errors import SchemaError
from callsheet.model.adjustment import Adjustment, Number
from callsheet.model.normalisation import normalised
from callsheet.model.record import NOT_SET
from callsheet.model.schema import NUMBERS, Attribute

__all__ = ["Adjusting"]


class Adjusting(Assigning):
    """One way in for increments and bounds."""

    def adjust(self, entity: Any, name: str, adjustment: Adjustment) -> None:
        """Count on from a number, or from an item of a mapping that is one (a dotted name)."""
        self._check_turn()
        self.check_usable(entity)
        if entity._type.abstract:
            self._core.resolve(entity)
        attribute = entity._type.attribute(name)
        cell = name if name not in entity._type.attributes and "." in name else attribute.name
        self._check_number(entity, cell, attribute)
        adjustment = _of_type(entity, attribute, adjustment)
        if adjustment.is_increment and adjustment.by == 0:
            return
        if not self.recording or self._is_set_here(entity, cell):
            self._set(entity, cell, adjustment.apply(self._local(entity, cell, attribute)))
        else:
            self._record(entity, cell, attribute, adjustment)

    def _check_number(self, entity: Any, cell: str, attribute: Attribute) -> None:
        if attribute.kind != "scalar" or attribute.data_type not in NUMBERS:
            what = attribute.data_type if attribute.kind == "scalar" else attribute.kind
            raise SchemaError(f"{entity._name}.{cell} is no number but a {what}; only numbers can be counted on from")
        self._check_writable(entity, attribute)

    def _is_set_here(self, entity: Any, cell: str) -> bool:
        changes: PendingChanges | None = entity._changes
        return changes is not None and cell not in changes.adjusted and (changes.born or cell in changes.before)

    def _local(self, entity: Any, cell: str, attribute: Attribute) -> Number | None:
        """The value that is shown; of a new entity that was given none, the default that it will have."""
        found = self._shown(entity, cell)
        if found is not NOT_SET:
            return found  # type: ignore[no-any-return]
        if entity._changes is not None and entity._changes.born:
            return attribute.default  # type: ignore[no-any-return]
        return None

    def _shown(self, entity: Any, cell: str) -> Any:
        mapping, dot, item = cell.partition(".")
        if not dot:
            return entity.peek(cell)
        changes: PendingChanges | None = entity._changes
        if changes is not None and cell in changes.items:
            return changes.items[cell]
        held = entity.peek(mapping)
        return NOT_SET if held is NOT_SET or (held or {}).get(item) is None else held[item]

    def _set(self, entity: Any, cell: str, value: Any) -> None:
        mapping, dot, item = cell.partition(".")
        if dot:
            self.assign_item(entity, mapping, item, value)
        else:
            self.assign(entity, cell, value)

    def _record(self, entity: Any, cell: str, attribute: Attribute, adjustment: Adjustment) -> None:
        changes: PendingChanges | None = entity._changes
        earlier = None if changes is None else changes.adjusted.get(cell)
        whole = adjustment if earlier is None else earlier.then(adjustment)
        for number in whole.numbers:
            normalised(entity._name, attribute, number)
        shown = self._shown(entity, cell)
        if shown is not NOT_SET:
            normalised(entity._name, attribute, adjustment.apply(shown))
        changes = self._begin(entity)
        before = changes.own_before()
        base = before.setdefault(cell, shown)
        changes.adjust(cell, whole)
        self.log.add((ADJUST, changes.identity, cell, adjustment, base, changes.version))
        if shown is not NOT_SET:
            self._show(entity, cell, adjustment.apply(shown))

    def _show(self, entity: Any, cell: str, value: Any) -> None:
        if "." in cell:
            entity._changes.own_items()[cell] = value
        else:
            self._restore(entity, cell, value)

    def show_adjusted(self, entity: Any, cell: str) -> None:
        """Show what is made of the latest server value, where that is known."""
        changes: PendingChanges = entity._changes
        mapping, dot, item = cell.partition(".")
        if dot:
            held = entity.peek(mapping)
            value = NOT_SET if held is NOT_SET else (held or {}).get(item)
        else:
            value = changes.remote.get(cell, NOT_SET)
        if value is not NOT_SET:
            self._show(entity, cell, changes.adjusted[cell].apply(value))


def _of_type(entity: Any, attribute: Attribute, adjustment: Adjustment) -> Adjustment:
    """The adjustment in plain numbers of the attribute's type; `SchemaError` where they are of another."""
    by, empty = _number(entity, attribute, adjustment.by), _number(entity, attribute, adjustment.empty)
    low, high = (
        None if bound is None else _number(entity, attribute, bound) for bound in (adjustment.low, adjustment.high)
    )
    return Adjustment(by, low, high, empty)


def _number(entity: Any, attribute: Attribute, value: Any) -> Number:
    found: Number | None = normalised(entity._name, attribute, value)
    if found is None:
        raise SchemaError(f"{entity._name}.{attribute.name} is counted on by a number, not by {value!r:.80}")
    return found
