"""Entities in another session: what is known of them is copied there, and what is pending on them is moved there.

Theory. A copy has the server's values, not the local ones, so nothing counts as known that is only pending. Pending
work is moved as operations: they are recorded in the other session, inside a savepoint, and taken back here after
that. So either all of it is there, or all of it is still here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from callsheet.core.core import Core
from callsheet.entity.collection import Collection
from callsheet.entity.entity import PendingChanges
from callsheet.entity.loader import make_ghost
from callsheet.entity.log import Log
from callsheet.errors import StateError, UsageError
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.record import NOT_SET, Identity
from callsheet.session.savepoints import savepoint

__all__ = ["are_on_one_server", "check_schemas", "copy_known", "move"]

_hidden = object.__setattr__


def copy_known(entities: Iterable[Any], to: Core) -> list[Any]:
    """The entities in another core, with what the server said of them; pending work is not copied.

    Entities that were created and not committed are left out.
    """
    known = [each for each in entities if not _is_born(each) and each.state != "detached"]
    copies = [_counterpart(to, each) for each in known]
    for entity, copy in zip(known, copies, strict=True):
        _copy_values(entity, copy, to)
    return copies


def move(core: Core, entities: Any, to: Core) -> list[Any]:
    """The entities in another session: what is known of them is copied, and what is pending on them is moved there.

    Raises `StateError` if one refers to an entity that was created here and is not moved with it, and `UsageError` if
    the other session has another schema, or, unless all entities are new, another server. Nothing is moved then.
    """
    core._check_open()
    to._check_open()
    moved = core._check_entities(entities)
    _check(core, to, moved)
    core.unit._check_turn()
    identities = {each.identity for each in moved}
    operations = [each for each in core.pending if each.identity in identities]
    _check_references(core, operations, identities)
    copy_known(moved, to)
    with savepoint(to):
        for operation in operations:
            _record(to, operation)
    _take_out(core, moved, identities)
    found = (to.identities.family(each._type.root).get(each._key) for each in moved)
    return [each for each in found if each is not None]


def check_schemas(core: Core, to: Core) -> None:
    """Raise `UsageError` if two sessions have different schemas."""
    if to.schema.hash != core.schema.hash:
        raise UsageError("the other session has another schema; write values there instead of moving entities")


def are_on_one_server(core: Core, to: Core) -> bool:
    """Whether two sessions are on the same workspace of the same server."""
    here, there = (getattr(each, "_connection", None) for each in (core, to))
    return (getattr(here, "server", ""), getattr(here, "workspace", "")) == (
        getattr(there, "server", ""),
        getattr(there, "workspace", ""),
    )


def _is_born(entity: Any) -> bool:
    return entity._changes is not None and entity._changes.born


def _check(core: Core, to: Core, moved: Sequence[Any]) -> None:
    if to is core:
        raise UsageError("entities are moved to another session, and this is the same one")
    to.check_present()
    core.check_present()
    if core.unit.doubtful is not None or core.unit.savepoints:
        raise StateError("entities are moved when no commit is in doubt and no savepoint is open here")
    check_schemas(core, to)
    if not are_on_one_server(core, to):
        for each in moved:
            if not _is_born(each):
                raise UsageError(f"{each!r} is of another server than the other session; only new entities move there")
    for each in moved:
        if each.state == "detached":
            raise each._gone()


def _check_references(core: Core, operations: Sequence[Operation], moved: set[Identity]) -> None:
    """Raise `StateError` where new entities of one side would be named on the other."""
    new = {each.identity for each in core.created}
    for operation in core.pending:
        for named in _named(operation) & new:
            if (operation.identity in moved) != (named in moved):
                raise StateError(f"{operation.identity} refers to the new {named}: move both, or commit first")


def _named(operation: Operation) -> set[Identity]:
    if isinstance(operation, Delete):
        return set()
    found = {each for each in operation.values.values() if isinstance(each, Identity)}
    links = [operation.added, operation.removed] if isinstance(operation, Update) else [operation.added]
    return found.union(*(members for each in links for members in each.values()))


# -- what is known ---------------------------------------------------------------------------------------


def _counterpart(to: Core, entity: Any) -> Any:
    """The same entity in another core."""
    family = to.identities.family(entity._type.root)
    found = family.get(entity._key)
    return found if found is not None else make_ghost(to, to.types[entity._name], entity._key, None)


def _copy_values(entity: Any, copy: Any, to: Core) -> None:
    """Fill the slots that are empty in the copy; what was changed there already is not touched."""
    if copy._changes is not None:
        return
    for name, attribute in entity._type.attributes.items():
        if name in entity._type.key:
            continue
        if attribute.kind == "collection":
            _copy_members(entity, copy, name, to)
            continue
        value = _server_value(entity, name)
        if value is NOT_SET or copy.peek(name) is not NOT_SET:
            continue
        if attribute.kind == "reference":
            value = None if value is None else _counterpart(to, value)
        if attribute.kind == "mapping":
            vars(copy._storage)[f"{name}_"].__set__(copy, dict(value or {}))
        else:
            to.unit._restore(copy, name, value)
    if copy._version is None:
        _hidden(copy, "_version", entity._version)


def _server_value(entity: Any, name: str) -> Any:
    changes: PendingChanges | None = entity._changes
    if changes is not None and name in changes.before:
        return changes.remote.get(name, changes.before[name])
    return entity.peek(name)


def _copy_members(entity: Any, copy: Any, name: str, to: Core) -> None:
    try:
        members = entity._getters[name](entity).remote
    except AttributeError:
        return
    if members is None:
        return
    there = [_counterpart(to, member) for member in members if not _is_born(member)]
    try:
        collection = copy._getters[name](copy)
    except AttributeError:
        copy._setters[name](copy, Collection(copy, name, there))
        return
    if collection.remote is None:
        collection.remote = there


# -- what is pending -------------------------------------------------------------------------------------


def _record(to: Core, operation: Operation) -> None:
    """Record an operation, as if it had been done there."""
    unit, identity = to.unit, operation.identity
    if isinstance(operation, Create):
        plain = {name: _there(to, value) for name, value in operation.values.items() if "." not in name}
        key = to.types[identity.entity_type]._type.key
        parts = identity.key if isinstance(identity.key, tuple) else (identity.key,)
        entity = unit.create(identity.entity_type, {**plain, **dict(zip(key, parts, strict=True))})
    else:
        entity = _there(to, identity)
    if isinstance(operation, Delete):
        unit.delete(entity)
        return
    for name, value in operation.values.items():
        mapping, dot, item = name.partition(".")
        if dot:
            unit.assign_item(entity, mapping, item, value)
        elif not isinstance(operation, Create):
            unit.assign(entity, name, _there(to, value))
    for name, members in operation.added.items():
        for member in members:
            unit.link(entity, name, _there(to, member), True)
    if isinstance(operation, Update):
        for name, adjustment in operation.adjusted.items():
            unit.adjust(entity, name, adjustment)
        for name, members in operation.removed.items():
            for member in members:
                unit.link(entity, name, _there(to, member), False)


def _there(to: Core, value: Any) -> Any:
    """A value of an operation for the other session: an identity is its entity there."""
    if not isinstance(value, Identity):
        return value
    entity_class = to.types[value.entity_type]
    found = to.identities.family(entity_class._type.root).get(value.key)
    return found if found is not None else make_ghost(to, entity_class, value.key, None)


def _take_out(core: Core, moved: Sequence[Any], identities: set[Identity]) -> None:
    """Nothing of these entities is pending here any more; the new ones are detached."""
    unit = core.unit
    unit.forget_changes(moved)
    for entity in moved:
        if _is_born(entity):
            unit.changed.pop(entity._changes.identity, None)
            for collection in unit._collections.values():
                collection.added.pop(entity, None)
            unit.detach(entity)
    unit.log = Log(entry for entry in unit.log if entry[1] not in identities)
