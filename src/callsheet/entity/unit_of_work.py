"""Records what a script does, as it does it, and settles or rolls it back.

The log holds one entry for each thing done, with identities instead of entities. Beside it, `changed` holds
every entity with something pending, so its state is a field and not a scan, and committing touches these
entities only, however many are cached. Nothing here talks: what must be fetched first, the core fetches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from callsheet import collector
from callsheet.entity.collection import Collection, MappingView
from callsheet.entity.draft import Blueprint, Draft
from callsheet.entity.entity import NOTHING, Entity, PendingChanges, State
from callsheet.entity.frozen import freeze, thaw
from callsheet.entity.identity_map import IdentityMap
from callsheet.entity.loader import make_ghost, new_ghost
from callsheet.entity.log import CREATE, DELETE, LINK, UPDATE, Entry, Log, compressed, operation
from callsheet.entity.types import Types, slot_name
from callsheet.errors import SchemaError, StateError, UnknownAttribute, WrongThread
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.record import NOT_SET, Identity, Key, new_key, same
from callsheet.model.schema import Attribute, check_value, did_you_mean

__all__ = ["NOBODY", "UnitOfWork"]

_hidden = object.__setattr__
_new_identity = tuple.__new__
NOBODY = -1
NOBODY_EVER = -2


class UnitOfWork:
    """The pending work of one session."""

    def __init__(self, core: Any, types: Types, identities: IdentityMap, who: Callable[[], int]) -> None:
        self._core = core
        self._types = types
        self._identities = identities
        self.who = who
        self._owner = who()
        self._recording = True
        self._doubtful: ChangeSet | None = None
        #: Who may record a plain value without further questions; see ``access.py``.
        self.writer = NOBODY_EVER
        self._choose_writer()
        #: Gives the key of an entity that is created without one.
        self.new_key: Callable[[], str] = new_key
        self.log = Log()
        self.changed: dict[Identity, Any] = {}
        self._collections: dict[int, Collection] = {}
        self._blueprints: dict[str, Blueprint] = {}
        #: Goes up with each commit and refresh: what was asked of the server before is older than what is here.
        self.epoch = 0
        self._named: dict[Any, Identity] = {}

    # -- who may record ----------------------------------------------------------------------------------

    @property
    def owner(self) -> int:
        """The thread this belongs to, or `NOBODY`."""
        return self._owner

    @owner.setter
    def owner(self, owner: int) -> None:
        self._owner = owner
        self._choose_writer()

    @property
    def recording(self) -> bool:
        """Whether changes are recorded; those that are not count as known from the server."""
        return self._recording

    @recording.setter
    def recording(self, recording: bool) -> None:
        self._recording = recording
        self._choose_writer()

    @property
    def doubtful(self) -> ChangeSet | None:
        """The change set that was sent and whose outcome is not known; nothing is recorded meanwhile."""
        return self._doubtful

    @doubtful.setter
    def doubtful(self, changes: ChangeSet | None) -> None:
        self._doubtful = changes
        self._choose_writer()

    def _choose_writer(self) -> None:
        self.writer = self._owner if self._recording and self._doubtful is None else NOBODY_EVER

    # -- what users do ---------------------------------------------------------------------------------

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

    def assign(self, entity: Any, name: str, value: Any) -> None:
        """Set an attribute; recorded unless it has this value already. Plain values mostly go past this."""
        self._check_turn()
        self.check_usable(entity)
        if entity._type.abstract:
            self._core.resolve(entity)
            self.assign(entity, name, value)
            return
        entity_type = entity._type
        if name not in entity_type.attributes and name not in entity_type.aliases:
            raise UnknownAttribute(f"{entity._name} has no attribute `{name}`{did_you_mean(name, entity_type.names)}")
        attribute = entity_type.attribute(name)
        self._check_writable(entity, attribute)
        if attribute.kind == "collection":
            self.collection(entity, name).replace(value)
        elif attribute.kind == "mapping":
            self._replace_items(entity, name, value)
        elif attribute.kind == "reference":
            if name != attribute.name:
                value = self.refer(attribute, value)
            self._assign_reference(entity, attribute, value)
        else:
            self._assign_scalar(entity, attribute, value)

    def assign_item(self, entity: Any, mapping: str, key: str, value: Any) -> None:
        """Set or (None) remove one item of a mapping."""
        self._check_turn()
        self.check_usable(entity)
        if entity._type.abstract:
            self._core.resolve(entity)
        attribute = entity._type.attributes[mapping]
        if attribute.computed:
            raise SchemaError(f"{entity._name}.{mapping} is computed by the server and cannot be set")
        if not isinstance(key, str) or not key:
            raise SchemaError(f"an item of {entity._name}.{mapping} has a non-empty string as its key, not {key!r}")
        item = entity._type.item(mapping, key)
        if item.computed:
            raise SchemaError(f"{entity._name}.{mapping} `{key}` is computed by the server and cannot be set")
        check_value(entity._name, item, value)
        cell = f"{mapping}.{key}"
        changes = entity._changes
        known = entity.peek(mapping)
        if changes is not None and cell in changes.items:
            old = changes.items[cell]
        elif changes is not None and changes.born:
            old = None
        else:
            old = NOT_SET if known is NOT_SET else (known or {}).get(key)
        if old is not NOT_SET and same(old, value):
            return
        if not self.recording:
            if known is not NOT_SET:
                vars(entity._storage)[f"{mapping}_"].__set__(entity, {**(known or {}), key: value})
            return
        changes = self._begin(entity)
        changes.own_items()[cell] = value
        self._note(entity, cell, value, old)
        if entity._changes is not None and not changes.born and cell not in changes.before:
            changes.items.pop(cell, None)

    def link(self, entity: Any, name: str, member: Any, present: bool) -> None:
        """Begin or end the membership of an entity in a collection."""
        self._check_turn()
        self.check_usable(entity)
        attribute = entity._type.attributes[name]
        if attribute.computed:
            raise SchemaError(f"{entity._name}.{name} is computed by the server and cannot be changed")
        self.check_target(entity._name, attribute, member)
        inverse = self.inverse(attribute)
        if inverse is not None and inverse.kind == "reference":
            self._link_by_reference(entity, name, member, inverse, present)
            return
        collection = self.collection(entity, name)
        loaded = collection.remote
        was = None if loaded is None else member in loaded
        local = member in collection.added or (was and member not in collection.removed)
        if loaded is not None and bool(local) == present:
            return
        if (present and member in collection.added) or (not present and member in collection.removed):
            return
        _toggle(collection, member, present)
        self._mirror_link(entity, name, member, present)
        if not self.recording:
            return
        owner, cell, other, known = entity, name, member, was
        if inverse is not None and not self.is_near_side(entity._name, attribute, inverse):
            owner, cell, other = member, inverse.name, entity
        changes = self._begin(owner)
        before = NOT_SET if known is None else bool(local)
        place = (cell, self._identity(other))
        self.log.add((LINK, changes.identity, place, present, before, owner._version))
        marked = changes.own_before()
        if marked.setdefault(place, NOT_SET if known is None else known) is present:
            del marked[place]
            self._clean_if_unchanged(owner, changes)

    def _link_by_reference(self, entity: Any, name: str, member: Any, inverse: Attribute, present: bool) -> None:
        if present:
            self.assign(member, inverse.name, entity)
        elif member.peek(inverse.name) in (entity, NOT_SET):
            if member._type.attributes[inverse.name].required:
                raise SchemaError(
                    f"{member!r} cannot leave {entity._name}.{name}: its {inverse.name} is required; "
                    f"give it another {inverse.name}, or delete it"
                )
            self.assign(member, inverse.name, None)

    # -- the kinds of attributes ---------------------------------------------------------------------------

    def _assign_scalar(self, entity: Any, attribute: Attribute, value: Any) -> None:
        check_value(entity._name, attribute, value)
        if attribute.data_type == "json":
            value = freeze(value)
        old = entity.peek(attribute.name)
        if old is not NOT_SET and same(old, value):
            return
        vars(entity._storage)[slot_name(attribute)].__set__(entity, value)
        if not self.recording:
            return
        if attribute.data_type == "json":
            self._note(entity, attribute.name, thaw(value), thaw(old), old)
        else:
            self._note(entity, attribute.name, value, old)

    def _assign_reference(self, entity: Any, attribute: Attribute, value: Any) -> None:
        if value is not None:
            self.check_target(entity._name, attribute, value)
        old = entity.peek(attribute.name)
        if old is value:
            return
        vars(entity._storage)[slot_name(attribute)].__set__(entity, value)
        if self.recording:
            # What was deleted is not there to be compared with: the server has emptied the reference.
            gone = old is NOT_SET or (old is not None and old.state == "detached")
            was = NOT_SET if gone else self._identity(old)
            self._note(entity, attribute.name, self._identity(value), was, old)
        self._mirror(entity, attribute.name, old or None, value)

    def _replace_items(self, entity: Any, name: str, value: Any) -> None:
        if not isinstance(value, Mapping):
            raise SchemaError(f"{entity._name}.{name} takes a mapping, not {type(value).__name__}: {value!r:.80}")
        view = MappingView(entity, name)
        for key, item in value.items():
            check_value(entity._name, entity._type.item(name, key), item)
        for key in [key for key in view if key not in value]:
            self.assign_item(entity, name, key, None)
        for key, item in value.items():
            self.assign_item(entity, name, key, item)

    # -- the log ---------------------------------------------------------------------------------------

    def _note(self, entity: Any, name: str, value: Any, old: Any, held: Any = NOT_SET) -> None:
        """Put an update in the log. ``held`` is what the slot held, where that is not what is logged."""
        changes = entity._changes
        if changes is None:
            changes = self._begin(entity)
        self.log.add((UPDATE, changes.identity, name, value, old, changes.version))
        if changes.born:
            return
        before = changes.own_before()
        if name not in before:
            before[name] = old if held is NOT_SET else held
            return
        was = before[name]
        if was is not NOT_SET and same(_logged(was), value):
            self.taken_back(entity, name, changes)

    def taken_back(self, entity: Any, name: str, changes: PendingChanges) -> None:
        """An attribute has the value it began with: nothing of it is pending, and it shows what was told last."""
        del changes.before[name]
        if name in changes.remote:
            self._restore(entity, name, changes.remote.pop(name))
        self._clean_if_unchanged(entity, changes)

    def _begin(self, entity: Any) -> PendingChanges:
        changes: PendingChanges | None = entity._changes
        if changes is None:
            changes = PendingChanges(entity.identity, "modified", self, entity._version)
            _hidden(entity, "_changes", changes)
            self.changed[changes.identity] = entity
        return changes

    def _clean_if_unchanged(self, entity: Any, changes: PendingChanges) -> None:
        """The entity is clean again where every change of it was taken back."""
        if not changes.before and changes.state == "modified":
            self.changed.pop(changes.identity, None)
            _hidden(entity, "_changes", None)

    def operations(self) -> list[Operation]:
        """The log as operations, in the order in which things were done."""
        return [operation(entry) for entry in self.log]

    def compressed(self) -> tuple[Operation, ...]:
        """What a commit would send now."""
        with collector.paused():
            return compressed(self.log)

    # -- relations and their mirrors -------------------------------------------------------------------

    def collection(self, entity: Any, name: str) -> Collection:
        """The collection of an entity, made where there is none yet; remembered as touched."""
        try:
            found: Collection = entity._getters[name](entity)
        except AttributeError:
            born = entity._changes is not None and entity._changes.born
            found = Collection(entity, name, [] if born else None)
            entity._setters[name](entity, found)
        self._collections[id(found)] = found
        return found

    def _mirror(self, entity: Any, reference: str, old: Any, new: Any) -> None:
        """Let the collections that mirror a reference show its change."""
        for owner_type, name in self._types.mirrors(entity._name, reference):
            if old is not None and old._name == owner_type:
                _toggle(self.collection(old, name), entity, False)
            if new is not None and new._name == owner_type:
                _toggle(self.collection(new, name), entity, True)

    def _mirror_link(self, entity: Any, name: str, member: Any, present: bool) -> None:
        inverse = self.inverse(entity._type.attributes[name])
        if inverse is not None and inverse.kind == "collection" and inverse.name in member._type.attributes:
            _toggle(self.collection(member, inverse.name), entity, present)

    def inverse(self, attribute: Attribute) -> Attribute | None:
        if attribute.inverse is None or attribute.target is None:
            return None
        return self._types.schema.types[attribute.target].attributes.get(attribute.inverse)

    def is_near_side(self, type_name: str, attribute: Attribute, inverse: Attribute) -> bool:
        """Whether this side of a many-to-many relation is the one that operations name."""
        schema = self._types.schema
        near = (schema.declarer(type_name, attribute.name), attribute.name)
        far = (schema.declarer(str(attribute.target), inverse.name), inverse.name)
        return near <= far

    def _identity(self, entity: Any) -> Identity | None:
        """Which entity, for the log: the same object for all that refer to it until the next commit."""
        if entity is None:
            return None
        found = self._named.get(entity)
        if found is None or found[0] != entity._name:
            changes = entity._changes
            found = self._named[entity] = entity.identity if changes is None else changes.identity
        return found

    def refer(self, attribute: Attribute, key: Key | None) -> Any:
        """The entity of a foreign key: the live one, or a ghost."""
        if key is None:
            return None
        target = str(attribute.target)
        _check_key(self._types.schema.types[target], key)
        found = self._identities.family(self._types.schema.types[target].root).get(key)
        return found if found is not None else make_ghost(self._core, self._types[target], key, None)

    # -- checks ----------------------------------------------------------------------------------------

    def hand_over(self) -> None:
        """Belong to whichever thread comes next."""
        self._check_turn()
        self.owner = NOBODY

    def check_thread(self) -> None:
        """Raise `WrongThread` unless the session belongs to this thread, or to nobody."""
        if self.owner == NOBODY:
            self.owner = self.who()
        if self.who() != self.owner:
            raise WrongThread(
                "this session belongs to another thread; give each thread its own with `session.fork()`, "
                "or pass it on with `session.hand_over()` before the other thread starts"
            )

    def _check_turn(self) -> None:
        self.check_thread()
        if self.doubtful is not None:
            raise StateError(
                "a commit of this session is under way or in doubt: wait for it, or `commit()` again, which sends "
                "the same again; `rollback()` gives it up"
            )

    def check_usable(self, entity: Any) -> None:
        if not isinstance(entity, Entity):
            raise SchemaError(f"this takes an entity, not {type(entity).__name__}: {entity!r:.80}")
        if entity._core is not self._core:
            raise StateError(f"{entity!r} belongs to another session; fetch it here with `session.get(…)`")
        if entity._changes is not None and entity._changes.state not in _WRITABLE:
            if entity._changes.state == "deleted":
                raise StateError(f"{entity!r} is to be deleted with the next commit; `rollback()` takes that back")
            raise entity._gone()

    def check_target(self, owner: str, attribute: Attribute, value: Any) -> None:
        if not isinstance(value, Entity):
            hint = f"; a key goes into `{attribute.foreign_key}`" if isinstance(value, str | int) else ""
            raise SchemaError(
                f"{owner}.{attribute.name} takes an entity of type {attribute.target}, "
                f"not {type(value).__name__}: {value!r:.80}{hint}"
            )
        self.check_usable(value)
        if not self._types.schema.is_a(value._name, str(attribute.target)) and not value._type.abstract:
            raise SchemaError(f"{owner}.{attribute.name} takes an entity of type {attribute.target}, not {value!r}")

    def _check_writable(self, entity: Any, attribute: Attribute) -> None:
        if attribute.computed:
            raise SchemaError(f"{entity._name}.{attribute.name} is computed by the server and cannot be set")
        if attribute.name in entity._type.key or attribute.foreign_key in entity._type.key:
            raise SchemaError(f"{entity._name}.{attribute.name} is the primary key; it is given to `create` only")
        if attribute.immutable and not (entity._changes is not None and entity._changes.born):
            raise SchemaError(f"{entity._name}.{attribute.name} is immutable: only `create` can set it")

    def is_alive(self, entity: Any) -> bool:
        return entity._changes is None or entity._changes.state in _WRITABLE

    # -- the end of the work ---------------------------------------------------------------------------

    def in_state(self, state: State) -> list[Any]:
        """The entities in a state, in the order in which they came into it."""
        return [entity for entity in self.changed.values() if entity._changes.state == state]

    def settle(self, versions: Mapping[Identity, int | None], merged: Iterable[Identity]) -> list[Any]:
        """All pending work has been done by the server. Gives the entities created."""
        self.epoch += 1
        stale = set(merged)
        created = []
        for identity, entity in self.changed.items():
            changes: PendingChanges = entity._changes
            if changes.state == "deleted":
                self.detach(entity)
                continue
            if changes.born:
                created.append(entity)
            if changes.born or changes.items:
                self._settle_items(entity, changes)
            _hidden(entity, "_changes", None)
            version = versions.get(identity)
            if version is not None:
                _hidden(entity, "_version", version)
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

    def learn_touched(self, entity: Any, version: int, emptied: Iterable[str]) -> None:
        """A commit of this session changed an entity without naming it.

        Its version is the entity's, unless somebody else changed it in between: that is yet to be found out.
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
        """Let pending changes count as made on the values last told by the server."""
        self.epoch += 1
        changes: PendingChanges | None = entity._changes
        _hidden(entity, "_version", version)
        if changes is None or changes.state not in ("modified", "deleted"):
            return
        changes.version = version
        identity = changes.identity
        known = {}
        for name in changes.before:
            told = self._told(entity, name)
            if told is not NOT_SET:
                known[name] = changes.before[name] = told
        rebased: list[Entry] = []
        for entry in self.log:
            if entry[1] == identity and entry[0] == UPDATE:
                base = entry[4] if entry[2] not in known else _logged(known[entry[2]])
                entry = (*entry[:4], base, version)
            elif entry[1] == identity:
                entry = (*entry[:-1], version)
            rebased.append(entry)
        self.log = Log(rebased)
        for name, told in known.items():
            local = changes.items[name] if name in changes.items else _logged(entity.peek(name))
            if same(_logged(told), local):
                del changes.before[name]
                changes.own_items().pop(name, None)
        self._clean_if_unchanged(entity, changes)

    def _told(self, entity: Any, name: Any) -> Any:
        """What the server last told of a changed attribute or item; `NOT_SET` where it did not."""
        changes: PendingChanges = entity._changes
        if name in changes.items:
            mapping, _, item = name.partition(".")
            held = entity.peek(mapping)
            return NOT_SET if held is NOT_SET else (held or {}).get(item)
        return changes.remote.get(name, NOT_SET)

    def _restore(self, entity: Any, name: str, value: Any) -> None:
        descriptor = vars(entity._storage)[slot_name(entity._type.attributes[name])]
        if value is NOT_SET:
            try:
                descriptor.__delete__(entity)
            except AttributeError:
                pass
        else:
            descriptor.__set__(entity, value)

    def detach(self, entity: Any) -> None:
        """The entity is gone: out of the identity map, empty, and reading it says so."""
        self._identities.family(entity._type.root).remove(entity._key)
        gone = PendingChanges(entity.identity, "detached", self)
        gone.end("detached")
        _hidden(entity, "_changes", gone)
        for name in entity._type.attributes:
            if name not in entity._type.key:
                self._restore(entity, name, NOT_SET)

    def _clear(self) -> None:
        self.log = Log()
        self.changed = {}
        self._collections = {}
        self._named = {}


_WRITABLE = frozenset(("clean", "created", "modified"))


def _check_key(entity_type: Any, key: Any) -> None:
    """Raise `SchemaError` unless the key can be one of this type."""
    if entity_type.key == ("id",):
        check_value(entity_type.name, entity_type.attributes["id"], key)
    elif len(entity_type.key) > 1 and not (isinstance(key, tuple) and len(key) == len(entity_type.key)):
        raise SchemaError(f"the key of a {entity_type.name} is ({', '.join(entity_type.key)}), not {key!r:.80}")


def _toggle(collection: Collection, member: Any, present: bool) -> None:
    """Change the local membership, cancelling the opposite change."""
    if present:
        if member in collection.removed:
            del collection.removed[member]
        if collection.remote is None or member not in collection.remote:
            collection.added[member] = None
    else:
        collection.added.pop(member, None)
        if collection.remote is None or member in collection.remote:
            collection.removed[member] = None


def _logged(value: Any) -> Any:
    """A slot's value as the log has it."""
    return value.identity if isinstance(value, Entity) else thaw(value)
