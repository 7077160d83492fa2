"""Large products of sets are made of the tuples that have facts only, where the others cannot matter.

Under NON EMPTY they cannot if every cell without facts is empty. In a filter they cannot if its condition is false
without facts; in a TopCount, if its expression is empty without facts: such tuples come last.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from attrs import evolve

from callsheet.analytics.mdx.conversion import SetLiteral
from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.members import MdxMember
from callsheet.analytics.mdx.nonempty import most_of_facts, non_empty_product
from callsheet.analytics.mdx.operators import crossed
from callsheet.analytics.mdx.syntax import (
    BinaryExpression,
    CallExpression,
    Expression,
    NameExpression,
    SetExpression,
    UnaryExpression,
)

__all__ = ["filtered_by_facts", "non_empty_axis", "top_by_facts"]

LARGE = 500
"""From this size on it is worth a question of its own."""

_TUPLE_BY_TUPLE = ("order", "filter", "hierarchize", "distinct")
"""Functions that give the same of a smaller set, without what is left out of it."""

_COMPARISONS = ("=", "<>", "<", ">", "<=", ">=")


def non_empty_axis(evaluation: Evaluation, node: Expression, others: list[Expression]) -> list[Any] | None:
    """The tuples of an axis without those that can have no value. None: nothing can be said before cells are read."""
    # Of the other axes the members count, not the products that they are in.
    smaller = _smaller(evaluation, node, others)
    return None if smaller is None else evaluation.set(smaller, evaluation.start)


def _smaller(evaluation: Evaluation, node: Any, others: list[Expression]) -> Any:
    """The expression with its product replaced by the tuples that have facts; None if that cannot be done."""
    if isinstance(node, SetExpression) and len(node.elements) == 1:
        return _smaller(evaluation, node.elements[0], others)
    if isinstance(node, CallExpression) and node.name.lower() in _TUPLE_BY_TUPLE and node.arguments:
        inner = _smaller(evaluation, node.arguments[0], others)
        return None if inner is None else evolve(node, arguments=(inner, *node.arguments[1:]))
    if isinstance(node, CallExpression) and node.name.lower() == "nonemptycrossjoin":
        return None
    sets = _large_product(evaluation, node, evaluation.start)
    if sets is None:
        return None
    beside = [evaluation.set(factor, evaluation.start) for other in others for factor in _factors(other)]
    measures = [each for each in sets if each and each[0][0].hierarchy.index == 0 and len(each[0]) == 1]
    rest = [each for each in sets if each not in measures]
    if measures and (len(measures) > 1 or not rest or measures[0] not in (sets[0], sets[-1])):
        return None
    if not _safe(evaluation, rest, [*beside, *measures]):
        return None

    def made() -> SetLiteral:
        found = non_empty_product(evaluation, evaluation.start, rest)
        if not measures:
            return SetLiteral(found)
        parts = [measures[0], found] if measures[0] is sets[0] else [found, measures[0]]
        return SetLiteral(crossed(evaluation, parts))

    return evaluation.kept(("pruned", id(node), evaluation.start), made)


def _large_product(evaluation: Evaluation, node: Any, context: Context) -> list[list[Any]] | None:
    """The sets whose product an expression is, if that is large."""
    sets = [evaluation.set(factor, context) for factor in _factors(node)]
    size = 1
    for each in sets:
        size *= len(each)
    return sets if size >= LARGE else None


def _factors(node: Any) -> list[Expression]:
    """The sets whose product an expression is; itself if it is none."""
    if isinstance(node, SetExpression) and len(node.elements) == 1:
        return _factors(node.elements[0])
    if isinstance(node, CallExpression) and node.name.lower() == "crossjoin":
        return [factor for each in node.arguments for factor in _factors(each)]
    if isinstance(node, BinaryExpression) and node.operator == "*":
        return [*_factors(node.left), *_factors(node.right)]
    return [node]


def _safe(evaluation: Evaluation, sets: list[list[Any]], others: list[list[Any]]) -> bool:
    """True if a cell without facts is empty: only members of the cube, and measures that are empty without facts."""
    if not _of_cube(sets):
        return False
    rest = {member for each in others for some in each for member in some}
    context = [member for member in evaluation.start if member.formula is not None or member.hierarchy.index == 0]
    if any(member.hierarchy.index == 0 for member in rest):
        context = context[1:]
    return all(_empty_without_facts(evaluation, member, 0) for member in [*rest, *context])


def _of_cube(sets: list[list[Any]]) -> bool:
    members = {member for each in sets for some in each for member in some}
    return not any(member.hierarchy.index == 0 or member.calculated or member.covers for member in members)


def _empty_without_facts(evaluation: Evaluation, member: MdxMember, depth: int) -> bool:
    if member.formula is None:
        return True
    if member.hierarchy.index != 0 or depth > 10:
        return False
    return _empty(evaluation, member.formula, depth + 1)


def _empty(evaluation: Evaluation, node: Any, depth: int) -> bool:
    """True if an expression is surely empty where there are no facts."""
    if isinstance(node, NameExpression):
        found, properties = evaluation.looked_up(node)
        return isinstance(found, MdxMember) and not properties and _empty_measure(evaluation, found, depth)
    if isinstance(node, UnaryExpression):
        return node.operator in "+-" and _empty(evaluation, node.operand, depth)
    if isinstance(node, BinaryExpression):
        if node.operator in ("+", "-"):
            return _empty(evaluation, node.left, depth) and _empty(evaluation, node.right, depth)
        if node.operator == "*":
            return _empty(evaluation, node.left, depth) or _empty(evaluation, node.right, depth)
        return node.operator == "/" and _empty(evaluation, node.left, depth)
    return False


def _empty_measure(evaluation: Evaluation, member: MdxMember, depth: int) -> bool:
    return member.hierarchy.index == 0 and _empty_without_facts(evaluation, member, depth)


def _false(evaluation: Evaluation, node: Any) -> bool:
    """True if a condition is surely false where there are no facts."""
    if isinstance(node, BinaryExpression):
        if node.operator in _COMPARISONS:
            return _empty(evaluation, node.left, 0) or _empty(evaluation, node.right, 0)
        if node.operator == "AND":
            return _false(evaluation, node.left) or _false(evaluation, node.right)
        return node.operator == "OR" and _false(evaluation, node.left) and _false(evaluation, node.right)
    if isinstance(node, UnaryExpression) and node.operator == "NOT":
        inner = node.operand
        if isinstance(inner, CallExpression) and inner.name.lower() == "isempty" and len(inner.arguments) == 1:
            return _empty(evaluation, inner.arguments[0], 0)
    return False


def _plain_context(context: Context) -> bool:
    return not any(member.formula is not None for member in context[1:])


def filtered_by_facts(evaluation: Evaluation, context: Context, node: Any, condition: Any) -> list[Any] | None:
    """The tuples of a large product that may pass a filter. None: all of them may."""
    if len(_factors(node)) < 2 or not _plain_context(context) or not _false(evaluation, condition):
        return None
    sets = _large_product(evaluation, node, context)
    if sets is None or not _of_cube(sets):
        return None
    return non_empty_product(evaluation, context, sets)


def top_by_facts(evaluation: Evaluation, context: Context, node: Any, count: int, key: Any) -> list[Any] | None:
    """The tuples of a large product among which its largest are; enough of them. None: nothing can be said."""
    if not _plain_context(context) or not _empty(evaluation, key, 0):
        return None
    sets = _large_product(evaluation, node, context)
    if sets is None or not _of_cube(sets) or not all(sets):
        return None
    measure = evaluation.looked_up(key)[0] if isinstance(key, NameExpression) else None
    found = None
    if measure is not None and measure.measure is not None:
        found = most_of_facts(evaluation, context, sets, measure.measure.name, count)
    if found is None:
        found = non_empty_product(evaluation, context, sets)
    return found if len(found) >= count else found + _without(sets, set(found), count - len(found))


def _without(sets: list[list[Any]], known: set[Any], count: int) -> list[Any]:
    """The first tuples of a product that are not known."""
    found = []
    for parts in product(*sets):
        members = tuple(member for part in parts for member in part)
        if members not in known:
            found.append(members)
            if len(found) == count:
                break
    return found
