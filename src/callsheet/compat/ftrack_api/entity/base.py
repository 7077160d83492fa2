"""Entities under their old name, and the methods that they have more in a session of this package."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from callsheet.compat.ftrack_api.attribute import Attributes, attributes_of
from callsheet.compat.ftrack_api.exception import translating
from callsheet.core import commit as commit_flows
from callsheet.entity.entity import Entity
from callsheet.errors import Unsupported
from callsheet.flow import Flow
from callsheet.model.schema import EntityType
from callsheet.production import timers
from callsheet.storage.locations import WELL_KNOWN

__all__ = ["Entity", "EntityMethods", "LocationMethods", "UserMethodsThatCommit"]


@lru_cache(maxsize=1_000)
def _attributes(entity_type: EntityType) -> Attributes:
    return attributes_of(entity_type)


class _OfType:
    """An attribute of the class and of its entities that is made of the entity type."""

    def __init__(self, make: Any) -> None:
        self._make = make

    def __get__(self, instance: Any, owner: Any) -> Any:
        return self._make(owner._type)


class EntityMethods:
    """What every entity has more."""

    __slots__ = ()

    #: The attributes of the type.
    attributes = _OfType(_attributes)
    #: The names of the attributes that make the primary key.
    primary_key_attributes = _OfType(lambda entity_type: list(entity_type.key))
    #: What a query without projections brings.
    default_projections = _OfType(lambda entity_type: list(entity_type.key))

    def update(self: Any, *given: Mapping[str, Any], **values: Any) -> None:
        """Set several attributes."""
        for name, value in dict(*given, **values).items():
            self[name] = value


class LocationMethods:
    """How a location is reached, said on the entity: ``location.accessor = …``."""

    __slots__ = ()

    def __setattr__(self: Any, name: str, value: Any) -> None:
        if name in ("accessor", "structure", "priority", "resource_identifier_transformer"):
            _configure(self, {name: value})
        else:
            self._core._unit.assign(self, self._attribute_of.get(name, name), value)

    def get_thumbnail_url(self: Any, component: Any, size: int | None = None) -> str:
        """The address of a component's picture on the server, at most so many pixels wide and high.

        It holds the key of the account, as the vendor's does: give it to nobody.
        """
        session = self.session
        if self.key != WELL_KNOWN["server"]:
            with translating("AccessorUnsupportedOperationError"):
                raise Unsupported(f"{self!r} keeps no thumbnails: only the location `server` does")
        address = f"{session.server_url}/component/thumbnail?id={component.identity.key}"
        address += f"&size={size}" if size else ""
        return f"{address}&username={session.api_user}&apiKey={session.api_key}"


def _configure(location: Any, said: dict[str, Any]) -> None:
    """Remember what is said of a location, and tell the session once files can be reached."""
    known = location.session.said_of_locations.setdefault(location.key, {})
    known.update(said)
    if "accessor" in known and known["accessor"] is not None:
        location.session.locations.add(
            location,
            accessor=known["accessor"],
            structure=known.get("structure"),
            priority=known.get("priority", 95),
            transformer=known.get("resource_identifier_transformer"),
        )


class UserMethodsThatCommit:
    """Timers as the vendor's client has them: starting and stopping commits all that is pending."""

    __slots__ = ()

    def start_timer(
        self: Any, context: Any = None, comment: str = "", name: str | None = None, force: bool = False
    ) -> Any:
        """A timer that runs from now on. ``NotUniqueError`` where one runs already."""
        with translating("NotUniqueError"):
            timer = self.session.untranslated(timers.start_timer(self.session, self, context, comment, name, force))
        self.session.commit()
        return timer

    def stop_timer(self: Any) -> Any:
        """The time log of the running timer, which ends."""
        return self.session.run(_committed(self.session, timers.stop_timer(self.session, self)))


def _committed(session: Any, flow: Flow[Any]) -> Flow[Any]:
    found = yield from flow
    yield from commit_flows.commit(session)
    return found
