"""Links: what waits for what, and what is made of what. An incoming link comes from what this depends on."""

from __future__ import annotations

from typing import Any

from callsheet.core.core import Core
from callsheet.flow import Flow
from callsheet.production.assignments import Kind, join, joined, leave

__all__ = ["Linking"]


class Linking:
    """Methods of what can be linked."""

    __slots__ = ()
    session: Any

    def link_from(self, other: Any) -> Any:
        """The link by which this depends on another, made where there is none; pending until the next commit."""
        return self.session.run(join(self.session, _kind(self, "incoming_links"), self, other))

    def link_to(self, other: Any) -> Any:
        """The link by which another depends on this, made where there is none; pending until the next commit."""
        return self.session.run(join(self.session, _kind(self, "outgoing_links"), self, other))

    def unlink(self, other: Any) -> Any:
        """End the links between this and another with the next commit; gives how many ended."""
        return self.session.run(_unlink(self.session, self, other))

    def get_dependencies(self) -> Any:
        """What this depends on."""
        return self.session.run(joined(self.session, _kind(self, "incoming_links"), self))

    def get_dependents(self) -> Any:
        """What depends on this."""
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
