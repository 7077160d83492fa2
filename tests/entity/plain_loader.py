"""The plain twin of the generated loader: one general loop that merges rows into entities, written for the reader."""

from __future__ import annotations

from typing import Any

from callsheet.entity.collection import Collection
from callsheet.entity.frozen import freeze
from callsheet.entity.loader import make_ghost
from callsheet.entity.peers import Peers
from callsheet.entity.types import Types, slot_name
from callsheet.model.record import NOT_SET, Records
from callsheet.model.schema import Attribute

__all__ = ["held", "merge_plainly"]


def merge_plainly(records: Records, core: Any, types: Types, peers: Peers, origin: Peers | None = None) -> list[Any]:
    """What `merge_records` does, attribute by attribute."""
    entity_class: Any = types[records.entity_type]
    attributes = [entity_class._type.attributes[name] for name in records.attributes]
    ends = {each.name: _end(types, each, origin or peers) for each in attributes if each.target is not None}
    found = []
    for key, version, *values in records.rows:
        entity = core.identities.family(entity_class._type.root).get(key)
        if entity is None:
            entity = make_ghost(core, entity_class, key, peers)
        row = list(zip(attributes, values))
        plain = {each.name: _value(core, types, each, ends, value) for each, value in row if each.kind != "collection"}
        _switch(entity, entity_class)
        _merge(entity, plain, version)
        object.__setattr__(entity, "_peers", peers)
        for each, keys in row:
            if each.kind == "collection":
                members = [_other(core, types, each, ends[each.name], key) for key in keys or ()]
                _merge_members(entity, each, members)
        found.append(entity)
    peers.keys += [row[0] for row in records.rows]
    return found


def held(entity: Any, attribute: Attribute) -> Any:
    """What the slot of an attribute holds; `NOT_SET` where it is empty."""
    try:
        return vars(entity._storage)[slot_name(attribute)].__get__(entity)
    except AttributeError:
        return NOT_SET


def _hold(entity: Any, attribute: Attribute, value: Any) -> None:
    vars(entity._storage)[slot_name(attribute)].__set__(entity, value)


def _switch(entity: Any, entity_class: Any) -> None:
    """The entity is of the row's type from now on."""
    object.__setattr__(entity, "__class__", entity_class)


def _end(types: Types, attribute: Attribute, origin: Peers) -> Peers:
    """The peers that the new entities at the other end of a relation join."""
    return Peers(types.schema.types[str(attribute.target)].root, (origin, attribute.name))


def _value(core: Any, types: Types, attribute: Attribute, ends: dict[str, Peers], value: Any) -> Any:
    """A row's value as an entity holds it: entities instead of keys, JSON that cannot be changed in place."""
    if attribute.kind == "reference":
        return None if value is None else _other(core, types, attribute, ends[attribute.name], value)
    return freeze(value) if attribute.data_type == "json" else value


def _other(core: Any, types: Types, attribute: Attribute, peers: Peers, told: Any) -> Any:
    """The live entity of a key, or a new ghost; where subtypes exist, a key comes with its type."""
    target = str(attribute.target)
    type_name, key = told if types.schema.polymorphic(target) else (target, told)
    known = core.identities.family(types.schema.types[target].root).get(key)
    if known is not None:
        return known
    peers.keys.append(key)
    return make_ghost(core, types[type_name], key, peers)


def _merge(entity: Any, row: dict[str, Any], version: int | None) -> None:
    """Values of the row become current, except those that are changed here: their new value on the server is noted."""
    changes = entity._changes
    for name, value in row.items():
        if changes is not None and name in changes.before:
            changes.own_remote()[name] = value
        else:
            _hold(entity, entity._type.attributes[name], value)
    if changes is None:
        object.__setattr__(entity, "_version", version)
    elif entity._version is None and not changes.before:
        object.__setattr__(entity, "_version", version)
        changes.version = version


def _merge_members(entity: Any, attribute: Attribute, members: list[Any]) -> None:
    """These are the members on the server; they refer to their owner, unless they were moved elsewhere here."""
    collection = held(entity, attribute)
    if collection is NOT_SET:
        collection = Collection(entity, attribute.name)
        _hold(entity, attribute, collection)
    collection.remote = members
    for member in members:
        back = member._type.attributes.get(attribute.inverse or "")
        if back is None or back.kind != "reference":
            continue
        value = held(member, back)
        if value is NOT_SET:
            _hold(member, back, entity)
        elif value is not entity and member._changes is not None and back.name in member._changes.before:
            entity._core.unit.collection(entity, attribute.name).removed[member] = None
