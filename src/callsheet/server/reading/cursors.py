"""Pages by key set: a cursor holds the last row's place in the order, so nothing is skipped or told twice.

A cursor is opaque to clients: base64 of JSON ``[query, values, key, remaining]``, where ``query`` identifies
the query it belongs to, ``values`` are those of the order columns, and ``remaining`` is what the limit leaves.
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
    """The last row of a page: the values it is ordered by, its key, and how many rows may follow it."""

    query: str
    values: tuple[Any, ...]
    key: str
    remaining: int | None

    def encoded(self) -> str:
        """The text that clients carry."""
        content = msgspec.json.encode([self.query, self.values, self.key, self.remaining])
        return base64.urlsafe_b64encode(content).decode().rstrip("=")


def query_of(select: Select) -> str:
    """What identifies a query in its cursors."""
    asked = (select.entity_type, select.where, select.order, select.limit, select.offset)
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:12]


def decoded(text: str, select: Select, order: Sequence[Value]) -> KeySetCursor:
    """The cursor of a text; `Invalid` if it is none, or another query's."""
    told = _told(text)
    if told[0] != query_of(select) or len(told[1]) != len(order):
        raise Invalid("the cursor belongs to another query; start again without one")
    try:
        return KeySetCursor(told[0], tuple(map(_python, order, told[1])), told[2], told[3])
    except (ValueError, TypeError):
        raise _no_cursor(text) from None


def _told(text: str) -> tuple[str, list[Any], str, int | None]:
    """What a text holds; nothing of it is trusted yet."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        content = base64.b64decode(padded, b"-_", validate=True)
        told: tuple[str, list[Any], str, int | None] = msgspec.json.decode(
            content, type=tuple[str, list[Any], str, int | None]
        )
    except (ValueError, RecursionError):
        raise _no_cursor(text) from None
    if "\x00" in told[2] or (told[3] is not None and told[3] < 0):
        raise _no_cursor(text)
    return told


def _no_cursor(text: str) -> Invalid:
    return Invalid(f"this is no cursor: {text!r:.80}; use the one of the page before")


def _python(value: Value, told: Any) -> Any:
    """A value of an order column from its JSON."""
    data_type = value.attribute.data_type
    if told is None:
        return None
    if data_type == "number":
        return float(told)
    if value.item or data_type not in _PYTHON:
        return _checked(_TYPES.get(data_type, str), told)
    return _PYTHON[data_type](told)


_PYTHON = {"date": date.fromisoformat, "datetime": datetime.fromisoformat}
_TYPES: dict[str, type] = {"integer": int, "boolean": bool}


def _checked(expected: type, told: Any) -> Any:
    if not isinstance(told, expected) or (isinstance(told, int) and not -INTEGER_LIMIT <= told < INTEGER_LIMIT):
        raise TypeError
    return told


def after(cursor: KeySetCursor, order: Sequence[tuple[Value, bool]], key: ColumnElement[Any]) -> ColumnElement[bool]:
    """The condition that a row comes after the cursor's; ``order`` has the values and whether they descend."""
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
