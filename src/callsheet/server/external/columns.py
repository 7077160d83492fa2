"""Columns of other databases as values of ours: a text is compared by code points, a time is in UTC.

Each column has a *form*, found when the table is described (``forms.py``); `value_of` writes the expression that reads
it. What a schema's data types cannot say stays visible as an error or as None, never as another number:

=====================  ================================================================================
form                   read as
=====================  ================================================================================
text, words            string; ``words`` are UUIDs, enumerations and addresses, which become texts
whole                  integer; an error if it has more than 64 bits with its sign
number                 number: a float with 64 bits; infinite ones and NaN are errors
truth                  boolean
day, moment            date, datetime; ``zoneless`` moments are in UTC
json                   json
=====================  ================================================================================

MariaDB's dates that are none (``0000-00-00``) are None, and so are values of SQLite whose type is not their column's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Dialect,
    Double,
    Text,
    case,
    cast,
    collate,
    func,
    literal_column,
    type_coerce,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeDecorator, TypeEngine

from callsheet.errors import Invalid
from callsheet.model.scalar import INTEGER_LIMIT
from callsheet.server.store.columns import NUMBER, TEXT, Day, Json, Moment, Truth, day, moment
from callsheet.server.store.sql_template import SqlTemplate

__all__ = ["SQLITE_FUNCTIONS", "value_of"]

Column = ColumnElement[Any]


class Whole(TypeDecorator[int]):
    """An integer of 64 bits; larger ones, which some databases have, are errors when they are read."""

    impl = BigInteger
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        return _whole


class Finite(TypeDecorator[float]):
    """A float; NaN and infinity, which JSON does not have, are errors when they are read."""

    impl = Double
    cache_ok = True

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        return _finite


def _whole(value: Any) -> int | None:
    if value is None:
        return None
    found = int(value)
    if not -INTEGER_LIMIT <= found < INTEGER_LIMIT:
        raise Invalid(f"the external database holds {found}, which is larger than 64 bits with a sign")
    return found


def _finite(value: Any) -> float | None:
    if value is None:
        return None
    found = float(value)
    if not math.isfinite(found):
        raise Invalid(f"the external database holds {found}, which is no number here; leave such rows out")
    return found


WHOLE, FINITE = Whole(), Finite()


class _MariaText(SqlTemplate):
    inherit_cache = True
    type = TEXT
    mariadb = "(CONVERT({0} USING utf8mb4) COLLATE utf8mb4_nopad_bin)"


class _MariaWords(SqlTemplate):
    inherit_cache = True
    type = TEXT
    mariadb = "(CONVERT(CAST({0} AS CHAR) USING utf8mb4) COLLATE utf8mb4_nopad_bin)"


class _MariaDay(SqlTemplate):
    """A date that a calendar has."""

    inherit_cache = True
    type = Day()
    mariadb = "(CASE WHEN year({0}) > 0 AND dayofmonth({0}) > 0 AND CAST({0} AS DATE) <= last_day({0}) THEN {0} END)"


class _MariaMoment(SqlTemplate):
    inherit_cache = True
    type = Moment()
    mariadb = _MariaDay.mariadb


def value_of(engine: str, column: Column, form: str) -> Column:
    """The expression of a column's values, in the types of a schema."""
    return _READERS[engine][form](column)


def _plain(kind: TypeEngine[Any]) -> Callable[[Column], Column]:
    return lambda column: type_coerce(column, kind)


def _as(kind: TypeEngine[Any], result: TypeEngine[Any]) -> Callable[[Column], Column]:
    return lambda column: type_coerce(cast(column, kind), result)


def _bytewise(column: Column) -> Column:
    return type_coerce(collate(type_coerce(column, Text()), "C"), TEXT)


def _in_utc(column: Column) -> Column:
    return func.timezone(literal_column("'UTC'"), column, type_=Moment())


def _typed(kinds: str, read: Callable[[Column], Column], result: TypeEngine[Any]) -> Callable[[Column], Column]:
    """SQLite's values of some types; others are None."""
    names = [each.strip() for each in kinds.split(",")]

    def found(column: Column) -> Column:
        right = func.typeof(column).in_([literal_column(f"'{name}'") for name in names])
        return type_coerce(case((right, read(column))), result)

    return found


def _sqlite_text(column: Column) -> Column:
    return type_coerce(collate(cast(column, Text()), "BINARY"), TEXT)


_POSTGRES: dict[str, Callable[[Column], Column]] = {
    "text": _bytewise,
    "words": lambda column: _bytewise(cast(column, Text())),
    "whole": _as(BigInteger(), WHOLE),
    "number": _as(Double(), FINITE),
    "truth": _plain(Truth()),
    "day": _plain(Day()),
    "moment": _plain(Moment()),
    "zoneless": _in_utc,
    "json": _as(postgresql.JSONB(), Json()),
}
_READERS: dict[str, dict[str, Callable[[Column], Column]]] = {
    "postgresql": _POSTGRES,
    "duckdb": {
        **_POSTGRES,
        "text": _plain(TEXT),
        "words": _as(Text(), TEXT),
        "whole": _plain(WHOLE),
    },
    "mariadb": {
        "text": _MariaText,
        "words": _MariaWords,
        "whole": _plain(WHOLE),
        "number": _as(Double(), FINITE),
        "truth": lambda column: type_coerce(column != literal_column("0"), Truth()),
        "day": _MariaDay,
        "moment": _MariaMoment,
        "zoneless": _MariaMoment,
    },
    "sqlite": {
        "text": _typed("text, integer, real", _sqlite_text, TEXT),
        "words": _typed("text, integer, real", _sqlite_text, TEXT),
        "whole": _typed("integer", lambda column: column, WHOLE),
        "number": _typed("integer, real", lambda column: cast(column, NUMBER), FINITE),
        "truth": _typed("integer", lambda column: column != literal_column("0"), Truth()),
        "day": lambda column: func.callsheet_day(column, type_=Day()),
        "moment": lambda column: func.callsheet_moment(column, type_=Moment()),
        "zoneless": lambda column: func.callsheet_moment(column, type_=Moment()),
    },
}


def _sqlite_day(value: Any) -> str | None:
    try:
        return day(date.fromisoformat(value[:10])) if isinstance(value, str) else None
    except ValueError:
        return None


def _sqlite_moment(value: Any) -> str | None:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        return None if found is None else moment(found if found.tzinfo else found.replace(tzinfo=UTC))
    except (ValueError, Invalid):
        return None


SQLITE_FUNCTIONS: dict[str, Callable[[Any], str | None]] = {
    "callsheet_day": _sqlite_day,
    "callsheet_moment": _sqlite_moment,
}
"""What SQLite has no functions for: each takes one value."""
