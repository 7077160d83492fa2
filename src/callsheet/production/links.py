"""Links are dependencies between entities. An incoming link comes from an entity that this one depends on."""

from __future__ import annotations

from typing import Annotated, Any

from callsheet.core.core import Core
from callsheet.core.verb import Gives
from callsheet.flow import Flow
from callsheet.production.assignments import Kind, join, joined, leave

__all__ = ["Linking"]


class Linking:
    """The methods of entities with links."""

    __slots__ = ()
    session: Any

    def link_from(self, other: Any) -> Annotated[Any, Gives("Entity")]:
        """Make this depend on another entity, unless it does; returns the link, pending until the next commit."""
        return self.session.run(join(self.session, _kind(self, "incoming_links"), self, other))

    def link_to(self, other: Any) -> Annotated[Any, Gives("Entity")]:
        """Make another entity depend on this one, unless it does; returns the link, pending until the next commit."""
        return self.session.run(join(self.session, _kind(self, "outgoing_links"), self, other))

    def unlink(self, other: Any) -> Annotated[Any, Gives("int")]:
        """Delete the links between this and another entity with the next commit; returns how many."""
        return self.session.run(_unlink(self.session, self, other))

    def get_dependencies(self) -> Annotated[Any, Gives("list[Entity]")]:
        """The entities that this one depends on."""
        return self.session.run(joined(self.session, _kind(self, "incoming_links"), self))

    def get_dependents(self) -> Annotated[Any, Gives("list[Entity]")]:
        """The entities that depend on this one."""
        return self.session.run(joined(self.session, _kind(self, "outgoing_links"), self))


def _kind(entity: Any, collection: str) -> Kind:
    other = "outgoing_links" if collection == "incoming_links" else "incoming_links"
    attributes = entity._type.attributes
    near, far = attributes[collection].inverse, attributes[other].inverse
    return str(attributes[collection].target), str(near), str(far), {}


def _unlink(core: Core, entity: Any, other: Any) -> Flow[int]:
    incoming = yield from leave(core, _kind(entity, "incoming_links"), entity, other)
    outgoing = yield from leave(core, _kind(entity, "outgoing_links"), entity, other)
    return incoming + outgoing
