"""MDX text becomes a tree. The grammar is in ``grammar.lark``; lark is imported with the first text that is read."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from callsheet.analytics.mdx.syntax import Expression, MdxStatement
from callsheet.errors import UsageError

__all__ = ["parse_expression", "parse_mdx"]


@cache
def _reader() -> Callable[[str, str], Any]:
    try:
        from callsheet.analytics.mdx import building
    except ImportError as error:
        if error.name != "lark":
            raise
        raise UsageError("reading MDX needs the library lark: pip install 'callsheet[mdx]'") from error
    return building.read


def parse_mdx(text: str) -> MdxStatement:
    """The statement that a text says.

    >>> parse_mdx("select {[Measures].[Unit Sales]} on columns from [Sales]").axes[0].ordinal
    0

    Raises `MdxError`, with the position, if the text is no MDX; `UsageError` if lark is not installed.
    """
    statement: MdxStatement = _reader()(text, "start")
    return statement


def parse_expression(text: str) -> Expression:
    """The expression that a text says.

    >>> parse_expression("1 + x.Children").operator
    '+'
    """
    expression: Expression = _reader()(text, "aliased")
    return expression
