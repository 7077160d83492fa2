"""What components and locations can do: the methods of their entities.

Each runs a flow through the session of the entity, so it blocks in a `Session` and is awaited in an
`AsyncSession`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callsheet.storage import components, finding, placing, recovery, removing
from callsheet.storage.intent import STALE_SECONDS
from callsheet.storage.transfer import OnProgress

__all__ = ["ComponentBehaviour", "LocationBehaviour"]


class LocationBehaviour:
    """A place for files: components are put in, found, and taken out."""

    __slots__ = ()

    def add_component(
        self: Any, component: Any, source: Any = None, recursive: bool = True, progress: OnProgress | None = None
    ) -> Any:
        """Put a component here, from another location or wherever it is; with its members where ``recursive``."""
        flow = placing.add(self.session, self, [component], source, recursive, progress)
        return self.session.run(flow)

    def add_components(
        self: Any,
        components: Sequence[Any],
        sources: Any = None,
        recursive: bool = True,
        progress: OnProgress | None = None,
    ) -> Any:
        """Put several components here: all of them, or none. ``sources`` is one location, or one for each."""
        flow = placing.add(self.session, self, list(components), sources, recursive, progress)
        return self.session.run(flow)

    def remove_component(self: Any, component: Any, recursive: bool = True) -> Any:
        """Take a component out, and remove its files."""
        return self.session.run(removing.remove(self.session, self, [component], recursive))

    def remove_components(self: Any, components: Sequence[Any], recursive: bool = True) -> Any:
        """Take several components out, and remove their files."""
        return self.session.run(removing.remove(self.session, self, list(components), recursive))

    def get_component_availability(self: Any, component: Any) -> Any:
        """How much of a component is here, in percent."""
        return self.session.run(_only_share(self, [component], True))

    def get_component_availabilities(self: Any, components: Sequence[Any]) -> Any:
        """How much of each component is here, in percent."""
        return self.session.run(_only_share(self, list(components), False))

    def get_resource_identifier(self: Any, component: Any) -> Any:
        """What a component is called here."""
        return self.session.run(_first(finding.identifiers(self.session, self, [component])))

    def get_resource_identifiers(self: Any, components: Sequence[Any]) -> Any:
        """What each component is called here."""
        return self.session.run(finding.identifiers(self.session, self, list(components)))

    def get_filesystem_path(self: Any, component: Any) -> Any:
        """Where a component is on this machine."""
        return self.session.run(_first(finding.filesystem_paths(self.session, self, [component])))

    def get_filesystem_paths(self: Any, components: Sequence[Any]) -> Any:
        """Where each component is on this machine."""
        return self.session.run(finding.filesystem_paths(self.session, self, list(components)))

    def get_url(self: Any, component: Any) -> Any:
        """An address of a component's file; it holds no key."""
        return self.session.run(finding.url(self.session, self, component))

    def recover(self: Any, older_than: float = STALE_SECONDS) -> Any:
        """Finish or undo what interrupted sessions left here more than so many seconds ago."""
        return self.session.run(recovery.recover(self.session, self, older_than))


class ComponentBehaviour:
    """Knows where it is."""

    __slots__ = ()

    def get_availability(self: Any, locations: Any = None) -> Any:
        """How much of it is in each location, by the location's key, in percent."""
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
