"""Keeping: which aggregate a stored cube keeps the cells of, and how each of its functions follows changes.

- *Folded* functions are counts, sums and averages of the facts' own values: what facts are worth is added to a cell and
  taken away, exactly.
- All others are computed again, in the cells that a change touches.

What leads through a collection, or depends on other facts or on the time, is not kept.
"""

from __future__ import annotations

from collections.abc import Iterator

from attrs import evolve

from callsheet.errors import CallsheetError, UsageError
from callsheet.model.cube import CubeDefinition, CubeLevel
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.measures import level_text, measure_text
from callsheet.model.language.reaching import adds_up, reaching
from callsheet.model.language.relative import is_relative
from callsheet.model.measure import Aggregate, AggregateFunction, Level, functions_of
from callsheet.model.named import resolved
from callsheet.model.query import Select
from callsheet.model.schema import Schema, did_you_mean
from callsheet.model.weighing import has_parameters

__all__ = ["LEVELS", "is_folded", "kept_aggregate"]

FOLDED = ("count", "sum", "average")
LEVELS = 12
"""The most levels of a stored cube."""


def is_folded(function: AggregateFunction, entity_type: str, schema: Schema) -> bool:
    """Whether the function of a cell is made of numbers that its facts add to, one by one."""
    if function.name not in FOLDED:
        return False
    return adds_up(evolve(function, name="sum"), schema.types[entity_type], schema)


def kept_aggregate(definition: CubeDefinition, schema: Schema) -> Aggregate:
    """The aggregate whose groups are the cells of a stored cube; its functions are all that its measures are made of.

    Raises `UsageError` that names what cannot be kept.

    >>> from callsheet.model.cube import CubeHierarchy, CubeMeasure, StoredParts
    >>> schema = Schema({"types": {"Job": {"attributes": {"name": {"type": "string"}, "bid": {"type": "number"}}}}})
    >>> mean = AggregateFunction("average", "bid")
    >>> cube = CubeDefinition("Jobs", "Job", [CubeHierarchy("Name", [CubeLevel("Name", "name")])],
    ...     [CubeMeasure("Mean", mean)], stored=StoredParts())
    >>> found = kept_aggregate(cube, schema)
    >>> [level.path.names for level in found.group], mean in found.functions
    ([('name',)], True)
    """
    named = definition.stored
    if named is None:
        raise UsageError(f"the cube `{definition.name}` is not stored")
    select = Select(definition.table, where=definition.where)
    levels = tuple(_levels(definition))
    if not levels:
        raise UsageError(f"`{definition.name}` has no levels, so there is nothing to keep")
    if len(levels) > LEVELS:
        raise UsageError(f"a stored cube has at most {LEVELS} levels, not {len(levels)}; name those to keep")
    functions = _functions(definition, schema, levels)
    found = _checked(definition, schema, Aggregate(select, functions, levels))
    if is_relative(found):
        raise UsageError(f"the filter of `{definition.name}` depends on the time, so its cells cannot be kept")
    read = reaching(found, schema)
    if read.spreads or read.whole:
        raise UsageError(
            f"a level or the filter of `{definition.name}` leads through a collection or other queries, so its cells "
            "cannot be kept; name levels without"
        )
    return found


def _levels(definition: CubeDefinition) -> Iterator[Level]:
    """The levels by which cells differ, each once."""
    found = dict.fromkeys(Level(each.path, each.band) for each in _named_levels(definition))
    return iter(found)


def _named_levels(definition: CubeDefinition) -> Iterator[CubeLevel]:
    """The levels that are named, with those above them."""
    assert definition.stored is not None
    if not definition.stored.levels:
        for hierarchy in definition.hierarchies:
            yield from hierarchy.levels
        return
    places: dict[str, list[tuple[CubeLevel, ...]]] = {}
    for hierarchy in definition.hierarchies:
        for index, level in enumerate(hierarchy.levels):
            way = hierarchy.levels[: index + 1]
            places[f"{hierarchy.name}.{level.name}"] = [way]
            places.setdefault(level.name, []).append(way)
    for name in definition.stored.levels:
        ways = places.get(name)
        if ways is None:
            raise UsageError(f"`{definition.name}` has no level `{name:.80}` to keep{did_you_mean(name, places)}")
        if len(ways) > 1:
            raise UsageError(f"`{definition.name}` has several levels `{name:.80}`; write it like `Time.{name:.80}`")
        yield from ways[0]


def _functions(definition: CubeDefinition, schema: Schema, levels: tuple[Level, ...]) -> tuple[AggregateFunction, ...]:
    """The functions that the named measures are made of; without names, those that can be kept."""
    assert definition.stored is not None
    known = {each.name: each.measure for each in definition.measures}
    found: dict[AggregateFunction, None] = {AggregateFunction("count"): None}
    for name in definition.stored.measures or known:
        if name not in known:
            raise UsageError(f"`{definition.name}` has no measure `{name:.80}` to keep{did_you_mean(name, known)}")
        plain = resolved(known[name], known, (name,))
        if definition.stored.measures and has_parameters(plain):
            raise UsageError(f"the measure `{name}` cannot be kept: a rule of its parameter changes many facts at once")
        for function in functions_of(plain):
            reason = _refusal(definition, schema, levels, function)
            if not reason:
                found[function] = None
            elif definition.stored.measures:
                raise UsageError(f"the measure `{name}` cannot be kept: {reason}")
    # The order of definitions plays no part.
    return tuple(sorted(found, key=measure_text))


def _refusal(definition: CubeDefinition, schema: Schema, levels: tuple[Level, ...], function: AggregateFunction) -> str:
    """Why a function cannot be kept; empty if it can."""
    text = measure_text(function)
    if function.table:
        return f"`{text}` is about a second table, {function.table}"
    checked = _checked(definition, schema, Aggregate(Select(definition.table), (function,)))
    if is_relative(checked):
        return f"`{text}` depends on the time"
    read = reaching(checked, schema)
    return f"`{text}` leads through a collection or other queries" if read.spreads or read.whole else ""


def _checked(definition: CubeDefinition, schema: Schema, aggregate: Aggregate) -> Aggregate:
    try:
        return check_aggregate(aggregate, schema)
    except CallsheetError as error:
        names = ", ".join(level_text(each) for each in aggregate.group)
        raise UsageError(f"`{definition.name}` cannot be kept by {names or 'one cell'}: {error}") from error
