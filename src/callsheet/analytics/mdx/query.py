"""A query is answered in stages: slicer, axes, cells, formats."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from itertools import product
from typing import Any

from callsheet.analytics.mdx import functions as functions  # declares the functions
from callsheet.analytics.mdx.cell_formats import format_of
from callsheet.analytics.mdx.cells import CubeCells, FactCondition, GroupedRows
from callsheet.analytics.mdx.errors import MdxError, nearest_name
from callsheet.analytics.mdx.evaluation import Context, Evaluation, Reading
from callsheet.analytics.mdx.formats import format_value
from callsheet.analytics.mdx.functions.properties import member_property
from callsheet.analytics.mdx.limits import MdxLimits, QueryClock
from callsheet.analytics.mdx.members import CubeSpace, MdxMember
from callsheet.analytics.mdx.parameters import parameters_of
from callsheet.analytics.mdx.parser import parse_mdx
from callsheet.analytics.mdx.pruning import non_empty_axis
from callsheet.analytics.mdx.result import MdxCell, MdxResult, ResultAxis, ShownMember, size_of
from callsheet.analytics.mdx.slicing import sliced, subselected
from callsheet.analytics.mdx.syntax import (
    AxisClause,
    CellsStatement,
    DrillthroughStatement,
    ExplainStatement,
    MdxStatement,
    NameExpression,
)
from callsheet.analytics.mdx.text import expression_text

__all__ = ["NOTHING", "answer_mdx", "answering", "drilling"]

NOTHING = FactCondition((), ())
"""The condition that no fact fulfils."""


def answer_mdx(
    cells: CubeCells | CubeSpace,
    query: str | MdxStatement,
    limits: MdxLimits | None = None,
    now: dt.datetime | None = None,
) -> MdxResult:
    """The answer to a query in MDX.

    ``cells`` is the cube; a `CubeSpace` made of it keeps the members that were read for the next query. ``now`` is the
    present for functions of dates. Raises `MdxError`, with the position, for what cannot be read or found, and
    `MdxLimit` if a limit is passed.
    """
    space = cells if isinstance(cells, CubeSpace) else CubeSpace(cells)
    making = answering(space, query, limits, now)
    answers: Sequence[GroupedRows] = ()
    started = False
    while True:
        try:
            reading = making.send(answers) if started else next(making)
        except StopIteration as stop:
            result: MdxResult = stop.value
            return result
        started = True
        answers = space.cells.ask(reading.questions) if reading.questions else ()


def answering(
    space: CubeSpace,
    query: str | MdxStatement,
    limits: MdxLimits | None = None,
    now: dt.datetime | None = None,
    text: str = "",
) -> Reading[MdxResult]:
    """The answer to a query, as a computation that yields what it needs of the cube, and is sent the answers.

    Levels that it yields must be known to the cube when it goes on. ``text`` is what was parsed, for messages.
    """
    text = query if isinstance(query, str) else text
    try:
        statement = parse_mdx(query) if isinstance(query, str) else query
        return (yield from _Answer(space, _select(statement), limits or MdxLimits(), now or dt.datetime.now()).result())
    except MdxError as error:
        if error.text or not text:
            raise
        raise MdxError(error.message, error.position, error.hint, text) from None
    except RecursionError:
        raise MdxError("the query nests too deep", -1, "", text) from None


def drilling(
    space: CubeSpace, statement: DrillthroughStatement, limits: MdxLimits | None = None, text: str = ""
) -> Reading[tuple[FactCondition, ...]]:
    """The conditions of the facts behind the one cell of a query, as a computation like `answering`."""
    try:
        making = _Answer(space, statement.query, limits or MdxLimits(), dt.datetime.now())
        return (yield from making.conditions(statement.position))
    except MdxError as error:
        if error.text or not text:
            raise
        raise MdxError(error.message, error.position, error.hint, text) from None
    except RecursionError:
        raise MdxError("the query nests too deep", -1, "", text) from None


def _select(statement: MdxStatement) -> CellsStatement:
    if isinstance(statement, ExplainStatement):
        raise MdxError("EXPLAIN is not answered here", statement.position, "the result of a query has its costs")
    if isinstance(statement, DrillthroughStatement):
        raise MdxError("DRILLTHROUGH is not answered here", statement.position, "drill a cell of the cube instead")
    return statement


class _Answer:
    """The answer to one query, while it is made."""

    def __init__(self, space: CubeSpace, statement: CellsStatement, limits: MdxLimits, now: dt.datetime) -> None:
        self.statement, self.space = statement, space
        self.evaluation = Evaluation(space, QueryClock(limits), now)
        self.axes: list[AxisClause] = []
        self._known: dict[tuple[MdxMember, int], ShownMember] = {}

    def _begin(self) -> Reading[None]:
        """The cube, what is restricted, and what the query defines itself."""
        statement, evaluation = self.statement, self.evaluation
        yield from evaluation.settled(evaluation.begin)
        source: NameExpression | CellsStatement = statement.source
        if isinstance(source, CellsStatement):
            source = yield from subselected(evaluation, source)
        _check_cube(self.space, source)
        yield from evaluation.settled(lambda: evaluation.scope.add_query_formulas(statement.formulas, evaluation.names))
        evaluation.parameters.update(parameters_of(statement))
        self.axes = _ordered(statement.axes)

    def _sets(self) -> Reading[tuple[list[Any] | None, list[list[Any]]]]:
        """The slicer and the axes."""
        yield from self._begin()
        evaluation = self.evaluation
        slicer: list[Any] | None = None
        if self.statement.slicer is not None:
            node = self.statement.slicer
            slicer = yield from evaluation.settled(lambda: evaluation.set(node, evaluation.start))
            evaluation.start = sliced(evaluation, slicer)
        evaluation.axis_sets = self._axis
        axes = yield from evaluation.settled(lambda: [self._axis(number) for number in range(len(self.axes))])
        self._check_hierarchies(slicer or [], axes)
        return slicer, axes

    def conditions(self, position: int) -> Reading[tuple[FactCondition, ...]]:
        """What the facts behind the only cell fulfil."""
        _, axes = yield from self._sets()
        if any(len(axis) != 1 for axis in axes):
            hint = "name one member of each hierarchy on the axes"
            raise MdxError(f"DRILLTHROUGH needs one cell, not {size_of(axes):,}", position, hint)
        context = self._context(axes, (0,) * len(axes))
        wrong = next((each for each in context if each.formula is not None), None)
        if wrong is not None:
            raise MdxError(f"{wrong!r} is calculated: there are no facts behind it", position)
        found = self.evaluation.reader.facts(context)
        return (NOTHING,) if found is None else found

    def result(self) -> Reading[MdxResult]:
        """All stages."""
        slicer, axes = yield from self._sets()
        evaluation = self.evaluation
        axes, values = yield from self._cells(axes)
        cells = yield from self._formatted(axes, values)
        shown = yield from evaluation.settled(lambda: self._shown_axes(slicer, axes))
        reader = evaluation.reader
        return MdxResult(
            self.space.description.name, shown[0], tuple(shown[1:]), cells, reader.turns, tuple(reader.asked)
        )

    def _shown_axes(self, slicer: list[Any] | None, axes: list[list[Any]]) -> list[ResultAxis]:
        """The slicer and the axes, as the result has them."""
        shown = [
            ResultAxis(tuple(tuple(self._shown(member, axis) for member in members) for members in positions))
            for positions, axis in zip(axes, self.axes)
        ]
        return [self._shown_slicer(slicer), *shown]

    def _axis(self, number: int) -> list[Any]:
        """The set of an axis, NON EMPTY not yet regarded."""
        evaluation = self.evaluation
        if not 0 <= number < len(self.axes):
            raise MdxError(f"the query has no axis {number}")
        axis = self.axes[number]

        def made() -> list[Any]:
            others = [other.expression for other in self.axes if other is not axis]
            pruned = non_empty_axis(evaluation, axis.expression, others) if axis.non_empty else None
            return evaluation.set(axis.expression, evaluation.start) if pruned is None else pruned

        return evaluation.kept(("axis", number), made)

    def _check_hierarchies(self, slicer: list[Any], axes: list[list[Any]]) -> None:
        """A hierarchy is on one axis only."""
        known: dict[int, str] = {}
        for number, tuples in enumerate([slicer, *axes]):
            name = "the slicer" if number == 0 else f"axis {number - 1}"
            for member in tuples[0] if tuples else ():
                before = known.setdefault(member.level.hierarchy.index, name)
                if before != name:
                    raise MdxError(f"{member.hierarchy!r} is on {before} and on {name}")

    def _cells(self, axes: list[list[Any]]) -> Reading[tuple[list[list[Any]], dict[tuple[int, ...], Any]]]:
        """The values of all cells; and the axes, of which empty positions are removed where NON EMPTY says so."""
        evaluation = self.evaluation
        evaluation.clock.take(size_of(axes))
        places = [range(len(axis)) for axis in axes]

        def values() -> dict[tuple[int, ...], Any]:
            found = {}
            for place in product(*places):
                evaluation.clock.tick()
                found[place] = evaluation.value(self._context(axes, place))
            return found

        known = yield from evaluation.settled(values)
        left = [list(each) for each in places]
        for number, axis in enumerate(self.axes):
            if axis.non_empty:
                filled = {place[number] for place, value in known.items() if value is not None}
                left[number] = [at for at in left[number] if at in filled]
        kept = {tuple(new): known[old] for new, old in zip(product(*map(range, map(len, left))), product(*left))}
        return [[axis[at] for at in some] for axis, some in zip(axes, left)], kept

    def _context(self, axes: list[list[Any]], place: tuple[int, ...]) -> Context:
        return self.evaluation.at(
            self.evaluation.start, [member for axis, at in zip(axes, place) for member in axis[at]]
        )

    def _formatted(self, axes: list[list[Any]], values: dict[tuple[int, ...], Any]) -> Reading[tuple[MdxCell, ...]]:
        """The cells, columns running fastest."""
        evaluation = self.evaluation

        def cells() -> list[MdxCell]:
            found = []
            for place in product(*(range(len(axis)) for axis in reversed(axes))):
                evaluation.clock.tick()
                at = place[::-1]
                pattern = format_of(evaluation, self._context(axes, at))
                found.append(MdxCell(values[at], format_value(values[at], pattern), pattern))
            return found

        return tuple((yield from evaluation.settled(cells)))

    def _shown(self, member: MdxMember, axis: AxisClause | None = None) -> ShownMember:
        key = (member, id(axis))
        if key not in self._known:
            self._known[key] = self._made(member, axis)
        return self._known[key]

    def _made(self, member: MdxMember, axis: AxisClause | None) -> ShownMember:
        properties = {}
        for name in axis.properties if axis is not None else ():
            called = name.segments[-1].name
            try:
                properties[called] = member_property(self.evaluation, member, called, self.evaluation.start)
            except MdxError:
                # A property of another level.
                continue
        return ShownMember(
            member.unique_name, member.name, member.caption, member.hierarchy.name, member.level.name, properties
        )

    def _shown_slicer(self, slicer: list[Any] | None) -> ResultAxis:
        if slicer is None:
            return ResultAxis(((),))
        return ResultAxis(tuple(tuple(self._shown(member) for member in members) for members in slicer))


def _check_cube(space: CubeSpace, source: NameExpression) -> None:
    name = space.description.name
    if source.segments[-1].name.lower() != name.lower():
        text = expression_text(source)
        raise MdxError(f"the cube is {name}, not {text}", source.position, nearest_name(text.strip("[]"), [name]))


def _ordered(axes: tuple[AxisClause, ...]) -> list[AxisClause]:
    ordered = sorted(axes, key=lambda axis: axis.ordinal)
    for number, axis in enumerate(ordered):
        if axis.ordinal != number:
            hint = "axes are numbered from 0, without a gap"
            raise MdxError(f"the query has an axis {axis.ordinal} and no axis {number}", axis.position, hint)
    return ordered
