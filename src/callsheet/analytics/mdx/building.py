"""The tree of the syntax, made of what lark reads."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedInput, UnexpectedToken, VisitError

from callsheet.analytics.mdx.comments import without_nested
from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.syntax import (
    AliasedExpression,
    AxisClause,
    BinaryExpression,
    CallExpression,
    CaseExpression,
    CellsStatement,
    DrillthroughStatement,
    ExplainStatement,
    FormulaProperty,
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

__all__ = ["read"]

MOST_NESTED = 200
"""How deep a text may nest: parentheses, braces, and signs in front of each other."""

_AXES = {"COLUMNS": 0, "ROWS": 1, "PAGES": 2, "CHAPTERS": 3, "SECTIONS": 4}
_SHOWN = {"LPAR": "(", "RPAR": ")", "LBRACE": "{", "RBRACE": "}", "COMMA": ",", "DOT": ".", "SEMICOLON": ";"} | {
    "EQ": "=", "NAME": "a name", "BRACKETED": "[a name]", "NUMBER": "a number", "STRING": "a text", "$END": "the end"
}  # fmt: skip


def _place(item: Any) -> int:
    return int(item.start_pos or 0) if isinstance(item, Token) else item.position


@v_args(inline=True)
class _Building(Transformer[Token, Any]):
    """Each rule of the grammar makes one node."""

    def start(self, statement: Any) -> Any:
        return statement

    def explain(self, *parts: Any) -> Any:
        return ExplainStatement(parts[-1], position=_place(parts[0]))

    def drillthrough(self, word: Token, *parts: Any) -> Any:
        _, most, _, first, query, _, columns = parts
        numbers = tuple(None if each is None else int(each) for each in (most, first))
        return DrillthroughStatement(query, numbers[0], numbers[1], columns or (), position=_place(word))

    def query(self, *parts: Any) -> Any:
        formulas = tuple(part for part in parts if isinstance(part, MemberFormula | SetFormula))
        at = next(number for number, part in enumerate(parts) if _is(part, "SELECT"))
        axes, source = parts[at + 1], parts[at + 3]
        rest = [part for part in parts[at + 4 :] if part is not None]
        slicer = rest[1] if rest and _is(rest[0], "WHERE") else None
        cell = rest[-1] if len(rest) > 1 and _is(rest[-2], "PROPERTIES") else ()
        return CellsStatement(source, axes or (), formulas, slicer, cell, position=_place(parts[at]))

    def member_formula(self, word: Token, name: Any, _as: Token, expression: Any, *properties: Any) -> Any:
        return MemberFormula(name, expression, properties, position=_place(word))

    def set_formula(self, word: Token, name: Any, _as: Token, expression: Any, *properties: Any) -> Any:
        return SetFormula(name, expression, properties, position=_place(word))

    def property(self, name: NameExpression, _sign: Token, value: Any) -> Any:
        return FormulaProperty(name.segments[-1].name, value, position=name.position)

    def axes(self, *axes: Any) -> Any:
        return axes

    def axis(self, *parts: Any) -> Any:
        given = [part for part in parts if part is not None]
        empty = _is(given[0], "NON")
        expression = given[2 if empty else 0]
        properties = next((part for part in given if isinstance(part, tuple)), ())
        return AxisClause(expression, given[-1], empty, properties, position=_place(given[0]))

    def axis_number(self, number: Token) -> int:
        if not number.isdecimal():
            raise MdxError(f"an axis has a whole number, not {number}", _place(number))
        return int(number)

    def axis_called(self, _word: Token, number: Token) -> int:
        return self.axis_number(number)

    def axis_named(self, name: Token) -> int:
        return _AXES[name.upper()]

    def source(self, source: Any) -> Any:
        return source

    def identifiers(self, *names: Any) -> Any:
        return names

    def identifier(self, *segments: Any) -> Any:
        return NameExpression(segments, position=segments[0].position)

    def alias(self, expression: Any, _as: Token, name: Any) -> Any:
        return AliasedExpression(expression, name, position=expression.position)

    def binary(self, left: Any, operator: Token, right: Any) -> Any:
        return BinaryExpression(operator.upper(), left, right, position=_place(operator))

    def binary_not(self, left: Any, _not: Token, operator: Token, right: Any) -> Any:
        return BinaryExpression(f"NOT {operator.upper()}", left, right, position=_place(operator))

    def is_empty(self, left: Any, word: Token, _empty: Token) -> Any:
        return BinaryExpression("IS EMPTY", left, OmittedArgument(), position=_place(word))

    def unary(self, operator: Token, operand: Any) -> Any:
        return UnaryExpression(operator.upper(), operand, position=_place(operator))

    def member_of(self, left: Any, segment: NameSegment) -> Any:
        if isinstance(left, NameExpression):
            return NameExpression((*left.segments, segment), position=left.position)
        if segment.quoted or segment.keys:
            raise MdxError(f"`[{segment.name}]` may follow names only", segment.position, "write the name in full")
        return CallExpression(segment.name, (left,), "property", position=segment.position)

    def method(self, left: Any, name: Token, arguments: Any) -> Any:
        return CallExpression(str(name), (left, *arguments), "method", position=_place(name))

    def call(self, name: Token, arguments: Any) -> Any:
        # A library in front of a function's name makes no difference.
        return CallExpression(name.rpartition("!")[2], arguments, position=_place(name))

    def name(self, segment: NameSegment) -> Any:
        return NameExpression((segment,), position=segment.position)

    def number(self, number: Token) -> Any:
        return NumberLiteral(str(number), position=_place(number))

    def string(self, text: Token) -> Any:
        quote = text[0]
        return StringLiteral(text[1:-1].replace(quote * 2, quote), quote, position=_place(text))

    def null(self, word: Token) -> Any:
        return NullLiteral(position=_place(word))

    def parenthesised(self, expressions: Any) -> Any:
        if len(expressions) == 1:
            return expressions[0]
        return TupleExpression(expressions, position=expressions[0].position)

    def braces(self, expressions: Any) -> Any:
        elements = expressions or ()
        return SetExpression(elements, position=elements[0].position if elements else -1)

    def case(self, word: Token, operand: Any, *parts: Any) -> Any:
        branches = tuple(part for part in parts if isinstance(part, tuple))
        otherwise = parts[-2] if _is(parts[len(branches)], "ELSE") else None
        return CaseExpression(operand, branches, otherwise, position=_place(word))

    def when(self, _when: Token, condition: Any, _then: Token, value: Any) -> Any:
        return (condition, value)

    def expressions(self, *expressions: Any) -> Any:
        return expressions

    def arguments(self, *arguments: Any) -> Any:
        return () if len(arguments) == 1 and isinstance(arguments[0], OmittedArgument) else arguments

    def omitted(self) -> Any:
        return OmittedArgument()

    def segment(self, part: Any) -> Any:
        if isinstance(part, tuple):
            keys = tuple(_plain(key[1:]) for key in part)
            return NameSegment(keys[0], True, keys, position=_place(part[0]))
        return NameSegment(_plain(part), part.startswith("["), position=_place(part))

    def keys(self, *keys: Any) -> Any:
        return keys


def _plain(name: str) -> str:
    return name[1:-1].replace("]]", "]") if name.startswith("[") else str(name)


def _is(part: Any, kind: str) -> bool:
    return isinstance(part, Token) and part.type == kind


@cache
def _grammar() -> Lark:
    text = files("callsheet.analytics.mdx").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", start=["start", "aliased"], transformer=_Building(), maybe_placeholders=True)


def read(text: str, start: str) -> Any:
    """The tree of a text."""
    _check_nesting(text)
    try:
        return _grammar().parse(without_nested(text), start=start)
    except VisitError as error:
        if isinstance(error.orig_exc, MdxError):
            raise MdxError(error.orig_exc.message, error.orig_exc.position, error.orig_exc.hint, text) from None
        raise
    except UnexpectedInput as error:
        raise _misread(error, text) from None


def _misread(error: UnexpectedInput, text: str) -> MdxError:
    """The error of a text that is no MDX: what stands where, and what could."""
    if isinstance(error, UnexpectedEOF) or (isinstance(error, UnexpectedToken) and error.token.type == "$END"):
        return MdxError("the query ends too early", len(text), _could(error), text)
    position = int(error.pos_in_stream or 0)
    if isinstance(error, UnexpectedCharacters):
        found = text[position : position + 1]
        hint = {"[": "a bracket is not closed", "{": "a brace is not closed"}.get(found, "")
        hint = "a quote is not closed" if found in "'\"" else hint
        return MdxError(f"`{found}` cannot be read here", position, hint, text)
    assert isinstance(error, UnexpectedToken)
    return MdxError(f"`{error.token}` is not expected here", position, _could(error), text)


def _could(error: UnexpectedInput) -> str:
    """What could stand at this place, if that is not nearly everything."""
    expected = sorted(getattr(error, "accepts", None) or getattr(error, "expected", None) or ())
    if not expected or len(expected) > 12:
        return ""
    return "expected " + " or ".join(_SHOWN.get(each, each) for each in expected)


def _check_nesting(text: str) -> None:
    """Deeply nested texts are refused before they are read: a tree is walked by recursion."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character in "({") - (character in ")}")
        if depth > MOST_NESTED:
            raise MdxError(f"the query nests more than {MOST_NESTED} deep", position, "", text)
