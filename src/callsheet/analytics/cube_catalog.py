"""The cubes of a session: those that it made, and those that the server keeps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableMapping
from typing import Any

from attrs import evolve

from callsheet.analytics.automatic_cubes import count_measure, hierarchies_of, measures_of
from callsheet.analytics.cube_entities import EntityHome, keeps_cubes, selected_cubes
from callsheet.analytics.cube_homes import CubeHome, SessionHome, plain_definition
from callsheet.analytics.cube_measures import check_name
from callsheet.analytics.cube_reading import check_measure, read_levels
from callsheet.analytics.cube_text import cube_from_toml
from callsheet.analytics.display import Shown
from callsheet.analytics.live_cube import AsyncCube, Cube
from callsheet.analytics.resolving import is_selection, is_table
from callsheet.analytics.storing_cubes import stored_as
from callsheet.core.paging import all_pages
from callsheet.entity.peers import Peers
from callsheet.errors import CallsheetError, UnknownName, UsageError
from callsheet.flow import Flow
from callsheet.model.cube import CubeDefinition, StoredParts
from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse_condition
from callsheet.model.query import Condition, Select
from callsheet.model.schema import did_you_mean

__all__ = ["MODES", "Cubes", "create_cube", "cube_of_toml", "cubes", "cubes_here"]

MODES = ("auto", "no_measures", "manual")


class Cubes(Shown, MutableMapping[str, Any]):
    """The cubes of a session by name. ``del cubes["Hours"]`` removes one, ``cubes["Hours"] = definition`` makes one.

    Where the server's schema has the type ``Cube``, these record changes as any others: a commit sends them.
    """

    def __init__(self, core: Any) -> None:
        self._core = core
        self._homes: list[CubeHome] = []
        self._known: dict[int, Any] = {}

    def _alive(self) -> dict[str, CubeHome]:
        """The homes by name, without what was deleted or taken back."""
        self._homes = [each for each in self._homes if each.is_alive]
        return {home.entity.peek("name") if home.entity is not None else home.read().name: home for home in self._homes}

    def __getitem__(self, name: str) -> Any:
        homes = self._alive()
        if name not in homes:
            raise UnknownName(f"there is no cube `{name!s:.80}`{did_you_mean(str(name), homes)}")
        home = homes[name]
        found = self._known.get(id(home))
        if found is None:
            kind = AsyncCube if self._core._awaits else Cube
            found = self._known[id(home)] = kind(self._core, home)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._alive()))

    def __len__(self) -> int:
        return len(self._alive())

    def __setitem__(self, name: str, definition: CubeDefinition) -> None:
        """Make a cube of a definition, or make the one of this name equal to it."""
        check_name("cube", name)
        if not isinstance(definition, CubeDefinition):
            raise UsageError(f"a cube is made of a CubeDefinition, or by `create_cube`, not of {definition!r:.80}")
        definition = evolve(definition, name=name)
        home = self._alive().get(name)
        if home is not None and home.read().table == definition.table:
            home.write(definition)
            return
        if home is not None:
            home.remove()
        self.add(definition, True)

    def add(self, definition: CubeDefinition, keep: bool) -> None:
        """A new cube; the server keeps it if it can and ``keep`` says so."""
        here = not keep or self._core.moment is not None or not keeps_cubes(self._core.schema)
        if here and definition.stored is not None:
            raise UsageError(f"the cube `{definition.name}` is of this session alone, so no server can store it")
        self._homes.append(SessionHome(definition) if here else EntityHome.create(self._core, definition))

    def found(self, entities: Iterable[Any]) -> None:
        """Know the cubes that the server keeps: those that are gone there are forgotten."""
        wanted = list(entities)
        kept = [
            home
            for home in self._homes
            if home.entity is None or home.entity.state == "created" or home.entity in wanted
        ]
        known = [home.entity for home in kept if home.entity is not None]
        self._homes = kept + [EntityHome(self._core, each) for each in wanted if each not in known]

    def __delitem__(self, name: str) -> None:
        self[name]
        self._alive()[name].remove()
        self._homes = [home for home in self._homes if home.is_alive and home.read().name != name]

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        return ("cube", "facts", "hierarchies", "measures", "description"), [
            _cells(name, home) for name, home in self._alive().items()
        ]

    def _title(self) -> str:
        return f"{len(self)} cube{'' if len(self) == 1 else 's'}"


def _cells(name: str, home: CubeHome) -> tuple[str, ...]:
    try:
        found = home.read()
    except CallsheetError as error:
        return name, "", "", "", str(error).partition("\n")[0]
    return name, found.table, str(len(found.hierarchies)), str(len(found.measures)), found.description


def cubes_here(core: Any) -> Cubes:
    """The cubes that a session knows, without a request."""
    if core._known_cubes is None:
        core._known_cubes = Cubes(core)
    found: Cubes = core._known_cubes
    return found


def cubes(core: Any) -> Flow[Cubes]:
    """The cubes by name: those that were made here, and those that the server keeps, as they are there now.

    >>> session.cubes["Hours"].query(levels=["Sequence"])  # doctest: +SKIP
    """
    if core._description is None:
        yield from core._opening()
    found = cubes_here(core)
    if keeps_cubes(core.schema):
        select = selected_cubes(core.api_user, core.schema)
        found.found((yield from all_pages(core, select, core.page_size, Peers("Cube"))))
    return found


def create_cube(
    core: Any, table: Any, name: str | None, mode: str, given_filter: Any, keep: bool, stored: bool = False
) -> Any:
    """A new cube over the entities of a table."""
    if mode not in MODES:
        raise UsageError(f"the mode of a cube is one of {', '.join(MODES)}{did_you_mean(str(mode), MODES)}")
    of = core._dictionary.tables[table] if not is_table(table) else table
    known = cubes_here(core)
    name = check_name("cube", of.plural if name is None else name)
    if name in known:
        raise UsageError(f"there is a cube `{name}` already: `del session.cubes[{name!r}]` removes it")
    definition = _definition(of, name, mode, _filter(of, given_filter))
    if stored:
        definition = stored_as(core.schema, definition, StoredParts())
    known.add(definition, keep)
    return known[name]


def cube_of_toml(core: Any, text: str, replace: bool, keep: bool) -> Any:
    """The cube of a text; with ``replace``, one of its name becomes equal to it."""
    definition = cube_from_toml(text)
    table = core._dictionary.tables[definition.table]
    known = cubes_here(core)
    if definition.name in known and not replace:
        raise UsageError(f"there is a cube `{definition.name}` already; `replace=True` makes it equal to the text")
    definition = checked_definition(table, definition)
    if definition.name in known:
        known[definition.name] = definition
    else:
        known.add(evolve(definition, name=check_name("cube", definition.name)), keep)
    return known[definition.name]


def checked_definition(table: Any, definition: CubeDefinition) -> CubeDefinition:
    """A definition whose levels and measures the schema knows."""
    hierarchies = [evolve(each, levels=read_levels(table, each.levels)) for each in definition.hierarchies]
    found = evolve(definition, table=table.name, hierarchies=hierarchies)
    _filter(table, found.where)
    for measure in plain_definition(found).measures:
        check_measure(table._dictionary.schema, found, measure.measure, measure.name)
    return found if found.stored is None else stored_as(table._dictionary.schema, found, found.stored)


def _definition(table: Any, name: str, mode: str, where: Condition | None) -> CubeDefinition:
    dictionary, entity_type = table._dictionary, table._type
    hierarchies = () if mode == "manual" else hierarchies_of(dictionary.schema, dictionary.relations, entity_type.name)
    measures = measures_of(entity_type) if mode == "auto" else [count_measure(entity_type)]
    return CubeDefinition(name, entity_type.name, hierarchies, measures, where=where)


def _filter(table: Any, given: Any) -> Condition | None:
    if given is None:
        return None
    if isinstance(given, str):
        given = parse_condition(given, table._core.operators)
    elif is_selection(given):
        given = given.of(table).select_statement.where
    if not isinstance(given, Condition):
        raise UsageError(f"a filter is a condition, a selection, or a text such as 'bid > 3', not {given!r:.80}")
    check(Select(table.name, where=given), table._dictionary.schema)
    return given
