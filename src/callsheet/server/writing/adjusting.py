"""Numbers that are counted on from what they are, read and written under the locks of one commit."""

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
    """Write what the adjustments make of the entity's numbers; the log notes how, unless they were set besides.

    Raises `Invalid` where a number would leave what its attribute takes.
    """
    for name, adjustment in operation.adjusted.items():
        attribute = entry.rules.entity_type.attribute(name)
        old = _present(entry, name, attribute)
        new = adjustment.apply(old)
        _check(index, entry, name, attribute, old, new)
        if old is not None and new == old:
            continue
        noted = _noted(entry, name, adjustment)
        overlay.write(entry, name, new)
        if noted is not None:
            entry.adjusted[name] = noted
        entry.touch(index)


def _present(entry: WorkingRow, name: str, attribute: Attribute) -> Any:
    """What is there; of a custom attribute that was never set, its default, as it is read."""
    value = entry.get(name)
    return attribute.default if value is None and "." in name else value


def _noted(entry: WorkingRow, name: str, adjustment: Adjustment) -> Adjustment | None:
    """What this commit does to the number in all; None where the commit sets it."""
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
