"""Operations under the vendor's names, and the session's pending ones as a stack that takes more.

What is pushed becomes pending work like any other: it is checked, shown by the entities, compressed, and sent with the
next commit. Operations hold keys, so an entity that was never fetched can be changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, field

from callsheet.compat.ftrack_api.absent import NotOffered
from callsheet.compat.ftrack_api.symbol import NOT_SET
from callsheet.entity.entity import Entity
from callsheet.entity.loader import make_ghost
from callsheet.model.operation import Create, Delete, Update
from callsheet.model.record import Identity

__all__ = [
    "CreateEntityOperation",
    "DeleteEntityOperation",
    "EntityOperation",
    "Operation",
    "Operations",
    "PendingOperations",
    "UpdateEntityOperation",
    "push",
    "shown",
]


class EntityOperation:
    """One change of one entity."""


Operation = EntityOperation


@define
class CreateEntityOperation(EntityOperation):
    """A new entity: its type, its primary key by attribute, its values."""

    entity_type: str
    entity_key: Mapping[str, Any]
    entity_data: Mapping[str, Any] = field(factory=dict)


@define
class UpdateEntityOperation(EntityOperation):
    """A new value of one attribute."""

    entity_type: str
    entity_key: Mapping[str, Any]
    attribute_name: str
    old_value: Any
    new_value: Any


@define
class DeleteEntityOperation(EntityOperation):
    """The end of an entity."""

    entity_type: str
    entity_key: Mapping[str, Any]


class Operations:
    """A stack of operations that belongs to no session; ``session.recorded_operations = …`` makes them pending."""

    def __init__(self) -> None:
        self._stack: list[EntityOperation] = []

    def push(self, operation: EntityOperation) -> None:
        """Add an operation."""
        self._stack.append(operation)

    def pop(self) -> EntityOperation:
        """Take the last one off."""
        return self._stack.pop()

    def clear(self) -> None:
        """Drop them all."""
        self._stack.clear()

    def __len__(self) -> int:
        return len(self._stack)

    def __iter__(self) -> Iterator[EntityOperation]:
        return iter(list(self._stack))


class PendingOperations(Operations):
    """What is pending in a session."""

    def __init__(self, session: Any) -> None:
        super().__init__()
        self.session = session

    def push(self, operation: EntityOperation) -> None:
        """Make an operation pending."""
        push(self.session, operation)

    def pop(self) -> EntityOperation:
        raise NotOffered("one operation cannot be taken back by itself; `session.rollback()` drops all that is pending")

    def clear(self) -> None:
        self.session.rollback()

    def __len__(self) -> int:
        return len(self.session.unit.operations())

    def __iter__(self) -> Iterator[EntityOperation]:
        for each in self.session.unit.operations():
            yield from shown(self.session, each)


def push(session: Any, operation: EntityOperation) -> None:
    """Make an operation of the vendor's pending in a session."""
    if isinstance(operation, CreateEntityOperation):
        values = {name: value for name, value in operation.entity_data.items() if value is not NOT_SET}
        session.create(operation.entity_type, {**values, **operation.entity_key})
    elif isinstance(operation, UpdateEntityOperation):
        if operation.new_value is not NOT_SET:
            _entity(session, operation)[operation.attribute_name] = operation.new_value
    elif isinstance(operation, DeleteEntityOperation):
        session.delete(_entity(session, operation))
    else:
        raise NotOffered(f"a session takes operations that create, update and delete entities, not {operation!r:.80}")


def _entity(session: Any, operation: UpdateEntityOperation | DeleteEntityOperation) -> Any:
    """The entity that an operation is about: the live one, or one of which only the key is known."""
    entity_class = session.types[operation.entity_type]
    parts = tuple(operation.entity_key[name] for name in entity_class._type.key)
    key = parts if len(parts) > 1 else parts[0]
    found = session.identities.family(entity_class._type.root).get(key)
    return make_ghost(session, entity_class, key, None) if found is None else found


def shown(session: Any, operation: Create | Update | Delete) -> Iterator[EntityOperation]:
    """An operation of ours as the vendor's, one for each attribute."""
    name, key = operation.identity
    parts = key if isinstance(key, tuple) else (key,)
    named = dict(zip(session.types[name]._type.key, parts))
    if isinstance(operation, Create):
        yield CreateEntityOperation(name, named, {each: _value(session, it) for each, it in operation.values.items()})
    elif isinstance(operation, Delete):
        yield DeleteEntityOperation(name, named)
    else:
        for each, value in operation.values.items():
            was = _value(session, operation.before.get(each, NOT_SET))
            yield UpdateEntityOperation(name, named, each, was, _value(session, value))


def _value(session: Any, value: Any) -> Entity | Any:
    """A value, with the entity for an identity."""
    if not isinstance(value, Identity):
        return value
    entity_class = session.types[value.entity_type]
    found = session.identities.family(entity_class._type.root).get(value.key)
    return make_ghost(session, entity_class, value.key, None) if found is None else found
