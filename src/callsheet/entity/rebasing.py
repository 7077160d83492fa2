"""Pending changes are rebased on newer server values, or dropped."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from callsheet.entity.adjusting import Adjusting
from callsheet.entity.entity import PendingChanges
from callsheet.entity.log import ADJUST, UPDATE, Entry, Log
from callsheet.entity.recording import logged
from callsheet.model.record import NOT_SET, Identity, same

__all__ = ["Rebasing"]

_hidden = object.__setattr__


class Rebasing(Adjusting):
    """What a refresh does to pending changes."""

    def forget_changes(self, entities: Iterable[Any]) -> None:
        """Drop what is pending on these entities; those created here are not touched."""
        self._check_turn()
        dropped = set()
        for entity in entities:
            changes: PendingChanges | None = entity._changes
            if changes is None or changes.born or changes.state == "detached":
                continue
            dropped.add(changes.identity)
            self.changed.pop(changes.identity, None)
            _hidden(entity, "_changes", None)
            for name, was in changes.before.items():
                if isinstance(name, str) and name in entity._type.attributes:
                    self._unassign(entity, name, changes.remote.get(name, was))
                elif isinstance(name, tuple):
                    self._unlink(entity, *name)
        self.log = Log(entry for entry in self.log if entry[1] not in dropped)

    def _unassign(self, entity: Any, name: str, value: Any) -> None:
        current = entity.peek(name)
        self._restore(entity, name, value)
        if entity._type.attributes[name].kind == "reference":
            for owner in (current, value):
                for _, collection in self._types.mirrors(entity._name, name) if owner else ():
                    if collection in owner._type.attributes:
                        mirror = self.collection(owner, collection)
                        mirror.added.pop(entity, None)
                        mirror.removed.pop(entity, None)

    def _unlink(self, entity: Any, name: str, member: Identity) -> None:
        other = self._identities.family(self._types.schema.types[member.entity_type].root).get(member.key)
        for owner, collection, end in ((entity, name, other), (other, None, entity)):
            if collection is None:
                inverse = self.inverse(entity._type.attributes[name])
                collection = inverse.name if inverse is not None else None
            if owner is not None and collection is not None and collection in owner._type.attributes:
                view = self.collection(owner, collection)
                view.added.pop(end, None)
                view.removed.pop(end, None)

    def rebase(self, entity: Any, version: int | None) -> None:
        """Let pending changes count as made on the values that the server sent last."""
        self.epoch += 1
        changes: PendingChanges | None = entity._changes
        _hidden(entity, "_version", version)
        if changes is None or changes.state not in ("modified", "deleted"):
            return
        changes.version = version
        identity = changes.identity
        known = {}
        for name in changes.before:
            value = self._server_value(entity, name)
            if value is not NOT_SET:
                known[name] = changes.before[name] = value
        rebased: list[Entry] = []
        for entry in self.log:
            if entry[1] == identity and entry[0] in (UPDATE, ADJUST):
                base = entry[4] if entry[2] not in known else logged(known[entry[2]])
                entry = (*entry[:4], base, version)
            elif entry[1] == identity:
                entry = (*entry[:-1], version)
            rebased.append(entry)
        self.log = Log(rebased)
        for name, value in known.items():
            if name in changes.adjusted:
                self.show_adjusted(entity, name)
                continue
            local = changes.items[name] if name in changes.items else logged(entity.peek(name))
            if same(logged(value), local):
                del changes.before[name]
                changes.own_items().pop(name, None)
        self._clean_if_unchanged(entity, changes)
