"""What a query selects, as a tree: properties at each place, and the places that relations lead to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import define, field

from callsheet.dialects.ftrack.server.schema.catalogue import Catalogue, Property, VendorType
from callsheet.errors import QueryError
from callsheet.model.query import Path, Step
from callsheet.model.schema import did_you_mean

__all__ = ["AnswerNode", "projected"]


@define(eq=False)
class AnswerNode:
    """One place. ``objects`` are the entities read there, ``links`` where their relations lead, by property."""

    type: VendorType
    properties: dict[str, Property] = field(factory=dict)
    children: dict[str, dict[str | None, AnswerNode]] = field(factory=dict)
    objects: dict[str, dict[str, Any]] = field(factory=dict)
    links: dict[str, dict[str, Any]] = field(factory=dict)

    def paths(self) -> tuple[Path, ...]:
        """What is read from the store."""
        found = [Path.of("id")]
        for prop in self.properties.values():
            if prop.stored and prop.stored != "id" and prop.kind not in ("made", "related", "lineage"):
                found.append(Path((Step(prop.stored),)))
        return tuple(dict.fromkeys(found))


def projected(catalogue: Catalogue, found: VendorType, paths: Sequence[Path], strict: bool) -> AnswerNode:
    """The tree of projections; the default ones if none are given, and what the server adds."""
    root = _node(found, strict)
    for path in paths:
        _add(catalogue, root, path, strict)
    if not paths:
        _add_defaults(root)
    return root


def _node(found: VendorType, strict: bool) -> AnswerNode:
    node = AnswerNode(found)
    for name in (*found.key, *(() if strict else found.system)):
        if name in found.properties:
            node.properties[name] = found.properties[name]
    return node


def _add_defaults(node: AnswerNode) -> None:
    for name in node.type.defaults:
        node.properties[name] = node.type.properties[name]


def _add(catalogue: Catalogue, node: AnswerNode, path: Path, strict: bool) -> None:
    above: dict[str | None, AnswerNode] = {}
    for index, step in enumerate(path.steps):
        prop = catalogue.property(node.type, step.name)
        below = None if prop or not index else catalogue.below(node.type, step.name)
        if below is not None:
            node = above.get(below.name) or above.setdefault(below.name, _node(below, strict))
            prop = catalogue.property(node.type, step.name)
        if prop is None:
            near = did_you_mean(step.name, node.type.properties)
            raise QueryError(f"Attribute {step.name!r:.80} not found on {node.type.name}{near}")
        last = index == len(path.steps) - 1
        if prop.kind in ("value", "key", "made"):
            if not last:
                raise QueryError(f"{node.type.name}.{step.name} is a value; nothing can follow it.")
            node.properties[prop.name] = prop
            return
        if step.cast is not None and prop.kind in ("metadata", "custom"):
            raise QueryError(f"{node.type.name}.{step.name} has rows of one type; remove the cast.")
        if step.cast is not None and step.cast not in catalogue.types:
            raise QueryError(f"There is no entity type {step.cast!r:.80}{did_you_mean(step.cast, catalogue.types)}")
        node.properties[prop.name] = prop
        target = catalogue.types.get(step.cast or prop.target)
        if target is None:
            return
        children = above = node.children.setdefault(prop.name, {})
        child = children.get(step.cast)
        if child is None:
            child = children[step.cast] = _node(target, strict)
        if last or prop.kind in ("metadata", "custom"):
            _add_defaults(child)
            if prop.kind in ("metadata", "custom"):
                child.properties.update({name: each for name, each in target.properties.items() if each.kind == "made"})
        node = child
