"""Operations that another session recorded are recorded again, on what the server has now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from attrs import define, field

from callsheet.core.core import Core
from callsheet.core.past.scene import Scene
from callsheet.errors import ConflictError, StateError
from callsheet.flow import Flow
from callsheet.model.operation import Change, Create, Delete, Operation, Update
from callsheet.model.query import Path
from callsheet.model.record import NOT_SET, Identity

__all__ = ["restore"]


def restore(core: Core, operations: Sequence[Operation]) -> Flow[None]:
    """Record these operations; nothing is recorded unless all of them can be.

    A value that has changed on the server meanwhile is a conflict, which ``core.conflicts`` decides. Raises
    `ConflictError`, and `StateError` if an entity is gone.
    """
    restoring = _Restoring(core, operations, Scene(core))
    yield from restoring.load()
    restoring.judge()
    for each in operations:
        restoring.record(each)


@define
class _Restoring:
    core: Core
    operations: Sequence[Operation]
    scene: Scene
    skipped: set[tuple[Identity, str]] = field(factory=set)

    def load(self) -> Flow[None]:
        born = {each.identity for each in self.operations if isinstance(each, Create)}
        subjects: dict[str, list[Identity]] = {}
        others: dict[str, list[Identity]] = {}
        for each in self.operations:
            if each.identity not in born:
                subjects.setdefault(each.identity.entity_type, []).append(each.identity)
        for identity in _mentioned(self.operations):
            if identity not in born:
                others.setdefault(identity.entity_type, []).append(identity)
        for name, identities in subjects.items():
            yield from self.scene.fetch(name, identities, ())
        for name, identities in others.items():
            missing = [each for each in identities if self.scene.at(self.scene.place(each)) is None]
            yield from self.scene.fetch(name, missing, (Path.of("id"),))
        known = [*subjects.values(), *others.values()]
        gone = [each for some in known for each in some if self.scene.at(self.scene.place(each)) is None]
        if gone:
            names = ", ".join(f"{each.entity_type} {each.key}" for each in dict.fromkeys(gone[:5]))
            raise StateError(f"the pending work cannot be restored: the server does not have {names} any more")

    def judge(self) -> None:
        """Compare what the changes were based on with what is there."""
        conflicts = [change for each in self.operations if isinstance(each, Update) for change in self._conflicts(each)]
        if conflicts and self.core.conflicts == "raise":
            names = ", ".join(f"{change.identity.entity_type} {change.attribute}" for change in conflicts[:5])
            raise ConflictError(
                f"the pending work cannot be restored: changed on the server meanwhile are {names}; "
                'restore it with conflicts="ours" or conflicts="theirs"',
                conflicts=tuple(conflicts),
            )
        if self.core.conflicts == "theirs":
            self.skipped = {(change.identity, change.attribute) for change in conflicts}

    def _conflicts(self, update: Update) -> Iterator[Change]:
        entity = self.scene.at(self.scene.place(update.identity))
        for name, ours in update.values.items():
            base = update.before.get(name, NOT_SET)
            theirs = _current(entity, name)
            if base is not NOT_SET and theirs not in (base, ours):
                yield Change(update.identity, name, base, ours, theirs)

    def record(self, operation: Operation) -> None:
        unit, place = self.core.unit, self.scene.place(operation.identity)
        if isinstance(operation, Create):
            self.scene.entities[place] = unit.create(operation.identity.entity_type, self._data(operation))
            return
        entity = self.scene.at(place)
        if isinstance(operation, Delete):
            unit.delete(entity)
            return
        for name, value in operation.values.items():
            if (operation.identity, name) not in self.skipped:
                self._assign(entity, name, value)
        for name, adjustment in operation.adjusted.items():
            unit.adjust(entity, name, adjustment)
        for links, present in ((operation.added, True), (operation.removed, False)):
            for name, members in links.items():
                for member in members:
                    unit.link(entity, name, self._object(member), present)

    def _assign(self, entity: Any, name: str, value: Any) -> None:
        mapping, dot, item = name.partition(".")
        if dot and mapping in entity._type.attributes:
            self.core.unit.assign_item(entity, mapping, item, value)
        else:
            self.core.unit.assign(entity, name, self._object(value))

    def _data(self, create: Create) -> dict[str, Any]:
        data: dict[str, Any] = {"id": create.identity.key}
        for name, value in create.values.items():
            mapping, dot, item = name.partition(".")
            if dot:
                data.setdefault(mapping, {})[item] = value
            else:
                data[name] = self._object(value)
        for name, members in create.added.items():
            data[name] = [self._object(member) for member in members]
        return data

    def _object(self, value: Any) -> Any:
        return self.scene.at(self.scene.place(value)) if isinstance(value, Identity) else value


def _mentioned(operations: Sequence[Operation]) -> Iterator[Identity]:
    """The entities that the operations refer to."""
    for each in operations:
        if isinstance(each, Delete):
            continue
        yield from (value for value in each.values.values() if isinstance(value, Identity))
        groups = [each.added, each.removed] if isinstance(each, Update) else [each.added]
        for links in groups:
            for members in links.values():
                yield from members


def _current(entity: Any, name: str) -> Any:
    """A value in the form of operations."""
    mapping, dot, item = name.partition(".")
    if dot and mapping in entity._type.attributes:
        return (entity.peek(mapping) or {}).get(item)
    value = entity.peek(name)
    return getattr(value, "identity", value)
