"""Questions of MDX as aggregates over entities: the cells of several members, and the members of a level.

A level whose members are known by their own value is grouped by that value alone: the members above it are known.
Others are grouped from the nearest such level downwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from attrs import frozen

from callsheet.analytics.mdx.cells import (
    CubeQuestion,
    FactCondition,
    GroupedRows,
    LevelName,
    MemberKey,
    MemberPath,
    MemberRow,
)
from callsheet.analytics.period_conditions import in_period
from callsheet.model.cube import CubeDefinition, CubeHierarchy, CubeLevel
from callsheet.model.language.checking import check_path
from callsheet.model.measure import Aggregate, AggregateFunction, AggregateOrder, Level
from callsheet.model.query import And, Comparison, Condition, Or, Path, Select
from callsheet.model.schema import Schema

__all__ = ["AskedCells", "AskedMembers", "CubeQuestions"]

MANY_PARENTS = 100
"""From so many parents, or tuples, on, what is grouped anyway is restricted level by level, which may give more."""


@frozen
class AskedCells:
    """A question as an aggregate, and how its rows are read."""

    aggregate: Aggregate
    places: tuple[tuple[int, ...], ...]
    above: tuple[Mapping[MemberKey, MemberPath] | None, ...]
    number: int
    ascending: int | None
    limit: int | None

    @property
    def aggregates(self) -> tuple[Aggregate, ...]:
        """What is asked."""
        return (self.aggregate,)

    def merged(self, answers: Sequence[Iterable[Sequence[Any]]]) -> GroupedRows:
        """The groups of the answer."""
        return self.rows(answers[0])

    def rows(self, found: Iterable[Sequence[Any]]) -> GroupedRows:
        """The groups of an answer, each with the path of a member for each level."""
        rows = []
        for row in found:
            paths = tuple(map(self._path, [row] * len(self.places), self.places, self.above))
            if None not in paths:
                rows.append((paths, tuple(row[self.number :])))
        if self.ascending is not None:
            # Empty values come last; a server would have them first.
            at = self.ascending
            rows.sort(key=lambda each: (each[1][at] is None, each[1][at] or 0))
        return GroupedRows(rows[: self.limit])  # type: ignore[arg-type]

    @staticmethod
    def _path(
        row: Sequence[Any], places: tuple[int, ...], above: Mapping[MemberKey, MemberPath] | None
    ) -> MemberPath | None:
        keys = tuple(as_key(row[place]) for place in places)
        if above is None:
            return keys
        first = above.get(keys[0])
        return None if first is None else (*first, *keys[1:])


@frozen
class AskedMembers:
    """The members of a level as an aggregate, and how its rows are read."""

    aggregate: Aggregate
    level: CubeLevel
    depth: int
    extras: tuple[str, ...]

    def rows(self, found: Iterable[Sequence[Any]]) -> list[MemberRow]:
        """The members of an answer."""
        return [self._member(row) for row in found]

    def _member(self, row: Sequence[Any]) -> MemberRow:
        path = tuple(as_key(value) for value in row[: self.depth + 1])
        known = dict(zip(self.extras, row[self.depth + 1 :]))
        properties = {each: as_key(known[f"={each}"]) for each in self.level.properties}
        caption = known.get("caption")
        name = caption if caption is not None else _period(path[-1], self.level.band)
        return MemberRow(
            path,
            "#null" if name is None else str(name),
            properties,
            as_key(known.get("order")),
            "",
            as_key(known.get("parent")),
        )


def as_key(value: Any) -> Any:
    """A value as a key of MDX: dates are texts."""
    return value.isoformat() if isinstance(value, date) else value


def _period(key: MemberKey, band: str | None) -> MemberKey:
    """The name of a period that begins on a day: ``2026``, ``2026-Q1``, ``2026-01``, ``2026-W05``, ``2026-01-31``."""
    if band is None or not isinstance(key, str):
        return key
    day = date.fromisoformat(key[:10])
    week = day.isocalendar()
    names = {
        "year": f"{day:%Y}", "quarter": f"{day:%Y}-Q{(day.month + 2) // 3}", "month": f"{day:%Y-%m}",
        "week": f"{week[0]}-W{week[1]:02}",
    }  # fmt: skip
    return names.get(band, day.isoformat())


def _stands_alone(level: CubeLevel) -> bool:
    # A week may be in two months.
    return level.unique or level.parent is not None or level.band not in (None, "week")


class CubeQuestions:
    """What a cube of entities is asked: for cells, and for members."""

    def __init__(self, definition: CubeDefinition, schema: Schema) -> None:
        self.definition, self._schema = definition, schema
        self.hierarchies = {each.name: each for each in definition.hierarchies}
        self._measures = {each.name: each.measure for each in definition.measures}

    # Cells

    def cells(self, question: CubeQuestion, known: Mapping[LevelName, Mapping[MemberKey, MemberPath]]) -> AskedCells:
        """The aggregate of a question; ``known`` has the paths of members by their keys, for each level."""
        lines = [self._line(level) for level in question.levels]
        levels = list(dict.fromkeys(Level(each.path, each.band) for line, _ in lines for each in line))
        functions = [self._measures[name] for name in question.measures]
        conditions = [self.condition(each, question.levels) for each in question.conditions]
        if self.definition.where is not None:
            conditions.append(self.definition.where)
        order = question.order
        ordered = order is not None and order.descending
        aggregate = Aggregate(
            Select(self.definition.table, (), And(tuple(conditions)) if conditions else None),
            functions or (AggregateFunction("count"),),
            levels,
            order=[AggregateOrder(functions[order.measure], True)] if order is not None and ordered else (),
            limit=question.limit if order is None or ordered else None,
            shared=self.definition.shared,
        )
        return AskedCells(
            aggregate,
            tuple(tuple(levels.index(Level(each.path, each.band)) for each in line) for line, _ in lines),
            tuple(known[name, first] if first else None for (name, _), (_, first) in zip(question.levels, lines)),
            len(levels),
            order.measure if order is not None and not ordered else None,
            question.limit,
        )

    def _line(self, level: LevelName) -> tuple[tuple[CubeLevel, ...], int]:
        """A level, and those above it up to the nearest one that stands alone; and the depth of that."""
        name, depth = level
        levels = self.hierarchies[name].levels
        first = self.first_alone(levels, depth)
        return levels[first : depth + 1], first

    @staticmethod
    def first_alone(levels: Sequence[CubeLevel], depth: int) -> int:
        """The depth of the nearest level, at or above a depth, whose values say which member is meant."""
        return next((each for each in range(depth, 0, -1) if _stands_alone(levels[each])), 0)

    def condition(self, condition: FactCondition, grouped: Sequence[LevelName] = ()) -> Condition:
        """The facts of one of several tuples of members."""
        if not condition.tuples:
            return Or(())
        hierarchies = [self.hierarchies[name] for name, _ in condition.levels]
        exact = all(
            len(path) == depth + 1 for each in condition.tuples for path, (_, depth) in zip(each, condition.levels)
        )
        if exact and set(condition.levels) <= set(grouped):
            columns = list(zip(*condition.tuples))
            if len(columns) == 1 or len(condition.tuples) > MANY_PARENTS:
                parts = [
                    self._members_of(*each, MANY_PARENTS) for each in zip(hierarchies, map(dict.fromkeys, columns))
                ]
                return parts[0] if len(parts) == 1 else And(tuple(parts))
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

    def _members_of(self, hierarchy: CubeHierarchy, paths: Iterable[MemberPath], many: int | None = None) -> Condition:
        """One of several members of a hierarchy; with ``many``, that many parents give a wider condition."""
        if any(not path for path in paths):
            return And(())
        siblings: dict[tuple[int, int, MemberPath], dict[MemberKey, None]] = {}
        for path in paths:
            first = self.first_alone(hierarchy.levels, len(path) - 1)
            siblings.setdefault((len(path), first, path[first:-1]), {})[path[-1]] = None
        if many is not None and len(siblings) > many:
            return self._level_by_level(hierarchy, list(paths))
        parts = []
        for (depth, first, above), keys in siblings.items():
            own = self._one_of(hierarchy.levels[depth - 1], keys)
            upper = [self._one_of(each, [key]) for each, key in zip(hierarchy.levels[first:], above)]
            parts.append(And((*upper, own)) if upper else own)
        return parts[0] if len(parts) == 1 else Or(tuple(parts))

    def _level_by_level(self, hierarchy: CubeHierarchy, paths: list[MemberPath]) -> Condition:
        first = self.first_alone(hierarchy.levels, len(paths[0]) - 1)
        columns = list(zip(*paths))[first:]
        return And(tuple(self._one_of(each, dict.fromkeys(c)) for each, c in zip(hierarchy.levels[first:], columns)))

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

    def members(self, level: LevelName) -> AskedMembers:
        """The members of a level: of the dimension's own entities, also those without a fact."""
        name, depth = level
        levels = self.hierarchies[name].levels
        table, skipped = self._dimension(levels)
        own = levels[depth]
        extras = {"caption": own.caption, "order": own.order, "parent": own.parent}
        extras |= {f"={each}": path for each, path in own.properties.items()}
        wanted = {each: _below(path, skipped) for each, path in extras.items() if path is not None}
        aggregate = Aggregate(
            Select(table, (), self.definition.where if table == self.definition.table else None),
            tuple(self._one(table, path) for path in wanted.values()) or (AggregateFunction("count"),),
            tuple(Level(_below(each.path, skipped), each.band) for each in levels[: depth + 1]),
        )
        return AskedMembers(aggregate, own, depth, tuple(wanted))

    def _one(self, table: str, path: Path) -> AggregateFunction:
        """The one value that a member has."""
        kind = check_path(path, table, self._schema)[-1][1].data_type
        return AggregateFunction("mode" if kind == "boolean" else "minimum", path)

    def _dimension(self, levels: Sequence[CubeLevel]) -> tuple[str, int]:
        """The type whose entities have the members, and how many steps of a path lead to it from a fact."""
        firsts = {each.path.steps[0] for each in levels}
        if len(firsts) == 1 and all(len(each.path.steps) > 1 for each in levels):
            (first,) = firsts
            attribute = self._schema.type(self.definition.table).attribute(first.name)
            if attribute.kind == "reference":
                return first.cast or str(attribute.target), 1
        return self.definition.table, 0


def _below(path: Path, skipped: int) -> Path:
    return Path(path.steps[skipped:])
