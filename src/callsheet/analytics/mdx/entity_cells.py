"""A cube over entities, for MDX: members and cells are read by aggregates, one request for each.

The evaluation of MDX is synchronous, and a session's reads are flows. So `query_mdx` evaluates until something is
missing, reads what is missing, and evaluates again; what was read is kept. An evaluation asks for all unknown cells of
a pattern at once, so there are few turns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Any

from callsheet.analytics.mdx.cells import (
    CalculatedDescription,
    CubeDescription,
    CubeQuestion,
    FactCondition,
    GroupedRows,
    HierarchyDescription,
    LevelDescription,
    LevelName,
    MeasureDescription,
    MemberKey,
    MemberPath,
    MemberRow,
)
from callsheet.analytics.mdx.members import CubeSpace
from callsheet.analytics.mdx.query import answer_mdx
from callsheet.analytics.mdx.result import MdxResult
from callsheet.analytics.period_conditions import in_period
from callsheet.core.aggregating import aggregate
from callsheet.core.core import Core
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.cube import CubeDefinition, CubeHierarchy, CubeLevel
from callsheet.model.language.checking import check_path
from callsheet.model.measure import Aggregate, AggregateFunction, AggregateOrder, Level
from callsheet.model.query import And, Comparison, Condition, Or, Path, Select
from callsheet.model.schema import Schema

__all__ = ["EntityCells", "query_mdx"]


def query_mdx(core: Core, query: str, cube: CubeDefinition) -> Flow[MdxResult]:
    """The answer to a query in MDX over a cube of entities; ``FROM`` names the cube.

    The numbers are those of the entities that the account may read. Raises `MdxError`, with its position, for what
    cannot be read or found. It needs the extra ``mdx``.

    >>> session.query_mdx("select [Measures].[Bid] on columns from Bids", cube)  # doctest: +SKIP
    """
    if not isinstance(cube, CubeDefinition):
        raise UsageError(f"query_mdx needs the definition of a cube, not {type(cube).__name__}")
    cells = EntityCells(cube, core.schema)
    space = CubeSpace(cells)
    while True:
        try:
            return answer_mdx(space, query)
        except _Missing as missing:
            for question in missing.questions:
                cells.answers[question] = yield from cells.read(core, question)
            for level in missing.levels:
                cells.known[level] = yield from cells.read_members(core, level)
                # What was half done when the level was found missing is left.
                space = CubeSpace(cells)


class _Missing(Exception):
    """What must be read before the evaluation can go on."""

    def __init__(self, questions: Iterable[CubeQuestion] = (), levels: Iterable[LevelName] = ()) -> None:
        super().__init__()
        self.questions, self.levels = tuple(questions), tuple(levels)


class EntityCells:
    """`CubeCells` over entities: what was read, and how the rest is read."""

    def __init__(self, definition: CubeDefinition, schema: Schema) -> None:
        self.definition, self._schema = definition, schema
        self._hierarchies = {each.name: each for each in definition.hierarchies}
        self._measures = {each.name: each.measure for each in definition.measures}
        self._described = _described(definition)
        self.answers: dict[CubeQuestion, GroupedRows] = {}
        self.known: dict[LevelName, list[MemberRow]] = {}

    def cube(self) -> CubeDescription:
        return self._described

    def members(self, level: LevelName) -> Sequence[MemberRow]:
        found = self.known.get(level)
        if found is None:
            raise _Missing(levels=(level,))
        return found

    def ask(self, questions: Sequence[CubeQuestion]) -> Sequence[GroupedRows]:
        unknown = [each for each in dict.fromkeys(questions) if each not in self.answers]
        if unknown:
            raise _Missing(unknown)
        return [self.answers[each] for each in questions]

    # Cells

    def read(self, core: Core, question: CubeQuestion) -> Flow[GroupedRows]:
        """The answer to one question, by one aggregate."""
        lines = [self._line(level) for level in question.levels]
        levels = list(dict.fromkeys(Level(each.path, each.band) for line in lines for each in line))
        functions = [self._measures[name] for name in question.measures]
        conditions = [self._condition(each) for each in question.conditions]
        if self.definition.where is not None:
            conditions.append(self.definition.where)
        order = question.order
        # Empty values come last; in ascending order a server would have them first.
        ordered = order is not None and order.descending
        rows = yield from aggregate(
            core,
            Aggregate(
                Select(self.definition.table, (), And(tuple(conditions)) if conditions else None),
                functions or (AggregateFunction("count"),),
                levels,
                order=[AggregateOrder(functions[order.measure], True)] if order is not None and ordered else (),
                limit=question.limit if order is None or ordered else None,
            ),
        )
        places = [[levels.index(Level(each.path, each.band)) for each in line] for line in lines]
        number = len(levels)
        found = [
            (
                tuple(tuple(_key(row[place]) for place in some) for some in places),
                tuple(row[number : number + len(functions)]),
            )
            for row in rows
        ]
        if order is not None and not ordered:
            at = order.measure
            found.sort(key=lambda each: (each[1][at] is None, each[1][at] or 0))
        return GroupedRows(found[: question.limit])

    def _line(self, level: LevelName) -> tuple[CubeLevel, ...]:
        """A level and those above it, from the top down."""
        name, depth = level
        return self._hierarchies[name].levels[: depth + 1]

    def _condition(self, condition: FactCondition) -> Condition:
        hierarchies = [self._hierarchies[name] for name, _ in condition.levels]
        return self._any(hierarchies, condition.tuples)

    def _any(self, hierarchies: Sequence[CubeHierarchy], tuples: Iterable[tuple[MemberPath, ...]]) -> Condition:
        """One of several tuples of members: those that agree in all but the first are one condition."""
        rests: dict[tuple[MemberPath, ...], list[MemberPath]] = {}
        for first, *rest in tuples:
            rests.setdefault(tuple(rest), []).append(first)
        parts = []
        for others, paths in rests.items():
            own = self._members_of(hierarchies[0], paths)
            parts.append(And((own, self._any(hierarchies[1:], [others]))) if others else own)
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _members_of(self, hierarchy: CubeHierarchy, paths: Iterable[MemberPath]) -> Condition:
        """One of several members of a hierarchy."""
        if any(not path for path in paths):
            return And(())
        siblings: dict[tuple[int, MemberPath], dict[MemberKey, None]] = {}
        for path in paths:
            level = hierarchy.levels[len(path) - 1]
            above = () if level.unique else path[:-1]
            siblings.setdefault((len(path), above), {})[path[-1]] = None
        parts = []
        for (depth, above), keys in siblings.items():
            level = hierarchy.levels[depth - 1]
            own = self._one_of(level, keys)
            upper = [self._one_of(each, [key]) for each, key in zip(hierarchy.levels, above)]
            parts.append(And((*upper, own)) if upper else own)
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _one_of(self, level: CubeLevel, keys: Iterable[MemberKey]) -> Condition:
        """One of several members of a level, whatever is above it."""
        if level.band is None:
            return Comparison(level.path, "in", tuple(self._value(level, key) for key in keys))
        kind, band = self._kind(level), level.band
        days = [None if key is None else date.fromisoformat(str(key)) for key in keys]
        periods = tuple(in_period(level.path, band, day, kind) for day in days)
        return periods[0] if len(periods) == 1 else Or(periods)

    def _kind(self, level: CubeLevel) -> str:
        return check_path(level.path, self.definition.table, self._schema)[-1][1].data_type

    def _value(self, level: CubeLevel, key: MemberKey) -> Any:
        """The value that a key stands for: keys of dates are texts."""
        kind = self._kind(level)
        if isinstance(key, str) and kind in ("date", "datetime"):
            return (date if kind == "date" else datetime).fromisoformat(key)
        return key

    # Members

    def read_members(self, core: Core, level: LevelName) -> Flow[list[MemberRow]]:
        """The members of a level: of the dimension's own entities, also those without a fact."""
        line, below = self._line(level), self._hierarchies[level[0]].levels
        table, relative = self._dimension(below)
        own = line[-1]
        extras = {
            "caption": own.caption,
            "order": own.order,
            **{f"={name}": path for name, path in own.properties.items()},
        }
        wanted = {name: relative(path) for name, path in extras.items() if path is not None}
        where = self.definition.where if table == self.definition.table else None
        rows = yield from aggregate(
            core,
            Aggregate(
                Select(table, (), where),
                tuple(self._one(table, path) for path in wanted.values()),
                tuple(Level(relative(each.path), each.band) for each in line),
            ),
        )
        found = []
        for row in rows:
            path = tuple(_key(value) for value in row[: len(line)])
            known = dict(zip(wanted, row[len(line) :]))
            name = known.get("caption", path[-1])
            properties = {each: _key(known[f"={each}"]) for each in own.properties}
            found.append(MemberRow(path, "#null" if name is None else str(name), properties, _key(known.get("order"))))
        return found

    def _one(self, table: str, path: Path) -> AggregateFunction:
        """The one value that a member has."""
        kind = check_path(path, table, self._schema)[-1][1].data_type
        return AggregateFunction("mode" if kind == "boolean" else "minimum", path)

    def _dimension(self, levels: Sequence[CubeLevel]) -> tuple[str, Callable[[Path], Path]]:
        """The type whose entities have the members, and how a path of a fact becomes one of it."""
        firsts = {each.path.steps[0] for each in levels}
        if len(firsts) == 1 and all(len(each.path.steps) > 1 for each in levels):
            (first,) = firsts
            attribute = self._schema.type(self.definition.table).attribute(first.name)
            if attribute.kind == "reference":
                return first.cast or str(attribute.target), lambda path: Path(path.steps[1:])
        return self.definition.table, lambda path: path


def _key(value: Any) -> Any:
    """A value as a key of MDX: dates are texts."""
    return value.isoformat() if isinstance(value, date) else value


def _described(definition: CubeDefinition) -> CubeDescription:
    return CubeDescription(
        definition.name,
        tuple(_hierarchy(each) for each in definition.hierarchies),
        tuple(MeasureDescription(each.name, each.format, each.rollup) for each in definition.measures),
        tuple(
            CalculatedDescription(each.name, each.formula, each.format, each.solve_order)
            for each in definition.formulas
        ),
    )


def _hierarchy(hierarchy: CubeHierarchy) -> HierarchyDescription:
    levels = tuple(
        LevelDescription(each.name, each.unique, tuple(each.properties), each.kind) for each in hierarchy.levels
    )
    return HierarchyDescription(
        hierarchy.name,
        levels,
        hierarchy.dimension,
        hierarchy.all_name,
        default=hierarchy.default,
        time=hierarchy.time,
    )
