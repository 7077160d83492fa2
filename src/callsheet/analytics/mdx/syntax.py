"""MDX as data: what a text says, before any name in it is looked up.

Positions are offsets in the text that was read, -1 where there is none; they do not count when two trees are compared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from attrs import field, fields, frozen

__all__ = [
    "AliasedExpression",
    "AxisClause",
    "BinaryExpression",
    "CallExpression",
    "CaseExpression",
    "CellsStatement",
    "DrillthroughStatement",
    "ExplainStatement",
    "Expression",
    "FormulaProperty",
    "MdxStatement",
    "MemberFormula",
    "NameExpression",
    "NameSegment",
    "NullLiteral",
    "NumberLiteral",
    "OmittedArgument",
    "SetExpression",
    "SetFormula",
    "StringLiteral",
    "TupleExpression",
    "UnaryExpression",
    "nodes_of",
]


@frozen
class NameSegment:
    """One part of a name: ``Gender`` or ``[Gender]``, or the keys of a member: ``&[1]``, ``&[1]&[2]``.

    ``name`` is the plain text (a doubled bracket is one); of keys it is the first, ``keys`` has all.
    """

    name: str
    quoted: bool = True
    keys: tuple[str, ...] = ()
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class NameExpression:
    """A name of several parts: ``[Time].[1997].[Q1]``, also ``[Time].[1997].Children``, whose last is a property."""

    segments: tuple[NameSegment, ...]
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class NumberLiteral:
    """A number, as it is written."""

    text: str
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class StringLiteral:
    """A text in quotes; ``quote`` is the kind of quotes."""

    value: str
    quote: str = '"'
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class NullLiteral:
    """``NULL``: the empty value, or no member."""

    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class OmittedArgument:
    """An argument of a call that is left out: the second of ``Descendants(x, , LEAVES)``."""

    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class SetExpression:
    """``{a, b}``."""

    elements: tuple[Expression, ...]
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class TupleExpression:
    """``(a, b)``, at least two."""

    elements: tuple[Expression, ...]
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class UnaryExpression:
    """``-x``, ``+x``, ``NOT x``, ``EXISTING x``."""

    operator: str
    operand: Expression
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class BinaryExpression:
    """``a + b``; ``IS EMPTY`` is an operator whose right side is an omitted argument."""

    operator: str
    left: Expression
    right: Expression
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class CallExpression:
    """A function's call. ``style`` is how it is written: ``f(x)`` function, ``x.f(y)`` method, ``x.f`` property."""

    name: str
    arguments: tuple[Expression, ...]
    style: str = "function"
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class CaseExpression:
    """``CASE x WHEN a THEN b ELSE c END``, with or without the ``x``."""

    operand: Expression | None
    branches: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression | None
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class AliasedExpression:
    """``{...} AS name``: a set that has a name in the rest of the query."""

    expression: Expression
    name: NameExpression
    position: int = field(default=-1, eq=False, kw_only=True)


Expression: TypeAlias = (
    NameExpression
    | NumberLiteral
    | StringLiteral
    | NullLiteral
    | OmittedArgument
    | SetExpression
    | TupleExpression
    | UnaryExpression
    | BinaryExpression
    | CallExpression
    | CaseExpression
    | AliasedExpression
)


@frozen
class FormulaProperty:
    """``SOLVE_ORDER = 1``."""

    name: str
    value: Expression
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class MemberFormula:
    """``MEMBER name AS formula, FORMAT_STRING = "…"``."""

    name: NameExpression
    expression: Expression
    properties: tuple[FormulaProperty, ...] = ()
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class SetFormula:
    """``SET name AS formula``."""

    name: NameExpression
    expression: Expression
    properties: tuple[FormulaProperty, ...] = ()
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class AxisClause:
    """``NON EMPTY set DIMENSION PROPERTIES … ON COLUMNS``; columns are axis 0."""

    expression: Expression
    ordinal: int
    non_empty: bool = False
    properties: tuple[NameExpression, ...] = ()
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class CellsStatement:
    """``WITH … SELECT … FROM … WHERE … CELL PROPERTIES …``; ``source`` is the name of a cube, or a subselect."""

    source: NameExpression | CellsStatement
    axes: tuple[AxisClause, ...] = ()
    formulas: tuple[MemberFormula | SetFormula, ...] = ()
    slicer: Expression | None = None
    cell_properties: tuple[NameExpression, ...] = ()
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class DrillthroughStatement:
    """``DRILLTHROUGH MAXROWS 10 SELECT … RETURN …``."""

    query: CellsStatement
    max_rows: int | None = None
    first_row: int | None = None
    columns: tuple[Expression, ...] = ()
    position: int = field(default=-1, eq=False, kw_only=True)


@frozen
class ExplainStatement:
    """``EXPLAIN PLAN FOR SELECT …``."""

    statement: CellsStatement | DrillthroughStatement
    position: int = field(default=-1, eq=False, kw_only=True)


MdxStatement: TypeAlias = CellsStatement | DrillthroughStatement | ExplainStatement


def nodes_of(tree: Any) -> Iterator[Any]:
    """A tree's nodes, each before those in it."""
    if isinstance(tree, tuple):
        for part in tree:
            yield from nodes_of(part)
    elif hasattr(tree, "__attrs_attrs__"):
        yield tree
        for each in fields(type(tree)):
            yield from nodes_of(getattr(tree, each.name))
