"""Entities are loaded with those that their relations lead to: by level and type, never one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from callsheet.core import populating
from callsheet.core.core import Core
from callsheet.core.plain.trees import Tree
from callsheet.entity.collection import Collection
from callsheet.entity.entity import Entity
from callsheet.flow import Flow
from callsheet.model.schema import EntityType, Schema

__all__ = ["fetch_tree", "related"]


def fetch_tree(core: Core, entities: Iterable[Any], tree: Tree) -> Flow[None]:
    """All plain values of the entities are loaded, and of those that a tree of relations leads to.

    It costs a request for each concrete type, and one more for each type below it whose own attributes are missing; in
    bounded parts. What is loaded is not fetched again, also where a relation leads to nothing.
    """
    chosen = list({id(each): each for each in entities}.values())
    by_type: dict[str, list[Any]] = {}
    for each in chosen:
        by_type.setdefault(each._name, []).append(each)
    for name, members in by_type.items():
        yield from populating.populate(core, members, list(_paths(core.schema.types[name], tree, core.schema)))
    for relation, below in tree.items():
        found = [other for each in chosen for other in related(each, relation)]
        if found:
            yield from fetch_tree(core, found, below)


def related(entity: Any, relation: str) -> list[Any]:
    """The entities that a relation leads to, as far as they are loaded."""
    value = entity.peek(relation) if relation in entity._type.attributes else None
    if isinstance(value, Entity):
        return [value]
    return value._members() if isinstance(value, Collection) and value.loaded else []


def _paths(entity_type: EntityType, tree: Tree, schema: Schema) -> Iterable[str]:
    quoted: Callable[[str], str] = lambda name: name if name.isidentifier() else f'"{name}"'  # noqa: E731
    for name, attribute in entity_type.attributes.items():
        if name in tree and attribute.target is not None:
            yield quoted(name)
            for path in _paths(schema.types[attribute.target], tree[name], schema):
                yield f"{quoted(name)}.{path}"
        elif attribute.kind != "collection" and name not in entity_type.key:
            yield quoted(name)
