"""Comparisons of a value with a literal in SQL, with the semantics of ``model/query.py``."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, false, literal, or_, true

from callsheet.errors import Invalid
from callsheet.model.scalar import INTEGER_LIMIT
from callsheet.model.schema import Attribute
from callsheet.server.store.items import item_literal
from callsheet.server.store.likeness import bounded_like
from callsheet.server.store.native_keys import with_native_key

__all__ = ["KEY", "LITERALS", "Value", "Where", "compared", "holds_for_none", "like_pattern"]

LITERALS = 30_000
"""Values in one ``in`` list; SQLite accepts 32,766 in a statement."""

KEY = Attribute("id", data_type="key")
Where = ColumnElement[bool]


class Value(NamedTuple):
    """A value in SQL with its attribute; ``item`` is true for an item of a mapping, false for a column."""

    expression: ColumnElement[Any]
    attribute: Attribute
    item: bool = False


def compared(value: Value, operator: str, operand: Any) -> Where:
    """``value operator operand``; may be NULL instead of false."""
    if operator in ("in", "not_in"):
        inside = _listed(value, operand)
        if value.attribute is KEY and operator == "in" and None not in operand:
            return with_native_key(value.expression, operand, inside)
        return inside if operator == "in" else inside.is_not(true())
    if operator in ("like", "not_like"):
        alike = _like(value, operand)
        return alike if operator == "like" else alike.is_not(true())
    if operand is None:
        return _NONE[operator](value.expression) if operator in _NONE else false()
    found = _ordered(value, operator, operand)
    if value.attribute is KEY and operator == "=":
        return with_native_key(value.expression, (operand,), found)
    return found


def holds_for_none(operator: str, operand: Any) -> bool:
    """Whether the comparison is true if the value is None."""
    if operator in ("=", "!="):
        return (operand is None) == (operator == "=")
    if operator in ("in", "not_in") and isinstance(operand, tuple):
        return (None in operand) == (operator == "in")
    return operator in ("not_like", "not_in")


_NONE: dict[str, Callable[[ColumnElement[Any]], Where]] = {
    "=": lambda value: value.is_(None),
    "!=": lambda value: value.is_not(None),
}

_ORDERS: dict[str, Callable[[ColumnElement[Any], Any], Where]] = {
    "=": lambda left, right: left == right,
    "!=": lambda left, right: left.is_distinct_from(right),
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def _ordered(value: Value, operator: str, operand: Any) -> Where:
    """A comparison with an operand that is not None."""
    if value.attribute.data_type == "integer" and not isinstance(operand, bool):
        if not -INTEGER_LIMIT <= operand < INTEGER_LIMIT:
            holds = operator == "!=" or ((operator[0] == "<") == (operand > 0) and operator != "=")
            return _constant(value, operator, holds)
        if operand != (whole := math.floor(operand)):
            if operator in ("=", "!="):
                return _constant(value, operator, operator == "!=")
            operator, operand = ("<=", whole) if operator[0] == "<" else (">=", whole + 1)
    return _ORDERS[operator](value.expression, _literal(value, operand))


def _constant(value: Value, operator: str, holds: bool) -> Where:
    """A comparison with the same result for every integer; for None, an order is false in any case."""
    if not holds:
        return false()
    return true() if operator == "!=" else value.expression.is_not(None)


def _literal(value: Value, operand: Any) -> ColumnElement[Any]:
    return literal(_plain(value, operand), value.expression.type)


def _plain(value: Value, operand: Any) -> Any:
    if value.item:
        return item_literal(value.attribute, operand)
    if value.attribute.data_type == "integer":
        return int(operand)
    return operand


def _listed(value: Value, operands: tuple[Any, ...]) -> Where:
    """The condition that the value is one of a list, which may contain None."""
    values = [each for each in operands if each is not None]
    if len(values) > LITERALS:
        raise Invalid(f"`in` takes at most {LITERALS} values, not {len(values)}; split the query")
    if value.attribute.data_type == "integer":
        values = [each for each in values if each == math.floor(each) and abs(each) < INTEGER_LIMIT]
    inside: Where = value.expression.in_([_plain(value, each) for each in values]) if values else false()
    return or_(inside, value.expression.is_(None)) if None in operands else inside


_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _like(value: Value, pattern: Any) -> Where:
    """ASCII letters match in either case: both sides are lowered, which in the C collation affects only ASCII."""
    if not isinstance(pattern, str):
        return false()
    return and_(bounded_like(value.expression, like_pattern(pattern).translate(_LOWER), pattern))


def like_pattern(pattern: str) -> str:
    r"""A ``like`` pattern as one of SQL, in which ``_`` is a wildcard too and must be escaped.

    >>> print(like_pattern(r"a_b%c\%d\e"))
    a\_b%c\%d\\e
    """
    found: list[str] = []
    characters = iter(range(len(pattern)))
    for index in characters:
        character = pattern[index]
        if character == "\\" and pattern[index + 1 : index + 2] in ("%", "\\"):
            next(characters)
            found.append("\\" + pattern[index + 1])
        elif character in "\\_":
            found.append("\\" + character)
        else:
            found.append(character)
    return "".join(found)
