"""Records become entities: the one place where code is generated.

Theory. A page holds thousands of rows of one shape (entity type, attributes). Per row, a general loop
would look up each attribute's slot, kind and target again; so the loop for a shape is written out once,
compiled, and kept. It does what `merge_plainly` in `tests/entity/plain_loader.py` does;
a property keeps both equal:

- the entity of the row's key is found in the family's map, or made (filled as its storage class, whose
  writes are not tracked, then given its public class); before its references are looked up, as a row may refer
  to itself;
- every value of the row is stored; a reference becomes the live entity of that key, or a ghost of which
  only the key is known;
- an entity with pending changes keeps them: see `merge_changed`.

The cost per row depends on the row alone, not on the width of the schema.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import Factory, define

from callsheet.entity.collection import Collection
from callsheet.entity.entity import PendingChanges
from callsheet.entity.frozen import freeze
from callsheet.entity.identity_map import Slot, forget
from callsheet.entity.peers import Peers
from callsheet.entity.types import Types, slot_name
from callsheet.model.record import NOT_SET, Records

__all__ = ["make_ghost", "merge_records", "new_ghost"]


def merge_records(records: Records, core: Any, types: Types, peers: Peers, origin: Peers | None = None) -> list[Any]:
    """The entities of the rows, in their order, with the rows' values merged in.

    ``peers`` is the group they join; ``origin`` the group that new ghosts hang from (default: the same).
    """
    shape = (records.entity_type, records.attributes)
    loader = types.loaders.get(shape)
    if loader is None:
        loader = types.loaders[shape] = _compile(types, *shape)
    entity_class: Any = types[records.entity_type]
    family = core.identities.family(entity_class._type.root)
    relations = []
    for name in records.attributes:
        attribute = entity_class._type.attributes[name]
        if attribute.kind in ("reference", "collection"):
            relations.append(_Relation(core, types, attribute.target, Peers("", (origin or peers, name))))
    entities: list[Any] = loader(records.rows, core, family.slots, peers, relations)
    peers.keys.extend([row[0] for row in records.rows])
    return entities


def make_ghost(core: Any, entity_class: Any, key: Any, peers: Peers | None) -> Any:
    """An entity of which only the key is known, put in the identity map."""
    slots = core.identities.family(entity_class._type.root).slots
    return new_ghost(core, entity_class, entity_class._storage, slots, key, peers)


def new_ghost(core: Any, entity_class: Any, storage: Any, slots: dict[Any, Slot], key: Any, peers: Peers | None) -> Any:
    """`make_ghost`, for those who know the class's storage and the family's slots."""
    ghost = object.__new__(storage)
    ghost._core, ghost._key, ghost._version, ghost._changes, ghost._peers = core, key, None, None, peers
    ghost.__class__ = entity_class
    slot = Slot(ghost, forget)
    slot.key, slot.slots = key, slots
    slots[key] = slot
    return ghost


class _Relation:
    """Finds or makes the entities at the other end of a relation, for one page."""

    __slots__ = ("_core", "_known", "_peers", "_target", "_types", "polymorphic", "slots")

    def __init__(self, core: Any, types: Types, target: str, peers: Peers) -> None:
        self._core, self._types, self._target, self._peers = core, types, target, peers
        self._known: dict[str, tuple[Any, Any]] = {}
        entity_type = types.schema.types[target]
        peers.root = entity_type.root
        self.polymorphic = types.schema.polymorphic(target)
        self.slots = core.identities.family(entity_type.root).slots

    def ghost(self, key: Any) -> Any:
        """A new ghost for what a row holds: a key, or a type and a key."""
        name = self._target
        if self.polymorphic:
            name, key = key
        known = self._known.get(name)
        if known is None:
            entity_class: Any = self._types[name]
            known = self._known[name] = entity_class, entity_class._storage
        self._peers.keys.append(key)
        return new_ghost(self._core, *known, self.slots, key, self._peers)

    def find(self, key: Any) -> Any:
        """The live entity, or a ghost."""
        slot = self.slots.get(key[1] if self.polymorphic else key)
        found = slot() if slot is not None else None
        return found if found is not None else self.ghost(key)

    def find_all(self, keys: Sequence[Any] | None) -> list[Any]:
        return [self.find(key) for key in keys or ()]


def merge_changed(entity: Any, values: dict[str, Any], version: int | None, peers: Peers) -> None:
    """Merge a row into an entity with pending changes: local values stay, the rest becomes current.

    What the server says of a locally changed attribute is remembered for a rollback. The value that the
    change was based on stays its base, so that the commit still finds the conflict. A number that is adjusted here is
    adjusted from the server's value on.
    """
    changes: PendingChanges = entity._changes
    storage = entity._storage
    for name, value in values.items():
        attribute = entity._type.attributes[name]
        if name in changes.before:
            changes.own_remote()[name] = value
            if name in changes.adjusted:
                vars(storage)[slot_name(attribute)].__set__(entity, changes.adjusted[name].apply(value))
        else:
            vars(storage)[slot_name(attribute)].__set__(entity, value)
    for cell in changes.adjusted:
        if "." in cell and cell.partition(".")[0] in values:
            changes.unit.show_adjusted(entity, cell)
    object.__setattr__(entity, "_peers", peers)
    if entity._version is None and not changes.before:
        object.__setattr__(entity, "_version", version)
        changes.version = version


def merge_collection(entity: Any, name: str, members: list[Any]) -> Collection:
    """Put the members that the server sent into the entity's collection; what is pending on it stays."""
    attribute = entity._type.attributes[name]
    descriptor = vars(entity._storage)[slot_name(attribute)]
    try:
        collection: Collection = descriptor.__get__(entity)
    except AttributeError:
        collection = Collection(entity, name, members)
        descriptor.__set__(entity, collection)
    collection.remote = members
    inverse = attribute.inverse
    for member in members:
        if inverse is not None and inverse in member._getters:
            _agree_with_reference(collection, member, inverse)
    return collection


def _agree_with_reference(collection: Collection, member: Any, name: str) -> None:
    """A member of a one-to-many collection refers to its owner, unless it was moved here since."""
    attribute = member._type.attributes[name]
    if attribute.kind != "reference":
        return
    entity = collection.owner
    value = member.peek(name)
    if value is NOT_SET:
        vars(member._storage)[slot_name(attribute)].__set__(member, entity)
    elif value is not entity and member._changes is not None and name in member._changes.before:
        entity._core.unit.collection(entity, collection.attribute).removed[member] = None


@define
class _Steps:
    """The lines of a loader, by the place in `_LOADER` where they go; one variable (``v0``, ``v1`` …) per attribute."""

    setup: list[str] = Factory(list)
    converts: list[str] = Factory(list)
    stores: list[str] = Factory(list)
    collections: list[str] = Factory(list)
    values: list[str] = Factory(list)
    relations: int = 0

    def reference(self, name: str, slot: str, variable: str, polymorphic: bool) -> None:
        """Replace the key by the live entity, or by a ghost, and store it."""
        number, key = self.relations, f"{variable}[1]" if polymorphic else variable
        self.relations += 1
        self.setup += [f"r{number} = relations[{number}]", f"s{number} = r{number}.slots.get"]
        self.setup += [f"g{number} = r{number}.ghost"]
        self.converts += [
            f"if {variable} is not None:",
            f"    slot = s{number}({key})",
            "    other = slot() if slot is not None else None",
            f"    {variable} = other if other is not None else g{number}({variable})",
        ]
        self.value(name, slot, variable)

    def collection(self, name: str, variable: str) -> None:
        """Merge the members into the entity's collection, after its other values."""
        number = self.relations
        self.relations += 1
        self.setup += [f"c{number} = relations[{number}].find_all"]
        self.collections += [f"merge_collection(entity, {name!r}, c{number}({variable}))"]

    def json(self, name: str, slot: str, variable: str) -> None:
        """Freeze lists and mappings, and store them."""
        self.converts += [f"if type({variable}) in (dict, list): {variable} = freeze({variable})"]
        self.value(name, slot, variable)

    def value(self, name: str, slot: str, variable: str) -> None:
        """Store the value as it is."""
        self.stores += [f"entity.{slot} = {variable}"]
        self.values += [f"{name!r}: {variable}"]


def _compile(types: Types, type_name: str, attributes: tuple[str, ...]) -> Callable[..., list[Any]]:
    """The loader of a shape."""
    entity_class: Any = types[type_name]
    variables = [f"v{index}" for index in range(len(attributes))]
    steps = _Steps()
    for name, variable in zip(attributes, variables):
        attribute = entity_class._type.attributes[name]
        slot = slot_name(attribute)
        if attribute.kind == "reference":
            steps.reference(name, slot, variable, types.schema.polymorphic(attribute.target or ""))
        elif attribute.kind == "collection":
            steps.collection(name, variable)
        elif attribute.data_type == "json":
            steps.json(name, slot, variable)
        else:
            steps.value(name, slot, variable)
    scope = {**_SCOPE, "Storage": entity_class._storage, "Class": entity_class}
    exec(compile(_source(steps, variables), f"<loader of {type_name}>", "exec"), scope)
    load: Callable[..., list[Any]] = scope["load"]
    return load


def _source(steps: _Steps, variables: list[str]) -> str:
    return _LOADER.format(
        setup=_indent(steps.setup, 4),
        unpack=", ".join(["key", "version", *variables]) + ("," if not variables else ""),
        converts=_indent(steps.converts, 8),
        stores=_indent(steps.stores, 12),
        collections=_indent(steps.collections, 8),
        values=", ".join(steps.values),
    )


def _indent(lines: list[str], width: int) -> str:
    return "\n".join(" " * width + line for line in lines)


_SCOPE: dict[str, Any] = {
    "new": object.__new__,
    "become": object.__setattr__,
    "Slot": Slot,
    "forget": forget,
    "freeze": freeze,
    "merge_changed": merge_changed,
    "merge_collection": merge_collection,
}
"""The names that every loader uses."""

_LOADER = """
def load(rows, core, slots, peers, relations):
    entities = []
    append = entities.append
    find = slots.get
{setup}
    for row in rows:
        {unpack} = row
        slot = find(key)
        entity = slot() if slot is not None else None
        if entity is None:
            entity = new(Storage)
            entity._core = core
            entity._key = key
            entity._changes = None
            slot = Slot(entity, forget)
            slot.key = key
            slot.slots = slots
            slots[key] = slot
            known = False
        else:
            known = True
{converts}
        if known and entity._changes is not None:
            become(entity, "__class__", Class)
            merge_changed(entity, {{{values}}}, version, peers)
        else:
            if known:
                become(entity, "__class__", Storage)
{stores}
            entity._version = version
            entity._peers = peers
            entity.__class__ = Class
{collections}
        append(entity)
    return entities
"""
