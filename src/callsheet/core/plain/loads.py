"""Plain data becomes entities: existing ones are brought up to date, others are created; pending until the commit.

Everything is read and checked before anything is recorded, and all that is wrong is listed at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, field

from callsheet.core import populating, reading
from callsheet.core.core import Core
from callsheet.core.ensure import alike
from callsheet.core.plain.dumping import MODEL, yaml_module
from callsheet.core.required import needed
from callsheet.entity.entity import Entity
from callsheet.errors import SchemaError, UsageError
from callsheet.flow import Flow
from callsheet.model.moments import read_date, read_datetime
from callsheet.model.normalisation import normalised, normalised_items, normalised_key
from callsheet.model.record import NOT_SET
from callsheet.model.scalar import shown
from callsheet.model.schema import Attribute, EntityType, did_you_mean

__all__ = ["PlainObject", "PlainReader", "load"]


def load(core: Core, plain: Any, as_new: bool = False) -> Flow[Any]:
    """The entity of plain data, or a list of entities: what `dump` gave, in any session.

    An object with the key of an existing entity is an update of it, any other is a new entity; with ``as_new`` all are
    new, and refer to each other. ``plain`` may also be the text of JSON or YAML. Values that the server computes are
    left out. Members of collections are added, none is removed. Raises one `SchemaError` with all problems, and records
    nothing then.
    """
    data = _read(plain)
    reader = PlainReader(core, as_new)
    roots = [reader.object_of(each, f"[{i}]", "") for i, each in enumerate(data if isinstance(data, list) else [data])]
    yield from reader.resolve()
    found = reader.record(roots)
    return found if isinstance(data, list) else found[0]


def _read(plain: Any) -> Any:
    if not isinstance(plain, str):
        return list(plain) if isinstance(plain, tuple) else plain
    import json

    try:
        return json.loads(plain)
    except ValueError:
        if plain.lstrip()[:1] in ("{", "["):
            raise UsageError(f"this is no JSON: {shown(plain)}") from None
    yaml = yaml_module()
    try:
        return yaml.safe_load(plain)
    except yaml.YAMLError as error:
        raise UsageError(f"this is no YAML: {error}") from None


@define(eq=False)
class PlainObject:
    """One entity of the data: its values, what it refers to (objects, or places of others), and who it is."""

    place: str
    entity_type: EntityType
    key: Any = None
    values: dict[str, Any] = field(factory=dict)
    links: dict[str, list[Any]] = field(factory=dict)
    entity: Any = None


@define(frozen=True)
class KeyedReference:
    """A reference to an entity outside of the data, or elsewhere in it."""

    place: str
    target: str
    key: Any


class PlainReader:
    """Reads objects, resolves what they refer to, and records them."""

    def __init__(self, core: Core, as_new: bool) -> None:
        self._core, self._as_new, self._schema = core, as_new, core.schema
        self.problems: list[str] = []
        self.objects: list[PlainObject] = []
        self._by_key: dict[tuple[str, Any], PlainObject] = {}
        self._found: dict[tuple[str, Any], Any] = {}

    # -- reading -----------------------------------------------------------------------------------------

    def object_of(self, data: Any, place: str, target: str) -> PlainObject | None:
        """The object of one mapping, and of all within it."""
        if not isinstance(data, Mapping):
            self._wrong(place, f"an entity is an object, not {shown(data)}")
            return None
        entity_type = self._type_of(data, place, target)
        if entity_type is None:
            return None
        key = _key_of(data, entity_type)
        try:
            key = key and normalised_key(entity_type, key)
        except SchemaError as error:
            self._wrong(place, str(error))
            key = None
        found = PlainObject(place, entity_type, key)
        self.objects.append(found)
        if found.key is not None:
            self._by_key[entity_type.root, found.key] = found
        for name, value in data.items():
            if name != MODEL and name not in entity_type.key:
                self._attribute(found, name, value)
        return found

    def _type_of(self, data: Mapping[str, Any], place: str, target: str) -> EntityType | None:
        name = data.get(MODEL, target)
        found = self._schema.types.get(name) if isinstance(name, str) else None
        if found is None:
            near = did_you_mean(name, self._schema.types) if isinstance(name, str) else ""
            said = f"there is no entity type {shown(name)}{near}" if name else f"`{MODEL}` names no entity type"
            self._wrong(place, said)
        elif target and not self._schema.is_a(found.name, target):
            self._wrong(place, f"a {target} is wanted here, not a {found.name}")
        elif found.abstract:
            self._wrong(place, f"{found.name} is abstract; `{MODEL}` names one of the types below it")
        else:
            return found
        return None

    def _attribute(self, found: PlainObject, name: Any, value: Any) -> None:
        entity_type, place = found.entity_type, f"{found.place}.{name!s:.80}"
        attribute = entity_type.attributes.get(name)
        if attribute is None and name in entity_type.aliases:
            attribute = entity_type.attributes[entity_type.aliases[name]]
        if attribute is None:
            self._wrong(place, f"{entity_type.name} has no attribute of this name{_near(name, entity_type)}")
        elif attribute.computed is not None:
            return
        elif attribute.kind == "collection":
            self._members(found, attribute, value, place)
        elif attribute.kind == "reference":
            found.values[attribute.name] = self._reference(attribute, value, place)
        else:
            try:
                found.values[attribute.name] = _value(entity_type, attribute, value)
            except (SchemaError, ValueError) as error:
                self._wrong(place, str(error))

    def _members(self, found: PlainObject, attribute: Attribute, value: Any, place: str) -> None:
        if value is not None and not isinstance(value, list | tuple):
            self._wrong(place, f"a collection is a list, not {shown(value)}")
            return
        target = self._schema.types[str(attribute.target)]
        members = [self._reference(attribute, each, f"{place}[{i}]") for i, each in enumerate(value or ())]
        inverse = target.attributes.get(attribute.inverse or "")
        for each in members:
            if isinstance(each, PlainObject) and inverse is not None and inverse.kind == "reference":
                each.values.setdefault(inverse.name, found)
            elif each is not None:
                found.links.setdefault(attribute.name, []).append(each)

    def _reference(self, attribute: Attribute, value: Any, place: str) -> Any:
        """What a reference leads to: an object of its own, or the key of an entity."""
        if value is None or isinstance(value, Entity):
            return value
        target = str(attribute.target)
        if not isinstance(value, Mapping):
            if not isinstance(value, str | int | tuple) or isinstance(value, bool):
                self._wrong(place, f"a reference is a key or an object, not {shown(value)}")
                return None
            return KeyedReference(place, target, value)
        named = self._schema.types.get(value.get(MODEL, target), self._schema.types[target])
        if set(value) - {MODEL} == set(named.key):
            return KeyedReference(place, named.name, _key_of(value, named))
        return self.object_of(value, place, target)

    # -- checking ----------------------------------------------------------------------------------------

    def resolve(self) -> Flow[None]:
        """Find what is there already, and what is referred to; raise if anything is wrong."""
        wanted: dict[str, set[Any]] = {}
        for each in self.objects:
            if each.key is not None and not self._as_new:
                wanted.setdefault(each.entity_type.name, set()).add(each.key)
        for reference in self._references():
            if self._inside(reference) is None:
                wanted.setdefault(reference.target, set()).add(reference.key)
        for name, keys in wanted.items():
            yield from self._look_up(name, list(keys))
        for each in self.objects:
            if not self._as_new:
                each.entity = self._found.get((each.entity_type.root, each.key))
            if each.entity is None:
                self._required(each)
        for reference in self._references():
            root = self._schema.types[reference.target].root
            if self._inside(reference) is None and (root, reference.key) not in self._found:
                self._wrong(reference.place, f"there is no {reference.target} with the key {shown(reference.key)}")
        yield from self._loaded()
        self.refuse()

    def refuse(self) -> None:
        """Raise one error with all problems, if there are any."""
        if self.problems:
            number = len(self.problems)
            lines = "".join(f"\n  - {text}" for text in self.problems)
            raise SchemaError(
                f"nothing is recorded, there {'is 1 problem' if number == 1 else f'are {number} problems'}:{lines}"
            )

    def _look_up(self, name: str, keys: list[Any]) -> Flow[None]:
        entity_type = self._schema.types[name]
        good = []
        for key in keys:
            try:
                normalised_key(entity_type, key)
                good.append(key)
            except SchemaError as error:
                self._wrong("", str(error))
        found = yield from reading.get_each(self._core, name, good)
        for key, entity in zip(good, found):
            if entity is not None:
                self._found[entity_type.root, key] = entity

    def _loaded(self) -> Flow[None]:
        """Load what is updated, so that only what differs is recorded."""
        updated = [each for each in self.objects if each.entity is not None]
        by_type: dict[str, list[PlainObject]] = {}
        for each in updated:
            by_type.setdefault(each.entity._name, []).append(each)
        for members in by_type.values():
            names = sorted({name for each in members for name in each.values})
            if names:
                yield from populating.populate(self._core, [each.entity for each in members], names)
        for each in updated:
            for name, value in each.values.items():
                attribute = each.entity_type.attributes[name]
                if attribute.immutable and not alike(each.entity.peek(name), self._entity_of(value)):
                    self._wrong(
                        f"{each.place}.{name}", f"{each.entity_type.name}.{name} is set once, and never changed"
                    )

    def _required(self, found: PlainObject) -> None:
        if self._core.features.fills:
            return
        for name in needed(found.entity_type):
            if found.values.get(name) is None:
                self._wrong(f"{found.place}.{name}", f"{found.entity_type.name}.{name} is required")

    def _references(self) -> Iterator[KeyedReference]:
        for each in self.objects:
            for value in (*each.values.values(), *(one for found in each.links.values() for one in found)):
                if isinstance(value, KeyedReference):
                    yield value

    def _inside(self, reference: KeyedReference) -> PlainObject | None:
        return self._by_key.get((self._schema.types[reference.target].root, reference.key))

    def _wrong(self, place: str, text: str) -> None:
        self.problems.append(f"{place}: {text}" if place else text)

    # -- recording ---------------------------------------------------------------------------------------

    def record(self, roots: list[PlainObject | None]) -> list[Any]:
        """Create and update; gives the entities of the roots."""
        late = [(each, name) for each in self._ordered() for name in self._make(each)]
        for each, name in late:
            # References of a circle, which waited until all of it was there.
            self._core.unit.assign(each.entity, name, self._entity_of(each.values[name]))
        for each in self.objects:
            for name, members in each.links.items():
                for member in members:
                    each.entity[name].add(self._entity_of(member))
        return [root.entity for root in roots if root is not None]

    def _ordered(self) -> list[PlainObject]:
        """The objects, each after those that it refers to, as far as they refer in no circle."""
        ordered: list[PlainObject] = []
        seen: set[int] = set()
        for root in self.objects:
            under_way = [(root, self._needs(root))] if id(root) not in seen else []
            seen.add(id(root))
            while under_way:
                found, needs = under_way[-1]
                following = next((each for each in needs if id(each) not in seen), None)
                if following is None:
                    ordered.append(found)
                    under_way.pop()
                else:
                    seen.add(id(following))
                    under_way.append((following, self._needs(following)))
        return ordered

    def _needs(self, found: PlainObject) -> Iterator[PlainObject]:
        for value in found.values.values():
            other = self._inside(value) if isinstance(value, KeyedReference) else value
            if isinstance(other, PlainObject):
                yield other

    def _make(self, found: PlainObject) -> list[str]:
        """Create or update one; gives the names of references to what is not there yet."""
        ready = {name: self._entity_of(value) for name, value in found.values.items()}
        late = [name for name, value in ready.items() if value is NOT_SET]
        for name in late:
            del ready[name]
        if found.entity is not None:
            self._update(found.entity, ready)
            return late
        data = {name: value for name, value in ready.items() if value is not None}
        if found.key is not None and not self._as_new:
            names = found.entity_type.key
            data |= dict(zip(names, found.key if len(names) > 1 else (found.key,)))
        found.entity = self._core.create(found.entity_type.name, data)
        return late

    def _update(self, entity: Any, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            if entity._type.attributes[name].kind == "mapping":
                for key, item in (value or {}).items():
                    self._core.unit.assign_item(entity, name, key, item)
            elif not alike(entity.peek(name), value):
                self._core.unit.assign(entity, name, value)

    def _entity_of(self, value: Any) -> Any:
        """A value as it is set; `NOT_SET` for an object that is not made yet."""
        if isinstance(value, KeyedReference):
            inside = self._inside(value)
            if inside is None:
                return self._found.get((self._schema.types[value.target].root, value.key))
            value = inside
        if isinstance(value, PlainObject):
            return NOT_SET if value.entity is None else value.entity
        return value


def _key_of(data: Mapping[str, Any], entity_type: EntityType) -> Any:
    parts = tuple(data.get(name) for name in entity_type.key)
    if any(part is None for part in parts):
        return None
    return parts if len(parts) > 1 else parts[0]


def _value(entity_type: EntityType, attribute: Attribute, value: Any) -> Any:
    if attribute.kind == "mapping":
        return normalised_items(entity_type, attribute.name, value or {})
    if isinstance(value, str) and attribute.data_type in ("date", "datetime"):
        value = (read_date if attribute.data_type == "date" else read_datetime)(value)
    return normalised(entity_type.name, attribute, value)


def _near(name: Any, entity_type: EntityType) -> str:
    return did_you_mean(name, entity_type.names) if isinstance(name, str) else ""
