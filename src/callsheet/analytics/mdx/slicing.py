"""What a slicer and a subselect do to the rest of a query."""

from __future__ import annotations

from typing import Any

from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.evaluation import Context, Evaluation, Reading
from callsheet.analytics.mdx.members import MdxMember
from callsheet.analytics.mdx.reading import Cover
from callsheet.analytics.mdx.syntax import (
    CallExpression,
    CellsStatement,
    NameExpression,
    SetExpression,
    TupleExpression,
)

__all__ = ["sliced", "subselected"]


def sliced(evaluation: Evaluation, tuples: list[Any]) -> Context:
    """The context of a slicer: its members; where there are several, all facts of any of them, each once."""
    context = evaluation.start
    if not tuples:
        last = evaluation.space.hierarchies[-1]
        return evaluation.at(context, (last.null_member,))
    if any(len(each) != len(tuples[0]) for each in tuples):
        raise MdxError("the tuples of a slicer have members of the same hierarchies")
    columns = list(zip(*tuples))
    alike = [place for place, column in enumerate(columns) if len(set(column)) == 1]
    context = evaluation.at(context, [columns[place][0] for place in alike])
    rest = [place for place in range(len(columns)) if place not in alike]
    if not rest:
        return context
    several = list(dict.fromkeys(tuple(each[place] for place in rest) for each in tuples))
    if any(member.calculated or member.hierarchy.index == 0 for each in several for member in each):
        return evaluation.at(context, (_summed(evaluation, several),))
    return evaluation.covered(several, context)


def _summed(evaluation: Evaluation, tuples: list[Any]) -> MdxMember:
    """A member that is the aggregate of tuples: some are calculated, so that no condition on facts can be them."""
    hierarchy = next((m.hierarchy for m in tuples[0] if m.hierarchy.index), tuples[0][0].hierarchy)
    total = MdxMember(hierarchy.levels[0], "the slicer", (), None)
    elements = tuple(TupleExpression(tuple(evaluation.literal(member) for member in members)) for members in tuples)
    total.formula, total.solve_order = CallExpression("Aggregate", (SetExpression(elements),)), -2
    return total


def subselected(evaluation: Evaluation, statement: CellsStatement) -> Reading[NameExpression]:
    """The name of the cube below subselects, which restrict the facts and the members of the rest of the query."""
    source = statement.source
    name = source if isinstance(source, NameExpression) else (yield from subselected(evaluation, source))
    yield from evaluation.settled(lambda: evaluation.scope.add_query_formulas(statement.formulas, evaluation.names))
    nodes = [axis.expression for axis in statement.axes]
    nodes += [] if statement.slicer is None else [statement.slicer]
    for node in nodes:
        tuples = yield from evaluation.settled(lambda node=node: evaluation.set(node, evaluation.start))  # type: ignore[misc]
        if any(member.calculated for each in tuples for member in each):
            raise MdxError("a subselect has members of the cube only", statement.position)
        yield from evaluation.settled(lambda tuples=tuples: evaluation.restrict(Cover(tuples)))  # type: ignore[misc]
    return name
