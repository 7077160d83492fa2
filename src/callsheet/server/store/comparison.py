"""One value compared with a literal, in SQL, with the meaning of ``model/query.py``."""

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

__all__ = ["KEY", "LITERALS", "Value", "Where", "compared", "holds_for_none", "like_pattern"]

LITERALS = 30_000
"""Values in one ``in`` list; SQLite takes 32,766 in a whole statement."""

KEY = Attribute("id", data_type="key")
Where = ColumnElement[bool]


class Value(NamedTuple):
    """A value in SQL, and the attribute that says what it is; ``item`` of a mapping, or a column."""

    expression: ColumnElement[Any]
    attribute: Attribute
    item: bool = False


def compared(value: Value, operator: str, told: Any) -> Where:
    """``value operator told``; may be NULL where it is false."""
    if operator in ("in", "not_in"):
        inside = _listed(value, told)
        return inside if operator == "in" else inside.is_not(true())
    if operator in ("like", "not_like"):
        alike = _like(value, told)
        return alike if operator == "like" else alike.is_not(true())
    if told is None:
        return _NONE[operator](value.expression) if operator in _NONE else false()
    return _ordered(value, operator, told)


def holds_for_none(operator: str, told: Any) -> bool:
    """Whether a comparison is true of a path that met None."""
    if operator in ("=", "!="):
        return (told is None) == (operator == "=")
    if operator in ("in", "not_in") and isinstance(told, tuple):
        return (None in told) == (operator == "in")
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


def _ordered(value: Value, operator: str, told: Any) -> Where:
    """A comparison with something that is not None."""
    if value.attribute.data_type == "integer" and not isinstance(told, bool):
        if not -INTEGER_LIMIT <= told < INTEGER_LIMIT:
            holds = operator == "!=" or ((operator[0] == "<") == (told > 0) and operator != "=")
            return _constant(value, operator, holds)
        if told != (whole := math.floor(told)):
            if operator in ("=", "!="):
                return _constant(value, operator, operator == "!=")
            operator, told = ("<=", whole) if operator[0] == "<" else (">=", whole + 1)
    return _ORDERS[operator](value.expression, _literal(value, told))


def _constant(value: Value, operator: str, holds: bool) -> Where:
    """What is the same for every integer; an order is false of None, all the same."""
    if not holds:
        return false()
    return true() if operator == "!=" else value.expression.is_not(None)


def _literal(value: Value, told: Any) -> ColumnElement[Any]:
    return literal(_plain(value, told), value.expression.type)


def _plain(value: Value, told: Any) -> Any:
    if value.item:
        return item_literal(value.attribute, told)
    if value.attribute.data_type == "integer":
        return int(told)
    return told


def _listed(value: Value, told: tuple[Any, ...]) -> Where:
    """Whether the value is one of a list, in which None may be."""
    values = [each for each in told if each is not None]
    if len(values) > LITERALS:
        raise Invalid(f"`in` takes at most {LITERALS} values, not {len(values)}; ask in several queries")
    if value.attribute.data_type == "integer":
        values = [each for each in values if each == math.floor(each) and abs(each) < INTEGER_LIMIT]
    inside: Where = value.expression.in_([_plain(value, each) for each in values]) if values else false()
    return or_(inside, value.expression.is_(None)) if None in told else inside


_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _like(value: Value, told: Any) -> Where:
    """Letters of ASCII match in either case: both sides are put in lower case, which in the C collation is ASCII's."""
    if not isinstance(told, str):
        return false()
    return and_(bounded_like(value.expression, like_pattern(told).translate(_LOWER), told))


def like_pattern(told: str) -> str:
    r"""A pattern of ours as one of SQL, for which ``_`` is a wildcard, too.

    >>> print(like_pattern(r"a_b%c\%d\e"))
    a\_b%c\%d\\e
    """
    found: list[str] = []
    characters = iter(range(len(told)))
    for index in characters:
        character = told[index]
        if character == "\\" and told[index + 1 : index + 2] in ("%", "\\"):
            next(characters)
            found.append("\\" + told[index + 1])
        elif character in "\\_":
            found.append("\\" + character)
        else:
            found.append(character)
    return "".join(found)
