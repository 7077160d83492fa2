"""Removes components from locations: first the rows, then the files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from callsheet.core.core import Core
from callsheet.errors import NotInLocation
from callsheet.events.topics import COMPONENT_REMOVED
from callsheet.flow import Flow
from callsheet.model.operation import Delete
from callsheet.storage.intent import Intents, Planned
from callsheet.storage.locations import SessionLocation
from callsheet.storage.lookup import Item, gather, rows_of, value_of
from callsheet.storage.registration import alone, announce, check_turn, flat, forget_rows, is_in_doubt

__all__ = ["remove"]


def remove(core: Core, location: Any, components: Sequence[Any], recursive: bool = True) -> Flow[None]:
    """Remove components, with their members, from a location: commit the deletion of rows, then remove the files."""
    check_turn(core)
    place = yield from core.locations.resolve(location)
    items = yield from gather(core, components, recursive)
    if place.kind == "origin":
        for item in flat(items):
            core.locations.origins.pop(item.entity, None)
        return
    everything = {item.entity: item for item in flat(items)}
    rows = yield from rows_of(core, list(everything), [place.entity])
    known = {value_of(row, "component"): row for row in rows}
    _check_all_there(place, items, known)
    planned = []
    for component, row in known.items():
        planned.append((yield from _leaving(core, place, everything[component], row)))
    intents = Intents(place.accessor) if place.kind == "managed" and place.accessor is not None else None
    intent = None
    if intents is not None:
        intent = yield from intents.begin(tuple(planned), core.origin)
    try:
        yield from alone(core, place, [Delete(row.identity) for row in rows])
    except Exception as error:
        if intents is not None and intent is not None and not is_in_doubt(core, error):
            yield from intents.end(intent)
        raise
    for row in rows:
        core.unit.detach(row)
    forget_rows(place, list(known))
    yield from _remove_files(core, place, planned)
    if intents is not None and intent is not None:
        yield from intents.end(intent)
    yield from announce(core, COMPONENT_REMOVED, place, list(known))


def _check_all_there(place: SessionLocation, items: Sequence[Item], known: dict[Any, Any]) -> None:
    missing = [item for item in items if item.entity not in known]
    if missing:
        error = NotInLocation(f"{missing[0].entity!r} is not in {place.name!r}")
        error.components = tuple(str(item.entity._key) for item in missing)
        raise error


def _leaving(core: Core, place: SessionLocation, item: Item, row: Any) -> Flow[Planned]:
    stored = str(value_of(row, "resource_identifier", ""))
    identifier = stored if place.transformer is None else place.transformer.decode(stored, item.described)
    size = None
    if place.kind == "managed" and item.described.kind == "file":
        size = yield from place.keeper(core).size(identifier)
    return Planned(str(row._key), str(item.entity._key), identifier, size, stored)


def _remove_files(core: Core, place: SessionLocation, planned: Sequence[Planned]) -> Flow[None]:
    if place.kind != "managed":
        return
    keeper = place.keeper(core)
    for each in planned:
        if each.size is not None:
            yield from keeper.remove(each.identifier)
