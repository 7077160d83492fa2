"""Adds components to locations, so that files and rows agree after any failure.

See ``intent.py`` for the order of steps and the reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve

from callsheet.core.core import Core
from callsheet.errors import AlreadyThere, FileMissing, TransportError, UsageError
from callsheet.events.topics import COMPONENT_ADDED
from callsheet.flow import Flow
from callsheet.model.query import And, Comparison, Path
from callsheet.model.record import new_key
from callsheet.storage.finding import source_of
from callsheet.storage.intent import Intent, Intents
from callsheet.storage.keeping import Keeper
from callsheet.storage.locations import SessionLocation
from callsheet.storage.lookup import Item, find, gather, rows_of, value_of
from callsheet.storage.recovery import settle_leftovers
from callsheet.storage.registration import Placement, announce, check_turn, flat, forget_rows, is_in_doubt, register
from callsheet.storage.transfer import Copy, OnProgress, transfer

__all__ = ["add"]


def add(
    core: Core,
    location: Any,
    components: Sequence[Any],
    sources: Any = None,
    recursive: bool = True,
    progress: OnProgress | None = None,
) -> Flow[None]:
    """Add components, with their members, to a location: copy their files, then commit their rows.

    ``sources`` is the location of the files, one for each component, or None for any location that has them. The rows
    of committed components are committed alone, and pending changes stay pending. A pending component is committed
    together with its rows and all other pending changes.
    """
    check_turn(core)
    place = yield from core.locations.resolve(location)
    items = yield from gather(core, components, recursive)
    given = _sources(sources, len(items))
    everything = list(flat(items))
    if place.kind == "origin":
        raise UsageError("components cannot be added to the origin; `create_component(path)` sets their origin")
    yield from _check_absent(core, place, everything)
    placements = yield from _placements(core, place, items, given)
    _check_distinct(placements)
    intents = None
    if place.kind == "managed" and place.accessor is not None:
        intents = Intents(place.accessor)
        yield from settle_leftovers(core, place, intents, {each.identifier for each in placements})
    yield from _check_free(core, place, placements)
    yield from _place(core, place, placements, intents, progress)
    forget_rows(place, [item.entity for item in everything])
    yield from announce(core, COMPONENT_ADDED, place, [item.entity for item in everything])


def _sources(sources: Any, count: int) -> list[Any]:
    if not isinstance(sources, list | tuple):
        return [sources] * count
    if len(sources) not in (1, count):
        raise UsageError(f"there are {count} components and {len(sources)} sources; give one source, or one for each")
    return list(sources) * (count if len(sources) == 1 else 1)


def _check_absent(core: Core, place: SessionLocation, items: Sequence[Item]) -> Flow[None]:
    rows = yield from rows_of(core, [item.entity for item in items], [place.entity])
    if rows:
        names = ", ".join(sorted({repr(value_of(row, "component")) for row in rows})[:3])
        raise AlreadyThere(f"{len(rows)} components are in {place.name!r} already: {names}; nothing was copied")


def _placements(
    core: Core, place: SessionLocation, items: Sequence[Item], sources: Sequence[Any]
) -> Flow[list[Placement]]:
    """The placement of every component; raises before anything is copied."""
    found: dict[Any, Placement] = {}
    for item, given in zip(items, sources):
        for each in item.all:
            if each.entity not in found:
                found[each.entity] = yield from _placement(core, place, each, given)
    return list(found.values())


def _placement(core: Core, place: SessionLocation, item: Item, given: Any) -> Flow[Placement]:
    source, identifier = yield from source_of(core, item, given)
    path = identifier
    if place.kind == "unmanaged" and identifier and source.accessor is not None:
        path = source.accessor.filesystem_path(identifier) if item.described.kind == "file" else identifier
    described = evolve(item.described, source=path or item.described.name)
    target = place.structure.identifier(described)
    size = None
    if item.described.kind == "file":
        size = yield from source.keeper(core).size(identifier)
        if size is None:
            raise FileMissing(f"{identifier}: there is no file in {source.name!r} for component {described.name!r}")
    return Placement(item, source, identifier, target, size, new_key())


def _check_distinct(placements: Sequence[Placement]) -> None:
    seen: dict[str, Placement] = {}
    for each in placements:
        folded = each.identifier.casefold()
        if folded in seen:
            other = seen[folded].item.described.name
            raise AlreadyThere(
                f"components {other!r} and {each.item.described.name!r} would have the same path {each.identifier!r}; "
                "give them different names"
            )
        seen[folded] = each


def _check_free(core: Core, place: SessionLocation, placements: Sequence[Placement]) -> Flow[None]:
    """Raise if a file exists already. Files on the server are stored by the component's key."""
    if place.kind != "managed" or place.is_served:
        return
    keeper = place.keeper(core)
    for each in placements:
        if each.size is not None and (yield from keeper.size(each.identifier)) is not None:
            owner = yield from _owner(core, place, each.identifier)
            raise AlreadyThere(
                f"{each.identifier}: {place.name!r} has a file there already{owner}; it is kept, and nothing was copied"
            )


def _owner(core: Core, place: SessionLocation, identifier: str) -> Flow[str]:
    """The component of an existing file, as far as this account may read it."""
    if place.transformer is not None:
        return ""
    where = And(
        (
            Comparison(Path.of("location.id"), "=", place.entity._key),
            Comparison(Path.of("resource_identifier"), "=", identifier),
        )
    )
    rows = yield from find(core, "ComponentLocation", where, ("component.name",))
    if not rows:
        return ", and no component that you may read is registered there"
    component = rows[0].peek("component")
    return f", of component {value_of(component, 'name', '')!r} ({component._key})"


def _place(
    core: Core,
    place: SessionLocation,
    placements: Sequence[Placement],
    intents: Intents | None,
    progress: OnProgress | None,
) -> Flow[None]:
    intent = None
    if intents is not None:
        intent = yield from intents.begin(tuple(each.planned(place) for each in placements), core.origin)
    published: list[Placement] = []
    try:
        if place.kind == "managed":
            yield from _copy_all(core, place, placements, published, intents, intent, progress)
        yield from register(core, place, placements)
    except Exception as error:
        if not is_in_doubt(core, error):
            yield from _undo(core, place, published, intents, intent, error)
        raise
    if intents is not None and intent is not None:
        yield from intents.end(intent)


def _copy_all(
    core: Core,
    place: SessionLocation,
    placements: Sequence[Placement],
    published: list[Placement],
    intents: Intents | None,
    intent: Intent | None,
    progress: OnProgress | None,
) -> Flow[None]:
    target = place.keeper(core)
    total, done = sum(each.size or 0 for each in placements), 0
    current = intent

    def alive() -> Flow[None]:
        nonlocal current
        if intents is not None and current is not None:
            current = yield from intents.renew(current)

    for each in placements:
        if each.size is None:
            continue
        described = each.item.described
        copy = Copy(
            each.source.keeper(core),
            each.source_identifier,
            target,
            each.identifier,
            described.key,
            f"{described.name}{described.file_type}",
            each.size,
            done,
            total,
        )
        try:
            yield from transfer(copy, progress, alive)
        except Exception as error:
            # The file may have been published before the failure; it did not exist before.
            if not isinstance(error, AlreadyThere | TransportError) and (yield from _is_whole(target, each)):
                published.append(each)
            raise
        published.append(each)
        done += each.size


def _is_whole(target: Keeper, placement: Placement) -> Flow[bool]:
    return (yield from target.size(placement.identifier)) == placement.size


def _undo(
    core: Core,
    place: SessionLocation,
    published: Sequence[Placement],
    intents: Intents | None,
    intent: Intent | None,
    error: Exception,
) -> Flow[None]:
    """Remove the published files. What cannot be undone now is left to `recover`."""
    keeper = place.keeper(core)
    try:
        for each in published:
            yield from keeper.remove(each.identifier)
        # After a network failure, the unfinished file and the intent are kept for the next attempt.
        if intents is not None and intent is not None and not isinstance(error, TransportError):
            for planned in intent.items:
                yield from intents.forget_half(planned)
            yield from intents.end(intent)
    except Exception as second:
        error.add_note(f"cleaning up failed too ({second}); `location.recover()` finishes it")
