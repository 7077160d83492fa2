"""The response to writes: the values sent, as they were sent, and what the server added to them.

The client forgets its own values after a commit, so a value that the response lacks looks undone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import field, frozen

from callsheet.dialects.ftrack.server.reading.mapping_items import row_type
from callsheet.dialects.ftrack.server.reading.projection import AnswerNode
from callsheet.dialects.ftrack.server.reading.serialization import plain, serialized_identity
from callsheet.dialects.ftrack.server.reading.store_reader import StoreReader
from callsheet.dialects.ftrack.server.schema.catalogue import Catalogue, Property, VendorType
from callsheet.model.record import Identity

__all__ = ["Echo", "echoed"]


_FOLLOWING = ("is_latest_version",)


@frozen
class Echo:
    """An operation that was done: ``type`` is the type it named, ``found`` the type it was done to.

    ``values`` are what a new entity got in the store.
    """

    index: int
    action: str
    type: VendorType
    found: VendorType
    key: str
    data: Mapping[str, Any]
    values: Mapping[str, Any] = field(factory=dict)


def echoed(reader: StoreReader, echoes: Sequence[Echo], deleted: set[str]) -> dict[int, Any]:
    """The answers by the operations' indices."""
    nodes = _nodes(reader, echoes, deleted)
    answers: dict[int, Any] = {}
    for each in echoes:
        if each.action == "delete":
            data: Any = True
        elif each.action == "create" and not row_type(each.type):
            stored = nodes[each.found.name].objects.get(each.key, {})
            data = {**_added(each, stored), **serialized_identity(each.type, each.key), **_sent(reader.catalogue, each)}
        else:
            data = {**serialized_identity(each.type, each.key), **_sent(reader.catalogue, each)}
        answers[each.index] = {"action": each.action, "data": data}
    return answers


def _nodes(reader: StoreReader, echoes: Sequence[Echo], deleted: set[str]) -> dict[str, AnswerNode]:
    """What the store made of new entities by itself: the attributes it computes."""
    nodes: dict[str, AnswerNode] = {}
    keys: dict[str, list[str]] = {}
    for each in echoes:
        if each.action == "create" and not row_type(each.type):
            if each.found.name not in nodes:
                nodes[each.found.name] = AnswerNode(each.found, {prop.name: prop for prop in _made(each.found)})
            if each.key not in deleted:
                keys.setdefault(each.found.name, []).append(each.key)
    for name, listed in keys.items():
        reader.load(nodes[name], listed)
    return nodes


def _made(found: VendorType) -> Iterator[Property]:
    for name in found.scalars:
        prop = found.properties[name]
        if (prop.attribute is not None and prop.attribute.computed) or name in _FOLLOWING:
            yield prop


def _added(each: Echo, stored: Mapping[str, Any]) -> dict[str, Any]:
    """All scalars of a new entity that have a value."""
    answer = {name: value for name, value in stored.items() if value is not None}
    names = each.found.names
    for attribute, value in each.values.items():
        if value is not None:
            for name in names.get(attribute, ()):
                if name not in answer:
                    answer[name] = value[1] if isinstance(value, Identity) else plain(value)
    return answer


def _sent(catalogue: Catalogue, each: Echo) -> dict[str, Any]:
    """The attributes sent, and the other side of each reference and its key."""
    answer = {**each.data, "__entity_type__": each.type.name}
    sides = each.found.sides
    for name, value in each.data.items():
        if name not in sides:
            sides[name] = _side(catalogue, each.found, name)
        side: _Side | None = sides[name]
        if side is None:
            continue
        if not side.reference:
            answer.setdefault(side.name, value.get("id") if isinstance(value, Mapping) else value)
        elif side.name not in each.data:
            if value is None:
                answer[side.name] = None
            elif side.target is not None:
                answer[side.name] = serialized_identity(side.target, value)
    return answer


@frozen
class _Side:
    """The other side of what was sent: of a key its reference (to a ``target`` of one type), or the other way round."""

    name: str
    reference: bool
    target: VendorType | None = None


def _side(catalogue: Catalogue, found: VendorType, name: str) -> _Side | None:
    prop = catalogue.property(found, name)
    if prop is None or prop.attribute is None:
        return None
    if prop.kind == "reference" and prop.attribute.foreign_key in found.properties:
        return _Side(prop.attribute.foreign_key, False)
    if prop.kind == "key" and prop.stored in found.properties:
        target = catalogue.types.get(str(prop.attribute.target))
        concrete = target is not None and target.entity_type is not None and not target.entity_type.abstract
        return _Side(prop.stored, True, target if concrete else None)
    return None
