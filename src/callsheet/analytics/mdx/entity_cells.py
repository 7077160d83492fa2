"""A cube over entities, as MDX sees it: what it is described as, and the members that were read of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from callsheet.analytics.mdx.cells import (
    CalculatedDescription,
    CubeDescription,
    CubeQuestion,
    GroupedRows,
    HierarchyDescription,
    LevelDescription,
    LevelName,
    MeasureDescription,
    MemberKey,
    MemberPath,
    MemberRow,
    MembersMissing,
)
from callsheet.analytics.mdx.entity_questions import CubeQuestions
from callsheet.analytics.mdx.parted_cells import PartedQuestions, parts_described
from callsheet.model.cube import CubeDefinition, CubeHierarchy
from callsheet.model.schema import Schema

__all__ = ["EntityCells"]


class EntityCells:
    """`CubeCells` over entities, whose questions are sent by the caller of the evaluation (see ``querying``)."""

    def __init__(self, definition: CubeDefinition, schema: Schema) -> None:
        self.definition = definition
        self.questions: CubeQuestions | PartedQuestions = (
            PartedQuestions(definition, schema) if definition.parts else CubeQuestions(definition, schema)
        )
        self._described = _described(definition)
        self._known: dict[LevelName, Sequence[MemberRow]] = {}
        #: The path of each member by its key, for the levels that were read.
        self.paths: dict[LevelName, Mapping[MemberKey, MemberPath]] = {}

    def cube(self) -> CubeDescription:
        return self._described

    def members(self, level: LevelName) -> Sequence[MemberRow]:
        found = self._known.get(level)
        if found is None:
            name, depth = level
            levels = [(name, number) for number in range(depth + 1)]
            raise MembersMissing(each for each in levels if each not in self._known)
        return found

    def missing(self, levels: Sequence[LevelName]) -> list[LevelName]:
        """Those of some levels that were not read yet."""
        return [level for level in levels if level not in self._known]

    def learn(self, level: LevelName, members: Sequence[MemberRow]) -> None:
        """The members of a level become known."""
        self._known[level] = members
        self.paths[level] = {member.path[-1]: member.path for member in members}

    def ask(self, questions: Sequence[CubeQuestion]) -> Sequence[GroupedRows]:
        raise NotImplementedError("the questions of an evaluation are asked through the session")


def _described(definition: CubeDefinition) -> CubeDescription:
    return CubeDescription(
        definition.name,
        tuple(_hierarchy(each) for each in definition.hierarchies),
        tuple(MeasureDescription(each.name, each.format, each.rollup) for each in definition.measures),
        tuple(
            CalculatedDescription(each.name, each.formula, each.format, each.solve_order, caption=each.caption)
            for each in definition.formulas
        ),
        definition.sets,
        parts_described(definition),
    )


def _hierarchy(hierarchy: CubeHierarchy) -> HierarchyDescription:
    levels = tuple(
        LevelDescription(
            each.name,
            each.unique or each.parent is not None,
            tuple(each.properties),
            each.kind,
            each.parent is not None,
            each.hidden,
        )
        for each in hierarchy.levels
    )
    return HierarchyDescription(
        hierarchy.name,
        levels,
        hierarchy.dimension,
        hierarchy.all_name,
        default=hierarchy.default,
        time=hierarchy.time,
    )
