"""Records what a script does, as it does it, and settles or rolls it back.

Committing touches the entities with something pending only, however many are cached. The unit of work is made of
rooms: recording (the log), mirroring (both sides of relations), assigning, membership and rebasing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from callsheet.entity.draft import Blueprint, Draft
from callsheet.entity.entity import NOTHING, PendingChanges, State
from callsheet.entity.frozen import freeze
from callsheet.entity.loader import new_ghost
from callsheet.entity.log import CREATE, DELETE, Log, entries
from callsheet.entity.membership import Memberships
from callsheet.entity.rebasing import Rebasing
from callsheet.entity.types import slot_name
from callsheet.errors import SchemaError, StateError
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.record import NOT_SET, Identity

__all__ = ["UnitOfWork"]

_hidden = object.__setattr__
_new_identity = tuple.__new__


class UnitOfWork(Memberships, Rebasing):
    """The pending work of one session."""

    def create(self, type_name: str, data: Mapping[str, Any]) -> Any:
        """A new entity with these values, pending. Nothing is recorded unless all of them are right."""
        if self.who() != self.writer:
            self._check_turn()
        blueprint = self._blueprints.get(type_name) or self._blueprint(type_name)
        draft = Draft(self, blueprint, data)
        family = self._identities.family(blueprint.root)
        if (found := family.get(draft.key)) is not None:
            cure = "commit the delete first, then create it" if found.state == "deleted" else "give it another key"
            raise StateError(f"there is a {found!r} with this key already; nothing was created: {cure}")
        entity = new_ghost(self._core, blueprint.entity_class, blueprint.storage, family.slots, draft.key, None)
        if not self._recording:
            self._fill(entity, draft)
            return entity
        identity = _new_identity(Identity, (blueprint.entity_type.name, draft.key))
        changes = PendingChanges(identity, "created", self, None, True)
        blueprint.put_changes(entity, changes)
        self.changed[identity] = entity
        self._fill(entity, draft)
        values = draft.plain
        for name, other in draft.references.items():
            values[name] = self._identity(other)
        if draft.items:
            changes.own_items().update(draft.items)
            values.update(draft.items)
        links = NOTHING
        if draft.links:
            links = {name: tuple(map(self._identity, members)) for name, members in draft.links.items()}
        self.log.add((CREATE, identity, values, links, None, None))
        for name, members in draft.members.items():
            for member in members:
                self.link(entity, name, member, True)
        return entity

    def _blueprint(self, type_name: str) -> Blueprint:
        entity_class: Any = self._types[type_name]
        if entity_class._type.abstract:
            concrete = self._types.schema.concrete(type_name)
            raise SchemaError(f"{type_name} is abstract; create one of {', '.join(sorted(concrete))}")
        found = self._blueprints[type_name] = Blueprint(entity_class)
        return found

    def _fill(self, entity: Any, draft: Draft) -> None:
        setters = entity._setters
        for name, value in draft.plain.items():
            setters[name](entity, freeze(value) if type(value) in (dict, list) else value)
        for name, other in draft.references.items():
            setters[name](entity, other)
            if other is not None:
                self._mirror(entity, name, None, other)
        for name, members in draft.links.items():
            collection = self.collection(entity, name)
            for member in members:
                collection.added[member] = None
                self._mirror_link(entity, name, member, True)

    def delete(self, entity: Any) -> None:
        """The entity is deleted with the next commit; it leaves collections at once."""
        self._check_turn()
        self.check_usable(entity)
        if not self.recording:
            self.detach(entity)
            return
        changes = self._begin(entity)
        changes.end("deleted")
        self.log.add((DELETE, changes.identity, None, None, None, entity._version))

    def in_state(self, state: State) -> list[Any]:
        """The entities in a state, in the order in which they came into it."""
        return [entity for entity in self.changed.values() if entity._changes.state == state]

    def settle(self, versions: Mapping[Identity, int | None], merged: Iterable[Identity]) -> list[Any]:
        """All pending work has been done by the server. Gives the entities created."""
        self.epoch += 1
        stale = set(merged)
        created: list[Any] = []
        for identity, entity in self.changed.items():
            changes: PendingChanges = entity._changes
            if changes.state == "deleted":
                self.detach(entity)
                continue
            self._settle_entity(entity, changes, versions.get(identity), created)
            if identity in stale:
                self.forget_values(entity)
            else:
                self._forget_computed(entity)
        for collection in self._collections.values():
            if collection.remote is not None:
                collection.remote = collection._members()
            collection.added.clear()
            collection.removed.clear()
        self._clear()
        return created

    def _settle_entity(self, entity: Any, changes: PendingChanges, version: int | None, created: list[Any]) -> None:
        """The server has done what is pending on this entity. What was adjusted unseen is seen when it is next read."""
        for name in changes.adjusted:
            if changes.before.get(name) is NOT_SET:
                self._restore(entity, name.partition(".")[0], NOT_SET)
                changes.items = {cell: value for cell, value in changes.items.items() if cell != name}
        if changes.born:
            created.append(entity)
        if changes.born or changes.items:
            self._settle_items(entity, changes)
        self._make_clean(entity, version)

    def _make_clean(self, entity: Any, version: int | None) -> None:
        _hidden(entity, "_changes", None)
        if version is not None:
            _hidden(entity, "_version", version)

    def settle_done(self, left: Sequence[Operation], versions: Mapping[Identity, int | None]) -> list[Any]:
        """The server has done all pending work but these operations, which stay pending. Gives the entities created."""
        self.epoch += 1
        remaining: dict[Identity, list[Operation]] = {}
        for each in left:
            remaining.setdefault(each.identity, []).append(each)
        created: list[Any] = []
        for identity, entity in list(self.changed.items()):
            changes: PendingChanges = entity._changes
            mine = remaining.get(identity)
            if mine is not None:
                if not isinstance(mine[0], Create):
                    self._keep_pending(entity, changes, mine, versions.get(identity))
                continue
            del self.changed[identity]
            if changes.state == "deleted":
                self.detach(entity)
                continue
            self._settle_entity(entity, changes, versions.get(identity), created)
            self._forget_computed(entity)
        self._settle_members(left)
        kept = (entry for each in left for entry in entries(each, self._base_version(each)))
        self.log = Log(kept)
        return created

    def _base_version(self, operation: Operation) -> int | None:
        entity = self.changed.get(operation.identity)
        return None if entity is None else entity._changes.version

    def _keep_pending(
        self, entity: Any, changes: PendingChanges, left: Sequence[Operation], version: int | None
    ) -> None:
        """Of an entity only these operations are pending any more."""
        names: set[Any] = set()
        for each in left:
            if isinstance(each, Update):
                names.update(each.values, each.adjusted)
                for links in (each.added, each.removed):
                    names.update((name, member) for name in links for member in links[name])
        if version is not None:
            changes.version = version
            _hidden(entity, "_version", version)
        for name in [name for name in changes.adjusted if name not in names]:
            changes.set_over(name)
        done = {cell: item for cell, item in changes.items.items() if cell not in names}
        if done:
            kept, changes.items = {cell: changes.items[cell] for cell in changes.items if cell in names}, done
            self._settle_items(entity, changes)
            changes.items = kept
        elif changes.born:
            self._settle_items(entity, PendingChanges(changes.identity, "created", self, None, True))
        if changes.born:
            changes.born = False
            if changes.state == "created":
                changes.state = "modified"
            changes.before = {name: False if isinstance(name, tuple) else NOT_SET for name in names}
        else:
            changes.before = {name: was for name, was in changes.before.items() if name in names}
            changes.remote = {name: value for name, value in changes.remote.items() if name in names}

    def _settle_members(self, left: Sequence[Operation]) -> None:
        """Members count as known from the server unless one of these operations is about their membership."""
        links = {
            (each.identity.key, name, member.key)
            for each in left
            if not isinstance(each, Delete)
            for found in (each.added, each.removed if isinstance(each, Update) else {})
            for name, members in found.items()
            for member in members
        }
        for collection in self._collections.values():
            for member in [each for each in collection.added if not self._is_pending(collection, each, links)]:
                del collection.added[member]
                if collection.remote is not None and member not in collection.remote:
                    collection.remote.append(member)
            for member in [each for each in collection.removed if not self._is_pending(collection, each, links)]:
                del collection.removed[member]
                if collection.remote is not None:
                    collection.remote.remove(member)

    def _is_pending(self, collection: Any, member: Any, links: set[tuple[Any, str, Any]]) -> bool:
        owner = collection.owner
        attribute = owner._type.attributes[collection.attribute]
        inverse = self.inverse(attribute)
        if inverse is not None and inverse.kind == "reference":
            changes = member._changes
            return changes is not None and (changes.born or inverse.name in changes.before)
        if (owner._key, attribute.name, member._key) in links:
            return True
        return inverse is not None and (member._key, inverse.name, owner._key) in links

    def learn_touched(self, entity: Any, version: int, emptied: Iterable[str]) -> None:
        """A commit of this session changed an entity without naming it.

        Its version is the entity's, unless another session changed it meanwhile; the next commit finds that out.
        """
        if entity._changes is not None:
            return
        for name in emptied:
            if entity.peek(name) is not NOT_SET:
                self._restore(entity, name, None)
        if entity._version == version - 1:
            _hidden(entity, "_version", version)
        self._forget_computed(entity)

    def _settle_items(self, entity: Any, changes: PendingChanges) -> None:
        for name in entity._mappings:
            known = {} if changes.born else entity.peek(name)
            if known is NOT_SET:
                continue
            start = f"{name}."
            local = {cell[len(start) :]: item for cell, item in changes.items.items() if cell.startswith(start)}
            merged = {key: item for key, item in {**(known or {}), **local}.items() if item is not None}
            vars(entity._storage)[f"{name}_"].__set__(entity, merged)

    def forget_values(self, entity: Any) -> None:
        """Empty the slots of values the server may have changed, so that they are fetched when next read."""
        storage = vars(entity._storage)
        for name, attribute in entity._type.attributes.items():
            if attribute.kind == "collection" or name in entity._type.key:
                continue
            try:
                storage[slot_name(attribute)].__delete__(entity)
            except AttributeError:
                pass

    def _forget_computed(self, entity: Any) -> None:
        """Empty the slots of values that every commit may change."""
        for fill, empty in entity._computed:
            # Emptying what is empty raises, which costs more than filling it first.
            fill(entity, None)
            empty(entity)

    def rollback(self) -> None:
        """Everything is as it was after the last commit; entities created since are detached.

        A commit in doubt is given up: values that it may have changed are forgotten, and fetched when read.
        """
        self.check_thread()
        doubtful, self.doubtful = self.doubtful, None
        for entity in self.changed.values():
            changes: PendingChanges = entity._changes
            if changes.born:
                self.detach(entity)
                continue
            _hidden(entity, "_changes", None)
            for name, was in changes.before.items():
                if isinstance(name, str) and name in entity._type.attributes:
                    self._restore(entity, name, changes.remote.get(name, was))
            if doubtful is not None:
                self.forget_values(entity)
        for collection in self._collections.values():
            collection.added.clear()
            collection.removed.clear()
            if doubtful is not None:
                collection.remote = None
        self._clear()

    def _clear(self) -> None:
        self.log = Log()
        self.changed = {}
        self._collections = {}
        self._named = {}
