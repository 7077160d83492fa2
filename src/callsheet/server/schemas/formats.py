"""Schema formats of dialects: the format of a file, or of a store's document, is detected."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callsheet.dialects import declaration_named, declarations
from callsheet.dialects.serving import SchemaFormat
from callsheet.errors import UsageError

__all__ = ["document_from", "format_of", "formats"]


def formats() -> dict[str, SchemaFormat]:
    """The formats of all dialects that a server can answer, by the dialect's name."""
    halves = {each.name: each.server_half for each in declarations()}
    return {name: half.schemas for name, half in halves.items() if half is not None and half.schemas is not None}


def document_from(data: Any) -> dict[str, Any] | None:
    """The store's document for JSON data in the format of a dialect; None if no dialect has this format."""
    return next((made for made in (each.document(data) for each in formats().values()) if made is not None), None)


def format_of(document: Mapping[str, Any]) -> SchemaFormat | None:
    """The format that a store's document was made from, if any. Its ``vendor`` names the dialect."""
    for name in document.get("vendor", {}):
        try:
            half = declaration_named(name).server_half
        except UsageError:
            continue
        if half is not None and half.schemas is not None:
            found: SchemaFormat = half.schemas
            return found
    return None
