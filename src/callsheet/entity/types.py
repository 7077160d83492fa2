"""One class for each entity type, built from the schema when it is first used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from keyword import iskeyword
from typing import Any

import attrs

from callsheet.entity.access import Fast, attribute_writer, item_reader, item_writer
from callsheet.entity.collection import MappingView
from callsheet.entity.documentation import described
from callsheet.entity.entity import RESERVED, YIELDING, Entity, EntityClass
from callsheet.errors import SchemaError
from callsheet.model.schema import Attribute, EntityType, Schema, did_you_mean

__all__ = ["Types"]

_HIDDEN = ("_core", "_key", "_version", "_changes", "_peers", "__weakref__")
_EXACT = {"string": str, "integer": int, "number": float, "boolean": bool}


class Types(Mapping[str, type[Entity]]):
    """The entity classes of a schema by name.

    ``types["Task"]`` is the class of all tasks: ``isinstance(x, types["Task"])`` works, and so does
    ``isinstance(x, types["Context"])`` for a type it extends.
    """

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.loaders: dict[tuple[str, tuple[str, ...]], Any] = {}
        self._classes: dict[str, type[Entity]] = {}
        self._storages: dict[str, type] = {}
        self._behaviours: dict[str, list[type]] = {}
        self._waiting: dict[str, list[Callable[[], type]]] = {}
        self._mirrors: dict[tuple[str, str], list[tuple[str, str]]] = {}
        #: Called with each type whose class is about to be made; it may extend the type.
        self.constructing: Callable[[EntityType], None] | None = None

    def __getitem__(self, name: str) -> type[Entity]:
        found = self._classes.get(name)
        return found if found is not None else self._build(name)

    def __repr__(self) -> str:
        return f"<Types of {self.schema.name!r}: {', '.join(sorted(self))}>"

    def _ipython_key_completions_(self) -> list[str]:
        return sorted(self.schema.types)

    def __iter__(self) -> Iterator[str]:
        return iter(self.schema.types)

    def __len__(self) -> int:
        return len(self.schema.types)

    def __contains__(self, name: object) -> bool:
        return name in self.schema.types

    def extend(self, name: str, behaviour: type) -> None:
        """Add the methods of a class to an entity type and all types below it.

        >>> class Greeter:
        ...     def greet(self):
        ...         return f"hello {self['name']}"
        >>> session.types.extend("Project", Greeter)  # doctest: +SKIP
        """
        self.schema.type(name)
        attributes = {slot for slot in vars(behaviour) if not slot.startswith("_")}
        clash = sorted(attributes & set(self.schema.types[name].names))
        if clash:
            raise SchemaError(f"{behaviour.__name__}.{clash[0]} would hide the attribute {name}.{clash[0]}; rename it")
        slotted = _slotted(behaviour)
        self._behaviours.setdefault(name, []).append(slotted)
        if name in self._classes:
            built = self._classes[name]
            built.__bases__ = (slotted, *built.__bases__)
        for built in self._classes.values():
            if issubclass(built, slotted):
                _give_way(built, slotted)

    def behave(self, name: str, load: Callable[[], type]) -> None:
        """Like `extend`, with a class that is loaded when the type is first used, so that it costs nothing before.

        This is for behaviours that come with Callsheet: where the schema has an attribute of the same name as
        one of their methods, the attribute stands and the behaviour is left out. A type that the schema has not
        is passed over.
        """
        if name in self._classes:
            self._extend_if_free(name, load())
        elif name in self.schema.types:
            self._waiting.setdefault(name, []).append(load)

    def _extend_if_free(self, name: str, behaviour: type) -> None:
        names = {slot for slot in vars(behaviour) if not slot.startswith("_")}
        having = [self.schema.types[each].names for each in self.schema.types if self.schema.is_a(each, name)]
        if not any(names & set(each) for each in having):
            self.extend(name, behaviour)

    def behaviours(self, name: str) -> tuple[type, ...]:
        """The classes whose methods the entities of a type have, without those of the types above it."""
        self[name]
        return tuple(self._behaviours.get(name, ()))

    @property
    def extensions(self) -> list[tuple[str, str]]:
        """The types that were extended, each with the name of the class it got."""
        return [(name, each.__name__) for name, found in self._behaviours.items() for each in found]

    def storage(self, root: str) -> type:
        """The storage class of a family: a slot for each attribute of any of its types."""
        found = self._storages.get(root)
        if found is None:
            slots = dict.fromkeys(_HIDDEN)
            for entity_type in self.schema.types.values():
                if entity_type.root == root:
                    slots.update(dict.fromkeys(_storage_slots(entity_type)))
            found = self._storages[root] = type(f"{root}Storage", (), {"__slots__": tuple(slots)})
        return found

    def mirrors(self, type_name: str, reference: str) -> list[tuple[str, str]]:
        """The collections that mirror a reference: ``(owning type, collection)``."""
        key = (type_name, reference)
        found = self._mirrors.get(key)
        if found is None:
            found = self._mirrors[key] = list(self._find_mirrors(type_name, reference))
        return found

    def _find_mirrors(self, type_name: str, reference: str) -> Iterator[tuple[str, str]]:
        schema = self.schema
        target = schema.types[type_name].attributes[reference].target or type_name
        for owner in schema.types.values():
            if not (schema.is_a(owner.name, target) or schema.is_a(target, owner.name)):
                continue
            for attribute in owner.attributes.values():
                mirrors = attribute.kind == "collection" and attribute.inverse == reference
                if mirrors and schema.is_a(type_name, str(attribute.target)):
                    yield owner.name, attribute.name

    def replace(self, schema: Schema) -> list[str]:
        """Learn what was added and changed since: custom attributes, user tables, types and their attributes.

        Gives the names of the types that have changed, or are gone: their classes and loaders are forgotten.
        """
        stale = self.stale(schema)
        for name, known in list(self.schema.types.items()):
            entity_type = schema.types.get(name)
            if name in stale:
                self._classes.pop(name, None)
                self._storages.pop(name, None)
            elif entity_type is not None:
                known.custom, known.table = entity_type.custom, entity_type.table
                if name in self._classes:
                    self._classes[name].__doc__ = described(known)
        for place in [place for place in self.loaders if place[0] in stale]:
            del self.loaders[place]
        self._mirrors.clear()
        self.schema = self.schema.followed(schema, stale)
        for kept in self._classes.values():
            type.__setattr__(kept, "_schema", self.schema)
        return stale

    def stale(self, schema: Schema) -> list[str]:
        """The types that are not what they are in another schema, with all of their families, which share slots."""
        stale: list[str] = []
        families: set[str] = set()
        for name, known in self.schema.types.items():
            entity_type = schema.types.get(name)
            if known.table or known.external:
                if entity_type is None or not _alike(known, entity_type):
                    stale.append(name)
            elif entity_type is None or not _same(known, entity_type):
                families.add(known.root)
        for name, added in schema.types.items():
            if name not in self.schema.types and added.root in self.schema.types:
                families.add(added.root)
        return stale + [name for name, known in self.schema.types.items() if known.root in families]

    def _build(self, name: str) -> type[Entity]:
        entity_type = self.schema.types.get(name)
        if entity_type is None:
            raise SchemaError(f"there is no entity type `{name}`{did_you_mean(name, self.schema.types)}")
        for load in self._waiting.pop(name, ()):
            self._extend_if_free(name, load())
        if self.constructing is not None:
            self.constructing(entity_type)
        storage = self.storage(entity_type.root)
        bases: tuple[type, ...] = (self[entity_type.parent],) if entity_type.parent else (Entity, storage)
        built: Any = EntityClass(
            name,
            (*reversed(self._behaviours.get(name, ())), *bases),
            {
                "__slots__": (),
                "__module__": "callsheet.entities",
                "__doc__": described(entity_type),
                "_schema": self.schema,
                "_type": entity_type,
                "_name": name,
                "_storage": storage,
                **_tables(entity_type, storage),
                **_properties(entity_type, storage),
            },
        )
        _give_access(built, storage)
        made: type[Entity] = built
        self._classes[name] = made
        return made


def _alike(one: EntityType, other: EntityType) -> bool:
    """Whether two user tables, or external ones, are the same one, with the same attributes."""
    if one.external is not None:
        return one.external == other.external and one.attributes == other.attributes
    number = None if one.table is None else one.table.number
    return other.table is not None and other.table.number == number and one.attributes == other.attributes


def _same(one: EntityType, other: EntityType) -> bool:
    """Whether a type is as it was, but for its custom attributes."""
    names = ("parent", "abstract", "key", "label", "attributes", "unique", "distinct", "description", "codes")
    return all(getattr(one, name) == getattr(other, name) for name in names)


def slot_name(attribute: Attribute) -> str:
    """The slot of an attribute: its own name, unless that is taken, a view stands before it, or it is no name.

    >>> slot_name(Attribute("bid")), slot_name(Attribute("from")), slot_name(Attribute("frame-start"))
    ('bid', 'from_', 'frame_2d_start_')
    """
    name = attribute.name
    if not name.isidentifier() or name.startswith("_"):
        # No server of ours has such names; others may.
        letters = "".join(each if f"a{each}".isidentifier() else f"_{ord(each):x}_" for each in name)
        return f"{letters if letters.isidentifier() and not letters.startswith('_') else f'attribute_{letters}'}_"
    return f"{name}_" if attribute.kind == "mapping" or name in RESERVED or iskeyword(name) else name


def _give_access(built: Any, storage: type) -> None:
    """Item access and writing of its own, unless a behaviour has its own way."""
    write = item_writer(built._name, built._fast, storage)
    for name, access in (
        ("__getitem__", item_reader(built._slot_of)),
        ("__setitem__", write),
        ("__setattr__", attribute_writer(built._attribute_of, write)),
    ):
        if getattr(built, name).__module__ in (access.__module__, Entity.__module__):
            setattr(built, name, access)


def _give_way(built: Any, behaviour: type) -> None:
    """Let a behaviour that came later have its own item access."""
    for name in ("__getitem__", "__setitem__", "__setattr__"):
        if name in vars(behaviour) and name in vars(built):
            delattr(built, name)


def _storage_slots(entity_type: EntityType) -> list[str]:
    return [slot_name(a) for a in entity_type.attributes.values() if a.name not in entity_type.key]


def _tables(entity_type: EntityType, storage: type) -> dict[str, Any]:
    """The class's look-ups: attribute to access name, access name to attribute, readers, fast writers."""
    slot_of, attribute_of, getters, setters = {}, {}, {}, {}
    fast: dict[str, Fast] = {}
    computed, mappings = [], []
    for name, attribute in entity_type.attributes.items():
        if name in entity_type.key:
            slot_of[name] = name
            continue
        slot = slot_name(attribute)
        slot_of[name] = slot if attribute.kind != "mapping" else name
        attribute_of[slot] = name
        descriptor = vars(storage)[slot]
        getters[name] = descriptor.__get__
        setters[name] = descriptor.__set__
        if attribute.kind == "mapping":
            mappings.append(name)
        if attribute.computed and attribute.kind != "collection":
            computed.append((descriptor.__set__, descriptor.__delete__))
        plain = attribute.kind == "scalar" and not attribute.immutable and attribute.computed is None
        if plain and attribute.data_type in _EXACT and not entity_type.abstract:
            fast[name] = (descriptor.__get__, descriptor.__set__, _EXACT[attribute.data_type], attribute)
    for alias in entity_type.aliases:
        slot_of[alias] = alias
    return {
        "_slot_of": slot_of,
        "_attribute_of": attribute_of,
        "_getters": getters,
        "_setters": setters,
        "_fast": fast,
        "_computed": tuple(computed),
        "_mappings": tuple(mappings),
    }


def _properties(entity_type: EntityType, storage: type) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for alias, reference in entity_type.aliases.items():
        if alias not in RESERVED and alias not in entity_type.key:
            found[alias] = _alias_property(reference)
    for name in YIELDING:
        if (own := vars(storage).get(name)) is not None and name in entity_type.attributes:
            # The schema's attribute stands before the name that `Entity` has.
            found[name] = own
    for position, name in enumerate(entity_type.key):
        found[name] = _key_property(position if len(entity_type.key) > 1 else None)
    for name, attribute in entity_type.attributes.items():
        if attribute.kind == "mapping":
            found[name] = property(lambda self, name=name: MappingView(self, name))  # type: ignore[misc]
    return found


def _key_property(position: int | None) -> property:
    if position is None:
        return property(lambda self: self._key)
    return property(lambda self: self._key[position])


def _alias_property(reference: str) -> property:
    def key_of(self: Entity) -> Any:
        other = self[reference]
        return other._key if other else other

    return property(key_of)


def _slotted(behaviour: type) -> type:
    """The class without an instance dictionary, which entities have no room for."""
    if "__slots__" in vars(behaviour):
        return behaviour
    return attrs.define(slots=True, weakref_slot=False, init=False, repr=False, eq=False)(behaviour)
