"""Types whose entities name another entity by texts, its type and its key, so that they outlive it.

A reference is hidden where its target is; such an entity is hidden itself, since all it says is about the other one.
"""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary

from attrs import frozen

from callsheet.model.schema import Schema

__all__ = ["Naming", "namings"]

_KNOWN: WeakKeyDictionary[Schema, Mapping[str, Naming]] = WeakKeyDictionary()


@frozen
class Naming:
    """The attributes that hold the type and the key of the entity that is named."""

    kind: str
    key: str


def namings(schema: Schema) -> Mapping[str, Naming]:
    """The concrete types with an attribute that is ``key_of`` another.

    >>> link = {"kind": {}, "own": {"key_of": "kind"}}
    >>> namings(Schema({"types": {"Link": {"attributes": link}, "Shot": {}}}))
    {'Link': Naming(kind='kind', key='own')}
    """
    found = _KNOWN.get(schema)
    if found is None:
        found = _KNOWN[schema] = {
            name: Naming(attribute.key_of, attribute.name)
            for name, each in schema.types.items()
            if not each.abstract
            for attribute in each.attributes.values()
            if attribute.key_of
        }
    return found
