"""MDX over a cube of entities: an evaluation says what it needs, and each of its turns is one request.

All turns must be of one state of the server. The answers say of which position they are; if that changes between two
turns, because somebody commits, the query is evaluated again. The members that were read are kept for the next query,
for as long as the position stays.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from attrs import define, field

from callsheet.analytics.mdx.cells import CubeReading, GroupedRows
from callsheet.analytics.mdx.drillthrough import DrilledRows, drilled_rows
from callsheet.analytics.mdx.entity_cells import EntityCells
from callsheet.analytics.mdx.entity_questions import CubeQuestions
from callsheet.analytics.mdx.errors import MdxError, MdxLimit
from callsheet.analytics.mdx.evaluation import Reading
from callsheet.analytics.mdx.explanation import MdxExplanation, MdxTurn
from callsheet.analytics.mdx.members import CubeSpace
from callsheet.analytics.mdx.prefetching import levels_named
from callsheet.analytics.mdx.query import answering, drilling
from callsheet.analytics.mdx.result import MdxResult
from callsheet.analytics.mdx.syntax import DrillthroughStatement, MdxStatement
from callsheet.core.asking import ask
from callsheet.core.core import Core
from callsheet.errors import TooLarge, Unavailable
from callsheet.flow import Flow
from callsheet.model.cube import CubeDefinition
from callsheet.model.question import Answer, Question

__all__ = ["answered", "drilled", "explained"]

TOGETHER = 200
"""So many questions are one request."""

TRIES = 5
"""How often a query is evaluated again, because the server's state has changed meanwhile."""

SPACES = 8
"""The members of so many cubes are kept."""


def answered(
    core: Core, definition: CubeDefinition, query: str, statement: MdxStatement, at: int | None, scenario: str | None
) -> Flow[MdxResult]:
    """The answer to a query over a cube."""
    return (yield from _CubeQuery(core, definition, at, scenario).answer(query, statement))


def explained(
    core: Core, definition: CubeDefinition, query: str, statement: MdxStatement, at: int | None, scenario: str | None
) -> Flow[MdxExplanation]:
    """The answer to a query over a cube, and how it was found."""
    begun = time.perf_counter()
    cube_query = _CubeQuery(core, definition, at, scenario, core.features.questions)
    result = yield from cube_query.answer(query, statement)
    whole = 1000 * (time.perf_counter() - begun)
    reading = sum(turn.milliseconds for turn in cube_query.turns)
    milliseconds = {"reading": reading, "evaluating": whole - reading, "whole": whole}
    return MdxExplanation(query, result, tuple(cube_query.turns), milliseconds)


def drilled(core: Core, definition: CubeDefinition, query: str, statement: DrillthroughStatement) -> Flow[DrilledRows]:
    """The entities behind the one cell of a query."""
    if definition.parts:
        names = " or ".join(each.name for each in definition.parts if isinstance(each, CubeDefinition))
        raise MdxError("DRILLTHROUGH needs a cube with facts of its own", statement.position, f"ask {names}", query)
    cube_query = _CubeQuery(core, definition)
    kept, conditions = yield from cube_query.evaluated(lambda space: drilling(space, statement, text=query), statement)
    questions = kept.cells.questions
    assert isinstance(questions, CubeQuestions)
    return (yield from drilled_rows(core, questions, statement, conditions, query))


class _PositionChanged(Exception):
    """Another answer is of another position."""


@define(eq=False)
class _Kept:
    """The members of a cube, as of a position."""

    definition: CubeDefinition
    state: tuple[int | None, str | None]
    cells: EntityCells
    space: CubeSpace
    position: int | None = None


_SPACES: WeakKeyDictionary[Core, list[_Kept]] = WeakKeyDictionary()


@define(eq=False)
class _CubeQuery:
    """One query over a cube, of one state."""

    core: Core
    definition: CubeDefinition
    at: int | None = None
    scenario: str | None = None
    explain: bool = False
    turns: list[MdxTurn] = field(factory=list)
    _position: int | None = None

    def answer(self, text: str, statement: MdxStatement) -> Flow[MdxResult]:
        making = partial(answering, query=statement, text=text)
        _, result = yield from self.evaluated(making, statement)
        found: MdxResult = result.at(self._position)
        return found

    def evaluated(
        self, making: Callable[[CubeSpace], Reading[Any]], statement: MdxStatement
    ) -> Flow[tuple[_Kept, Any]]:
        """What a computation gives, once it is of one position; and what is known of the cube."""
        for _ in range(TRIES):
            kept = self._kept()
            self.turns.clear()
            try:
                return kept, (yield from self._evaluated(kept, making(kept.space), statement))
            except _PositionChanged:
                self._forget(kept)
        raise Unavailable("the server's data changed again and again while the query was answered; ask `at` a position")

    def _kept(self) -> _Kept:
        """What is known of the cube; the last that were used stay."""
        spaces, state = _SPACES.setdefault(self.core, []), (self.at, self.scenario)
        for kept in spaces:
            if kept.state == state and kept.definition == self.definition:
                return kept
        cells = EntityCells(self.definition, self.core.schema)
        spaces.insert(0, kept := _Kept(self.definition, state, cells, CubeSpace(cells)))
        del spaces[SPACES:]
        return kept

    def _forget(self, kept: _Kept) -> None:
        spaces = _SPACES.get(self.core, [])
        spaces[:] = [each for each in spaces if each is not kept]

    def _evaluated(self, kept: _Kept, making: Reading[Any], statement: MdxStatement) -> Flow[Any]:
        self._position = kept.position
        first = kept.cells.missing(levels_named(statement, kept.cells.cube()))
        if first:
            yield from self._read(kept, CubeReading((), tuple(first)))
        answers: Sequence[GroupedRows] | None = None
        try:
            while True:
                try:
                    reading = next(making) if answers is None else making.send(answers)
                except StopIteration as stop:
                    result = stop.value
                    break
                answers = yield from self._read(kept, reading)
        finally:
            making.close()
        if self._position is None:
            self._forget(kept)
        return result

    def _read(self, kept: _Kept, reading: CubeReading) -> Flow[list[GroupedRows]]:
        """The answers of one turn; members of levels become known."""
        levels = [(level, kept.cells.questions.members(level)) for level in kept.cells.missing(reading.levels)]
        cells = [kept.cells.questions.cells(question, kept.cells.paths) for question in reading.questions]
        asked = [each.aggregate for _, each in levels] + [each for some in cells for each in some.aggregates]
        begun = time.perf_counter()
        answers: list[Answer] = []
        for some in _chunks([Question(each, self.at, self.scenario, self.explain) for each in asked]):
            try:
                answers += yield from ask(self.core, some)
            except TooLarge as error:
                raise MdxLimit(f"the server does not answer so much at once: {error}") from error
        self.turns.append(MdxTurn(tuple(answers), 1000 * (time.perf_counter() - begun), tuple(reading.levels)))
        self._check(kept, answers)
        for (level, members), answer in zip(levels, answers):
            kept.cells.learn(level, members.rows(answer.rows))
        rows = iter([answer.rows for answer in answers[len(levels) :]])
        return [each.merged([next(rows) for _ in each.aggregates]) for each in cells]

    def _check(self, kept: _Kept, answers: Sequence[Answer]) -> None:
        """Raise if answers are not whole, or not of the position of those before."""
        for answer in answers:
            if answer.truncated is not None:
                raise MdxLimit(f"the server gives at most {answer.truncated:,} groups: restrict the sets of the query")
            if self._position is None:
                self._position = answer.position
            elif answer.position != self._position:
                raise _PositionChanged
        kept.position = self._position


def _chunks(questions: list[Question]) -> Iterator[list[Question]]:
    for start in range(0, len(questions), TOGETHER):
        yield questions[start : start + TOGETHER]
