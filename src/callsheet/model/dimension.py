"""Dimensions: levels that are about the same entities, which are the members that the levels have.

Levels that are reached by the same first relation are of one dimension; its entities are those at the end of the
relations that their paths have in common. Each other path is a dimension of its own, whose entities are the facts.
"""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve, frozen

from callsheet.model.facts import Translation, narrowed
from callsheet.model.measure import Aggregate, Level
from callsheet.model.query import Path, Select, Step
from callsheet.model.schema import Schema

__all__ = ["Dimension", "dimensions_of"]


@frozen
class Dimension:
    """The entities of a dimension, and for the places of its levels, these levels as paths of its entities."""

    select: Select
    levels: dict[int, Level]


def dimensions_of(aggregate: Aggregate, schema: Schema) -> list[Dimension]:
    """The dimensions of a checked aggregate's levels; a condition that is about one alone narrows its entities."""
    found: dict[tuple[Step, ...], list[int]] = {}
    ways = [_relations(level.path, aggregate.select.entity_type, schema) for level in aggregate.group]
    for place, level in enumerate(aggregate.group):
        found.setdefault(ways[place][:1] or level.path.steps, []).append(place)
    return [
        _dimension(aggregate, schema, places, _common([ways[place] for place in places])) for places in found.values()
    ]


def _dimension(aggregate: Aggregate, schema: Schema, places: Sequence[int], way: tuple[Step, ...]) -> Dimension:
    table, collections = _reached(aggregate.select.entity_type, way, schema)
    levels = {place: aggregate.group[place] for place in places}
    inner = {place: evolve(level, path=Path(level.path.steps[len(way) :])) for place, level in levels.items()}
    known = _inside(way) if way else _one_of([level.path for level in levels.values()])
    # Of an entity in a collection, a condition says nothing: another member may have fulfilled it.
    where = None if collections else narrowed(aggregate.select.where, known)
    return Dimension(Select(table, where=where), inner)


def _inside(way: tuple[Step, ...]) -> Translation:
    def known(path: Path) -> Path | None:
        return Path(path.steps[len(way) :] or (Step("id"),)) if path.steps[: len(way)] == way else None

    return known


def _one_of(paths: Sequence[Path]) -> Translation:
    return lambda path: path if path in paths else None


def _common(ways: Sequence[tuple[Step, ...]]) -> tuple[Step, ...]:
    """The steps that all ways begin with."""
    shortest = min(ways, key=len)
    for length in range(len(shortest), 0, -1):
        if all(way[:length] == shortest[:length] for way in ways):
            return shortest[:length]
    return ()


def _relations(path: Path, entity_type: str, schema: Schema) -> tuple[Step, ...]:
    """The steps of a path that are relations."""
    place = schema.type(entity_type)
    for index, step in enumerate(path.steps):
        attribute = place.attributes.get(step.name)
        if attribute is None or attribute.kind not in ("reference", "collection"):
            return path.steps[:index]
        place = schema.type(step.cast or str(attribute.target))
    return path.steps


def _reached(entity_type: str, way: Sequence[Step], schema: Schema) -> tuple[str, bool]:
    """The type at the end of relations, and whether one of them is a collection."""
    collections = False
    for step in way:
        attribute = schema.type(entity_type).attribute(step.name)
        collections = collections or attribute.kind == "collection"
        entity_type = step.cast or str(attribute.target)
    return entity_type, collections
