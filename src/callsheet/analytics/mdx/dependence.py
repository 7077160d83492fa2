"""Which parts of a context a set depends on, as far as its expression shows.

A set of members that are named does not depend on the context at all. A set that is filtered or ordered does not depend
on the members of its own hierarchies in the context, since the condition is evaluated for each of its tuples.
"""

from __future__ import annotations

from typing import Any

from callsheet.analytics.mdx.conversion import Conversion, MemberLiteral, SetLiteral
from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.members import MdxLevel, MdxMember
from callsheet.analytics.mdx.registry import find_function
from callsheet.analytics.mdx.scope import NamedSet
from callsheet.analytics.mdx.syntax import (
    BinaryExpression,
    CallExpression,
    NameExpression,
    NumberLiteral,
    OmittedArgument,
    SetExpression,
    StringLiteral,
    TupleExpression,
)

__all__ = ["dependence"]

_OF_MEMBERS = {
    "members", "allmembers", "children", "parent", "firstchild", "lastchild", "prevmember", "nextmember", "siblings",
    "firstsibling", "lastsibling", "level", "hierarchy", "dimension", "defaultmember",
}  # fmt: skip
_OF_HIERARCHIES = {"members", "allmembers", "defaultmember"}
_FIXED = {
    "crossjoin", "union", "except", "intersect", "distinct", "head", "tail", "subset", "hierarchize", "descendants",
    "ascendants", "ancestor", "ancestors", "lag", "lead", "levels", "addcalculatedmembers", "stripcalculatedmembers",
    "cousin", "members", "children", "parent", "firstchild", "lastchild", "siblings", "allmembers", "extract", "item",
    "drilldownlevel", "drilldownmember", "drilluplevel", "drillupmember", "toggledrillstate", "unorder",
}  # fmt: skip
_FOR_EACH = {
    "filter", "order", "topcount", "bottomcount", "toppercent", "bottompercent", "topsum", "bottomsum", "generate",
}  # fmt: skip


def dependence(evaluation: Conversion, node: Any) -> tuple[int, ...] | None:
    """``()`` if a set does not depend on the context; the indexes of the hierarchies that make no difference to it;
    None if anything might."""
    try:
        if _is_fixed(evaluation, node):
            return ()
        if isinstance(node, CallExpression) and node.name.lower() in _FOR_EACH and node.style == "function":
            return _for_each(evaluation, node)
    except MdxError:
        # What is wrong is said when it is evaluated.
        return None
    return None


def _for_each(evaluation: Conversion, node: CallExpression) -> tuple[int, ...] | None:
    first, *rest = node.arguments
    if not _is_fixed(evaluation, first):
        return None
    function = find_function(node.name, node.style, len(node.arguments))
    for place, each in enumerate(rest, start=1):
        if function.kind(place) not in ("node", "word") and not _is_fixed(evaluation, each):
            return None
    return tuple(_hierarchies(evaluation, first))


def _hierarchies(evaluation: Conversion, node: Any) -> list[int]:
    """The hierarchies of a set; a product is not made for that."""
    if isinstance(node, SetExpression) and len(node.elements) == 1:
        return _hierarchies(evaluation, node.elements[0])
    if isinstance(node, CallExpression) and node.name.lower() == "crossjoin":
        return [index for each in node.arguments for index in _hierarchies(evaluation, each)]
    if isinstance(node, BinaryExpression) and node.operator == "*":
        return [index for each in (node.left, node.right) for index in _hierarchies(evaluation, each)]
    tuples = evaluation.set(node, evaluation.start)
    return [member.level.hierarchy.index for member in tuples[0]] if tuples else []


def _is_fixed(evaluation: Conversion, node: Any) -> bool:
    if isinstance(node, NumberLiteral | StringLiteral | OmittedArgument | MemberLiteral | SetLiteral):
        return True
    if isinstance(node, SetExpression | TupleExpression):
        return all(_is_fixed(evaluation, each) for each in node.elements)
    if isinstance(node, BinaryExpression):
        return node.operator in (":", "*") and _is_fixed(evaluation, node.left) and _is_fixed(evaluation, node.right)
    if isinstance(node, NameExpression):
        return _is_fixed_name(evaluation, node)
    return isinstance(node, CallExpression) and _is_fixed_call(evaluation, node)


def _is_fixed_name(evaluation: Conversion, node: NameExpression) -> bool:
    found, properties = evaluation.looked_up(node)
    lower = [name.lower() for name in properties]
    if isinstance(found, NamedSet):
        return not lower
    if isinstance(found, MdxMember | MdxLevel):
        return all(name in _OF_MEMBERS for name in lower)
    return bool(lower) and lower[0] in _OF_HIERARCHIES and all(name in _OF_MEMBERS for name in lower)


def _is_fixed_call(evaluation: Conversion, node: CallExpression) -> bool:
    if node.name.lower() not in _FIXED:
        return False
    function = find_function(node.name, node.style, len(node.arguments))
    kinds = [function.kind(place) for place in range(len(node.arguments))]
    return all(kind == "word" or _is_fixed(evaluation, each) for kind, each in zip(kinds, node.arguments))
