"""The pending work of a unit at one moment, and the way back to it.

Theory. What is pending is the log, the `PendingChanges` of each changed entity with the values its slots show, and what
was added to and removed from collections. All of it is copied; the values are immutable. On the way back, an entity
that was not changed at that moment shows what the server sent last, and one that was created since is detached. What
was loaded since stays loaded: it is a newer server value under the restored local one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from callsheet.entity.entity import PendingChanges, State
from callsheet.entity.log import Log
from callsheet.entity.recording import logged
from callsheet.entity.unit_of_work import UnitOfWork
from callsheet.model.record import NOT_SET, Identity, same

__all__ = ["SavedState"]

_hidden = object.__setattr__


@frozen
class _SavedEntity:
    """What was pending on an entity, and the values that its slots showed."""

    entity: Any
    state: State
    writable: bool
    born: bool
    version: int | None
    before: Mapping[Any, Any]
    remote: Mapping[str, Any]
    items: Mapping[str, Any]
    adjusted: Mapping[str, Any]
    shown: Mapping[str, Any]


class SavedState:
    """The pending work of a unit at the moment when this was made."""

    def __init__(self, unit: UnitOfWork) -> None:
        unit._check_turn()
        self._log = list(unit.log)
        self._entities = {identity: _saved(entity) for identity, entity in unit.changed.items()}
        self._collections = [(each, dict(each.added), dict(each.removed)) for each in unit._collections.values()]

    def restore(self, unit: UnitOfWork) -> None:
        """Let exactly that be pending again which was then."""
        unit.check_thread()
        self._forget_later(unit)
        unit.changed = {}
        gone: set[Identity] = set()
        for identity, saved in self._entities.items():
            if saved.entity.state == "detached":
                gone.add(identity)
                continue
            self._restore_entity(unit, identity, saved)
            unit.changed[identity] = saved.entity
        self._restore_collections(unit)
        unit.log = Log(entry for entry in self._log if entry[1] not in gone)
        unit._named = {}

    def _forget_later(self, unit: UnitOfWork) -> None:
        """Take back what is pending on entities that were not changed then."""
        for identity, entity in list(unit.changed.items()):
            if identity in self._entities:
                continue
            changes: PendingChanges = entity._changes
            if changes.born:
                unit.detach(entity)
                continue
            _hidden(entity, "_changes", None)
            _show_server_values(unit, entity, changes, {})

    def _restore_entity(self, unit: UnitOfWork, identity: Identity, saved: _SavedEntity) -> None:
        entity = saved.entity
        now: PendingChanges | None = entity._changes
        server = {name: _server_value(entity, now, name) for name in saved.shown} if not saved.born else {}
        if now is not None:
            _show_server_values(unit, entity, now, saved.before)
        changes = now if now is not None else PendingChanges(identity, saved.state, unit, saved.version)
        changes.state, changes.writable, changes.born = saved.state, saved.writable, saved.born
        changes.version = saved.version
        changes.before, changes.items = dict(saved.before), dict(saved.items)
        changes.adjusted = dict(saved.adjusted)
        changes.remote = {
            **saved.remote,
            **{name: value for name, value in server.items() if _is_newer(value, saved.before.get(name, NOT_SET))},
        }
        _hidden(entity, "_changes", changes)
        for name, value in saved.shown.items():
            unit._restore(entity, name, value)
        for name in changes.adjusted:
            unit.show_adjusted(entity, name)

    def _restore_collections(self, unit: UnitOfWork) -> None:
        """What was added and removed then, and is not known from the server meanwhile."""
        for collection in unit._collections.values():
            collection.added, collection.removed = {}, {}
        unit._collections = {}
        for collection, added, removed in self._collections:
            remote = collection.remote
            known = None if remote is None else set(remote)
            collection.added = {each: None for each in added if known is None or each not in known}
            collection.removed = {each: None for each in removed if known is None or each in known}
            unit._collections[id(collection)] = collection


def _saved(entity: Any) -> _SavedEntity:
    changes: PendingChanges = entity._changes
    attributes = entity._type.attributes
    names = attributes if changes.born else [name for name in changes.before if name in attributes]
    shown = {
        name: entity.peek(name)
        for name in names
        if attributes[name].kind not in ("collection", "mapping") and name not in entity._type.key
    }
    return _SavedEntity(
        entity,
        changes.state,
        changes.writable,
        changes.born,
        changes.version,
        dict(changes.before),
        dict(changes.remote),
        dict(changes.items),
        dict(changes.adjusted),
        shown,
    )


def _show_server_values(unit: UnitOfWork, entity: Any, changes: PendingChanges, kept: Mapping[Any, Any]) -> None:
    """Let changed attributes show the latest server value, but for those that are ``kept``."""
    for name, was in changes.before.items():
        if isinstance(name, str) and name not in kept and name in entity._type.attributes:
            unit._restore(entity, name, changes.remote.get(name, was))


def _server_value(entity: Any, changes: PendingChanges | None, name: str) -> Any:
    """The latest server value of an attribute; `NOT_SET` if none came since it was changed."""
    if changes is None or name not in changes.before:
        return entity.peek(name)
    return changes.remote.get(name, NOT_SET)


def _is_newer(value: Any, was: Any) -> bool:
    return value is not NOT_SET and (was is NOT_SET or not same(logged(value), logged(was)))
