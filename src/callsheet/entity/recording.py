"""Who may record, and the log of what was recorded.

The log holds one entry for each thing done, with identities instead of entities. Beside it, `changed` holds
every entity with something pending, so its state is a field and not a scan. Nothing here talks: what must be
fetched first, the core fetches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callsheet import collector
from callsheet.entity.collection import Collection
from callsheet.entity.draft import Blueprint
from callsheet.entity.entity import Entity, PendingChanges
from callsheet.entity.frozen import thaw
from callsheet.entity.identity_map import IdentityMap
from callsheet.entity.loader import make_ghost
from callsheet.entity.log import UPDATE, Log, compressed, operation
from callsheet.entity.types import Types, slot_name
from callsheet.errors import SchemaError, StateError, WrongThread
from callsheet.model.normalisation import normalised_key
from callsheet.model.operation import ChangeSet, Operation
from callsheet.model.record import NOT_SET, Identity, Key, new_key, same
from callsheet.model.schema import Attribute

__all__ = ["NOBODY", "Recording", "logged"]

_hidden = object.__setattr__
NOBODY = -1
NOBODY_EVER = -2
WRITABLE = frozenset(("clean", "created", "modified"))


class Recording:
    """The log of one session, and the thread that may write to it."""

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
        #: Goes up with each commit and refresh: a response to an earlier request is older than what is here.
        self.epoch = 0
        self._named: dict[Any, Identity] = {}
        #: How many blocks are open that may take back what they record.
        self.savepoints = 0

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

    def check_no_savepoint(self, what: str) -> None:
        """Raise `StateError` inside a savepoint: after ``what`` there would be no way back to its beginning."""
        if self.savepoints:
            raise StateError(f"a savepoint is open, so there is no {what} yet: leave its block first")

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
        if entity._changes is not None and entity._changes.state not in WRITABLE:
            if entity._changes.state == "deleted":
                raise StateError(f"{entity!r} is to be deleted with the next commit; `rollback()` takes that back")
            raise entity._gone()

    def check_target(self, owner: str, attribute: Attribute, value: Any) -> None:
        if not isinstance(value, Entity):
            is_key = isinstance(value, str | int) and attribute.foreign_key
            hint = f"; a key goes into `{attribute.foreign_key}`" if is_key else ""
            raise SchemaError(
                f"{owner}.{attribute.name} takes an entity of type {attribute.target}, "
                f"not {type(value).__name__}: {value!r:.80}{hint}"
            )
        self.check_usable(value)
        if not self._types.schema.is_a(value._name, str(attribute.target)) and not value._type.abstract:
            raise SchemaError(f"{owner}.{attribute.name} takes an entity of type {attribute.target}, not {value!r}")

    def is_alive(self, entity: Any) -> bool:
        return entity._changes is None or entity._changes.state in WRITABLE

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
        if was is not NOT_SET and same(logged(was), value):
            self.taken_back(entity, name, changes)

    def taken_back(self, entity: Any, name: str, changes: PendingChanges) -> None:
        """An attribute has the value it began with: nothing of it is pending, and the latest server value
        becomes visible."""
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
        key = normalised_key(self._types.schema.types[target], key)
        found = self._identities.family(self._types.schema.types[target].root).get(key)
        return found if found is not None else make_ghost(self._core, self._types[target], key, None)

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


def logged(value: Any) -> Any:
    """A slot's value as the log has it."""
    return value.identity if isinstance(value, Entity) else thaw(value)
