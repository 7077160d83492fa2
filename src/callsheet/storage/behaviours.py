"""The methods of component and location entities.

Each runs a flow in the session of the entity, so it blocks in a `Session` and is awaited in an `AsyncSession`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from callsheet.core.verb import Gives
from callsheet.storage import components, finding, placing, recovery, removing
from callsheet.storage.intent import STALE_SECONDS
from callsheet.storage.transfer import OnProgress

__all__ = ["ComponentBehaviour", "LocationBehaviour"]


class LocationBehaviour:
    """The methods of locations: components are added, found, and removed."""

    __slots__ = ()

    def add_component(
        self: Any, component: Any, source: Any = None, recursive: bool = True, progress: OnProgress | None = None
    ) -> Any:
        """Add a component, from another location or wherever it is; with its members if ``recursive``."""
        flow = placing.add(self.session, self, [component], source, recursive, progress)
        return self.session.run(flow)

    def add_components(
        self: Any,
        components: Sequence[Any],
        sources: Any = None,
        recursive: bool = True,
        progress: OnProgress | None = None,
    ) -> Any:
        """Add several components: all of them, or none. ``sources`` is one location, or one for each."""
        flow = placing.add(self.session, self, list(components), sources, recursive, progress)
        return self.session.run(flow)

    def remove_component(self: Any, component: Any, recursive: bool = True) -> Any:
        """Remove a component from this location, with its files."""
        return self.session.run(removing.remove(self.session, self, [component], recursive))

    def remove_components(self: Any, components: Sequence[Any], recursive: bool = True) -> Any:
        """Remove several components from this location, with their files."""
        return self.session.run(removing.remove(self.session, self, list(components), recursive))

    def get_component_availability(self: Any, component: Any) -> Any:
        """How much of a component is in this location, in percent."""
        return self.session.run(_only_share(self, [component], True))

    def get_component_availabilities(self: Any, components: Sequence[Any]) -> Any:
        """How much of each component is in this location, in percent."""
        return self.session.run(_only_share(self, list(components), False))

    def get_resource_identifier(self: Any, component: Any) -> Annotated[Any, Gives("str")]:
        """The resource identifier of a component in this location."""
        return self.session.run(_first(finding.identifiers(self.session, self, [component])))

    def get_resource_identifiers(self: Any, components: Sequence[Any]) -> Annotated[Any, Gives("list[str]")]:
        """The resource identifier of each component in this location."""
        return self.session.run(finding.identifiers(self.session, self, list(components)))

    def get_filesystem_path(self: Any, component: Any) -> Annotated[Any, Gives("str")]:
        """The path of a component on this machine."""
        return self.session.run(_first(finding.filesystem_paths(self.session, self, [component])))

    def get_filesystem_paths(self: Any, components: Sequence[Any]) -> Annotated[Any, Gives("list[str]")]:
        """The path of each component on this machine."""
        return self.session.run(finding.filesystem_paths(self.session, self, list(components)))

    def get_url(self: Any, component: Any) -> Any:
        """A URL of a component's file, without a key."""
        return self.session.run(finding.url(self.session, self, component))

    def recover(self: Any, older_than: float = STALE_SECONDS) -> Any:
        """Finish or undo operations of sessions that were interrupted more than ``older_than`` seconds ago."""
        return self.session.run(recovery.recover(self.session, self, older_than))


class ComponentBehaviour:
    """The methods of components."""

    __slots__ = ()

    def get_availability(self: Any, locations: Any = None) -> Any:
        """How much of the component is in each location, by the location's key, in percent."""
        return self.session.run(_first(finding.availabilities(self.session, [self], locations)))

    def get_missing_frames(self: Any) -> Any:
        """The frames between its first and last that a sequence has no file of; none of what is no sequence."""
        return self.session.run(components.missing_frames(self.session, self))


def _first(flow: Any) -> Any:
    found = yield from flow
    return found[0]


def _only_share(location: Any, components: list[Any], single: bool) -> Any:
    shares = yield from finding.availabilities(location.session, components, [location])
    found = [share.get(str(location._key), 0.0) for share in shares]
    return found[0] if single else found
