"""Which format a cell has."""

from __future__ import annotations

from typing import Any

from attrs import fields

from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.members import MdxMember
from callsheet.analytics.mdx.syntax import CallExpression, NameExpression
from callsheet.analytics.mdx.values import as_text

__all__ = ["format_of"]

STANDARD = "Standard"
_WHOLE_NUMBERS = ("rank",)


def format_of(evaluation: Evaluation, context: Context) -> str:
    """The format of a context: that of its member with the highest solve order that has one; ties: the first."""
    found: Any = None
    highest: float = float("-inf")
    for member in context:
        if member.solve_order > highest:
            own = _own(evaluation, member)
            if own is not None:
                found, highest = own, member.solve_order
    if found is None or isinstance(found, str):
        return found or STANDARD
    return as_text(evaluation.scalar(found, context)) or STANDARD


def _own(evaluation: Evaluation, member: MdxMember) -> Any:
    """A member's format: the declared one; a calculated measure has that of the first measure in its formula."""
    if member.format is not None:
        return member.format
    if member.formula is None or member.level.hierarchy.index != 0:
        return None
    return evaluation.kept(("format", member), lambda: _inherited(evaluation, member, 0))


def _inherited(evaluation: Evaluation, member: MdxMember, depth: int) -> Any:
    formula = member.formula
    if isinstance(formula, CallExpression) and formula.name.lower() in _WHOLE_NUMBERS:
        return "#,##0"
    measure = _first_measure(evaluation, formula)
    if measure is None or depth > 20:
        return None
    if measure.format is None and measure.formula is not None:
        return _inherited(evaluation, measure, depth + 1)
    return measure.format


def _first_measure(evaluation: Evaluation, node: Any) -> MdxMember | None:
    """The first measure that an expression names, from left to right."""
    if isinstance(node, NameExpression):
        try:
            found = evaluation.looked_up(node)[0]
        except MdxError:
            return None
        return found if isinstance(found, MdxMember) and found.level.hierarchy.index == 0 else None
    if isinstance(node, tuple):
        parts = node
    elif hasattr(node, "__attrs_attrs__"):
        parts = tuple(getattr(node, field.name) for field in fields(type(node)))
    else:
        return None
    for part in parts:
        measure = _first_measure(evaluation, part)
        if measure is not None:
            return measure
    return None
