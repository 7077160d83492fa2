"""A tree as MDX text. What is read of that text is equal to the tree."""

from __future__ import annotations

from typing import Any

from callsheet.analytics.mdx.syntax import (
    AliasedExpression,
    AxisClause,
    BinaryExpression,
    CallExpression,
    CaseExpression,
    CellsStatement,
    DrillthroughStatement,
    ExplainStatement,
    Expression,
    MdxStatement,
    MemberFormula,
    NameExpression,
    NameSegment,
    NullLiteral,
    NumberLiteral,
    OmittedArgument,
    SetExpression,
    SetFormula,
    StringLiteral,
    TupleExpression,
    UnaryExpression,
)

__all__ = ["expression_text", "quoted_name", "statement_text"]

_ALIAS, _OR, _AND, _NOT, _COMPARE, _SUM, _PRODUCT, _UNARY, _PRIMARY = range(9)
_STRENGTH = (
    {"OR": _OR, "XOR": _OR, ":": _OR, "AND": _AND}
    | dict.fromkeys(("=", "<>", "<", ">", "<=", ">=", "IS", "IS EMPTY", "IN", "NOT IN", "MATCHES"), _COMPARE)
    | {"NOT MATCHES": _COMPARE, "+": _SUM, "-": _SUM, "||": _SUM, "*": _PRODUCT, "/": _PRODUCT}
)


def statement_text(statement: MdxStatement) -> str:
    """The text of a statement.

    >>> from callsheet.analytics.mdx.parser import parse_mdx
    >>> statement_text(parse_mdx("select {[Gender].members} on 0 from Sales where ([Time].[1997])"))
    'SELECT {[Gender].members} ON 0 FROM Sales WHERE [Time].[1997]'
    """
    if isinstance(statement, ExplainStatement):
        return f"EXPLAIN PLAN FOR {statement_text(statement.statement)}"
    if isinstance(statement, DrillthroughStatement):
        return _drillthrough(statement)
    parts = []
    if statement.formulas:
        parts += ["WITH", *map(_formula, statement.formulas)]
    parts.append("SELECT")
    if statement.axes:
        parts.append(", ".join(map(_axis, statement.axes)))
    source = statement.source
    parts += ["FROM", f"({statement_text(source)})" if isinstance(source, CellsStatement) else _name(source)]
    if statement.slicer is not None:
        parts += ["WHERE", expression_text(statement.slicer)]
    if statement.cell_properties:
        parts += ["CELL PROPERTIES", ", ".join(map(_name, statement.cell_properties))]
    return " ".join(parts)


def _drillthrough(statement: DrillthroughStatement) -> str:
    parts = ["DRILLTHROUGH"]
    parts += [] if statement.max_rows is None else [f"MAXROWS {statement.max_rows}"]
    parts += [] if statement.first_row is None else [f"FIRSTROWSET {statement.first_row}"]
    parts.append(statement_text(statement.query))
    parts += ["RETURN " + _list(statement.columns)] if statement.columns else []
    return " ".join(parts)


def _formula(formula: MemberFormula | SetFormula) -> str:
    kind, strength = ("MEMBER", _OR) if isinstance(formula, MemberFormula) else ("SET", _ALIAS)
    properties = "".join(
        f", {_property_name(each.name)} = {expression_text(each.value, _OR)}" for each in formula.properties
    )
    return f"{kind} {_name(formula.name)} AS {expression_text(formula.expression, strength)}{properties}"


def _property_name(name: str) -> str:
    return name if name.isidentifier() else quoted_name(name)


def _axis(axis: AxisClause) -> str:
    properties = f" DIMENSION PROPERTIES {', '.join(map(_name, axis.properties))}" if axis.properties else ""
    return f"{'NON EMPTY ' * axis.non_empty}{expression_text(axis.expression)}{properties} ON {axis.ordinal}"


def expression_text(expression: Expression, strength: int = _ALIAS) -> str:
    """The text of an expression; in parentheses, where it binds weaker than ``strength``."""
    text, own = _written(expression)
    return f"({text})" if own < strength else text


def _written(expression: Any) -> tuple[str, int]:
    """The text of an expression, and how strongly it holds together."""
    match expression:
        case NameExpression():
            return _name(expression), _PRIMARY
        case NumberLiteral(text):
            return text, _PRIMARY
        case StringLiteral(value, quote):
            return quote + value.replace(quote, quote * 2) + quote, _PRIMARY
        case NullLiteral():
            return "NULL", _PRIMARY
        case OmittedArgument():
            return "", _PRIMARY
        case SetExpression(elements):
            return "{" + _list(elements) + "}", _PRIMARY
        case TupleExpression(elements):
            return "(" + _list(elements) + ")", _PRIMARY
        case CallExpression():
            return _call(expression), _PRIMARY
        case CaseExpression():
            return _case(expression), _PRIMARY
        case AliasedExpression(inner, name):
            return f"{expression_text(inner)} AS {_name(name)}", _ALIAS
    return _operation(expression)


def _operation(expression: UnaryExpression | BinaryExpression) -> tuple[str, int]:
    if isinstance(expression, UnaryExpression):
        if expression.operator == "NOT":
            return f"NOT {expression_text(expression.operand, _NOT)}", _NOT
        return f"{expression.operator} {expression_text(expression.operand, _UNARY)}", _UNARY
    own = _STRENGTH[expression.operator]
    left = expression_text(expression.left, own)
    if expression.operator == "IS EMPTY":
        return f"{left} IS EMPTY", own
    return f"{left} {expression.operator} {expression_text(expression.right, own + 1)}", own


def _call(call: CallExpression) -> str:
    if call.style == "function":
        return f"{call.name}({_list(call.arguments)})"
    # The dot after a number would be its point.
    strength = _PRIMARY + 1 if isinstance(call.arguments[0], NumberLiteral) else _PRIMARY
    first = expression_text(call.arguments[0], strength)
    return f"{first}.{call.name}" + ("" if call.style == "property" else f"({_list(call.arguments[1:])})")


def _case(case: CaseExpression) -> str:
    parts = ["CASE"]
    if case.operand is not None:
        parts.append(expression_text(case.operand))
    for condition, value in case.branches:
        parts += ["WHEN", expression_text(condition), "THEN", expression_text(value)]
    if case.otherwise is not None:
        parts += ["ELSE", expression_text(case.otherwise)]
    return " ".join([*parts, "END"])


def _list(expressions: tuple[Expression, ...]) -> str:
    return ", ".join(map(expression_text, expressions))


def quoted_name(name: str) -> str:
    """A name in brackets; a closing bracket in it is doubled.

    >>> quoted_name("a]b")
    '[a]]b]'
    """
    return "[" + name.replace("]", "]]") + "]"


def _name(name: NameExpression) -> str:
    return ".".join(map(_segment, name.segments))


def _segment(segment: NameSegment) -> str:
    if segment.keys:
        return "".join("&" + quoted_name(key) for key in segment.keys)
    return quoted_name(segment.name) if segment.quoted else segment.name
