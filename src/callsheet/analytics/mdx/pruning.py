"""NON EMPTY over a product of large sets: only its tuples that have facts are made."""

from __future__ import annotations

from typing import Any

from callsheet.analytics.mdx.evaluation import Evaluation
from callsheet.analytics.mdx.members import MdxMember
from callsheet.analytics.mdx.nonempty import non_empty_product
from callsheet.analytics.mdx.syntax import (
    BinaryExpression,
    CallExpression,
    Expression,
    NameExpression,
    SetExpression,
    UnaryExpression,
)

__all__ = ["non_empty_axis"]

LARGE = 500
"""From this size on it is worth a question of its own."""


def non_empty_axis(evaluation: Evaluation, node: Expression, others: list[Expression]) -> list[Any] | None:
    """The tuples of an axis without those that can have no value. None: nothing can be said before cells are read."""
    factors = _factors(node)
    sets = [evaluation.set(factor, evaluation.start) for factor in factors]
    size = 1
    for each in sets:
        size *= len(each)
    if size < LARGE:
        return None
    # Of the other axes the members count, not the products that they are in.
    beside = [evaluation.set(factor, evaluation.start) for other in others for factor in _factors(other)]
    if not _safe(evaluation, sets, beside):
        return None
    return non_empty_product(evaluation, evaluation.start, sets)


def _factors(node: Expression) -> list[Expression]:
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
    members = {member for each in sets for some in each for member in some}
    if any(member.hierarchy.index == 0 or member.calculated or member.covers for member in members):
        return False
    rest = {member for each in others for some in each for member in some}
    context = [member for member in evaluation.start if member.formula is not None or member.hierarchy.index == 0]
    if any(member.hierarchy.index == 0 for member in rest):
        context = context[1:]
    return all(_empty_without_facts(evaluation, member, 0) for member in [*rest, *context])


def _empty_without_facts(evaluation: Evaluation, member: MdxMember, depth: int) -> bool:
    if member.formula is None:
        return True
    if member.hierarchy.index != 0 or depth > 10:
        return False
    return _empty(evaluation, member.formula, depth + 1)


def _empty(evaluation: Evaluation, node: Any, depth: int) -> bool:
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
