"""A cube kept in entities of the server: one for itself, and one for each hierarchy and measure.

So a commit shares it, two people edit different measures of it, and it has a history, permissions and events as all
entities do. Paths, levels, measures and conditions are texts of the query language.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from attrs import evolve

from callsheet.analytics.cube_plain import (
    formulas_from,
    formulas_plain,
    levels_from,
    levels_plain,
    parts_from,
    parts_plain,
    sets_from,
    sets_plain,
    shared_from,
    shared_plain,
    stored_from,
    stored_plain,
)
from callsheet.errors import CallsheetError, UsageError
from callsheet.model.cube import CubeDefinition, CubeHierarchy, CubeMeasure
from callsheet.model.language.measures import measure_text, parse_measure
from callsheet.model.language.parser import parse_condition
from callsheet.model.language.text import condition_text
from callsheet.model.query import Comparison, Or, Path, Select
from callsheet.model.record import NOT_SET
from callsheet.model.schema import Schema

__all__ = ["EntityHome", "keeps_cubes", "selected_cubes", "stores_cubes"]

CUBE, HIERARCHY, MEASURE = "Cube", "CubeHierarchy", "CubeMeasure"
OWN = ("name", "table", "description", "folder", "filter", "formulas", "shared_levels", "is_shared")
STORED = "stored"
"""The attribute that says what the server keeps; schemas of earlier versions lack it."""
FOR_PEOPLE = ("description", "folder", "sort")
NEEDED = {
    CUBE: (*OWN, "hierarchies", "measures"),
    HIERARCHY: (
        *["name", "cube", "levels", "all_name", "dimension", "default", "is_time", "description", "folder", "sort"],
    ),
    MEASURE: ("name", "cube", "definition", "format", *FOR_PEOPLE),
}
_parsed = lru_cache(maxsize=1_000)(parse_measure)
_parsed_condition = lru_cache(maxsize=200)(parse_condition)


def keeps_cubes(schema: Schema) -> bool:
    """Whether a schema has the types that keep cubes."""
    return all(
        name in schema.types and all(each in schema.types[name].attributes for each in attributes)
        for name, attributes in NEEDED.items()
    )


def stores_cubes(schema: Schema) -> bool:
    """Whether a schema's cubes can say what the server keeps of them."""
    return keeps_cubes(schema) and STORED in schema.types[CUBE].attributes


def selected_cubes(user: str, schema: Schema) -> Select:
    """The query of the cubes that are shared, or a user's own, with all that they are made of."""
    paths = [*OWN, *([STORED] if stores_cubes(schema) else []), "owner.username"]
    for part, kind in (("hierarchies", HIERARCHY), ("measures", MEASURE)):
        paths += [f"{part}.{name}" for name in NEEDED[kind] if name != "cube"]
    shown = (
        Comparison(Path.of("is_shared"), "=", True),
        Comparison(Path.of("owner"), "=", None),
        Comparison(Path.of("owner.username"), "=", user),
    )
    return Select(CUBE, tuple(map(Path.of, paths)), Or(shown))


class EntityHome:
    """A definition in entities."""

    def __init__(self, core: Any, entity: Any) -> None:
        self._core, self.entity = core, entity
        self._known: tuple[Any, CubeDefinition] | None = None

    @classmethod
    def create(cls, core: Any, definition: CubeDefinition) -> EntityHome:
        """The home of a new cube; its entities are pending."""
        check_storing(core.schema, definition)
        plain = _plain(definition, stores_cubes(core.schema))
        values = {"name": definition.name, "table": definition.table, "is_shared": True, **plain}
        home = cls(core, core.create(CUBE, {name: value for name, value in values.items() if value not in (None, "")}))
        home.write_parts(definition)
        return home

    @property
    def is_alive(self) -> bool:
        """Whether the cube is neither deleted nor taken back."""
        return self.entity.state not in ("deleted", "detached")

    @property
    def name(self) -> str:
        """The name of the cube."""
        return str(self.entity.peek("name"))

    def write(self, definition: CubeDefinition) -> None:
        """Record what differs from a definition."""
        self.change(
            **{
                name: getattr(definition, name)
                for name in ("description", "folder", "where", "formulas", "shared", "sets", "stored", "parts")
            }
        )
        for part, wanted in (("measures", definition.measures), ("hierarchies", definition.hierarchies)):
            names = {each.name for each in wanted}
            for name, entity in self._entities(part).items():
                if name not in names:
                    self._core.delete(entity)
        self.write_parts(definition)

    def write_parts(self, definition: CubeDefinition) -> None:
        """Record the hierarchies and measures of a definition."""
        for hierarchy in definition.hierarchies:
            self.put_hierarchy(hierarchy)
        for measure in definition.measures:
            self.put_measure(measure)

    # -- reading ---------------------------------------------------------------------------------------------

    def read(self) -> CubeDefinition:
        state = self._state()
        if self._known is None or self._known[0] != state:
            self._known = state, self._read()
        return self._known[1]

    def _state(self) -> Any:
        """All values that the definition is made of."""
        return [
            [*(_value(self.entity, name) for name in OWN), self._stored],
            [[_value(each, name) for name in NEEDED[HIERARCHY]] for each in self._sorted("hierarchies")],
            [[_value(each, name) for name in NEEDED[MEASURE]] for each in self._sorted("measures")],
        ]

    def _read(self) -> CubeDefinition:
        entity = self.entity
        text = _value(entity, "filter")
        where = None if not text else self._said("the filter", lambda: _parsed_condition(text))
        return CubeDefinition(
            self.name,
            str(_value(entity, "table")),
            [self._hierarchy(each) for each in self._sorted("hierarchies")],
            [self._measure(each) for each in self._sorted("measures")],
            self._said("the formulas", lambda: formulas_from(_value(entity, "formulas") or {})),
            where,
            _value(entity, "folder") or "",
            _value(entity, "description") or "",
            shared=self._said("what it shares", lambda: shared_from(_value(entity, "shared_levels") or {})),
            sets=self._said("the sets", lambda: sets_from(_value(entity, "formulas") or {})),
            stored=self._said("what is stored", lambda: stored_from(self._stored)),
            parts=self._said("its parts", lambda: parts_from(_value(entity, "formulas") or {})),
        )

    def _hierarchy(self, entity: Any) -> CubeHierarchy:
        name = str(_value(entity, "name"))
        default = _value(entity, "default")
        return CubeHierarchy(
            name,
            self._said(f"the hierarchy `{name}`", lambda: levels_from(_value(entity, "levels"))),
            _value(entity, "all_name"),
            _value(entity, "dimension") or "",
            None if default is None else tuple(default),
            bool(_value(entity, "is_time")),
            _value(entity, "folder") or "",
            _value(entity, "description") or "",
        )

    def _measure(self, entity: Any) -> CubeMeasure:
        name, text = str(_value(entity, "name")), _value(entity, "definition")
        return CubeMeasure(
            name,
            self._said(f"the measure `{name}`", lambda: _parsed(str(text))),
            _value(entity, "format") or "",
            _value(entity, "folder") or "",
            _value(entity, "description") or "",
        )

    def _said(self, what: str, read: Any) -> Any:
        """What is read; an error names the cube."""
        try:
            return read()
        except CallsheetError as error:
            raise UsageError(f"{what} of the cube `{self.name}` cannot be read: {error}") from error

    def _entities(self, part: str) -> dict[str, Any]:
        return {str(each.peek("name")): each for each in self.entity[part]}

    def _sorted(self, part: str) -> list[Any]:
        return sorted(self.entity[part], key=lambda each: (_value(each, "sort") or 0, str(_value(each, "name"))))

    # -- writing ---------------------------------------------------------------------------------------------

    def put_measure(self, measure: CubeMeasure) -> None:
        self._put(
            MEASURE,
            "measures",
            measure.name,
            {
                "definition": measure_text(measure.measure),
                "format": measure.format,
                "folder": measure.folder,
                "description": measure.description,
            },
        )

    def put_hierarchy(self, hierarchy: CubeHierarchy) -> None:
        self._put(
            HIERARCHY,
            "hierarchies",
            hierarchy.name,
            {
                "levels": levels_plain(hierarchy.levels),
                "all_name": hierarchy.all_name,
                "dimension": hierarchy.dimension,
                "default": None if hierarchy.default is None else list(hierarchy.default),
                "is_time": hierarchy.time,
                "folder": hierarchy.folder,
                "description": hierarchy.description,
            },
        )

    def _put(self, kind: str, part: str, name: str, values: Mapping[str, Any]) -> None:
        found = self._entities(part).get(name)
        if found is not None:
            _update(found, values)
            return
        last = max((_value(each, "sort") or 0 for each in self.entity[part]), default=0)
        given = {each: value for each, value in values.items() if value not in (None, "")}
        self._core.create(kind, {"cube": self.entity, "name": name, "sort": last + 1, **given})

    def drop_measure(self, name: str) -> None:
        self._core.delete(self._entities("measures")[name])

    def drop_hierarchy(self, name: str) -> None:
        self._core.delete(self._entities("hierarchies")[name])

    def change(self, **values: Any) -> None:
        changed = evolve(self.read(), **values)
        check_storing(self._core.schema, changed)
        _update(self.entity, _plain(changed, stores_cubes(self._core.schema)))

    @property
    def _stored(self) -> Any:
        return _value(self.entity, STORED) if stores_cubes(self._core.schema) else None

    def remove(self) -> None:
        """Delete the cube, with what it is made of."""
        for part in ("hierarchies", "measures"):
            for each in list(self.entity[part]):
                self._core.delete(each)
        self._core.delete(self.entity)


def check_storing(schema: Schema, definition: CubeDefinition) -> None:
    """Raise `UsageError` for a cube that is to be stored where the server's cubes cannot say so."""
    if definition.stored is not None and not stores_cubes(schema):
        raise UsageError("this server cannot store cubes: its type `Cube` has no attribute `stored`")


def _plain(definition: CubeDefinition, stores: bool) -> dict[str, Any]:
    """The attributes of the cube's own entity that can change; ``stores`` if it can say what is stored."""
    return {
        **({STORED: stored_plain(definition.stored)} if stores else {}),
        "description": definition.description,
        "folder": definition.folder,
        "filter": "" if definition.where is None else condition_text(definition.where),
        "formulas": {
            **formulas_plain(definition.formulas),
            **sets_plain(definition.sets),
            **parts_plain(definition.parts),
        }
        or None,
        "shared_levels": shared_plain(definition.shared) or None,
    }


def _update(entity: Any, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if (_value(entity, name) or None) != (value or None):
            entity[name] = value


def _value(entity: Any, name: str) -> Any:
    found = entity.peek(name)
    return None if found is NOT_SET else found
