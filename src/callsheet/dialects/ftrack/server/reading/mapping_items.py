"""Items of mappings as rows: metadata, and values of custom attributes, one for every configuration that applies."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Any

from attrs import evolve

from callsheet.dialects.ftrack.server.reading.projection import AnswerNode
from callsheet.dialects.ftrack.server.reading.serialization import tagged
from callsheet.dialects.ftrack.server.reading.store_reader import PAGE, StoreReader
from callsheet.dialects.ftrack.server.schema.catalogue import Property, VendorType, joined_key
from callsheet.dialects.ftrack.server.schema.configurations import BETWEEN, Configuration, applies
from callsheet.dialects.ftrack.server.translation.normal_form import disjuncts
from callsheet.errors import QueryError
from callsheet.model.language.leniency import lenient_value
from callsheet.model.language.matching import matches
from callsheet.model.query import And, Comparison, Condition, Not, Or, Order, Path, Select
from callsheet.model.schema import Attribute, EntityType

__all__ = ["applicable", "fill_items", "holders", "item_rows", "projects"]

METADATA = "Metadata"
Record = dict[str, Any]


def fill_items(reader: StoreReader, node: AnswerNode, prop: Property) -> None:
    """Make the rows of a mapping that a place needs."""
    held = node.links.get(prop.name, {})
    child = node.children.get(prop.name, {}).get(None)
    if child is None:
        return
    kinds = {key: node.objects[key]["__entity_type__"] for key in held}
    node.links[prop.name] = _made(reader, child, prop.kind, prop.target, held, kinds)


def _made(
    reader: StoreReader, child: AnswerNode, kind: str, name: str, held: Mapping[str, Any], kinds: Mapping[str, str]
) -> dict[str, list[str]]:
    if kind == "metadata":
        return {owner: _metadata(child, owner, kinds[owner], items or {}) for owner, items in held.items()}
    of = applicable(reader, kinds)
    return {
        owner: [_value(child, name, owner, each, items or {}) for each in of[owner]] for owner, items in held.items()
    }


def _metadata(child: AnswerNode, owner: str, kind: str, items: Mapping[str, Any]) -> list[str]:
    keys = []
    for key, value in sorted(items.items()):
        keys.append(joined_key([owner, key]))
        child.objects[keys[-1]] = {
            "__entity_type__": METADATA,
            "parent_id": owner,
            "key": key,
            "value": value,
            "parent_type": kind,
        }
    return keys


def _value(child: AnswerNode, name: str, owner: str, found: Configuration, items: Mapping[str, Any]) -> str:
    key = joined_key([found.id, owner])
    value = found.on_wire(items.get(found.item))
    child.objects[key] = {
        "__entity_type__": name,
        "configuration_id": found.id,
        "entity_id": owner,
        "key": found.key,
        "value": tagged(value) if isinstance(value, date) else value,
    }
    child.links.setdefault("configuration", {})[key] = found.id
    return key


def applicable(reader: StoreReader, kinds: Mapping[str, str]) -> dict[str, list[Configuration]]:
    """By entity, the configurations that apply to it; ``kinds`` are the entities' types by key."""
    configurations = reader.configurations()
    by_kind = {kind: _of_type(reader, configurations, kind) for kind in dict.fromkeys(kinds.values())}
    special = [owner for owner, kind in kinds.items() if any(found.project for found in by_kind[kind])]
    of = projects(reader, {owner: kinds[owner] for owner in special})
    return {owner: _own_first(by_kind[kind], of.get(owner)) for owner, kind in kinds.items()}


def _own_first(configurations: Sequence[Configuration], project: str | None) -> list[Configuration]:
    """Those for all projects, and those of this one, which stand in for others with the same key."""
    own = [found for found in configurations if found.project is not None and found.project == project]
    taken = {(found.key, found.hierarchical) for found in own}
    others = (found for found in configurations if found.project is None)
    return [*own, *(found for found in others if (found.key, found.hierarchical) not in taken)]


def _of_type(reader: StoreReader, configurations: Sequence[Configuration], kind: str) -> list[Configuration]:
    found = reader.catalogue.types[kind]
    if found.entity_type is None:
        return []
    line = (found.entity_type.name, *found.entity_type.ancestors)
    having = [each for each in configurations if applies(each, line, found.discriminator)]
    return sorted(having, key=lambda each: each.hierarchical)


def projects(reader: StoreReader, kinds: Mapping[str, str]) -> dict[str, str | None]:
    """The project of each entity, where it has one."""
    found: dict[str, str | None] = {}
    roots: dict[str, list[str]] = {}
    for owner, kind in kinds.items():
        entity_type = reader.catalogue.types[kind].entity_type
        if entity_type is not None:
            roots.setdefault(entity_type.root, []).append(owner)
    for owner, row in _rows(reader, "Context", roots.get("Context", []), "project").items():
        found[owner] = row["project"]
    versions = _rows(reader, "AssetVersion", roots.get("AssetVersion", []), "asset")
    assets = {row["asset"] for row in versions.values()} | set(roots.get("Asset", []))
    parents = _rows(reader, "Asset", [key for key in assets if key], "parent")
    of = _rows(reader, "Context", list({row["parent"] for row in parents.values() if row["parent"]}), "project")
    for owner in roots.get("Asset", []):
        found[owner] = of.get(parents.get(owner, {}).get("parent"), {}).get("project")
    for owner, row in versions.items():
        found[owner] = of.get(parents.get(row["asset"], {}).get("parent"), {}).get("project")
    return found


def _rows(reader: StoreReader, entity_type: str, keys: Collection[str], name: str) -> dict[Any, Record]:
    return dict(reader.rows(entity_type, keys, [name])) if keys else {}


# Rows that are queried by themselves


def holders(reader: StoreReader, name: str) -> list[EntityType]:
    """The store's types whose entities have rows of this type, the oldest ancestors only."""
    mapping = "metadata" if name == METADATA else "custom_attributes"
    having: dict[str, EntityType] = {}
    for found in reader.catalogue.types.values():
        entity_type = found.entity_type
        prop = None if entity_type is None else found.properties.get(mapping)
        if entity_type is not None and prop is not None and name in (prop.target, "CustomAttributeValue"):
            having[entity_type.name] = entity_type
    return [each for each in having.values() if not any(above in having for above in each.ancestors)]


def item_rows(reader: StoreReader, node: AnswerNode, where: Condition | None, order: Sequence[Order]) -> list[str]:
    """Make the rows that fit a condition; their keys in order."""
    mapping = "metadata" if node.type.name == METADATA else "custom_attributes"
    keys = _owners(where, "parent_id" if mapping == "metadata" else "entity_id")
    found: list[str] = []
    for holder in holders(reader, node.type.name):
        for held, kinds in _held(reader, holder, mapping, keys):
            kind = "metadata" if mapping == "metadata" else "custom"
            made = _made(reader, node, kind, node.type.name, held, kinds)
            for rows in made.values():
                found += [key for key in rows if _fits(reader, node, key, where)]
    found.sort()
    for each in reversed(order):
        name = each.path.names[-1]
        if any(isinstance(node.objects[key].get(name), dict | list) for key in found):
            raise QueryError(f"{node.type.name} cannot be ordered by {name}.")
        found.sort(key=lambda key: _sortable(node.objects[key].get(name)), reverse=each.descending)
    return found


def _sortable(value: Any) -> tuple[int, Any]:
    if value is None:
        return 0, 0
    return (1, float(value)) if isinstance(value, int | float) else (2, str(value))


def _held(
    reader: StoreReader, holder: EntityType, mapping: str, keys: frozenset[str] | None
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Mappings by owner, and the owners' types, in portions."""
    listed = None if keys is None else sorted(keys)
    portions = [None] if listed is None else [tuple(listed[at : at + PAGE]) for at in range(0, len(listed), PAGE)]
    for portion in portions:
        where = None if portion is None else Comparison(Path.of("id"), "in", portion)
        select = Select(holder.name, (Path.of(mapping),), where)
        cursor: str | None = None
        while True:
            page = reader.backend.select(select, PAGE, cursor)
            held: dict[str, Any] = {}
            kinds: dict[str, str] = {}
            for block in page.records[: page.roots]:
                for row in block.rows:
                    held[row[0]], kinds[row[0]] = row[2], block.entity_type
            yield held, kinds
            cursor = page.cursor
            if cursor is None:
                break


def _owners(where: Condition | None, name: str) -> frozenset[str] | None:
    """The owners that a condition limits the rows to; None: any."""
    if where is None:
        return None
    found: set[str] = set()
    for clause in disjuncts(where):
        named: set[str] | None = None
        for literal in clause:
            comparison = literal.condition
            if not isinstance(comparison, Comparison) or literal.negated or comparison.path.names != (name,):
                continue
            if comparison.operator == "=":
                named = {str(comparison.value)}
            elif comparison.operator == "in" and isinstance(comparison.value, tuple):
                named = {str(value) for value in comparison.value}
        if named is None:
            return None
        found |= named
    return frozenset(found)


def _fits(reader: StoreReader, node: AnswerNode, key: str, where: Condition | None) -> bool:
    if where is None:
        return True
    record = dict(node.objects[key])
    value = record["value"]
    if isinstance(value, list):
        record["value"] = BETWEEN.join(value)
    elif isinstance(value, dict):
        record["value"] = value.get("value")
    if node.type.name != METADATA:
        configuration = next(each for each in reader.configurations() if each.id == record["configuration_id"])
        record["configuration"] = configuration.record["configuration"]
        where = _valued(where, configuration.value_attribute)
    try:
        return matches(where, record)
    except (TypeError, AttributeError):
        raise QueryError(f"The condition compares what cannot be compared with {node.type.name}.") from None


def _valued(where: Condition, attribute: Attribute) -> Condition:
    """The condition with what is compared with the value brought to what such values are."""
    if isinstance(where, And | Or):
        return type(where)(tuple(_valued(part, attribute) for part in where.conditions))
    if isinstance(where, Not):
        return Not(_valued(where.condition, attribute))
    if not isinstance(where, Comparison) or where.path.names != ("value",):
        return where
    value = where.value
    read = partial(lenient_value, attribute)
    return evolve(where, value=tuple(map(read, value)) if isinstance(value, tuple) else read(value))


def row_type(found: VendorType) -> bool:
    """Whether the entities of a type are items of a mapping."""
    return found.entity_type is None and (found.name == METADATA or found.name.endswith("CustomAttributeValue"))
