"""Parameter tables: numbers that people set by rules, which measures are multiplied with, for what-if questions.

A table and its rules are entities, so a commit shares them, they have a history, permissions and undo, and a scenario
has rules of its own. What wins where is stated in ``callsheet.model.parameter``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import frozen

from callsheet.analytics.cube_measures import check_name, check_text
from callsheet.analytics.display import Shown
from callsheet.analytics.resolving import is_table
from callsheet.core.paging import all_pages
from callsheet.entity.peers import Peers
from callsheet.errors import UnknownName, UsageError
from callsheet.flow import Flow
from callsheet.model.language.key_levels import check_key_level
from callsheet.model.language.measures import level_text, parse_level
from callsheet.model.measure import Level
from callsheet.model.parameter import ANY, MOST_KEYS, Coordinates, Parameter, coordinate, most_specific, specificity
from callsheet.model.query import Path, Select
from callsheet.model.record import NOT_SET
from callsheet.model.scalar import shown
from callsheet.model.schema import did_you_mean

__all__ = ["ParameterRule", "ParameterTable", "Parameters", "create_parameter_table", "parameters"]

TABLE, RULE = "ParameterTable", "ParameterRule"
KEYS = tuple(f"key_{number}" for number in range(1, MOST_KEYS + 1))
OWN = ("name", "keys", "places", "description")


@frozen
class ParameterRule:
    """One rule: texts by key, without the keys that are any, and the value."""

    coordinates: dict[str, str]
    value: float


class ParameterTable(Shown):
    """The rules of one table. What changes them is recorded, and a commit sends it.

    >>> rates.set(55.0, Artist="anna", Work="comp")  # doctest: +SKIP
    >>> cube.measures["Cost"] = cube.measures["Hours"] * rates.measure  # doctest: +SKIP
    """

    def __init__(self, core: Any, entity: Any) -> None:
        self._core = core
        #: The entity that it is.
        self.entity = entity

    @property
    def name(self) -> str:
        """Its name, by which measures know it."""
        return str(_value(self.entity, "name"))

    @property
    def keys(self) -> tuple[str, ...]:
        """The names of its keys, the most significant first."""
        return tuple(_value(self.entity, "keys") or ())

    @property
    def places(self) -> dict[str, dict[str, str]]:
        """For each table that it is about, the levels that the keys are, as texts."""
        return {table: dict(zip(self.keys, texts)) for table, texts in (_value(self.entity, "places") or {}).items()}

    @property
    def description(self) -> str:
        """What it says, for people."""
        return _value(self.entity, "description") or ""

    @description.setter
    def description(self, text: str) -> None:
        self.entity["description"] = check_text("description", text)

    @property
    def measure(self) -> Parameter:
        """Its values as a measure, to multiply others with: ``cube.measures["Hours"] * rates.measure``."""
        return Parameter(self.name)

    @property
    def rules(self) -> list[ParameterRule]:
        """Its rules, the most specific first; pending ones are among them."""
        known = sorted(self._values().items(), key=lambda rule: (specificity(rule[0]), rule[0]))
        return [ParameterRule(self._by_key(each), value) for each, value in known]

    def _by_key(self, coordinates: Coordinates) -> dict[str, str]:
        return {key: text for key, text in zip(self.keys, coordinates) if text != ANY}

    def _values(self) -> dict[Coordinates, float]:
        return {self._place(each): float(_value(each, "value")) for each in self._entities()}

    def _place(self, rule: Any) -> Coordinates:
        return tuple(_value(rule, name) or ANY for name in KEYS[: len(self.keys)])

    def _entities(self) -> list[Any]:
        return [each for each in self.entity["rules"] if each.state not in ("deleted", "detached")]

    def set(self, value: float, coordinates: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Make a rule, or change the value of the one for the same texts; keys that are left out are any.

        >>> rates.set(40)  # doctest: +SKIP
        >>> rates.set(55, {"Artist": "anna"})  # doctest: +SKIP
        """
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or value != value
            or abs(value) == float("inf")
        ):
            raise UsageError(f"the value of a rule is a number, not {shown(value)}")
        place = self._read(coordinates, more)
        for each in self._entities():
            if self._place(each) == place:
                each["value"] = float(value)
                return
        given = {name: text for name, text in zip(KEYS, place) if text != ANY}
        self._core.create(RULE, {"table": self.entity, "value": float(value), **given})

    def remove(self, coordinates: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Take a rule away; `UnknownName` if there is none for exactly these texts."""
        place = self._read(coordinates, more)
        for each in self._entities():
            if self._place(each) == place:
                self._core.delete(each)
                return
        raise UnknownName(f"`{self.name}` has no rule for {self._by_key(place) or 'any value'}")

    def value(self, coordinates: Mapping[str, Any] | None = None, /, **more: Any) -> float | None:
        """The value of the rule that wins for these values; None where no rule holds. Keys left out have no value."""
        place = [None if text == ANY else text for text in self._read(coordinates, more)]
        return most_specific(self._values(), place)

    def place(self, table: Any, levels: Mapping[str, Any]) -> None:
        """Say where the entities of another table have the keys, so that their measures can be multiplied."""
        name, texts = _levels(self._core, self.name, table, levels, self.keys)
        self.entity["places"] = {**(_value(self.entity, "places") or {}), name: texts}

    def _read(self, coordinates: Mapping[str, Any] | None, more: Mapping[str, Any]) -> Coordinates:
        """The texts of a rule, in the order of the keys."""
        given = {**(coordinates or {}), **more}
        for key in given:
            if key not in self.keys:
                near = did_you_mean(str(key), self.keys)
                raise UnknownName(f"`{self.name}` has no key `{key!s:.80}`{near}: it has {', '.join(self.keys)}")
        return tuple(coordinate(given[key]) if given.get(key) is not None else ANY for key in self.keys)

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        rows = [(*(each.coordinates.get(key, "any") for key in self.keys), f"{each.value:g}") for each in self.rules]
        return (*self.keys, "value"), rows

    def _title(self) -> str:
        rules = len(self._entities())
        return f"{self.name}: {rules} rule{'' if rules == 1 else 's'}, the most specific first"


class Parameters(Shown, Mapping[str, ParameterTable]):
    """The parameter tables of a session by name."""

    def __init__(self, core: Any, entities: Iterable[Any]) -> None:
        self._tables = {each.name: each for each in (ParameterTable(core, entity) for entity in entities)}

    def __getitem__(self, name: str) -> ParameterTable:
        if name not in self._tables:
            near = did_you_mean(str(name), self._tables)
            raise UnknownName(f"there is no parameter table `{name!s:.80}`{near}")
        return self._tables[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tables)

    def __len__(self) -> int:
        return len(self._tables)

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        return ("parameter table", "keys", "of", "description"), [
            (each.name, ", ".join(each.keys), ", ".join(each.places), each.description)
            for each in self._tables.values()
        ]

    def _title(self) -> str:
        return f"{len(self)} parameter table{'' if len(self) == 1 else 's'}"


def parameters(core: Any) -> Flow[Parameters]:
    """The parameter tables by name, as the server has them now, with their rules.

    >>> session.parameters["Rates"].set(60.0, Artist="anna")  # doctest: +SKIP
    """
    if core._description is None:
        yield from core._opening()
    if not _keeps(core):
        return Parameters(core, ())
    paths = (*OWN, *(f"rules.{name}" for name in (*KEYS, "value")))
    select = Select(TABLE, tuple(map(Path.of, paths)))
    return Parameters(core, (yield from all_pages(core, select, core.page_size, Peers(TABLE))))


def create_parameter_table(
    core: Any, name: str, table: Any, keys: Mapping[str, Any], rules: Any, description: str
) -> ParameterTable:
    """A new parameter table, recorded with its rules."""
    if not _keeps(core):
        raise UsageError(
            f"this server's schema has no type {TABLE}, which keeps parameter tables; the presets `production` and "
            "`lab` have it"
        )
    name = check_name("parameter table", name)
    if not isinstance(keys, Mapping) or not 0 < len(keys) <= MOST_KEYS:
        raise UsageError(
            f"a parameter table has 1 to {MOST_KEYS} keys, each with its level, like "
            f"{{'Artist': 'user.username'}}, not {shown(keys)}"
        )
    names = tuple(check_name("key", key) for key in keys)
    of, texts = _levels(core, name, table, keys, names)
    values = {"name": name, "keys": list(names), "places": {of: texts}}
    if description:
        values["description"] = check_text("description", description)
    found = ParameterTable(core, core.create(TABLE, values))
    for each in rules.items() if isinstance(rules, Mapping) else rules:
        coordinates, value = each
        if found._read(coordinates, {}) in found._values():
            raise UsageError(f"the rules of `{name}` have {dict(coordinates)!r} twice: which value holds?")
        found.set(value, coordinates)
    return found


def _keeps(core: Any) -> bool:
    return TABLE in core.schema.types and RULE in core.schema.types


def _levels(
    core: Any, name: str, table: Any, levels: Mapping[str, Any], keys: tuple[str, ...]
) -> tuple[str, list[str]]:
    """The name of a table, and the texts of the levels that the keys are in it."""
    of = table if is_table(table) else core._dictionary.tables[table]
    if set(levels) != set(keys):
        raise UsageError(f"`{name}` has the keys {', '.join(keys)}; a level is needed for each, not for {list(levels)}")
    texts = []
    for key in keys:
        given = levels[key]
        if hasattr(type(given), "as_level"):
            given = given.as_level()
        level = given if isinstance(given, Level) else parse_level(given) if isinstance(given, str) else Level(given)
        check_key_level(level, of._type, core.schema, name)
        texts.append(level_text(level, True))
    return of.name, texts


def _value(entity: Any, name: str) -> Any:
    found = entity.peek(name)
    return None if found is NOT_SET else found
