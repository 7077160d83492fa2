"""The JSON Schema of sync files, made of the classes that they are read into, for editors and checks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import attrs

from callsheet.sync.external import External
from callsheet.sync.files.tables import Document
from callsheet.sync.two_way.tables import TwoWayDocument

__all__ = ["definition_schema"]

_PLAIN: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    Any: {},
}
_COLUMN_EXTERNAL: dict[str, Any] = {
    "type": "object",
    "properties": {"system": {"type": "string"}, "type": {"type": "string"}},
    "required": ["system"],
    "additionalProperties": False,
}
"""Ids of another system in a column: the column itself is named by its key."""


def definition_schema() -> dict[str, Any]:
    """The schema of the document that a sync file holds, as JSON Schema of the draft 2020-12.

    >>> [each["required"] for each in definition_schema()["oneOf"]]
    [['sync'], ['pair', 'right']]
    """
    ways = [_table(Document), _table(TwoWayDocument)]
    properties = {name: each for way in ways for name, each in way["properties"].items()}
    for name in ("sync", "pair"):
        properties[name]["minItems"] = 1
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Callsheet sync file",
        "description": "Rows that go into types (sync), or two servers that are kept in step (left, right, pair).",
        "type": "object",
        "properties": properties,
        "oneOf": [_only(way, properties) for way in ways],
        "additionalProperties": False,
    }


def _only(way: dict[str, Any], properties: dict[str, Any]) -> dict[str, Any]:
    """What a document of this kind needs; the keys of the other kind do not occur in it."""
    others = [name for name in properties if name not in way["properties"]]
    return {"required": way["required"], "not": {"anyOf": [{"required": [name]} for name in others]}}


def _table(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    properties = {}
    for field in attrs.fields(kind):
        properties[field.name] = _described(field, _of(hints[field.name]))
    required = [field.name for field in attrs.fields(kind) if field.default is attrs.NOTHING]
    found = {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
    return {name: each for name, each in found.items() if each != []}


def _described(field: Any, kind: dict[str, Any]) -> dict[str, Any]:
    """The words that a text may be, if there are only some, and what the key is for."""
    if words := field.metadata.get("words"):
        kind = _with_words(kind, list(words))
    return {"description": field.metadata["is"], **kind} if "is" in field.metadata else kind


def _with_words(kind: dict[str, Any], words: list[str]) -> dict[str, Any]:
    if "anyOf" in kind:
        return {"anyOf": [_with_words(each, words) for each in kind["anyOf"]]}
    return {"enum": words} if kind == {"type": "string"} else kind


def _of(kind: Any) -> dict[str, Any]:
    if kind is External:
        return _COLUMN_EXTERNAL
    if kind in _PLAIN:
        return dict(_PLAIN[kind])
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        found = [_of(part) for part in parts if part is not NoneType]
        return found[0] if len(found) == 1 else {"anyOf": found}
    if origin is tuple:
        return {"type": "array", "items": _of(parts[0])}
    if origin in (dict, Mapping):
        return {"type": "object", "additionalProperties": _of(parts[1])}
    return _table(kind)
