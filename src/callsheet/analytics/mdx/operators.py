"""What operators do: with values, and with sets."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from typing import Any

from callsheet.analytics.mdx import values
from callsheet.analytics.mdx.conversion import Conversion
from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.members import Context, MdxDimension, MdxHierarchy, MdxMember
from callsheet.analytics.mdx.scope import NamedSet
from callsheet.analytics.mdx.syntax import BinaryExpression, NullLiteral, UnaryExpression

__all__ = ["binary", "crossed", "member_range", "unary"]

_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": values.add, "-": values.subtract, "*": values.multiply, "/": values.divide, "||": values.concatenate,
}  # fmt: skip


def unary(evaluation: Conversion, node: UnaryExpression, context: Context) -> Any:
    """The result of an operator with one operand."""
    if node.operator == "NOT":
        return not values.as_truth(evaluation.scalar(node.operand, context))
    if node.operator == "EXISTING":
        return existing(evaluation, context, evaluation.set(node.operand, context))
    number = values.as_number(evaluation.scalar(node.operand, context))
    return number if number is None or node.operator == "+" else -number


def existing(evaluation: Conversion, context: Context, tuples: list[Any]) -> list[Any]:
    """The tuples whose members are above, below or the same as those of the context."""
    return [each for each in tuples if all(_related(member, context) for member in each)]


def _related(member: MdxMember, context: Context) -> bool:
    current = context[member.level.hierarchy.index]
    if current.covers is not None:
        place = current.covers.hierarchies.index(member.level.hierarchy.index)
        return any(member.is_within(each[place]) or each[place].is_within(member) for each in current.covers.tuples)
    return member.is_within(current) or current.is_within(member)


def binary(evaluation: Conversion, node: BinaryExpression, context: Context) -> Any:
    """The result of an operator with two operands."""
    operator = node.operator
    if operator in ("AND", "OR", "XOR"):
        return _logical(evaluation, node, context)
    left = evaluation.evaluate(node.left, context)
    if operator == "IS EMPTY":
        return evaluation.as_scalar(left, context) is None
    right = evaluation.evaluate(node.right, context)
    if operator == "IS":
        return _is(left, right, isinstance(node.right, NullLiteral), context)
    if operator == ":":
        return member_range(evaluation.as_member(left, context), evaluation.as_member(right, context))
    if operator in ("IN", "NOT IN"):
        found = evaluation.as_tuple(left, context) in evaluation.as_set(right, context)
        return found == (operator == "IN")
    if isinstance(left, list | NamedSet) or isinstance(right, list | NamedSet):
        return _set_operator(evaluation, operator, left, right, context, node)
    one, two = evaluation.as_scalar(left, context), evaluation.as_scalar(right, context)
    if operator in _ARITHMETIC:
        return _ARITHMETIC[operator](one, two)
    if operator in ("MATCHES", "NOT MATCHES"):
        return _matches(one, two, node) == (operator == "MATCHES")
    return values.compare(operator, one, two)


def _logical(evaluation: Conversion, node: BinaryExpression, context: Context) -> bool:
    left = values.as_truth(evaluation.scalar(node.left, context))
    if node.operator == "AND" and not left:
        return False
    if node.operator == "OR" and left:
        return True
    right = values.as_truth(evaluation.scalar(node.right, context))
    return left != right if node.operator == "XOR" else right


def _is(left: Any, right: Any, null: bool, context: Context) -> bool:
    if null:
        members = left if isinstance(left, tuple) else (left,)
        return left is None or any(isinstance(each, MdxMember) and each.null for each in members)
    if isinstance(left, MdxMember | tuple) != isinstance(right, MdxMember | tuple):
        left, right = _current(left, context), _current(right, context)
    if isinstance(left, MdxDimension):
        left = left.hierarchies[0]
    if isinstance(right, MdxDimension):
        right = right.hierarchies[0]
    if isinstance(left, tuple) or isinstance(right, tuple):
        one, two = ((each,) if isinstance(each, MdxMember) else each for each in (left, right))
        return isinstance(one, tuple) and isinstance(two, tuple) and set(one) == set(two)
    return left is right


def _current(found: Any, context: Context) -> Any:
    """Of a hierarchy or a dimension its current member."""
    if isinstance(found, MdxDimension):
        found = found.hierarchies[0]
    return context[found.index] if isinstance(found, MdxHierarchy) else found


def _set_operator(
    evaluation: Conversion, operator: str, left: Any, right: Any, context: Context, node: BinaryExpression
) -> list[Any]:
    one, two = evaluation.as_set(left, context), evaluation.as_set(right, context)
    if operator == "*":
        return crossed(evaluation, [one, two])
    if operator == "+":
        return list(dict.fromkeys([*one, *two]))
    if operator == "-":
        gone = set(two)
        return [each for each in one if each not in gone]
    raise MdxError(f"`{operator}` cannot be used with sets", node.position)


def crossed(evaluation: Conversion, sets: list[list[Any]]) -> list[Any]:
    """The product of sets, the last one running fastest."""
    size = 1
    for each in sets:
        size *= len(each)
    evaluation.clock.take(size)
    evaluation.clock.check()
    filled = [each for each in sets if each]
    if len(filled) < len(sets):
        return []
    indexes = [member.level.hierarchy.index for each in sets for member in each[0]]
    if len(set(indexes)) < len(indexes):
        raise MdxError("a product of sets has one hierarchy twice")
    return [tuple(member for part in parts for member in part) for parts in product(*sets)]


def member_range(first: MdxMember, last: MdxMember) -> list[Any]:
    """The members of a level from one to another, in the hierarchy's order, whichever comes first."""
    if first.null or last.null:
        return []
    if first.level is not last.level:
        raise MdxError(f"a range needs two members of one level, not {first!r} and {last!r}")
    if first.calculated or last.calculated:
        return [(first,)] if first is last else [(first,), (last,)]
    low, high = sorted((first.ordinal, last.ordinal))
    return [(member,) for member in first.level.members()[low : high + 1]]


_NESTED_REPEATS = re.compile(r"\([^()]*[*+{][^()]*\)\s*[*+{]")


def _matches(value: Any, pattern: Any, node: BinaryExpression) -> bool:
    if value is None or pattern is None:
        return False
    if len(str(pattern)) > 200 or _NESTED_REPEATS.search(str(pattern)):
        raise MdxError("the pattern is too long, or repeats a repetition", node.position)
    try:
        return re.fullmatch(str(pattern), values.as_text(value)[:10_000]) is not None
    except re.error as error:
        raise MdxError(f"the pattern cannot be read: {error}", node.position) from None
