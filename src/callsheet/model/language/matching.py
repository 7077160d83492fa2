"""A condition read by Python: does this record fulfil it? The meaning is defined in ``model/query.py``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Any, Final

from callsheet.errors import QueryError
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Path, Select, Step
from callsheet.model.relative_time import RelativeTime
from callsheet.model.schema import Schema

__all__ = ["like", "matches"]

_ORDERS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def matches(condition: Condition, record: Mapping[str, Any], schema: Schema | None = None) -> bool:
    """Whether the record fulfils the condition, best one that `check_condition` returned.

    ``record`` is nested plain data: references are mappings or None, collections lists of mappings,
    mappings mappings; ``@type`` is the concrete entity type, which casts look at. With a schema, a cast
    to a type holds for its subtypes too. What a record does not hold is None. Times relative to now are by the clock
    of this machine; `fixed_condition` sets another moment before.

    >>> from callsheet.model.language.parser import parse_condition
    >>> matches(parse_condition("status.name in (Done, Final)"), {"status": {"name": "Done"}})
    True
    """
    return _RecordMatcher(schema).holds(condition, record)


class _RecordMatcher:
    __slots__ = ("_schema",)

    def __init__(self, schema: Schema | None) -> None:
        self._schema = schema

    def holds(self, condition: Condition, record: Mapping[str, Any]) -> bool:
        if isinstance(condition, Comparison):
            return any(
                _compare(condition.operator, value, condition.value) for value in self._ends(condition.path, record)
            )
        if isinstance(condition, And):
            return all(self.holds(part, record) for part in condition.conditions)
        if isinstance(condition, Or):
            return any(self.holds(part, record) for part in condition.conditions)
        if isinstance(condition, Not):
            return not self.holds(condition.condition, record)
        return self._has(condition, record)

    def _has(self, condition: Any_, record: Mapping[str, Any]) -> bool:
        for end in self._ends(condition.path, record):
            for member in end if isinstance(end, list | tuple) else (end,):
                if member is not None and (condition.condition is None or self.holds(condition.condition, member)):
                    return True
        return False

    def _ends(self, path: Path, record: Mapping[str, Any]) -> list[Any]:
        """The values at the end of a path: one, or as many as the collections on the way have members."""
        found: list[Any] = [record]
        last = len(path.steps) - 1
        for index, step in enumerate(path.steps):
            following: list[Any] = []
            for value in found:
                reached = self._step(value, step)
                # A list at the end is left whole: members for `any`, JSON data for a comparison.
                if index < last and isinstance(reached, list | tuple):
                    following += reached
                else:
                    following.append(reached)
            found = following
        return found

    def _step(self, value: Any, step: Step) -> Any:
        reached = value.get(step.name) if isinstance(value, Mapping) else None
        if step.cast is None:
            return reached
        if isinstance(reached, list | tuple):
            return [member if self._is_a(member, step.cast) else None for member in reached]
        return reached if self._is_a(reached, step.cast) else None

    def _is_a(self, value: Any, cast: str) -> bool:
        concrete = value.get("@type") if isinstance(value, Mapping) else None
        if self._schema is None or concrete not in self._schema.types:
            return concrete == cast
        return self._schema.is_a(concrete, cast)


def _compare(word: str, value: Any, other: Any) -> bool:
    if isinstance(other, RelativeTime):
        other = other.at(datetime.now(UTC))
    if isinstance(other, Select):
        raise QueryError("a query within a condition cannot be answered from one record", hint="ask the server")
    if word == "=":
        return _same(value, other)
    if word == "!=":
        return not _same(value, other)
    if word == "in":
        return any(_same(value, item) for item in other)
    if word == "not_in":
        return not any(_same(value, item) for item in other)
    if word == "like":
        return like(value, other)
    if word == "not_like":
        return not like(value, other)
    order = _ORDERS.get(word)
    if order is None:
        raise QueryError(f"there is no operator `{word}`")
    return _kind(value) is not None and _kind(value) is _kind(other) and order(value, other)


def _same(value: Any, other: Any) -> bool:
    # True is no number here, although Python's True equals 1.
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _kind(value: Any) -> Any:
    """What has an order with its like only; date-times with and without zone have none with each other."""
    if isinstance(value, str):
        return str
    if isinstance(value, int | float):
        return None if isinstance(value, bool) else float
    if isinstance(value, datetime):
        return date if value.tzinfo is None else datetime
    return _Day if isinstance(value, date) else None


class _Day:
    """The kind of dates without a time."""


def like(value: Any, pattern: Any) -> bool:
    r"""Whether a text fits a pattern as a whole: ``%`` is any run of characters, ``\%`` a percent sign.

    >>> like("SH010", "sh%"), like("50%", r"50\%"), like("50 x", r"50\%"), like(None, "%")
    (True, True, False, False)
    """
    if not isinstance(value, str) or not isinstance(pattern, str):
        return False
    first, *others = _pieces(pattern)
    text = _lower(value)
    if not others:
        return text == first
    *middle, last = others
    if len(text) < len(first) + len(last) or not text.startswith(first) or not text.endswith(last):
        return False
    # The leftmost place of each piece leaves most for the next: no backtracking, so no pattern is slow.
    place, end = len(first), len(text) - len(last)
    for piece in middle:
        place = text.find(piece, place, end)
        if place < 0:
            return False
        place += len(piece)
    return True


@lru_cache(maxsize=256)
def _pieces(pattern: str) -> tuple[str, ...]:
    """The texts between a pattern's percent signs, without escapes, in lower case."""
    pieces = [""]
    escaped = False
    for character in _lower(pattern):
        if escaped:
            pieces[-1] += character if character in "%\\" else f"\\{character}"
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "%":
            pieces.append("")
        else:
            pieces[-1] += character
    if escaped:
        pieces[-1] += "\\"
    return tuple(pieces)


_CAPITALS: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}


def _lower(text: str) -> str:
    """ASCII letters in lower case, all others as they are."""
    return text.lower() if text.isascii() else text.translate(_CAPITALS)
