"""A cube made of other cubes: each measure is computed by the cube that it comes from, in the same cells.

A cube without a hierarchy has no facts below its All: its measures are empty there. Hierarchies of one name are one,
and have the same levels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from callsheet.analytics.mdx.cells import (
    CubeQuestion,
    FactCondition,
    GroupedRows,
    LevelName,
    MemberKey,
    MemberPath,
    PartDescription,
)
from callsheet.analytics.mdx.entity_questions import AskedCells, AskedMembers, CubeQuestions
from callsheet.errors import UsageError
from callsheet.model.cube import CubeDefinition, CubeFormula, CubeHierarchy
from callsheet.model.measure import Aggregate
from callsheet.model.schema import Schema

__all__ = ["AskedParts", "PartedQuestions", "joined", "parts_described"]


def joined(definition: CubeDefinition, parts: Sequence[CubeDefinition]) -> CubeDefinition:
    """A cube with the hierarchies, measures, formulas and sets of its parts, of the first that has one of a name."""
    hierarchies: dict[str, CubeHierarchy] = {}
    for part in parts:
        if part.parts:
            raise UsageError(f"the cube `{part.name}`, a part of `{definition.name}`, is made of others itself")
        for each in part.hierarchies:
            _check_alike(definition, hierarchies.setdefault(each.name, each), each, part)
    measures = {each.name: each for part in reversed(parts) for each in part.measures}
    formulas: dict[str, CubeFormula] = {}
    for found in (each for part in parts for each in part.formulas):
        formulas.setdefault(found.name.lower(), found)
    formulas |= {each.name.lower(): each for each in definition.formulas}
    ordered = dict.fromkeys(each.name for part in parts for each in part.measures)
    sets = {name: text for part in reversed(parts) for name, text in part.sets.items()}
    return evolve(
        definition,
        hierarchies=tuple(hierarchies.values()),
        measures=tuple(measures[name] for name in ordered),
        formulas=tuple(formulas.values()),
        sets={**sets, **definition.sets},
        parts=tuple(parts),
    )


def _check_alike(whole: CubeDefinition, one: CubeHierarchy, other: CubeHierarchy, part: CubeDefinition) -> None:
    if [level.name for level in one.levels] != [level.name for level in other.levels]:
        raise UsageError(
            f"the hierarchy `{one.name}` of `{part.name}` has other levels than that of another part of "
            f"`{whole.name}`; give it another name"
        )


def parts_described(definition: CubeDefinition) -> tuple[PartDescription, ...]:
    """What each part of a cube knows; measures are those that it computes."""
    found, taken = [], set[str]()
    for part in definition.parts:
        assert isinstance(part, CubeDefinition)
        own = tuple(each.name for each in part.measures if each.name not in taken)
        taken.update(own)
        found.append(PartDescription(part.name, own, tuple(each.name for each in part.hierarchies)))
    return tuple(found)


@frozen
class AskedParts:
    """A question as one for each part that computes some of its measures, with the places of these."""

    question: CubeQuestion
    parts: tuple[tuple[tuple[int, ...], AskedCells], ...]

    @property
    def aggregates(self) -> tuple[Aggregate, ...]:
        """What is asked."""
        return tuple(asked.aggregate for _, asked in self.parts)

    def merged(self, answers: Sequence[Iterable[Sequence[Any]]]) -> GroupedRows:
        """The groups of all answers."""
        found: dict[tuple[MemberPath, ...], list[Any]] = {}
        for (places, asked), answer in zip(self.parts, answers, strict=True):
            for paths, values in asked.rows(answer).rows:
                row = found.setdefault(paths, [None] * len(self.question.measures))
                for place, value in zip(places, values):
                    row[place] = value
        rows = [(paths, tuple(values)) for paths, values in found.items()]
        order = self.question.order
        if order is not None:
            sign = -1 if order.descending else 1
            rows.sort(key=lambda each: (each[1][order.measure] is None, sign * (each[1][order.measure] or 0)))
        return GroupedRows(rows[: self.question.limit])


class PartedQuestions:
    """What the parts of a cube are asked."""

    def __init__(self, definition: CubeDefinition, schema: Schema) -> None:
        self.parts = [CubeQuestions(each, schema) for each in definition.parts if isinstance(each, CubeDefinition)]
        self._described = parts_described(definition)

    def members(self, level: LevelName) -> AskedMembers:
        """The members of a level, of the first part that has it."""
        return next(each for each in self.parts if level[0] in each.hierarchies).members(level)

    def cells(self, question: CubeQuestion, known: Mapping[LevelName, Mapping[MemberKey, MemberPath]]) -> AskedParts:
        """The aggregates of a question."""
        found = []
        for part, described in zip(self.parts, self._described):
            places = tuple(at for at, name in enumerate(question.measures) if name in described.measures)
            own = _of_part(question, places, described) if places else None
            if own is not None:
                found.append((places, part.cells(own, known)))
        return AskedParts(question, tuple(found))


def _of_part(question: CubeQuestion, places: tuple[int, ...], part: PartDescription) -> CubeQuestion | None:
    """A question as a part can answer it; None if it has no such facts."""
    if any(name not in part.hierarchies for name, _ in question.levels):
        return None
    conditions = []
    for each in question.conditions:
        own = _condition(each, part)
        if own is None:
            return None
        if own.levels:
            conditions.append(own)
    order = question.order
    if order is not None:
        order = evolve(order, measure=places.index(order.measure)) if order.measure in places else None
    limit = question.limit if order is not None or question.order is None else None
    measures = tuple(question.measures[at] for at in places)
    return evolve(question, measures=measures, conditions=tuple(conditions), order=order, limit=limit)


def _condition(condition: FactCondition, part: PartDescription) -> FactCondition | None:
    """A condition on the hierarchies that a part has; None if no fact of it fulfils it."""
    known = [name in part.hierarchies for name, _ in condition.levels]
    if all(known):
        return condition
    tuples = []
    for paths in condition.tuples:
        if all(own or not path for own, path in zip(known, paths)):
            tuples.append(tuple(path for own, path in zip(known, paths) if own))
    if not tuples:
        return None
    if () in tuples:
        return FactCondition((), ())
    return FactCondition(tuple(level for own, level in zip(known, condition.levels) if own), tuple(tuples))
