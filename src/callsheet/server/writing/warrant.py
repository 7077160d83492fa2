"""What the author of a commit may know of and do, where permissions bound it.

The rows that a batch names are looked up once more, under the author's conditions. What the author may not
read is *hidden*: the batch finds it nowhere, and is refused in the words it would be refused in if there were
no such entity. What may be read but not changed refuses the batch as forbidden. Where entities end up is
judged when the batch is over, so that nothing is created in, or moved into, a project out of bounds.

What goes with a change needs no permission of its own: parts deleted with the whole, references to it that
become None, descendants that move along. The answer tells nothing of those that are hidden.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import define, field

from callsheet.errors import Forbidden, Invalid, ServerError
from callsheet.model.operation import Create, Delete, Operation, Update
from callsheet.model.record import Identity
from callsheet.server.access.access import NOWHERE, Access
from callsheet.server.writing.overlay import Overlay, Place, WorkingRow
from callsheet.server.writing.project import load_ways, project_of

__all__ = ["Warrant"]


@define
class Warrant:
    """The bounds of one commit."""

    access: Access
    overlay: Overlay
    _readable: dict[Place, bool] = field(factory=dict)

    def inspect(self, operations: Sequence[Operation], places: Iterable[Place]) -> None:
        """Hide what the author may not read of what the batch names, and refuse what it may not change."""
        self.overlay.tells = self.tells
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
        """Where the references lead whose values the author claims to have seen: a conflict would tell them."""
        found = []
        for operation in operations:
            entry = self.overlay.get(operation.identity)
            for name in operation.before if isinstance(operation, Update) and entry is not None else ():
                value = entry.original(name) if entry is not None else None
                if isinstance(value, Identity):
                    found.append(self.overlay.place(value))
        return found

    def _look(self, places: Iterable[Place]) -> None:
        """Find out which places hold something that the author may read."""
        wanted: dict[str, list[str]] = {}
        for root, key in dict.fromkeys(places):
            if (root, key) not in self._readable:
                wanted.setdefault(root, []).append(key)
        for root, keys in wanted.items():
            found = self.access.among("read", self.overlay.connection, root, keys)
            # A key that leads nowhere is looked for all the same, and hidden: neither words nor time tell it apart.
            self._readable.update(((root, key), key in found) for key in keys)

    def tells(self, place: Place) -> bool:
        """Whether the author may be told of what is at a place: it was made by this commit, or may be read."""
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

    def judge(self, operations: Sequence[Operation]) -> None:
        """Refuse what was created, or moved to, where the author may not create or update."""
        concerned: list[tuple[int, str, WorkingRow]] = []
        for index, operation in enumerate(operations):
            entry = None if isinstance(operation, Delete) else self.overlay.get(operation.identity)
            verb = "create" if isinstance(operation, Create) else "update"
            if entry is None or not entry.alive or (verb == "update" and entry.created):
                continue
            if self.access.reach(verb, entry.identity.entity_type) is not None:
                concerned.append((index, verb, entry))
        load_ways(self.overlay, [entry for _, _, entry in concerned])
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

    def told(self, identities: Iterable[Identity]) -> tuple[Identity, ...]:
        """Those of which the author may be told; asked before the rows are gone."""
        found = list(identities)
        self._look(self.overlay.place(identity) for identity in found)
        return tuple(identity for identity in found if self.tells(self.overlay.place(identity)))

    def masked(self, error: ServerError) -> ServerError:
        """The error, or one that tells less where it is about an entity that is hidden."""
        if error.entity is None or self._may_hear(error.entity):
            return error
        told = f"operation {error.operation}: it would break a rule for something that you may not see"
        return Invalid(told, operation=error.operation)

    def _may_hear(self, entity: tuple[str, str]) -> bool:
        place = self.overlay.place(Identity(*entity))
        # Of what the batch itself names, the author knows already, or is told that there is no such entity.
        return place in self.overlay.hidden or place not in self.overlay.entries or self.tells(place)
