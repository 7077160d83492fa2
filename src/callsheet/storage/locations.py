"""The locations of a session: built in, configured by scripts and plugins, or described on the server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from attrs import define, field

from callsheet.core import populating, reading
from callsheet.core.commit import send_alone
from callsheet.core.core import Core
from callsheet.dialects import declarations
from callsheet.errors import ServerError, StorageError, UsageError
from callsheet.flow import Flow
from callsheet.model.operation import Create
from callsheet.model.record import Identity
from callsheet.model.well_known import LOCATION_KEYS
from callsheet.storage import scenario
from callsheet.storage.accessor import Accessor
from callsheet.storage.disk import DiskAccessor
from callsheet.storage.keeping import Keeper, Kept, ServerFiles
from callsheet.storage.lookup import check_schema, find, value_of
from callsheet.storage.structure import EntityIdStructure, OriginStructure, Structure, Transformer, structure_of

__all__ = ["WELL_KNOWN", "Locations", "SessionLocation"]

WELL_KNOWN = LOCATION_KEYS
"""The keys of the locations that clients know by key; the same on every server."""
OWN_PREFIX = "callsheet."


@define(eq=False)
class SessionLocation:
    """A location with this session's accessor and structure.

    Lower ``priority`` is preferred. ``kind`` is ``managed`` (files are copied), ``unmanaged`` (files stay where they
    are, and only their paths are stored), or ``origin`` (paths in this session only).
    """

    name: str
    accessor: Accessor | None = None
    structure: Structure = field(factory=EntityIdStructure)
    priority: float = 95
    transformer: Transformer | None = None
    kind: str = "managed"
    key: str | None = None
    is_served: bool = False
    entity: Any = None

    @property
    def is_accessible(self) -> bool:
        """Whether this session can reach its files."""
        return self.accessor is not None or self.is_served or self.kind == "origin"

    def keeper(self, core: Core) -> Keeper:
        """The keeper of its files; raises `StorageError` if the session cannot reach them."""
        if self.is_served:
            return ServerFiles(core._dialect)
        if self.accessor is None:
            raise StorageError(
                f"this session cannot reach the files of {self.name!r}: configure it by "
                f"`session.locations.add({self.name!r}, accessor=…, structure=…)`"
            )
        return Kept(self.accessor)


class Locations:
    """The locations of a session: ``session.locations``.

    >>> from callsheet.storage.disk import DiskAccessor
    >>> from callsheet.storage.structure import StandardStructure
    >>> session.locations.add("studio", accessor=DiskAccessor("/mnt/projects"),
    ...                       structure=StandardStructure(), priority=10)  # doctest: +SKIP
    """

    def __init__(self, core: Core, address: str = "") -> None:
        self._core, self._address = core, address
        self._places: dict[str, SessionLocation] = {}
        self._waiting: list[Callable[[Any], None]] = []
        self._ready = False
        self._learns = False
        #: The paths of the files of components that this session created.
        self.origins: dict[Any, str] = {}
        for name, place in _built_in().items():
            self._places[name] = place

    def __repr__(self) -> str:
        return f"<Locations {', '.join(self._places)}>"

    def __iter__(self) -> Iterator[SessionLocation]:
        return iter(self._places.values())

    def __len__(self) -> int:
        return len(self._places)

    def __getitem__(self, name: str) -> SessionLocation:
        try:
            return self._places[name]
        except KeyError:
            known = ", ".join(self._places)
            raise UsageError(f"no location {name!r} is configured; known are {known}") from None

    def add(
        self,
        location: Any,
        *,
        accessor: Accessor,
        structure: Structure | None = None,
        priority: float = 95,
        transformer: Transformer | None = None,
    ) -> SessionLocation:
        """Configure the accessor and the structure of a location (default: by the components' keys).

        ``location`` is an entity, or a name: if the server has no location of this name, it is created on first use.
        Nothing is sent now. Adding a location again replaces its configuration.
        """
        name = location if isinstance(location, str) else str(value_of(location, "name", location._key))
        key = None if isinstance(location, str) else str(location._key)
        place = SessionLocation(name, accessor, structure or EntityIdStructure(), priority, transformer, key=key)
        if name in WELL_KNOWN:
            place.key = WELL_KNOWN[name]
        self._places[name] = place
        return place

    def when_used(self, configure: Callable[[Any], None]) -> None:
        """Call a plugin's function with the session when locations are first used, to add its own."""
        self._waiting.append(configure)
        self._ready = False

    def learn(self) -> None:
        """Use also the accessors and structures in the server's rows of locations.

        This must be called explicitly, because an account that may change such a row decides where files are written.
        """
        self._learns, self._ready = True, False

    def lend(self, core: Core) -> Locations:
        """The same configuration for a fork."""
        other = Locations(core, self._address)
        other._learns = self._learns
        for name, place in self._places.items():
            other._places[name] = _without_entity(place)
        return other

    def absolute(self, address: str) -> str:
        """An address on the server as a URL."""
        return f"{self._address}{address}" if address.startswith("/") else address

    # -- flows -------------------------------------------------------------------------------------------

    def prepare(self) -> Flow[None]:
        """Read the configuration of locations by plugins and by the server."""
        if self._ready:
            return
        check_schema(self._core)
        waiting, self._waiting = self._waiting, []
        for configure in waiting:
            configure(self._core)
        self._ready = True
        yield from self._learn_scenario()
        if self._learns and "accessor" in self._core.schema.types["Location"].attributes:
            for entity in (
                yield from find(self._core, "Location", None, ("name", "accessor", "structure", "priority"))
            ):
                self._learn(entity)

    def _learn_scenario(self) -> Flow[None]:
        found = yield from scenario.server_scenario(self._core)
        if found is not None and found.name not in self._places:
            self._places[found.name] = SessionLocation(found.name, found.accessor, found.structure, 1, key=found.key)

    def _learn(self, entity: Any) -> None:
        """Use the configuration in a location's row, unless a script has configured it."""
        name, accessor = str(value_of(entity, "name")), value_of(entity, "accessor")
        if name in self._places or not isinstance(accessor, Mapping) or "type" not in accessor:
            return
        structure = value_of(entity, "structure")
        place = SessionLocation(
            name, _accessor_of(dict(accessor)), priority=value_of(entity, "priority", 95), key=entity._key
        )
        if isinstance(structure, Mapping):
            place.structure = structure_of(dict(structure))
        self._places[name] = place

    def resolve(self, location: Any) -> Flow[SessionLocation]:
        """The location of an entity, a name or a well-known name, with its entity."""
        yield from self.prepare()
        place = self._find(location)
        if place is None:
            name = yield from self._name(location)
            place = self._places.get(name) or self._places.setdefault(name, SessionLocation(name, key=location._key))
        if place.kind != "origin" and not self._is_usable(place.entity):
            place.entity = yield from self.entity(place)
        return place

    def _find(self, location: Any) -> SessionLocation | None:
        if isinstance(location, SessionLocation):
            return location
        if isinstance(location, str):
            short = location.rpartition(".")[2] if location.startswith(_prefixes()) else location
            return self[short if short in self._places else location]
        return next(
            (place for place in self if location._key == (place.key or getattr(place.entity, "_key", None))), None
        )

    def _name(self, location: Any) -> Flow[str]:
        yield from populating.populate(self._core, [location], "name")
        return str(value_of(location, "name", location._key))

    def _is_usable(self, entity: Any) -> bool:
        return entity is not None and self._core.unit.is_alive(entity)

    def entity(self, place: SessionLocation) -> Flow[Any]:
        """The location's entity on the server, created if there is none."""
        if (yield from self.recognise([place])):
            return place.entity
        key = place.key or str(uuid5(NAMESPACE_URL, f"urn:callsheet:location/{place.name}"))
        name = f"{OWN_PREFIX}{place.name}" if place.name in WELL_KNOWN else place.name
        values = {"name": name, "label": place.name}
        try:
            yield from send_alone(self._core, [Create(Identity("Location", key), values)])
        except ServerError:
            # Another session may have created it at the same time.
            if not (yield from self.recognise([place])):
                raise
            return place.entity
        return (yield from reading.get(self._core, "Location", key))

    def recognise(self, places: Sequence[SessionLocation]) -> Flow[list[SessionLocation]]:
        """The locations among these that the server has, each with its entity; nothing is created."""
        lost = [place for place in places if not self._is_usable(place.entity)]
        if lost:
            entities = yield from find(self._core, "Location", None, ("name",))
            keys = {str(entity._key): entity for entity in entities}
            names = {value_of(entity, "name"): entity for entity in entities}
            for place in lost:
                well_known = place.name in WELL_KNOWN
                known = [f"{prefix}{place.name}" for prefix in _prefixes()] if well_known else [place.name]
                found = [names[name] for name in known if name in names]
                place.entity = keys.get(place.key or "") or (found[0] if found else None)
        return [place for place in places if place.entity is not None]

    def accessible(self) -> Flow[list[SessionLocation]]:
        """The locations that this session can reach, preferred ones first."""
        yield from self.prepare()
        return sorted((place for place in self if place.is_accessible), key=lambda place: place.priority)


def _prefixes() -> tuple[str, ...]:
    """The possible prefixes of names of well-known locations: a database may have rows of any dialect."""
    return OWN_PREFIX, *(each.location_prefix for each in declarations() if each.location_prefix)


def _built_in() -> dict[str, SessionLocation]:
    disk = DiskAccessor("")
    server = {"structure": EntityIdStructure(), "is_served": True}
    return {
        "unmanaged": SessionLocation(
            "unmanaged", disk, OriginStructure(), 90, kind="unmanaged", key=WELL_KNOWN["unmanaged"]
        ),
        "origin": SessionLocation("origin", disk, OriginStructure(), 100, kind="origin", key=WELL_KNOWN["origin"]),
        "review": SessionLocation("review", disk, OriginStructure(), 110, kind="unmanaged", key=WELL_KNOWN["review"]),
        "server": SessionLocation("server", priority=150, key=WELL_KNOWN["server"], **server),  # type: ignore[arg-type]
        "connect": SessionLocation("connect", key=WELL_KNOWN["connect"]),
    }


def _without_entity(place: SessionLocation) -> SessionLocation:
    return SessionLocation(
        place.name,
        place.accessor,
        place.structure,
        place.priority,
        place.transformer,
        place.kind,
        place.key,
        place.is_served,
    )


def _accessor_of(row: dict[str, Any]) -> Accessor | None:
    """The accessor that a location's row describes; None for unknown types."""
    kind = row.pop("type")
    if kind == "disk":
        prefix = row.get("prefix") or {name: row[name] for name in ("linux", "macos", "windows") if name in row}
        return DiskAccessor(prefix, must_exist=True)
    if kind == "fsspec" and isinstance(row.get("url"), str):
        from callsheet.storage.filesystem import FsspecAccessor

        return FsspecAccessor(row["url"])
    return None
