"""Entities: live objects, one for each identity in a session, that read and write like a mapping.

Theory. All types of an inheritance family share one *storage class* with a slot for each attribute of any
of them, so that an entity can be filled fast (plain slot writes, untracked) and its class be changed when
its concrete type becomes known. The public class of a type adds no slots; its ``__setattr__`` records.
A slot holds the current value, local over remote; the latest server value of a changed attribute is in
the entity's `PendingChanges`. An empty slot means *not loaded*: reading it falls through to ``__getattr__``, which
asks the core to fetch, at no cost to slots that are filled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from callsheet.entity.expressions import Expression
from callsheet.errors import Detached, UnknownAttribute
from callsheet.model.adjustment import Adjustment
from callsheet.model.query import Path, Step
from callsheet.model.record import NOT_SET, Identity
from callsheet.model.schema import EntityType, did_you_mean

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    from callsheet.entity.peers import Peers

    E = TypeVar("E", bound="Entity", default="Entity")
else:
    from typing import TypeVar

    #: A class of entities; where only a type's name is known, checkers take `Entity`.
    E = TypeVar("E", bound="Entity")

__all__ = ["NOTHING", "YIELDING", "Entity", "EntityClass", "E", "PendingChanges", "State", "type_name"]

State = Literal["clean", "created", "modified", "deleted", "detached"]


#: Stands for a dict of `PendingChanges` that nothing was put in yet: most never need most of theirs.
NOTHING: Final[Any] = MappingProxyType({})


class PendingChanges:
    """What is pending on one entity.

    ``before`` maps each changed attribute to what it was (`NOT_SET`: unknown), ``remote`` to what the
    latest server value; ``items`` holds the local values of mapping items by dotted name, ``adjusted`` what was counted
    on from the server's numbers. Each is `NOTHING` until one asks for it to write into (``own_…``). ``version`` is the
    entity's. While a number is adjusted, plain values are not ``writable`` past `UnitOfWork.assign`.
    """

    __slots__ = ("adjusted", "before", "born", "identity", "items", "remote", "state", "unit", "version", "writable")

    def __init__(
        self, identity: Identity, state: State, unit: Any, version: int | None = None, born: bool = False
    ) -> None:
        self.identity = identity
        self.state: State = state
        self.unit = unit
        self.version = version
        self.born = born
        self.writable = True
        self.before: dict[Any, Any] = NOTHING
        self.remote: dict[str, Any] = NOTHING
        self.items: dict[str, Any] = NOTHING
        self.adjusted: dict[str, Adjustment] = NOTHING

    def end(self, state: State) -> None:
        """From now on the entity cannot be changed."""
        self.state = state
        self.writable = False

    def own_before(self) -> dict[Any, Any]:
        if self.before is NOTHING:
            self.before = {}
        return self.before

    def own_remote(self) -> dict[str, Any]:
        if self.remote is NOTHING:
            self.remote = {}
        return self.remote

    def adjust(self, name: str, adjustment: Adjustment) -> None:
        """From now on this is what was done to a number."""
        self.adjusted = {**self.adjusted, name: adjustment}
        self.writable = False

    def set_over(self, name: str) -> None:
        """A number that was adjusted is set: nothing is counted on from any more."""
        self.adjusted = {each: found for each, found in self.adjusted.items() if each != name}
        self.writable = not self.adjusted and self.state in ("created", "modified")

    def own_items(self) -> dict[str, Any]:
        if self.items is NOTHING:
            self.items = {}
        return self.items


class Unit(Protocol):
    """What an entity needs of the unit of work."""

    def assign(self, entity: Any, name: str, value: Any) -> None: ...

    def assign_item(self, entity: Any, mapping: str, key: str, value: Any) -> None: ...

    def link(self, entity: Any, name: str, member: Any, present: bool) -> None: ...

    def is_alive(self, entity: Any) -> bool: ...


class CoreProtocol(Protocol):
    """What an entity needs of the core."""

    _unit: Unit

    def missing(self, entity: Any, name: str) -> Any: ...

    def load_all(self, entity: Any) -> None: ...

    def inherited(self, entity: Any, key: str) -> Any: ...

    def dump(self, entities: Any, only: Any = None, include: Any = None, ignore: Any = None) -> Any: ...

    def dump_json(self, entities: Any, only: Any = None, include: Any = None, ignore: Any = None) -> Any: ...

    def dump_yaml(self, entities: Any, only: Any = None, include: Any = None, ignore: Any = None) -> Any: ...

    def copy(self, entity: Any, relations: Any = None, values: Mapping[str, Any] | None = None) -> Any: ...


class EntityClass(type):
    """The class of entity classes: reading an attribute of one gives an `Expression` for conditions."""

    if TYPE_CHECKING:

        def __getattr__(cls, name: str) -> Expression: ...

    else:

        def __getattribute__(cls, name: str) -> Any:
            if not name.startswith("_"):
                schema = type.__getattribute__(cls, "__dict__").get("_schema")
                if schema is not None:
                    entity_type = type.__getattribute__(cls, "_type")
                    name = type.__getattribute__(cls, "_attribute_of").get(name, name)
                    if name in entity_type.attributes or name in entity_type.aliases:
                        target = entity_type.attribute(name).target if name in entity_type.attributes else None
                        return Expression(schema, target, Path((Step(name),)))
            return type.__getattribute__(cls, name)

        def __dir__(cls) -> list[str]:
            """The type's own attributes, and its methods; the slots of other types of the family are left out."""
            own = type.__getattribute__(cls, "__dict__")
            names = set(type.__dir__(cls))
            if own.get("_schema") is not None:
                names = (names - _slots(cls)) | set(cls._slot_of.values())
            return sorted(names)


def _slots(cls: Any) -> set[str]:
    """The slots of the family that a type belongs to."""
    return {name for name in vars(cls._storage) if not name.startswith("_")}


class Entity(metaclass=EntityClass):
    """One entity: ``task["name"]`` and ``task.name`` read (fetching what is not loaded) and write.

    Attribute access works for every attribute whose name is not one of the names defined here; item
    access always does. Two entities are equal when they are the same object, which in one session is when
    they have the same identity.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        _core: CoreProtocol
        _key: Any
        _version: int | None
        _changes: PendingChanges | None
        _peers: Peers | None

    _type: EntityType
    _name: str
    _slot_of: dict[str, str]
    _attribute_of: dict[str, str]
    _getters: dict[str, Any]

    @property
    def identity(self) -> Identity:
        """The concrete type and the primary key."""
        # What `Identity(…)` does, at half the price.
        return tuple.__new__(Identity, (self._name, self._key))

    @property
    def key(self) -> Any:
        """The primary key; a tuple if it has several parts.

        A type with an attribute of its own named ``key`` gives the attribute: ``entity.identity.key`` always holds.
        """
        return self._key

    @property
    def entity_type(self) -> str:
        """The name of the concrete type."""
        return self._name

    @property
    def state(self) -> State:
        """``clean``, ``created``, ``modified``, ``deleted`` (pending), or ``detached`` (for good)."""
        return "clean" if self._changes is None else self._changes.state

    @property
    def session(self) -> Any:
        """The session the entity belongs to."""
        return self._core

    def peek(self, name: str) -> Any:
        """The value if it is known here, else `NOT_SET`; never fetches."""
        getter = self._getters.get(name)
        if getter is None:
            attribute = self._type.attribute(name)
            if name in self._type.key:
                return self[name]
            if name in self._type.aliases:
                other = self.peek(attribute.name)
                return other._key if other else other
            return NOT_SET
        try:
            return getter(self)
        except AttributeError:
            return NOT_SET

    def keys(self) -> list[str]:
        """The names of all attributes, foreign keys not counted twice."""
        return list(self._type.attributes)

    def values(self) -> list[Any]:
        """All values, in the order of ``keys()``; what is not loaded is fetched in one request."""
        self._core.load_all(self)
        return [self[name] for name in self._type.attributes]

    def items(self) -> list[tuple[str, Any]]:
        """All names and values; what is not loaded is fetched in one request."""
        return list(zip(self.keys(), self.values()))

    def get(self, name: str, default: Any = None) -> Any:
        """The value of an attribute, or ``default`` where the type has none of this name."""
        return self[name] if name in self._slot_of else default

    def update(self, values: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Set several attributes; nothing is set if a name among them is wrong."""
        given = {**(values or {}), **more}
        for name in given:
            if name not in self._slot_of:
                raise self._unknown(name)
        for name, value in given.items():
            self[name] = value

    def pop(self, name: str, default: Any = None) -> Any:
        """The value of an attribute, which has none from now on; ``default`` where the type has no such attribute."""
        if name not in self._slot_of:
            return default
        value = self[name]
        self[name] = None
        return value

    def setdefault(self, name: str, default: Any = None) -> Any:
        """The value of an attribute, which becomes ``default`` where there is none."""
        if self[name] is None:
            self[name] = default
        return self[name]

    def dump(self, only: Any = None, include: Any = None, ignore: Any = None) -> Any:
        """The entity as plain data, with the relations that ``include`` names; see `Session.dump`."""
        return self._core.dump(self, only, include, ignore)

    def to_json(self, only: Any = None, include: Any = None, ignore: Any = None) -> Any:
        """The text of the dump as JSON."""
        return self._core.dump_json(self, only, include, ignore)

    def to_yaml(self, only: Any = None, include: Any = None, ignore: Any = None) -> Any:
        """The text of the dump as YAML; needs the extra ``yaml``."""
        return self._core.dump_yaml(self, only, include, ignore)

    def copy(self, relations: Any = None, /, **values: Any) -> Any:
        """A new entity with the values of this one, and copies of what ``relations`` lead to; see `Session.copy`."""
        return self._core.copy(self, relations, values)

    def __getitem__(self, name: str) -> Any:
        try:
            return getattr(self, self._slot_of[name])
        except KeyError:
            if name in self._slot_of:
                raise
            raise self._unknown(name) from None

    def __setitem__(self, name: str, value: Any) -> None:
        self._core._unit.assign(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        self._core._unit.assign(self, self._attribute_of.get(name, name), value)

    def __getattr__(self, name: str) -> Any:
        attribute = self._attribute_of.get(name)
        if attribute is None:
            raise self._unknown(name)
        return self._core.missing(self, attribute)

    def __iter__(self) -> Iterator[str]:
        return iter(self._type.attributes)

    def __len__(self) -> int:
        return len(self._type.attributes)

    def __bool__(self) -> bool:
        return True

    def __contains__(self, name: object) -> bool:
        return name in self._slot_of

    def __dir__(self) -> list[str]:
        """The type's own attributes, once each; the slots of other types that share the storage are left out."""
        return sorted((set(object.__dir__(self)) - _slots(self)) | set(self._slot_of.values()))

    def __repr__(self) -> str:
        """Its label, version and place as far as they are loaded, its key and its state."""
        from callsheet.entity.showing import entity_text

        return entity_text(self)

    def _repr_html_(self) -> str:
        from callsheet.entity.showing import entity_html

        return entity_html(self)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self._slot_of)

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r} belongs to a session and cannot be pickled; send its identity instead")

    def __copy__(self) -> Entity:
        return self

    def __deepcopy__(self, memo: object) -> Entity:
        return self

    def _unknown(self, name: str) -> UnknownAttribute:
        return UnknownAttribute(f"{self._name} has no attribute `{name}`{did_you_mean(name, self._slot_of)}")

    def _gone(self) -> Detached:
        return Detached(
            f"{self._name} {self._key} is no longer part of the session: it was deleted or rolled back; "
            "query again for what exists"
        )


Mapping.register(Entity)


def type_name(entity_type: str | type[Entity]) -> str:
    """The name of an entity type, given by its name or its class."""
    return entity_type if isinstance(entity_type, str) else entity_type.__name__


#: Names an attribute cannot be reached by with a dot; ``entity["…"]`` reaches every one.
#: Those of `YIELDING` are none of them: where the schema has an attribute of this name, the attribute wins.
YIELDING = frozenset({"copy", "dump", "key", "pop", "setdefault", "to_json", "to_yaml", "update"})
RESERVED = frozenset(name for name in vars(Entity) if not name.startswith("_")) - YIELDING
