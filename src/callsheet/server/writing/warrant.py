"""The permissions of a commit's author are enforced for each entity that the commit names.

The rows that a batch names are queried once more, with the author's conditions. Entities that the author may not read
are *hidden*: the batch is refused with the same error as if they did not exist. If an entity may be read but not
changed, the batch is refused as forbidden. The project of each entity is checked after the last operation, so that
nothing is created in, or moved into, a project where the author may not write.

Consequences of a change need no permission of their own: entities deleted by cascade, references that become None,
descendants that move along. The result does not mention those that are hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import define, field

from callsheet.errors import Forbidden, Invalid, ServerError
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.record import Identity
from callsheet.server.access.access import NOWHERE, Access
from callsheet.server.writing.overlay import Overlay, Place, WorkingRow
from callsheet.server.writing.project import load_owners, project_of

__all__ = ["Warrant"]


@define
class Warrant:
    """The permissions of one commit's author."""

    access: Access
    overlay: Overlay
    _readable: dict[Place, bool] = field(factory=dict)

    def inspect(self, operations: Sequence[Operation], places: Iterable[Place]) -> None:
        """Hide named entities that the author may not read; raise `Forbidden` for those it may not change."""
        self.overlay.may_reveal = self.may_reveal
        self._look([*places, *self._referred(operations)])
        self.overlay.hidden.update(place for place, readable in self._readable.items() if not readable)
        for verb, kind in (("update", Update), ("delete", Delete)):
            self._refuse_changes(verb, [(i, each) for i, each in enumerate(operations) if isinstance(each, kind)])
        for index, operation in enumerate(operations):
            if isinstance(operation, Create):
                name = operation.identity.entity_type
                if self.access.reach("create", name) == NOWHERE:
                    raise self._forbidden("create", index, operation.identity)

    def _referred(self, operations: Sequence[Operation]) -> list[Place]:
        """The targets of references with a ``before`` value: a conflict error would reveal them."""
        found = []
        for operation in operations:
            entry = self.overlay.get(operation.identity)
            for name in operation.before if isinstance(operation, Update) and entry is not None else ():
                value = entry.original(name) if entry is not None else None
                if isinstance(value, Identity):
                    found.append(self.overlay.place(value))
        return found

    def _look(self, places: Iterable[Place]) -> None:
        """Query which of these places have an entity that the author may read."""
        wanted: dict[str, list[str]] = {}
        for root, key in dict.fromkeys(places):
            if (root, key) not in self._readable:
                wanted.setdefault(root, []).append(key)
        for root, keys in wanted.items():
            found = self.access.among("read", self.overlay.connection, root, keys)
            # A key without an entity is queried and hidden too: neither error nor time distinguishes the two cases.
            self._readable.update(((root, key), key in found) for key in keys)

    def may_reveal(self, place: Place) -> bool:
        """Whether an error may name the entity at a place: this commit created it, or the author may read it."""
        entry = self.overlay.at(place)
        if entry is not None and entry.created:
            return True
        if place not in self._readable:
            self._readable[place] = bool(self.access.among("read", self.overlay.connection, place[0], [place[1]]))
        return self._readable[place]

    def _refuse_changes(self, verb: str, operations: Sequence[tuple[int, Operation]]) -> None:
        wanted: dict[str, dict[str, int]] = {}
        for index, operation in operations:
            root, key = self.overlay.place(operation.identity)
            if (root, key) in self.overlay.entries and (root, key) not in self.overlay.hidden:
                wanted.setdefault(root, {}).setdefault(key, index)
        refused = []
        for root, keys in wanted.items():
            found = self.access.among(verb, self.overlay.connection, root, keys)
            refused += [(index, root, key) for key, index in keys.items() if key not in found]
        if refused:
            index, root, key = min(refused)
            raise self._forbidden(verb, index, self.overlay.entries[root, key].identity)

    def check_projects(self, operations: Sequence[Operation]) -> None:
        """Raise `Forbidden` for entities created in, or moved to, a project where the author may not do so."""
        concerned: list[tuple[int, str, WorkingRow]] = []
        for index, operation in enumerate(operations):
            entry = None if isinstance(operation, Delete) else self.overlay.get(operation.identity)
            verb = "create" if isinstance(operation, Create) else "update"
            if entry is None or not entry.alive or (verb == "update" and entry.created):
                continue
            if self.access.reach(verb, entry.identity.entity_type) is not None:
                concerned.append((index, verb, entry))
        load_owners(self.overlay, [entry for _, _, entry in concerned])
        for index, verb, entry in concerned:
            projects = self.access.reach(verb, entry.identity.entity_type)
            if projects is not None and project_of(self.overlay, entry) not in projects:
                raise self._forbidden(verb, index, entry.identity, " here")

    def _forbidden(self, verb: str, index: int, identity: Identity, where: str = "") -> Forbidden:
        kind, key = identity
        user = self.access.permissions.user
        return Forbidden(
            f"operation {index}: `{user}` may not {verb} {kind} {key}{where}", operation=index, entity=(kind, key)
        )

    def visible(self, identities: Iterable[Identity]) -> tuple[Identity, ...]:
        """The identities that the author may read. Must be called before the rows are deleted."""
        found = list(identities)
        self._look(self.overlay.place(identity) for identity in found)
        return tuple(identity for identity in found if self.may_reveal(self.overlay.place(identity)))

    def masked(self, error: ServerError) -> ServerError:
        """The error, or one without details if it is about an entity that the author may not read."""
        if error.entity is None or self._is_safe(error.entity):
            return error
        masked = f"operation {error.operation}: it would break a rule of an entity that you may not read"
        return Invalid(masked, operation=error.operation)

    def _is_safe(self, entity: tuple[str, str]) -> bool:
        place = self.overlay.place(Identity(*entity))
        # An entity that the batch names is either readable, or the error says that it does not exist.
        return place in self.overlay.hidden or place not in self.overlay.entries or self.may_reveal(place)
