"""Entities become plain data, as JSON has it.

An entity is an object of ``__model__`` (its concrete type), its key, and its attributes. A reference is the key of what
it refers to; where several types are possible, an object of type and key. What is included stands in its place as an
object of its own, once: where it comes again, type and key stand for it. Dates and times are ISO texts.

All that is included is fetched before anything is written: one request for each concrete type that is dumped, and one
more for each type below it whose own attributes are missing; never one for each entity or each relation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from attrs import frozen

from callsheet.core.core import Core
from callsheet.core.plain.fetching import fetch_tree
from callsheet.core.plain.trees import Tree, tree_of, wrong_names
from callsheet.entity.collection import MappingView
from callsheet.entity.entity import Entity
from callsheet.errors import SchemaError, UsageError
from callsheet.flow import Flow
from callsheet.model.record import NOT_SET
from callsheet.model.schema import EntityType, Schema

__all__ = ["MODEL", "dump", "to_json", "to_yaml"]

MODEL = "__model__"


def dump(core: Core, entities: Any, only: Any = None, include: Any = None, ignore: Any = None) -> Flow[Any]:
    """One entity as plain data, or several as a list.

    ``include`` names relations that are dumped too, to any depth: ``{"items": ["location"]}``, ``"items.location"``.
    ``only`` and ``ignore`` name the attributes that are dumped, or not; a dotted name is one of what is included.
    """
    chosen = core._check_entities(entities)
    wanted = Extent(tree_of(include), tree_of(only), tree_of(ignore))
    problems = list(dict.fromkeys(text for each in chosen for text in wanted.problems(each._type, core.schema)))
    if problems:
        raise SchemaError(f"nothing is dumped:{''.join(f'{chr(10)}  - {text}' for text in problems)}")
    yield from fetch_tree(core, chosen, wanted.include)
    writer = _PlainWriter(core.schema)
    found = [writer.object_of(each, wanted) for each in chosen]
    return found[0] if isinstance(entities, Entity) else found


def to_json(core: Core, entities: Any, only: Any = None, include: Any = None, ignore: Any = None) -> Flow[str]:
    """The text of a dump as JSON."""
    import json

    found = yield from dump(core, entities, only, include, ignore)
    return json.dumps(found, ensure_ascii=False, indent=2, allow_nan=False)


def to_yaml(core: Core, entities: Any, only: Any = None, include: Any = None, ignore: Any = None) -> Flow[str]:
    """The text of a dump as YAML; needs the package ``pyyaml`` (the extra ``yaml``)."""
    yaml = yaml_module()
    found = yield from dump(core, entities, only, include, ignore)
    text: str = yaml.safe_dump(found, allow_unicode=True, sort_keys=False)
    return text


def yaml_module() -> Any:
    """The package that reads and writes YAML; `UsageError` where it is not installed."""
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError:
        raise UsageError("YAML needs the package pyyaml: `pip install callsheet[yaml]`") from None
    return yaml


@frozen
class Extent:
    """What is dumped of an entity: relations, and attributes by name."""

    include: Tree
    only: Tree
    ignore: Tree

    def problems(self, entity_type: EntityType, schema: Schema) -> Iterable[str]:
        yield from wrong_names(self.include, entity_type, schema, "include", relations=True)
        yield from wrong_names(self.only, entity_type, schema, "only")
        yield from wrong_names(self.ignore, entity_type, schema, "ignore")

    def takes(self, name: str) -> bool:
        """Whether an attribute is dumped."""
        if name in self.ignore and not self.ignore[name]:
            return False
        return not self.only or name in self.only or name in self.include

    def below(self, name: str) -> Extent:
        """What is dumped of the entities that a relation leads to."""
        return Extent(self.include.get(name, {}), self.only.get(name, {}), self.ignore.get(name, {}))


class _PlainWriter:
    """Writes each entity once, with its attributes."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._written: set[int] = set()

    def object_of(self, entity: Any, wanted: Extent) -> dict[str, Any]:
        found = _stub(entity)
        if id(entity) in self._written:
            return found
        self._written.add(id(entity))
        for name, attribute in entity._type.attributes.items():
            if name in entity._type.key or not wanted.takes(name):
                continue
            if attribute.kind == "mapping":
                found[name] = _plain(dict(MappingView(entity, name)))
            elif attribute.kind == "scalar":
                found[name] = _plain(entity.peek(name))
            elif name in wanted.include:
                found[name] = self._related(entity, name, wanted.below(name))
            elif attribute.kind == "reference":
                other = entity.peek(name) or None
                plain = other is None or not self._schema.polymorphic(str(attribute.target))
                found[name] = other and (_key(other) if plain else _stub(other))
            if found.get(name, 0) is NOT_SET:
                del found[name]
        return found

    def _related(self, entity: Any, name: str, wanted: Extent) -> Any:
        value = entity.peek(name)
        if isinstance(value, Entity):
            return self.object_of(value, wanted)
        return [self.object_of(each, wanted) for each in value._members()] if value else None


def _stub(entity: Any) -> dict[str, Any]:
    names = entity._type.key
    return {MODEL: entity._name, **dict(zip(names, entity._key if len(names) > 1 else (entity._key,)))}


def _key(entity: Any) -> Any:
    return entity._key if len(entity._type.key) == 1 else _stub(entity)


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
