"""Marks of who decides what, for databases that were made before schemas had them.

A database keeps the schema document it was made with. Where a type or an attribute of it is described as in a preset,
or in what its dialect makes of the original, but for marks, it gets the marks that are there.
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
    """The document with the marks of what it was made from; the same object where it has them all.

    >>> told = {"types": {"Location": {"attributes": {"accessor": {"type": "json", "description": "?"}}}}}
    >>> marked(told) is told
    True
    """
    known = (each for name, each in document["types"].items() if name != CONFIGURATION)
    if any(mark in told for each in known for told in _all(each) for mark in MARKS):
        return document
    types = dict(document["types"])
    for reference in _references(document):
        for name, told in reference["types"].items():
            if name in types and types[name].get("description") == told.get("description"):
                types[name] = _type(types[name], told)
    if CONFIGURATION in types:
        types[CONFIGURATION] = {"administrative": True, **types[CONFIGURATION]}
    return document if types == document["types"] else {**document, "types": types}


def _all(told: Document) -> Iterator[Document]:
    yield told
    yield from told.get("attributes", {}).values()


def _references(document: Document) -> Iterator[Document]:
    made_from = format_of(document)
    if made_from is None:
        yield from map(_preset, PRESETS)
    elif (made := made_from.document(made_from.original(document))) is not None:
        yield made


@lru_cache(maxsize=8)
def _preset(name: str) -> Document:
    return load_schema_document(name)


def _type(told: Document, reference: Document) -> Document:
    attributes = {
        name: _with_marks(each, reference.get("attributes", {}).get(name, {}))
        for name, each in told.get("attributes", {}).items()
    }
    of_type = {key: value for key, value in reference.items() if key != "attributes"}
    without = {key: value for key, value in told.items() if key != "attributes"}
    return {**_with_marks(without, of_type), **({"attributes": attributes} if "attributes" in told else {})}


def _with_marks(told: Document, reference: Document) -> Document:
    """What is described as the reference is gets its marks, and the default that goes with one."""
    marks = {key: value for key, value in reference.items() if key in MARKS or value == "{user}"}
    same = all(key in reference and reference[key] == value for key, value in told.items())
    return {**told, **marks} if marks and same else told
