"""The parameters that a query defines, wherever in it that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.parser import parse_expression
from callsheet.analytics.mdx.syntax import (
    CallExpression,
    Expression,
    MemberFormula,
    SetFormula,
    StringLiteral,
    nodes_of,
)

__all__ = ["parameters_of"]


def parameters_of(statement: Any) -> dict[str, Expression]:
    """The default of each parameter, by its name in small letters: those of ``Parameter("name", kind, default)``."""
    found: dict[str, Expression] = {}
    for call in _calls(statement):
        if (
            call.name.lower() == "parameter"
            and len(call.arguments) >= 3
            and isinstance(call.arguments[0], StringLiteral)
        ):
            found.setdefault(call.arguments[0].value.lower(), call.arguments[2])
    return found


def _calls(tree: Any) -> Iterator[CallExpression]:
    for node in nodes_of(tree):
        if isinstance(node, CallExpression):
            yield node
        elif isinstance(node, MemberFormula | SetFormula) and isinstance(node.expression, StringLiteral):
            yield from _within_quotes(node.expression)


def _within_quotes(text: StringLiteral) -> Iterator[CallExpression]:
    if text.quote == "'" and "parameter" in text.value.lower():
        try:
            yield from _calls(parse_expression(text.value))
        except MdxError:
            # What cannot be read is said when the formula is evaluated.
            return
