"""Key-set paging: a cursor has the last row's position in the order, so no row is skipped or returned twice.

A cursor is opaque to clients: base64 of JSON ``[query, values, key, remaining]``, where ``query`` is a digest of its
query, ``values`` are the last row's values of the order columns, and ``remaining`` is the rest of the query's limit.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

import msgspec
from attrs import frozen
from sqlalchemy import ColumnElement, and_, false, literal, or_

from callsheet.errors import Invalid
from callsheet.model.query import Select
from callsheet.model.scalar import INTEGER_LIMIT
from callsheet.server.store.comparison import Value

__all__ = ["KeySetCursor", "after", "decoded", "query_of"]


@frozen
class KeySetCursor:
    """The last row of a page: its values of the order columns, its key, and how many rows may follow."""

    query: str
    values: tuple[Any, ...]
    key: str
    remaining: int | None

    def encoded(self) -> str:
        """The text that clients send back."""
        content = msgspec.json.encode([self.query, self.values, self.key, self.remaining])
        return base64.urlsafe_b64encode(content).decode().rstrip("=")


def query_of(select: Select) -> str:
    """A digest that identifies a query in its cursors."""
    parts = (select.entity_type, select.where, select.order, select.limit, select.offset)
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


def decoded(text: str, select: Select, order: Sequence[Value]) -> KeySetCursor:
    """Decode a cursor; raises `Invalid` if the text is not a cursor, or belongs to another query."""
    query, values, key, remaining = _parts(text)
    if query != query_of(select) or len(values) != len(order):
        raise Invalid("the cursor belongs to another query; start again without one")
    try:
        return KeySetCursor(query, tuple(map(_python, order, values)), key, remaining)
    except (ValueError, TypeError):
        raise _no_cursor(text) from None


def _parts(text: str) -> tuple[str, list[Any], str, int | None]:
    """The parts of a cursor's text, not checked against the query yet."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        content = base64.b64decode(padded, b"-_", validate=True)
        parts: tuple[str, list[Any], str, int | None] = msgspec.json.decode(
            content, type=tuple[str, list[Any], str, int | None]
        )
    except (ValueError, RecursionError):
        raise _no_cursor(text) from None
    if "\x00" in parts[2] or (parts[3] is not None and parts[3] < 0):
        raise _no_cursor(text)
    return parts


def _no_cursor(text: str) -> Invalid:
    return Invalid(f"this is no cursor: {text!r:.80}; use the one of the page before")


def _python(value: Value, json: Any) -> Any:
    """A value of an order column from its JSON."""
    data_type = value.attribute.data_type
    if json is None:
        return None
    if data_type == "number":
        return float(json)
    if value.item or data_type not in _PYTHON:
        return _checked(_TYPES.get(data_type, str), json)
    return _PYTHON[data_type](json)


_PYTHON = {"date": date.fromisoformat, "datetime": datetime.fromisoformat}
_TYPES: dict[str, type] = {"integer": int, "boolean": bool}


def _checked(expected: type, json: Any) -> Any:
    if not isinstance(json, expected) or (isinstance(json, int) and not -INTEGER_LIMIT <= json < INTEGER_LIMIT):
        raise TypeError
    return json


def after(cursor: KeySetCursor, order: Sequence[tuple[Value, bool]], key: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that a row comes after the cursor's row; ``order`` has pairs of a value and whether it descends."""
    condition = key > cursor.key
    for (value, descending), last in reversed(list(zip(order, cursor.values))):
        expression = value.expression
        known = None if last is None else literal(last, expression.type)
        same = expression.is_(None) if known is None else expression == known
        if descending:
            beyond = false() if known is None else or_(expression < known, expression.is_(None))
        else:
            beyond = expression.is_not(None) if known is None else expression > known
        condition = or_(beyond, and_(same, condition))
    return condition
