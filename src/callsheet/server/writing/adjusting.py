"""Adjustments (``increment``, ``raise_to``, …) are applied to the stored number under the locks of the commit."""

from __future__ import annotations

from typing import Any

from callsheet.errors import Invalid, SchemaError
from callsheet.model.adjustment import Adjustment
from callsheet.model.normalisation import normalised
from callsheet.model.operation import Update
from callsheet.model.schema import Attribute
from callsheet.server.writing.overlay import Overlay, WorkingRow

__all__ = ["adjust"]


def adjust(overlay: Overlay, index: int, operation: Update, entry: WorkingRow) -> None:
    """Apply the adjustments of an update to the entity's numbers.

    The log records the adjustment; if the commit also sets the number, the log records the value. Raises `Invalid` if
    the attribute does not accept the new number.
    """
    for name, adjustment in operation.adjusted.items():
        attribute = entry.rules.entity_type.attribute(name)
        old = _current(entry, name, attribute)
        new = adjustment.apply(old)
        _check(index, entry, name, attribute, old, new)
        if old is not None and new == old:
            continue
        logged = _logged(entry, name, adjustment)
        overlay.write(entry, name, new)
        if logged is not None:
            entry.adjusted[name] = logged
        entry.touch(index)


def _current(entry: WorkingRow, name: str, attribute: Attribute) -> Any:
    """The current value; for a custom attribute that was never set, its default, as readers see it."""
    value = entry.get(name)
    return attribute.default if value is None and "." in name else value


def _logged(entry: WorkingRow, name: str, adjustment: Adjustment) -> Adjustment | None:
    """All adjustments of the number in this commit as one; None if the commit sets it."""
    if name in entry.adjusted:
        return entry.adjusted[name].then(adjustment)
    return None if entry.created or name in entry.values else adjustment


def _check(index: int, entry: WorkingRow, name: str, attribute: Attribute, old: Any, new: Any) -> None:
    kind, key = entry.identity
    try:
        normalised(kind, attribute, new)
    except SchemaError as error:
        raise Invalid(
            f"operation {index}: {kind}.{name} of {key} is {old} and would be {new}: {error}",
            operation=index,
            entity=(kind, key),
            attribute=name,
        ) from None
