"""Which parts of a cube are to be stored, checked before anything is recorded."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import evolve

from callsheet.errors import UsageError
from callsheet.model.cube import CubeDefinition, StoredParts
from callsheet.model.language.keeping import kept_aggregate
from callsheet.model.schema import Schema

__all__ = ["names_of", "stored_as"]


def stored_as(schema: Schema, definition: CubeDefinition, parts: StoredParts) -> CubeDefinition:
    """The definition of which these parts are stored; raises `UsageError` for what cannot be."""
    found = evolve(definition, stored=parts)
    kept_aggregate(found, schema)
    return found


def names_of(what: str, given: Any) -> list[str]:
    """Names of levels or measures: texts, or what has a name."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise UsageError(f"`{what}` is a list of names, not {given!r:.80}")
    return [each if isinstance(each, str) else _name(what, each) for each in given]


def _name(what: str, given: Any) -> str:
    name = getattr(given, "name", None)
    if not isinstance(name, str):
        raise UsageError(f"`{what}` is a list of names, not of {given!r:.80}")
    return name
