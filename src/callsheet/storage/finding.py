"""Finding components: their availability in locations, their identifiers, paths and URLs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from callsheet.core.core import Core
from callsheet.errors import NotInLocation, Unsupported
from callsheet.flow import Flow, Work
from callsheet.storage.keeping import ServerFiles
from callsheet.storage.locations import SessionLocation
from callsheet.storage.lookup import Item, find, gather, members_of, rows_of, value_of

__all__ = [
    "availabilities",
    "availability",
    "filesystem_paths",
    "identifiers",
    "locations_of",
    "named",
    "pick",
    "pick_any",
    "pick_entities",
    "pick_one",
    "source_of",
    "url",
]


def named(core: Core, name: str) -> Flow[Any]:
    """The location of this name, or ``"server"``, ``"unmanaged"`` and the like; created if there is none."""
    return (yield from _entity(core, (yield from core.locations.resolve(name))))


def locations_of(core: Core, locations: Any) -> Flow[list[Any]]:
    """The entities of the given locations, or of all locations of the server."""
    if locations is None:
        return (yield from find(core, "Location", None, ("name",)))
    found = []
    for given in locations if isinstance(locations, list | tuple) else [locations]:
        place = yield from core.locations.resolve(given)
        if place.entity is not None:
            found.append(place.entity)
    return found


def availabilities(core: Core, components: Sequence[Any], locations: Any = None) -> Flow[list[dict[str, float]]]:
    """How much of each component is in each location, by the location's key, in percent.

    It is 0 or 100 for a file, and the mean of the members for a sequence or container.
    """
    components = list(components)
    places = yield from locations_of(core, locations)
    tree: dict[Any, list[Any]] = {}
    level = list(dict.fromkeys(components))
    while level:
        members = yield from members_of(core, [each for each in level if each._name != "FileComponent"])
        level = []
        for key, found in members.items():
            tree[key] = found
            level += found
    every = list(dict.fromkeys([*components, *(each for found in tree.values() for each in found)]))
    rows = yield from rows_of(core, every, places)
    there = {(_key(row, "component"), _key(row, "location")) for row in rows}
    return [
        {str(place._key): round(_share(component._key, place._key, tree, there), 9) for place in places}
        for component in components
    ]


def availability(core: Core, component: Any, locations: Any = None) -> Flow[dict[str, float]]:
    """How much of a component is in each location, by the location's key, in percent."""
    return (yield from availabilities(core, [component], locations))[0]


def _key(row: Any, name: str) -> Any:
    found = value_of(row, name)
    return None if found is None else found._key


def _share(key: Any, place: Any, tree: dict[Any, list[Any]], there: set[tuple[Any, Any]]) -> float:
    members = tree.get(key)
    if not members:
        return 100.0 if (key, place) in there else 0.0
    return sum(_share(member._key, place, tree, there) for member in members) / len(members)


def pick(core: Core, components: Sequence[Any]) -> Flow[list[SessionLocation | None]]:
    """For each component the preferred location that has any of it and that this session can reach, or None."""
    places = yield from core.locations.accessible()
    known = yield from core.locations.recognise([place for place in places if place.kind != "origin"])
    shares = yield from availabilities(core, components, known)
    origins = core.locations.origins
    found: list[SessionLocation | None] = []
    for component, share in zip(components, shares):
        having = [
            place
            for place in places
            if (
                component in origins if place.kind == "origin" else place in known and share[str(place.entity._key)] > 0
            )
        ]
        found.append(having[0] if having else None)
    return found


def pick_one(core: Core, component: Any = None) -> Flow[Any]:
    """The preferred location that this session can reach (and that has some of a component), or None."""
    place = yield from pick_any(core)
    if component is not None:
        (place,) = yield from pick(core, [component])
    return (yield from _entity(core, place))


def pick_entities(core: Core, components: Sequence[Any]) -> Flow[list[Any]]:
    """For each component the preferred location that has some of it and can be reached, or None."""
    found = []
    for place in (yield from pick(core, list(components))):
        found.append((yield from _entity(core, place)))
    return found


def _entity(core: Core, place: SessionLocation | None) -> Flow[Any]:
    if place is None:
        return None
    if place.kind == "origin":
        place.entity = yield from core.locations.entity(place)
        return place.entity
    return (yield from core.locations.resolve(place)).entity


def pick_any(core: Core) -> Flow[SessionLocation | None]:
    """The preferred location that this session can reach."""
    places = yield from core.locations.accessible()
    return places[0] if places else None


def source_of(core: Core, item: Item, given: Any) -> Flow[tuple[SessionLocation, str]]:
    """The source of a component's file: a location and the identifier in it."""
    origins = core.locations.origins
    component = item.entity
    place = None if given is None else (yield from core.locations.resolve(given))
    if (place is None or place.kind == "origin") and component in origins:
        return core.locations["origin"], origins[component]
    if place is None and item.described.kind == "file":
        (place,) = yield from pick(core, [component])
    if place is None or place.kind == "origin":
        if item.described.kind != "file":
            return core.locations["origin"], ""
        raise NotInLocation(f"{component!r} is in no location that this session can reach; give its source")
    if item.described.kind == "container":
        return place, ""
    try:
        (identifier,) = yield from identifiers(core, place, [component])
    except NotInLocation:
        if item.described.kind == "file":
            raise
        identifier = ""
    return place, identifier


def identifiers(core: Core, location: Any, components: Sequence[Any]) -> Flow[list[str]]:
    """The identifier of each component in a location; raises `NotInLocation` with those that are not there."""
    place = yield from core.locations.resolve(location)
    if place.kind == "origin":
        known = {each: path for each, path in core.locations.origins.items() if each in components}
    else:
        rows = yield from rows_of(core, components, [place.entity])
        known = {value_of(row, "component"): str(value_of(row, "resource_identifier", "")) for row in rows}
    missing = [each for each in components if each not in known]
    if missing:
        error = NotInLocation(f"{len(missing)} components are not in {place.name!r}: {missing[0]!r}")
        error.components = tuple(str(each._key) for each in missing)
        raise error
    if place.transformer is None or place.kind == "origin":
        return [known[each] for each in components]
    items = yield from gather(core, components, recursive=False)
    return [place.transformer.decode(known[item.entity], item.described) for item in items]


def filesystem_paths(core: Core, location: Any, components: Sequence[Any]) -> Flow[list[str]]:
    """The path of each component on this machine; raises `Unsupported` if the location is not a disk of it."""
    place = yield from core.locations.resolve(location)
    found = yield from identifiers(core, place, components)
    accessor = place.accessor
    if accessor is None:
        raise Unsupported(f"{place.name!r} is not a disk of this machine; copy the component to one, or use its URL")
    paths = []
    for identifier in found:
        path = yield Work(partial(accessor.filesystem_path, identifier))
        paths.append(path)
    return paths


def url(core: Core, location: Any, component: Any) -> Flow[str]:
    """A URL of a component's file. URLs of the server are signed, contain no key, and expire after some hours."""
    place = yield from core.locations.resolve(location)
    (identifier,) = yield from identifiers(core, place, [component])
    keeper = place.keeper(core)
    if isinstance(keeper, ServerFiles):
        address = yield from keeper.address(identifier)
        return str(core.locations.absolute(address))
    accessor = place.accessor
    assert accessor is not None
    found: str = yield Work(lambda: accessor.url(identifier))
    return found
