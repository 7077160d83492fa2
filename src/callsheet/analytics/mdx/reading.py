"""Cells are read many at once. An unknown cell is noted and reads as empty; all that were noted are asked together.

The value of whatever rests on an unknown cell is not known either: `missing` counts the cells that were not there, and
what was computed while it grew may not be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import product
from typing import Any, TypeAlias

from callsheet.analytics.mdx.cells import CubeQuestion, FactCondition, GroupedRows, LevelName, MemberPath
from callsheet.analytics.mdx.limits import QueryClock
from callsheet.analytics.mdx.members import CubeSpace, MdxLevel, MdxMember

__all__ = ["CellReader", "Cover"]

Members: TypeAlias = tuple[MdxMember, ...]

FEW_TUPLES = 2000
"""Up to so many tuples are named one by one, if the product of their members is much larger."""


class Cover:
    """A set of tuples that stands for members of several hierarchies at once: a slicer, or an aggregate's set.

    Its cells are over all facts that belong to any of the tuples, each fact once.
    """

    def __init__(self, tuples: list[Members]) -> None:
        self.tuples = tuples
        self.hierarchies = tuple(member.hierarchy.index for member in tuples[0]) if tuples else ()
        self._projected: dict[tuple[int, ...], tuple[FactCondition, ...]] = {}

    def member(self, index: int, space: CubeSpace) -> MdxMember:
        """What stands for the set in the hierarchy with this index."""
        hierarchy = space.hierarchies[index]
        stand_in = MdxMember(hierarchy.levels[0], "the members of a set", (), None)
        stand_in.covers = self
        return stand_in

    def conditions(self, indexes: tuple[int, ...]) -> tuple[FactCondition, ...] | None:
        """The facts that it covers, looking at these hierarchies only. None: nothing."""
        if not self.tuples:
            return None
        if indexes not in self._projected:
            self._projected[indexes] = self._projection(indexes)
        return self._projected[indexes]

    def _projection(self, indexes: tuple[int, ...]) -> tuple[FactCondition, ...]:
        places = [self.hierarchies.index(index) for index in indexes]
        by_levels: dict[tuple[LevelName, ...], dict[tuple[MemberPath, ...], None]] = {}
        for members in self.tuples:
            chosen = [members[place] for place in places if not members[place].level.is_all]
            levels = tuple(_level_name(member.level) for member in chosen)
            found = by_levels.setdefault(levels, {})
            for paths in product(*(member.paths for member in chosen)):
                found[paths] = None
        if () in by_levels:
            return ()
        return tuple(FactCondition(levels, tuple(paths)) for levels, paths in by_levels.items())


def _level_name(level: MdxLevel) -> LevelName:
    return (level.hierarchy.name, level.depth)


class _WantedCells:
    """Cells to be read that have the same levels and conditions."""

    def __init__(self) -> None:
        self.measures: dict[MdxMember, None] = {}
        self.tuples: dict[Members, None] = {}


class CellReader:
    """Cells that were read, and those that are wanted."""

    def __init__(self, space: CubeSpace, clock: QueryClock) -> None:
        self.space, self._clock = space, clock
        self.missing = 0
        self.turns = 0
        self.asked: list[CubeQuestion] = []
        self._known: dict[Any, Any] = {}
        self._wanted: dict[Any, _WantedCells] = {}
        self._asked_cells: list[tuple[tuple[MdxLevel, ...], Any, _WantedCells]] = []
        self._rows: dict[CubeQuestion, GroupedRows] = {}
        self._wanted_rows: dict[CubeQuestion, None] = {}
        self._asked_rows: list[CubeQuestion] = []
        self._covers: dict[MdxMember, Cover] = {}
        self.restriction: tuple[Cover, ...] = ()

    def read(self, context: Members) -> Any:
        """The value of a context without calculated members; empty, and noted, if it is not known yet."""
        measure = context[0]
        chosen: list[MdxMember] = []
        covers: dict[Cover, list[int]] | None = None
        for member in context[1:]:
            if member.null:
                return None
            if member.covers is not None:
                covers = {} if covers is None else covers
                covers.setdefault(member.covers, []).append(member.level.hierarchy.index)
            elif member.level.nested:
                if member.data_of is None and member.children_read:
                    covers = {} if covers is None else covers
                    covers[self._below(member)] = [member.level.hierarchy.index]
                else:
                    chosen.append(member.data_of or member)
            elif not member.level.is_all:
                chosen.append(member)
        members = tuple(chosen)
        key_of_covers = () if covers is None else tuple((cover, tuple(at)) for cover, at in covers.items())
        return self._value(measure, members, key_of_covers)

    def _below(self, member: MdxMember) -> Cover:
        """What stands for a member of a nested level, and all below it."""
        if member not in self._covers:
            self._covers[member] = Cover([(member,)])
        return self._covers[member]

    def _value(self, measure: MdxMember, members: Members, covers: Any) -> Any:
        key = (measure, members, covers)
        if key in self._known:
            return self._known[key]
        self.missing += 1
        pattern = (tuple(member.level for member in members), covers)
        wanted = self._wanted.get(pattern)
        if wanted is None:
            wanted = self._wanted[pattern] = _WantedCells()
        wanted.measures[measure] = None
        wanted.tuples[members] = None
        return None

    def rows(self, question: CubeQuestion) -> GroupedRows | None:
        """The answer to a question of one's own; None, and noted, if it is not known yet."""
        known = self._rows.get(question)
        if known is None:
            self.missing += 1
            self._wanted_rows[question] = None
        return known

    def prepare(self) -> tuple[CubeQuestion, ...]:
        """The questions for all that is wanted; their answers go to `take`."""
        self._clock.check()
        self.turns += 1
        patterns, self._wanted, self.missing = self._wanted, {}, 0
        self._asked_rows, self._wanted_rows = list(self._wanted_rows), {}
        self._asked_cells = []
        questions = []
        for (levels, covers), wanted in patterns.items():
            self._settle(wanted, covers)
            question = self._question(levels, covers, wanted)
            if question is not None:
                self._asked_cells.append((levels, covers, wanted))
                questions.append(question)
        found = (*self._asked_rows, *questions)
        self.asked += found
        return found

    def take(self, answers: Sequence[GroupedRows]) -> None:
        """The answers to the questions of `prepare`: all of them are known from then on."""
        number = len(self._asked_rows)
        self._rows.update(zip(self._asked_rows, answers[:number], strict=True))
        for (levels, covers, wanted), answer in zip(self._asked_cells, answers[number:], strict=True):
            self._keep(levels, covers, list(wanted.measures), answer)

    def _settle(self, wanted: _WantedCells, covers: Any) -> None:
        """A cell that the answer does not have is empty."""
        for measure in wanted.measures:
            for members in wanted.tuples:
                self._known.setdefault((measure, members, covers), None)

    def _question(self, levels: tuple[MdxLevel, ...], covers: Any, wanted: _WantedCells) -> CubeQuestion | None:
        conditions = self.conditions(covers)
        if conditions is None:
            return None
        names = tuple(_level_name(level) for level in levels)
        measures = tuple(measure.path[0] for measure in wanted.measures)
        conditions += self._chosen(levels, list(wanted.tuples))
        return CubeQuestion(tuple(map(str, measures)), names, conditions)

    def _chosen(self, levels: tuple[MdxLevel, ...], tuples: list[Members]) -> tuple[FactCondition, ...]:
        """Conditions that restrict the facts to the members of tuples."""
        columns = [dict.fromkeys(column) for column in zip(*tuples)]
        size = 1
        for column in columns:
            size *= len(column)
        if len(columns) > 1 and len(tuples) <= FEW_TUPLES and size > 20 * len(tuples):
            names = tuple(_level_name(level) for level in levels)
            return (FactCondition(names, tuple(tuple(member.path for member in each) for each in tuples)),)
        found = []
        for level, column in zip(levels, columns):
            if len(column) * 2 < len(level.members()) or len(column) < 20:
                found.append(FactCondition((_level_name(level),), tuple((member.path,) for member in column)))
        return tuple(found)

    def facts(self, context: Members) -> tuple[FactCondition, ...] | None:
        """The conditions of all facts of a context; None: no fact has them."""
        covers: dict[Cover, list[int]] = {}
        found: tuple[FactCondition, ...] = ()
        for member in context[1:]:
            if member.null:
                return None
            if member.covers is not None:
                covers.setdefault(member.covers, []).append(member.level.hierarchy.index)
            elif not member.level.is_all:
                found += (FactCondition((_level_name(member.level),), tuple((path,) for path in member.paths)),)
        some = self.conditions(tuple((cover, tuple(at)) for cover, at in covers.items()))
        return None if some is None else some + found

    def conditions(self, covers: Any) -> tuple[FactCondition, ...] | None:
        """The conditions of covers and of the subselect, as one list that must hold altogether; None: no fact does."""
        found: tuple[FactCondition, ...] = ()
        pairs = [*covers, *((cover, cover.hierarchies) for cover in self.restriction)]
        for cover, indexes in pairs:
            some = cover.conditions(indexes)
            if some is None:
                return None
            found += _as_one(some)
        return found

    def _keep(self, levels: tuple[MdxLevel, ...], covers: Any, measures: list[MdxMember], answer: GroupedRows) -> None:
        known = self._known
        for paths, values in answer.rows:
            self._clock.tick()
            members = tuple(level.at(path) for level, path in zip(levels, paths))
            for measure, value in zip(measures, values):
                known[(measure, members, covers)] = float(value) if isinstance(value, Decimal) else value


def _as_one(conditions: tuple[FactCondition, ...]) -> tuple[FactCondition, ...]:
    """Conditions of which one must hold, as one condition.

    Tuples at different levels are brought to one form: a path may be shorter than its level is deep.
    """
    if len(conditions) < 2:
        return conditions
    names: dict[str, int] = {}
    for condition in conditions:
        for name, depth in condition.levels:
            names[name] = max(depth, names.get(name, 0))
    tuples: dict[tuple[MemberPath, ...], None] = {}
    for condition in conditions:
        places = {name: at for at, (name, _) in enumerate(condition.levels)}
        for paths in condition.tuples:
            tuples[tuple(paths[places[name]] if name in places else () for name in names)] = None
    return (FactCondition(tuple(names.items()), tuple(tuples)),)
