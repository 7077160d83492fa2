"""The project that an entity belongs to in the working set of a commit."""

from __future__ import annotations

from collections.abc import Iterable

from callsheet.model.record import Identity
from callsheet.server.access.belonging import LONGEST, ProjectRoute, project_routes
from callsheet.server.writing.overlay import Overlay, WorkingRow

__all__ = ["load_owners", "project_of"]


def load_owners(overlay: Overlay, entries: Iterable[WorkingRow]) -> None:
    """Read the entities through which these entities' projects are found, a level at a time."""
    level = list(entries)
    for _ in range(LONGEST):
        owners = [owner for entry in level if (owner := _owner(overlay, entry)) is not None]
        if not owners:
            return
        overlay.load(overlay.place(owner) for owner in owners)
        level = [entry for owner in owners if (entry := overlay.get(owner)) is not None]


def project_of(overlay: Overlay, entry: WorkingRow) -> str | None:
    """The key of the project that an entity belongs to, by current values; `load_owners` must have been called."""
    for _ in range(LONGEST):
        route = project_routes(overlay.schema).get(entry.identity.entity_type, ProjectRoute())
        if route.column:
            held: Identity | str | None = entry.identity.key if route.column == "id" else entry.get(route.column)
            return str(held.key) if isinstance(held, Identity) else held
        owner = _owner(overlay, entry)
        found = None if owner is None else overlay.get(owner)
        if found is None:
            return None
        entry = found
    return None


def _owner(overlay: Overlay, entry: WorkingRow) -> Identity | None:
    route = project_routes(overlay.schema).get(entry.identity.entity_type, ProjectRoute())
    values = (entry.get(name) for name, _ in route.references)
    return next((value for value in values if isinstance(value, Identity)), None)
