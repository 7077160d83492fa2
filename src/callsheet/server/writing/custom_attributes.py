"""Configurations of custom attributes are checked when they are written, because the schema is built from them."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import insert, update

from callsheet.errors import Invalid, SchemaError
from callsheet.model.normalisation import normalised
from callsheet.model.schema import SCALARS, Attribute, did_you_mean
from callsheet.server.writing.overlay import Overlay, WorkingRow

__all__ = ["CONFIGURATION", "COUNTER", "check_configurations", "count_change"]

CONFIGURATION = "CustomAttributeConfiguration"
COUNTER = "customs"
"""The counter in which other server processes see that custom attributes have changed."""


def count_change(overlay: Overlay) -> None:
    """Raise the counter if this commit configures custom attributes."""
    if CONFIGURATION not in overlay.schema.types:
        return
    if not any(each.identity.entity_type == CONFIGURATION for each in (*overlay.touched(), *overlay.dead())):
        return
    counter = overlay.store.table("_counter")
    raised = update(counter).where(counter.c.name == COUNTER).values(value=counter.c.value + 1)
    if overlay.connection.execute(raised).rowcount == 0:
        overlay.connection.execute(insert(counter), {"name": COUNTER, "value": 1})


def check_configurations(overlay: Overlay) -> None:
    """Raise `Invalid` if a configuration does not describe a valid attribute."""
    found = overlay.schema.types.get(CONFIGURATION)
    if found is None or "data_type" not in found.attributes:
        return
    for entry in overlay.touched():
        if entry.identity.entity_type == CONFIGURATION:
            problem = _problem(overlay, entry)
            if problem:
                raise Invalid(
                    f"operation {entry.operation}: custom attribute {entry.get('key')!r:.80}: {problem[1]}",
                    operation=entry.operation,
                    entity=(CONFIGURATION, entry.identity.key),
                    attribute=problem[0],
                )


def _problem(overlay: Overlay, entry: WorkingRow) -> tuple[str, str] | None:
    key, entity_type, data_type = (entry.get(name) for name in ("key", "entity_type", "data_type"))
    choices, default = entry.get("choices"), entry.get("default")
    if not isinstance(key, str) or not key.isidentifier():
        return "key", "a key is a word of letters, digits and underscores"
    described = overlay.schema.types.get(str(entity_type))
    if described is None:
        near = did_you_mean(str(entity_type), overlay.schema.types)
        return "entity_type", f"there is no entity type `{entity_type}`{near}"
    if "custom_attributes" not in described.attributes:
        return "entity_type", f"{entity_type} has no custom attributes"
    if data_type not in SCALARS:
        return "data_type", f"its data type is one of {', '.join(SCALARS)}, not {data_type!r:.80}"
    if not _all_strings(choices) or (data_type == "enum" and not choices):
        return "choices", "choices are a list of strings; an enum needs some"
    try:
        attribute = Attribute(key, data_type=data_type, choices=tuple(choices or ()))
        normalised(str(entity_type), attribute, _from_text(data_type, default))
    except (SchemaError, ValueError) as error:
        return "default", str(error)
    return None


def _from_text(data_type: str, default: Any) -> Any:
    """A default is JSON, so a date in it is ISO text."""
    if not isinstance(default, str) or data_type not in ("date", "datetime"):
        return default
    return (date if data_type == "date" else datetime).fromisoformat(default)


def _all_strings(choices: Any) -> bool:
    return choices is None or (isinstance(choices, list) and all(isinstance(choice, str) for choice in choices))
