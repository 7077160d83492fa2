"""What people write for the levels and measures of a cube, as parts of its definition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve, fields, has

from callsheet.analytics.automatic_cubes import words
from callsheet.analytics.cubes import measure_of
from callsheet.analytics.dimensions import Band, VariableMeasure, count_of
from callsheet.analytics.production_line import label_step
from callsheet.analytics.resolving import is_table, label_path, path_to
from callsheet.errors import CallsheetError, UsageError
from callsheet.model.cube import CubeDefinition, CubeLevel
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.checking import check_path
from callsheet.model.language.measures import parse_level, parse_measure
from callsheet.model.language.parser import parse_path
from callsheet.model.measure import Aggregate, AggregateFunction, Constant, Level, Measure, as_shared
from callsheet.model.named import NamedMeasure, replaced
from callsheet.model.query import Path, Select
from callsheet.model.schema import Schema

__all__ = ["by_name", "check_measure", "levels_in", "read_level", "read_levels", "read_measure", "shared_with"]


def read_levels(table: Any, given: Any) -> tuple[CubeLevel, ...]:
    """The levels that somebody gives for a hierarchy: a list, or a mapping of names."""
    if isinstance(given, Mapping):
        found = [evolve(read_level(table, each), name=_name(name)) for name, each in given.items()]
    else:
        single = isinstance(given, str | CubeLevel | Level | Band) or not isinstance(given, Iterable)
        found = [read_level(table, each) for each in ([given] if single or hasattr(given, "_attribute") else given)]
    if not found:
        raise UsageError("a hierarchy needs at least one level")
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two levels are called `{name}`; give them names: {{'name': level}}")
    return tuple(found)


def _name(name: Any) -> str:
    if not isinstance(name, str) or not name.strip() or name != name.strip() or len(name) > 200:
        raise UsageError(f"a name is a text without spaces at its ends, not {name!r:.80}")
    return name


def read_level(table: Any, given: Any) -> CubeLevel:
    """One level: a text (``"parent.name"``, ``"month(start)"``), a variable, a band of one, or a level."""
    schema: Schema = table._dictionary.schema
    if isinstance(given, CubeLevel):
        found = given
    elif hasattr(type(given), "as_cube_level"):
        found = given.as_cube_level()
    elif isinstance(given, Band):
        path, _ = path_to(table, given.variable)
        found = CubeLevel(words(given.band), path, band=given.band, unique=given.band != "week")
    elif hasattr(given, "_attribute") and hasattr(given, "table"):
        path, _ = path_to(table, given)
        found = CubeLevel(given.label, label_path(given, path))
    elif isinstance(given, str | Level):
        level = parse_level(given) if isinstance(given, str) else given
        found = CubeLevel(level.name if isinstance(given, Level) and level.name else "", level.path, band=level.band)
        # A period lies in one of the next longer ones; a week may lie in two months.
        found = evolve(found, unique=found.band not in (None, "week"))
    else:
        raise UsageError(f"a level is a text such as 'parent.name' or 'month(start)', or a variable, not {given!r:.80}")
    return _labelled(schema, table.name, found)


def _labelled(schema: Schema, table: str, level: CubeLevel) -> CubeLevel:
    """The level with a name, and with the label of a reference in its place; its path is checked."""
    attribute = check_path(level.path, schema.types[table], schema)[-1][1]
    if attribute.kind == "reference":
        step = label_step(schema, str(attribute.target))
        if step is not None:
            level = evolve(level, path=Path((*level.path.steps, step)))
    # A level of an aggregate is checked as a whole: kinds that cannot be grouped by, bands of what is no date.
    check_aggregate(Aggregate(Select(table), (), (Level(level.path, level.band),)), schema)
    return level if level.name else evolve(level, name=_level_name(schema, table, level))


def _level_name(schema: Schema, table: str, level: CubeLevel) -> str:
    if level.band is not None:
        return words(level.band)
    *above, last = level.path.steps
    chain = check_path(level.path, schema.types[table], schema)
    owner = chain[-1][0]
    if above and last.name == owner.label:
        return words(above[-1].cast) if above[-1].cast else chain[-2][1].label or words(above[-1].name)
    return chain[-1][1].label or words(last.name)


# -- measures ------------------------------------------------------------------------------------------------------


def read_measure(table: Any, given: Any) -> Measure:
    """One measure: a text (``"sum(bid)"``, ``"[Actual] / [Bid]"``), one of ``callsheet.measures``, of a variable."""
    if isinstance(given, str):
        return parse_measure(given)
    if isinstance(given, bool):
        raise UsageError(f"a measure is no truth value: {given!r}")
    if isinstance(given, int | float):
        return Constant(given)
    if isinstance(given, VariableMeasure) or is_table(given):
        return measure_of(table, count_of(given) if is_table(given) else given)
    if isinstance(given, Measure):
        return given
    raise UsageError(f"a measure is a text such as 'sum(bid)', or made by `callsheet.measures`, not {given!r:.80}")


def check_measure(schema: Schema, cube: CubeDefinition, measure: Measure, name: str = "") -> None:
    """Raise unless a measure without names of others can be computed of the entities of a type."""
    group = tuple(dict.fromkeys(levels_in(measure)))
    try:
        check_aggregate(Aggregate(Select(cube.table), (measure,), group, shared=cube.shared), schema)
    except CallsheetError as error:
        if not name:
            raise
        raise UsageError(f"`{name}`: {error}") from error


def levels_in(value: Any) -> Iterator[Level]:
    """The levels that a measure names."""
    if isinstance(value, Level):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from levels_in(each)
    elif has(type(value)) and not isinstance(value, AggregateFunction):
        for field in fields(type(value)):
            yield from levels_in(getattr(value, field.name))


def by_name(measure: Measure, cube: Any) -> Measure:
    """The measure in which measures of this cube are named, and those of other cubes stand as they are."""

    def named(each: NamedMeasure) -> Measure:
        of = getattr(each, "cube", cube)
        if of is cube:
            return NamedMeasure(each.name)
        plain: Measure = each.plain  # type: ignore[attr-defined]
        return plain

    found: Measure = replaced(measure, named)
    return found


def shared_with(
    cube: CubeDefinition, facts: Any, levels: Mapping[str, Any], table: Any, given: Mapping[str, Any]
) -> Any:
    """What a cube shares with second tables, when one of them is distinguished by these paths, by names of levels."""
    of = facts._table_of(table)
    pairs = {}
    for name, path in given.items():
        there = parse_path(path) if isinstance(path, str) else path
        check_path(there, of._type, facts._dictionary.schema)
        pairs[levels[name].defined.path] = there
    found = {name: dict(shared) for name, shared in cube.shared if name != of.name}
    return as_shared({**found, **({of.name: pairs} if pairs else {})})
