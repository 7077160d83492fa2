"""Filled nodes in the form of the wire: nested objects, each entity in full once, and dates as tagged texts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from attrs import define, field

from callsheet.dialects.ftrack.server.reading.projection import AnswerNode
from callsheet.dialects.ftrack.server.schema.catalogue import SEPARATOR, Catalogue, VendorType

__all__ = ["Serializer", "serialized_identity", "serialized_link", "plain", "tagged"]


def tagged(value: date) -> dict[str, str]:
    """A date or datetime in the form of the wire: naive, in UTC.

    >>> tagged(datetime(2026, 5, 1, 12, 0, 30, 5, UTC))
    {'__type__': 'datetime', 'value': '2026-05-01T12:00:30.000005'}
    """
    if isinstance(value, datetime):
        known = value if value.tzinfo is UTC else value.astimezone(UTC)
        return {"__type__": "datetime", "value": known.isoformat()[:-6]}
    return {"__type__": "date", "value": value.isoformat()}


def plain(value: Any) -> Any:
    if isinstance(value, str):
        return value
    return tagged(value) if isinstance(value, date) else value[1] if isinstance(value, tuple) else value


def serialized_link(catalogue: Catalogue, value: Any) -> list[dict[str, Any]]:
    """A way from the project down, with the vendor's words for types."""
    words = catalogue.link_words
    return [{"id": step["id"], "name": step["name"], "type": words[step["type"]]} for step in value or ()]


def serialized_identity(found: VendorType, key: str) -> dict[str, Any]:
    """An entity's identity on the wire, from its key in the store."""
    if len(found.key) == 1:
        return {"__entity_type__": found.name, found.key[0]: key}
    return {"__entity_type__": found.name, **dict(zip(found.key, key.split(SEPARATOR)))}


_Relation = tuple[str, dict[str, Any], list[tuple[AnswerNode, Any]], dict[Any, Any]]
"""A relation of a place: its name, where it leads by key, the places there, and ends that are only identities now."""


@define(eq=False)
class Serializer:
    """Nested objects out of filled nodes. A response writes each value of an entity once."""

    denormalize: bool = False
    _known: dict[tuple[str, str], Collection[str]] = field(factory=dict)
    _stubs: dict[tuple[str, str], dict[str, Any]] = field(factory=dict)

    def all(self, node: AnswerNode, keys: Iterable[str]) -> list[dict[str, Any]]:
        relations = self._relations(node)
        return [self.one(node, key, relations) for key in keys]

    def _relations(self, node: AnswerNode) -> list[_Relation]:
        found: list[_Relation] = []
        for name, children in node.children.items():
            listed = [(child, self._relations(child)) for child in children.values()]
            found.append((name, node.links.get(name, {}), listed, {}))
        return found

    def one(self, node: AnswerNode, key: str, relations: list[_Relation]) -> dict[str, Any]:
        """An entity at a place; only its identity, and new values, if it was written before."""
        values = node.objects[key]
        kind: str = values["__entity_type__"]
        place = (kind, key)
        known = self._known.get(place)
        if known is None or self.denormalize:
            found = dict(values) if self.denormalize else values
            # Its names include those of its relations, which are written later.
            self._known[place] = found
            for name, links, _, _ in relations:
                if key in links:
                    found[name] = None
            names = relations
        else:
            fresh = [name for name in values if name not in known]
            names = [each for each in relations if each[0] not in known]
            if not fresh and not names:
                return self._stub(node, place, values)
            self._known[place] = {*known, *fresh, *(each[0] for each in names)}
            found = {**self._stub(node, place, values), **{name: values[name] for name in fresh}}
        for name, links, children, settled in names:
            if key in links:
                value = links[key]
                if isinstance(value, list):
                    ends = (self._end(each, children, settled) for each in value)
                    found[name] = [each for each in ends if each is not None]
                else:
                    found[name] = settled[value] if value in settled else self._end(value, children, settled)
        return found

    def _stub(self, node: AnswerNode, place: tuple[str, str], values: Mapping[str, Any]) -> dict[str, Any]:
        found = self._stubs.get(place)
        if found is None:
            found = self._stubs[place] = {
                "__entity_type__": values["__entity_type__"],
                **{name: values[name] for name in node.type.key if name in values},
            }
        return found

    def _end(self, value: Any, children: list[tuple[AnswerNode, Any]], settled: dict[Any, Any]) -> Any:
        if value is None:
            return None
        key = value[1] if isinstance(value, tuple) else value
        if len(children) == 1:
            child, relations = children[0]
            if key not in child.objects:
                return None
            values = self.one(child, key, relations)
            if values is self._stubs.get((values["__entity_type__"], key)):
                # All values here have been written before, and will have been the next time.
                settled[value] = values
            return values
        merged: dict[str, Any] | None = None
        for child, relations in children:
            if key in child.objects:
                values = self.one(child, key, relations)
                merged = values if merged is None else {**merged, **values}
        return merged
