"""The cubes of a session: those that it made, and those that the server keeps."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from typing import Any

from attrs import evolve

from callsheet.analytics.automatic_cubes import count_measure, hierarchies_of, measures_of
from callsheet.analytics.cube_homes import CubeHome, SessionHome
from callsheet.analytics.cube_measures import check_name
from callsheet.analytics.display import Shown
from callsheet.analytics.live_cube import AsyncCube, Cube
from callsheet.analytics.resolving import is_selection, is_table
from callsheet.errors import UnknownName, UsageError
from callsheet.flow import Flow
from callsheet.model.cube import CubeDefinition
from callsheet.model.language.checking import check
from callsheet.model.language.parser import parse_condition
from callsheet.model.query import Condition, Select
from callsheet.model.schema import did_you_mean

__all__ = ["MODES", "Cubes", "create_cube", "cubes", "cubes_here"]

MODES = ("auto", "no_measures", "manual")


class Cubes(Shown, MutableMapping[str, Any]):
    """The cubes of a session by name. ``del cubes["Hours"]`` removes one, ``cubes["Hours"] = definition`` makes one."""

    def __init__(self, core: Any) -> None:
        self._core = core
        self._homes: dict[str, CubeHome] = {}
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._homes:
            raise UnknownName(f"there is no cube `{name!s:.80}`{did_you_mean(str(name), self._homes)}")
        found = self._known.get(name)
        if found is None:
            kind = AsyncCube if self._core._awaits else Cube
            found = self._known[name] = kind(self._core, self._homes[name])
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._homes))

    def __len__(self) -> int:
        return len(self._homes)

    def __setitem__(self, name: str, definition: CubeDefinition) -> None:
        check_name("cube", name)
        if not isinstance(definition, CubeDefinition):
            raise UsageError(
                f"a cube is made of a CubeDefinition, or by `session.create_cube`, not of {definition!r:.80}"
            )
        self._known.pop(name, None)
        self._homes[name] = SessionHome(evolve(definition, name=name))

    def __delitem__(self, name: str) -> None:
        self[name]
        del self._homes[name]
        self._known.pop(name, None)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        found = [home.read() for home in self._homes.values()]
        return ("cube", "facts", "hierarchies", "measures", "description"), [
            (each.name, each.table, str(len(each.hierarchies)), str(len(each.measures)), each.description)
            for each in found
        ]

    def _title(self) -> str:
        return f"{len(self)} cube{'' if len(self) == 1 else 's'}"


def cubes_here(core: Any) -> Cubes:
    """The cubes that a session knows, without a request."""
    if core._known_cubes is None:
        core._known_cubes = Cubes(core)
    found: Cubes = core._known_cubes
    return found


def cubes(core: Any) -> Flow[Cubes]:
    """The cubes of the session by name: those that were made here, and those that the server keeps.

    >>> session.cubes["Hours"].query(levels=["Sequence"])  # doctest: +SKIP
    """
    return cubes_here(core)
    yield


def create_cube(core: Any, table: Any, name: str | None, mode: str, given_filter: Any) -> Any:
    """A new cube over the entities of a table."""
    if mode not in MODES:
        raise UsageError(f"the mode of a cube is one of {', '.join(MODES)}{did_you_mean(str(mode), MODES)}")
    of = core._dictionary.tables[table] if not is_table(table) else table
    known = cubes_here(core)
    name = check_name("cube", of.plural if name is None else name)
    if name in known:
        raise UsageError(f"there is a cube `{name}` already: `del session.cubes[{name!r}]` removes it")
    known[name] = _definition(of, name, mode, _filter(of, given_filter))
    return known[name]


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
