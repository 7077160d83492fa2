"""Databases that were created before schemas had marks get the marks of their preset or dialect.

A database keeps the schema document it was created with. If the definition of a type or attribute is the same as in a
preset, or in the document that its dialect makes of the original, except for marks, it gets the marks from there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from callsheet.server.schemas.document import CONFIGURATION, PRESETS, load_schema_document
from callsheet.server.schemas.formats import format_of

__all__ = ["MARKS", "marked"]

MARKS = ("administrative", "within", "confidential")
Document = Mapping[str, Any]


def marked(document: Document) -> Document:
    """The document with the marks of its preset or dialect; the same object if it has them.

    >>> definition = {"types": {"Location": {"attributes": {"accessor": {"type": "json", "description": "?"}}}}}
    >>> marked(definition) is definition
    True
    """
    known = (each for name, each in document["types"].items() if name != CONFIGURATION)
    if any(mark in definition for each in known for definition in _all(each) for mark in MARKS):
        return document
    types = dict(document["types"])
    for reference in _references(document):
        for name, definition in reference["types"].items():
            if name in types and types[name].get("description") == definition.get("description"):
                types[name] = _type(types[name], definition)
    if CONFIGURATION in types:
        types[CONFIGURATION] = {"administrative": True, **types[CONFIGURATION]}
    return document if types == document["types"] else {**document, "types": types}


def _all(definition: Document) -> Iterator[Document]:
    yield definition
    yield from definition.get("attributes", {}).values()


def _references(document: Document) -> Iterator[Document]:
    made_from = format_of(document)
    if made_from is None:
        yield from map(_preset, PRESETS)
    elif (made := made_from.document(made_from.original(document))) is not None:
        yield made


@lru_cache(maxsize=8)
def _preset(name: str) -> Document:
    return load_schema_document(name)


def _type(definition: Document, reference: Document) -> Document:
    attributes = {
        name: _with_marks(each, reference.get("attributes", {}).get(name, {}))
        for name, each in definition.get("attributes", {}).items()
    }
    of_type = {key: value for key, value in reference.items() if key != "attributes"}
    without = {key: value for key, value in definition.items() if key != "attributes"}
    return {**_with_marks(without, of_type), **({"attributes": attributes} if "attributes" in definition else {})}


def _with_marks(definition: Document, reference: Document) -> Document:
    """A definition equal to the reference gets its marks, and the default that belongs to a mark."""
    marks = {key: value for key, value in reference.items() if key in MARKS or value == "{user}"}
    same = all(key in reference and reference[key] == value for key, value in definition.items())
    return {**definition, **marks} if marks and same else definition
