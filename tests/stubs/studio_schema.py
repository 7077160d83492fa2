"""A studio's own schema, for the tests of stubs: the standard one, with custom attributes and odd names."""

from __future__ import annotations

from copy import deepcopy
from types import SimpleNamespace
from typing import Any

from callsheet import Session
from callsheet.entity.types import Types
from callsheet.model.schema import Schema
from callsheet.session import builtin

__all__ = ["studio_document", "studio_types", "types_of"]


def studio_document() -> dict[str, Any]:
    """The document of the schema."""
    with Session("memory:") as session:
        document: dict[str, Any] = deepcopy(dict(session.schema.document))
    shot = document["types"]["Shot"]
    shot["custom"] = {
        "takes": {"type": "integer", "default": 1, "label": "Takes"},
        "weather": {"type": "enum", "choices": ["clear", "rain"]},
    }
    shot.setdefault("attributes", {}).update(
        {"from": {"type": "string"}, "frame-start": {"type": "integer"}, "frames": {"type": "integer"}}
    )
    document["types"]["Session"] = {"attributes": {"name": {"type": "string"}, "Session": {"type": "boolean"}}}
    document["types"]["3D <Scan>"] = {"attributes": {"name": {"type": "string", "description": "'''\\\"\n\x1b]"}}}
    return document


def types_of(document: dict[str, Any]) -> Types:
    """The types of a schema, with the methods that come with Callsheet; no server need take the schema."""
    types = Types(Schema(document))
    builtin.attach(SimpleNamespace(types=types))  # type: ignore[arg-type]
    return types


def studio_types() -> Types:
    """The types of the studio."""
    return types_of(studio_document())
