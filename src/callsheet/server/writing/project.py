"""The project that an entity of a commit belongs to, as things stand in the working set."""

from __future__ import annotations

from collections.abc import Iterable

from callsheet.model.record import Identity
from callsheet.server.access.belonging import LONGEST, ProjectRoute, ways_of
from callsheet.server.writing.overlay import Overlay, WorkingRow

__all__ = ["load_ways", "project_of"]


def load_ways(overlay: Overlay, entries: Iterable[WorkingRow]) -> None:
    """Read what these entities' projects are found by, a level at a time."""
    level = list(entries)
    for _ in range(LONGEST):
        owners = [owner for entry in level if (owner := _owner(overlay, entry)) is not None]
        if not owners:
            return
        overlay.load(overlay.place(owner) for owner in owners)
        level = [entry for owner in owners if (entry := overlay.get(owner)) is not None]


def project_of(overlay: Overlay, entry: WorkingRow) -> str | None:
    """The project an entity belongs to as things stand in a commit; what is needed must have been loaded."""
    for _ in range(LONGEST):
        way = ways_of(overlay.schema).get(entry.identity.entity_type, ProjectRoute())
        if way.column:
            held: Identity | str | None = entry.identity.key if way.column == "id" else entry.get(way.column)
            return str(held.key) if isinstance(held, Identity) else held
        owner = _owner(overlay, entry)
        found = None if owner is None else overlay.get(owner)
        if found is None:
            return None
        entry = found
    return None


def _owner(overlay: Overlay, entry: WorkingRow) -> Identity | None:
    way = ways_of(overlay.schema).get(entry.identity.entity_type, ProjectRoute())
    values = (entry.get(name) for name, _ in way.references)
    return next((value for value in values if isinstance(value, Identity)), None)
