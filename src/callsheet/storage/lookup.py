"""The queries of storage: where components are, their members, and the values that structures need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from attrs import define

from callsheet.core import loading, populating
from callsheet.core.core import Core
from callsheet.core.paging import all_pages
from callsheet.entity.peers import Peers
from callsheet.errors import SchemaError
from callsheet.flow import Flow
from callsheet.model.language.checking import check
from callsheet.model.query import And, Comparison, Condition, Path, Select
from callsheet.model.record import NOT_SET
from callsheet.storage.structure import Described

__all__ = ["Item", "check_schema", "find", "gather", "is_born", "members_of", "rows_of", "value_of"]

NEEDED = ("Component", "ComponentLocation", "Location")


@define(eq=False)
class Item:
    """A component, its description for structures, and the items of its members."""

    entity: Any
    described: Described
    members: list[Item]

    @property
    def all(self) -> list[Item]:
        """This item and all below it; members first."""
        return [*(each for member in self.members for each in member.all), self]


def check_schema(core: Core) -> None:
    """Raise `SchemaError` if the server's schema has no components and locations."""
    missing = [name for name in NEEDED if name not in core.schema.types]
    if missing:
        raise SchemaError(f"the schema {core.schema.name!r} has no {', '.join(missing)}, which files need")


def find(core: Core, entity_type: str, where: Condition | None, projections: Sequence[str] = ()) -> Flow[list[Any]]:
    """All entities that fulfil a condition."""
    paths = tuple(map(Path.of, projections))
    select = check(Select(entity_type, paths, where), core.schema)
    return (yield from all_pages(core, select, core.page_size, Peers(core.schema.types[entity_type].root)))


def among(core: Core, path: str, keys: Iterable[Any]) -> list[Condition]:
    """Conditions that a path is one of the keys, each with no more keys than the server accepts."""
    unique, size = list(dict.fromkeys(keys)), core.features.literals
    return [Comparison(Path.of(path), "in", tuple(unique[at : at + size])) for at in range(0, len(unique), size)]


def rows_of(core: Core, components: Iterable[Any], locations: Iterable[Any] | None = None) -> Flow[list[Any]]:
    """The ``ComponentLocation`` rows of components; only those of ``locations``, if given."""
    keys = [component._key for component in components if not is_born(component)]
    found: list[Any] = []
    for condition in among(core, "component.id", keys):
        where: Condition = condition
        if locations is not None:
            places = tuple(location._key for location in locations)
            where = And((condition, Comparison(Path.of("location.id"), "in", places)))
        found += yield from find(core, "ComponentLocation", where, ("component", "location", "resource_identifier"))
    return found


def is_born(entity: Any) -> bool:
    """Whether an entity was created in this session and is not committed yet."""
    return entity._changes is not None and entity._changes.born


def value_of(entity: Any, name: str, default: Any = None) -> Any:
    """The loaded value of an attribute, else the default; never sends a request."""
    value = entity.peek(name) if name in entity._type.names else NOT_SET
    return default if value is NOT_SET or value is None else value


def members_of(core: Core, containers: Sequence[Any]) -> Flow[dict[Any, list[Any]]]:
    """The members of components by the key of their container, in the order of their names; pending ones too."""
    found: dict[Any, list[Any]] = {container._key: [] for container in containers}
    by_type: dict[str, list[Any]] = {}
    for container in containers:
        if not is_born(container) and "members" in container._type.attributes:
            by_type.setdefault(container._name, []).append(container._key)
    for name, keys in by_type.items():
        for condition in among(core, "id", keys):
            # Read from the containers, because not every server sends the container of a member.
            brought = ("members", "members.name", "members.file_type", "members.size")
            for container in (yield from find(core, name, condition, brought)):
                known = value_of(container, "members")
                found[container._key] += known.remote or () if known is not None else ()
    for entity in core.created:
        container = value_of(entity, "container") if "container" in entity._type.names else None
        if container is not None and container._key in found:
            found[container._key].append(entity)
    for key, members in found.items():
        alive = [each for each in dict.fromkeys(members) if core.unit.is_alive(each)]
        found[key] = sorted(alive, key=lambda each: str(value_of(each, "name", "")))
    return found


def gather(core: Core, components: Sequence[Any], recursive: bool = True) -> Flow[list[Item]]:
    """Components with all values that a structure needs, and their members."""
    yield from _load(core, components)
    containers = [found for each in components if (found := value_of(each, "container")) is not None]
    yield from _load(core, containers)
    versions = {found: None for each in (*components, *containers) if (found := value_of(each, "version")) is not None}
    if versions:
        yield from populating.populate(core, list(versions), "version, asset.name, asset.parent.link")
    outer = {container: _described(container, None) for container in containers}
    items = [Item(each, _described(each, outer.get(value_of(each, "container"))), []) for each in components]
    if recursive:
        yield from _descend(core, items)
    return items


def _load(core: Core, components: Sequence[Any]) -> Flow[None]:
    known = list(dict.fromkeys(components))
    for each in known:
        if each._type.abstract:
            yield from loading.load_names(core, each, [])
    for sequences, names in ((False, "name, file_type, size, container, version"), (True, "padding")):
        chosen = [each for each in known if not is_born(each) and (not sequences or kind_of(each) == "sequence")]
        if chosen:
            yield from populating.populate(core, chosen, names)


def _descend(core: Core, items: Sequence[Item]) -> Flow[None]:
    """Add the members of items, and theirs, a level at a time."""
    level = list(items)
    for _ in range(8):
        level = [item for item in level if item.described.kind != "file"]
        if not level:
            return
        members = yield from members_of(core, [item.entity for item in level])
        yield from _load(core, [each for found in members.values() for each in found])
        for item in level:
            found = members[item.entity._key]
            item.members = [Item(each, _described(each, item.described), []) for each in found]
        level = [member for item in level for member in item.members]


def kind_of(component: Any) -> str:
    """File, sequence or container."""
    return {"SequenceComponent": "sequence", "ContainerComponent": "container"}.get(component._name, "file")


def _described(component: Any, container: Described | None) -> Described:
    version = value_of(component, "version")
    asset = None if version is None else value_of(version, "asset")
    parent = None if asset is None else value_of(asset, "parent")
    link = () if parent is None else value_of(parent, "link", ())
    number = None if version is None else value_of(version, "version")
    return Described(
        key=str(component._key),
        name=str(value_of(component, "name", "")),
        kind=kind_of(component),
        file_type=str(value_of(component, "file_type", "")),
        padding=int(value_of(component, "padding", 0)),
        container=container,
        way=tuple(str(step["name"]) for step in link),
        asset=None if asset is None else value_of(asset, "name"),
        version=None if is_none_or_born(version) else number,
    )


def is_none_or_born(version: Any) -> bool:
    """Whether there is no version, or one without a number yet."""
    return version is None or is_born(version)
