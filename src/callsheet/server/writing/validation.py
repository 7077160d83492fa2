"""Operations are checked against the schema: types, attributes and values. Nothing is read from the database.

The client checks the same before it sends; the server does not rely on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from attrs import evolve

from callsheet.errors import Invalid, SchemaError
from callsheet.model.adjustment import Adjustment
from callsheet.model.normalisation import KEY_LENGTH, normalised
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.record import Identity
from callsheet.model.schema import NUMBERS, Attribute, EntityType, Schema, did_you_mean

__all__ = ["checked"]

Taker = Callable[[Any], Any]


def checked(schema: Schema, operations: Sequence[Operation]) -> list[Operation]:
    """The operations with normalised values; raises `Invalid` with the index of the first operation at fault.

    Names of foreign keys become references, numbers floats, datetimes UTC, tuples in JSON data lists.
    """
    checker = _OperationChecker(schema)
    return [checker.operation(index, operation) for index, operation in enumerate(operations)]


class _OperationChecker:
    """Checks the operations of one batch; caches the normaliser of each attribute, and valid references."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.index = 0
        self.identity = Identity("", "")
        self._attributes: dict[tuple[str, str], tuple[str, Attribute]] = {}
        self._takers: dict[tuple[str, bool], dict[str, tuple[str, Taker]]] = {}
        self._sound: set[tuple[str, Identity]] = set()

    def operation(self, index: int, operation: Operation) -> Operation:
        self.index, self.identity = index, operation.identity
        entity_type = self._target(operation.identity)
        if isinstance(operation, Delete):
            return operation
        added = self._members(entity_type, operation.added) if operation.added else {}
        if isinstance(operation, Create):
            if entity_type.abstract:
                kinds = ", ".join(self.schema.concrete(entity_type.name))
                raise self._invalid(f"{entity_type.name} is abstract: create one of {kinds}")
            return Create(operation.identity, self._values(entity_type, operation.values, True), added)
        values = self._values(entity_type, operation.values, False)
        adjusted = self._adjusted(entity_type, operation.adjusted, values) if operation.adjusted else {}
        before = self._before(entity_type, operation.before, {**values, **adjusted})
        removed = self._members(entity_type, operation.removed)
        return Update(operation.identity, values, before, added, removed, operation.version, adjusted)

    def _invalid(self, problem: str, attribute: str | None = None) -> Invalid:
        entity = (self.identity[0], self.identity[1])
        return Invalid(f"operation {self.index}: {problem}", operation=self.index, entity=entity, attribute=attribute)

    def _target(self, identity: Identity) -> EntityType:
        try:
            entity_type = self.schema.type(identity.entity_type)
        except SchemaError as error:
            raise self._invalid(str(error)) from None
        if entity_type.table is not None:
            raise self._invalid(
                f"{entity_type.name} is a user table: its rows are written by `load`, `append` and `drop`"
            )
        if not _storable(identity.key):
            raise self._invalid(f"a key is a string of 1 to {KEY_LENGTH} characters, not {identity.key!r:.80}", "id")
        return entity_type

    def _find(self, entity_type: EntityType, name: str) -> tuple[str, Attribute]:
        """The attribute, with its canonical name."""
        found = self._attributes.get((entity_type.name, name))
        if found is None:
            try:
                attribute = entity_type.attribute(name)
            except SchemaError as error:
                raise self._invalid(str(error), name) from None
            if "." in name and not _storable(name.partition(".")[2]):
                raise self._invalid(f"the key of an item is a string of 1 to {KEY_LENGTH} characters", name)
            found = (entity_type.aliases.get(name, name), attribute)
            self._attributes[entity_type.name, name] = found
        return found

    def _values(self, entity_type: EntityType, values: Mapping[str, Any], create: bool) -> dict[str, Any]:
        found: dict[str, Any] = {}
        takers = self._takers.setdefault((entity_type.name, create), {})
        for given, value in values.items():
            if given == "id" and create:
                self._own(value)
                continue
            taker = takers.get(given)
            if taker is None:
                taker = takers[given] = self._writable(entity_type, given, create)
            name, take = taker
            try:
                found[name] = None if value is None else take(value)
            except SchemaError as error:
                raise self._invalid(str(error), name) from None
        return found

    def _own(self, value: Any) -> None:
        if value != self.identity.key:
            raise self._invalid(f"the id {value!r:.80} is not the key {self.identity.key!r}", "id")

    def _writable(self, entity_type: EntityType, given: str, create: bool) -> tuple[str, Taker]:
        """The canonical name and the normaliser of an attribute; `Invalid` if it cannot be written."""
        name, attribute = self._find(entity_type, given)
        if attribute.computed is not None:
            raise self._invalid(f"{entity_type.name}.{name} is computed by the server", name)
        if (attribute.immutable or name == "id") and not create:
            raise self._invalid(f"{entity_type.name}.{name} can be set only when it is created", name)
        return name, self._taker(entity_type, name, attribute)

    def _adjusted(
        self, entity_type: EntityType, adjusted: Mapping[str, Adjustment], values: Mapping[str, Any]
    ) -> dict[str, Adjustment]:
        found: dict[str, Adjustment] = {}
        for given, adjustment in adjusted.items():
            _, attribute = self._find(entity_type, given)
            name, take = self._writable(entity_type, given, False)
            if attribute.kind != "scalar" or attribute.data_type not in NUMBERS:
                raise self._invalid(f"{entity_type.name}.{name} is no number; only numbers are adjusted", name)
            if name in values or name in found:
                raise self._invalid(f"{entity_type.name}.{name} is both adjusted and written", name)
            try:
                by, empty = take(adjustment.by), take(adjustment.empty)
                low, high = (None if bound is None else take(bound) for bound in (adjustment.low, adjustment.high))
            except SchemaError as error:
                raise self._invalid(str(error), name) from None
            if by is None or empty is None:
                raise self._invalid(f"{entity_type.name}.{name} must be adjusted by a number, not None", name)
            if low is not None and high is not None and low > high:
                raise self._invalid(f"{entity_type.name}.{name} cannot be at least {low} and at most {high}", name)
            found[name] = Adjustment(by, low, high, empty)
        return found

    def _before(self, entity_type: EntityType, before: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for given, value in before.items():
            name, attribute = self._find(entity_type, given)
            if name in values:
                # A value that was stored before the limit existed may still be replaced.
                take = self._taker(entity_type, name, evolve(attribute, indexed=False, unique=False))
                try:
                    found[name] = None if value is None else take(value)
                except SchemaError as error:
                    raise self._invalid(str(error), name) from None
        return found

    def _taker(self, entity_type: EntityType, name: str, attribute: Attribute) -> Taker:
        """The function that normalises an attribute's value (not None), or raises `SchemaError` or `Invalid`."""
        if attribute.kind == "reference":
            return partial(self._reference, entity_type, name, attribute)
        if attribute.kind == "collection":
            raise self._invalid(f"{entity_type.name}.{name} is a collection: send added and removed members", name)
        if attribute.kind == "mapping":
            raise self._invalid(f"{entity_type.name}.{name} is a mapping: write its items, `{name}.<key>`", name)
        return partial(normalised, entity_type.name, attribute)

    def _reference(self, entity_type: EntityType, name: str, attribute: Attribute, value: Any) -> Identity | None:
        if value is None:
            return None
        target = attribute.target or ""
        if isinstance(value, Identity) and isinstance(value.key, str) and (target, value) in self._sound:
            return value
        if not isinstance(value, Identity) or not _storable(value.key):
            raise self._invalid(
                f"{entity_type.name}.{name} takes the identity of a {target} or None, not {value!r:.80}", name
            )
        self._related(entity_type, name, target, value.entity_type)
        self._sound.add((target, value))
        return value

    def _related(self, entity_type: EntityType, name: str, target: str, given: str) -> None:
        """The client may send the target type, or any above or below it; the row's type is checked later."""
        if given not in self.schema.types:
            raise self._invalid(f"there is no entity type `{given}`{did_you_mean(given, self.schema.types)}", name)
        if not self.schema.is_a(given, target) and not self.schema.is_a(target, given):
            raise self._invalid(f"{entity_type.name}.{name} takes a {target}, not a {given}", name)

    def _members(
        self, entity_type: EntityType, members: Mapping[str, Iterable[Identity]]
    ) -> dict[str, tuple[Identity, ...]]:
        found: dict[str, tuple[Identity, ...]] = {}
        for given, identities in members.items():
            name, attribute = self._find(entity_type, given)
            if attribute.kind != "collection":
                raise self._invalid(f"{entity_type.name}.{name} is not a collection", name)
            if self.schema.is_one_to_many(attribute):
                raise self._invalid(
                    f"{entity_type.name}.{name} follows from {attribute.target}.{attribute.inverse}: "
                    "write that reference of the members",
                    name,
                )
            if attribute.computed is not None:
                raise self._invalid(f"{entity_type.name}.{name} is computed by the server", name)
            found[name] = tuple(identities)
            for member in found[name]:
                if self._reference(entity_type, name, attribute, member) is None:
                    raise self._invalid(f"{entity_type.name}.{name} cannot hold None", name)
        return found


def _storable(key: Any) -> bool:
    """Whether every database can store the key without changing it."""
    if not isinstance(key, str) or not 0 < len(key) <= KEY_LENGTH or "\x00" in key:
        return False
    if key.isascii():
        return True
    try:
        key.encode()
    except UnicodeEncodeError:
        return False
    return True
