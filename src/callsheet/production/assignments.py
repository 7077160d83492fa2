"""Assignments to contexts, allocations to projects, and members of groups.

Some schemas have one type for assignments and allocations, `Appointment`, whose rows have a kind; Callsheet's preset
has a type for each. The methods are the same. Nobody is assigned twice.
"""

from __future__ import annotations

from typing import Annotated, Any

from callsheet.core.core import Core
from callsheet.core.verb import Gives
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.production.queries import entities, is_

__all__ = ["Allocatable", "Assignable", "Membered", "join", "joined", "leave"]

Kind = tuple[str, str, str, dict[str, str]]
"""The type of the rows, the names of its two references, and the other values of its rows."""


class Assignable:
    """The methods of entities that people are assigned to."""

    __slots__ = ()
    session: Any

    def assign(self, resource: Any) -> Annotated[Any, Gives("Entity")]:
        """Assign a user or group, unless it is assigned; returns the assignment, pending until the next commit."""
        return self.session.run(join(self.session, _kind(self.session, "assignment"), self, resource))

    def unassign(self, resource: Any) -> Annotated[Any, Gives("int")]:
        """Delete the assignment of a user or group with the next commit; returns how many."""
        return self.session.run(leave(self.session, _kind(self.session, "assignment"), self, resource))

    def get_assignees(self) -> Annotated[Any, Gives("list[Entity]")]:
        """The users and groups assigned to this."""
        return self.session.run(joined(self.session, _kind(self.session, "assignment"), self))


class Allocatable:
    """The methods of entities that people are allocated to."""

    __slots__ = ()
    session: Any

    def allocate(self, resource: Any) -> Annotated[Any, Gives("Entity")]:
        """Allocate a user or group, unless it is allocated; returns the allocation, pending until the next commit."""
        return self.session.run(join(self.session, _kind(self.session, "allocation"), self, resource))

    def deallocate(self, resource: Any) -> Annotated[Any, Gives("int")]:
        """Delete the allocation of a user or group with the next commit; returns how many."""
        return self.session.run(leave(self.session, _kind(self.session, "allocation"), self, resource))

    def get_allocated(self) -> Annotated[Any, Gives("list[Entity]")]:
        """The users and groups allocated to this."""
        return self.session.run(joined(self.session, _kind(self.session, "allocation"), self))


class Membered:
    """The methods of groups."""

    __slots__ = ()
    session: Any

    def add_member(self, user: Any) -> Annotated[Any, Gives("Membership")]:
        """Add a user, unless it is a member; returns the membership, pending until the next commit."""
        return self.session.run(join(self.session, MEMBERSHIP, self, user))

    def remove_member(self, user: Any) -> Annotated[Any, Gives("int")]:
        """Delete the membership of a user with the next commit; returns how many."""
        return self.session.run(leave(self.session, MEMBERSHIP, self, user))

    def get_members(self) -> Annotated[Any, Gives("list[User]")]:
        """The users in this group."""
        return self.session.run(joined(self.session, MEMBERSHIP, self))


MEMBERSHIP: Kind = ("Membership", "group", "user", {})


def _kind(core: Core, word: str) -> Kind:
    if "Appointment" in core.schema.types:
        return "Appointment", "context", "resource", {"type": word}
    name = word.capitalize()
    return name, "context" if "context" in core.schema.type(name).attributes else "project", "resource", {}


def join(core: Core, kind: Kind, owner: Any, member: Any) -> Flow[Any]:
    """The row between two entities, created if there is none."""
    type_name, near, far, more = kind
    core.unit.check_target(type_name, core.schema.types[type_name].attributes[far], member)
    found = yield from _rows(core, kind, owner)
    for row in found:
        if row.peek(far) is member:
            return row
    return core.create(type_name, {near: owner, far: member, **more})


def leave(core: Core, kind: Kind, owner: Any, member: Any) -> Flow[int]:
    """Delete the rows between two entities."""
    if member is None:
        raise UsageError("a member to remove is required, not None")
    found = yield from _rows(core, kind, owner)
    gone = [row for row in found if row.peek(kind[2]) is member]
    for row in gone:
        core.delete(row)
    return len(gone)


def joined(core: Core, kind: Kind, owner: Any) -> Flow[list[Any]]:
    """The entities at the other end."""
    found = yield from _rows(core, kind, owner)
    return list(dict.fromkeys(row.peek(kind[2]) for row in found))


def _rows(core: Core, kind: Kind, owner: Any) -> Flow[list[Any]]:
    """The rows of an owner: those on the server, and those not yet committed."""
    type_name, near, _far, more = kind
    found: list[Any] = []
    if not (owner._changes is not None and owner._changes.born):
        conditions = [is_(f"{near}.id", owner.id), *(is_(name, value) for name, value in more.items())]
        found = yield from entities(core, type_name, *conditions)
    for row in core.created:
        same = row.entity_type == type_name and row.peek(near) is owner
        if same and all(row.peek(name) == value for name, value in more.items()):
            found.append(row)
    return [row for row in dict.fromkeys(found) if core.unit.is_alive(row)]
