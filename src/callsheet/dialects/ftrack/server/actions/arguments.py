"""What an action is given: texts, and keys of entities that exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callsheet.dialects.ftrack.server.requests.request_context import RequestContext
from callsheet.errors import Invalid, NotFound

__all__ = ["existing", "text_of"]

Arguments = Mapping[str, Any]


def text_of(arguments: Arguments, name: str, optional: bool = False) -> str:
    """A text of 1 to 255 characters by its name; `Invalid` for anything else."""
    value = arguments.get(name)
    if value is None and optional:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= 255:
        raise Invalid(f"{name} must be a text of 1 to 255 characters.")
    return value


def existing(work: RequestContext, kind: str, key: str) -> dict[str, Any]:
    """The row of an entity; `NotFound` if there is no such type or entity."""
    if kind not in work.catalogue.types:
        raise NotFound(f"There is no entity type {kind!r:.80}.")
    row = work.reader.rows(kind, [key], []).get(key)
    if row is None:
        raise NotFound(f"There is no {kind} with the id {key!r:.80}.")
    return row
