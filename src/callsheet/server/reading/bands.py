"""Bands of dates in SQL: the first day of the year, quarter, month or ISO week that a date is in."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import ColumnElement, literal
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from callsheet.errors import Invalid
from callsheet.model.measure import Level
from callsheet.model.schema import Attribute
from callsheet.server.store.columns import TEXT, Day
from callsheet.server.store.comparison import Value
from callsheet.server.store.sqlite_statistics import LOCAL_DAY

__all__ = ["banded", "check_zone"]


class _Band(FunctionElement[Any]):
    """The first day of a band; the argument is a date, as the database has it."""

    inherit_cache = True
    type = Day()
    sqlite, postgres = "", ""


class _Year(_Band):
    inherit_cache = True
    sqlite, postgres = "substr({0}, 1, 4) || '-01-01'", "date_trunc('year', {0})"


class _Quarter(_Band):
    inherit_cache = True
    sqlite = "substr({0}, 1, 5) || printf('%02d', (CAST(substr({0}, 6, 2) AS INTEGER) - 1) / 3 * 3 + 1) || '-01'"
    postgres = "date_trunc('quarter', {0})"


class _Month(_Band):
    inherit_cache = True
    sqlite, postgres = "substr({0}, 1, 7) || '-01'", "date_trunc('month', {0})"


class _Week(_Band):
    inherit_cache = True
    # Back to the day after last week's, then on to a Monday: no step leaves the years that SQLite knows.
    sqlite, postgres = "date({0}, '-6 days', 'weekday 1')", "date_trunc('week', {0})"


class _OfDay(_Band):
    inherit_cache = True
    sqlite, postgres = "substr({0}, 1, 10)", "date_trunc('day', {0})"


_BANDS: dict[str, type[_Band]] = {"year": _Year, "quarter": _Quarter, "month": _Month, "week": _Week, "day": _OfDay}


@compiles(_Band, "sqlite")
def _on_sqlite(element: _Band, compiler: Any, **options: Any) -> str:
    (day,) = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({element.sqlite.replace('{0}', day)})"


@compiles(_Band, "postgresql")
def _on_postgres(element: _Band, compiler: Any, **options: Any) -> str:
    (day,) = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({element.postgres.replace('{0}', day)}::date)"


class _LocalDay(FunctionElement[Any]):
    """The day of a moment by the calendar of a zone; on PostgreSQL a timestamp without a zone."""

    inherit_cache = True
    type = TEXT


@compiles(_LocalDay, "sqlite")
def _local_on_sqlite(element: _LocalDay, compiler: Any, **options: Any) -> str:
    moment, zone = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{LOCAL_DAY}({moment}, {zone})"


@compiles(_LocalDay, "postgresql")
def _local_on_postgres(element: _LocalDay, compiler: Any, **options: Any) -> str:
    moment, zone = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({moment}::timestamptz AT TIME ZONE {zone}::text)"


class _UtcDay(FunctionElement[Any]):
    """A date, or a moment by the calendar of UTC: on SQLite a text that begins with the day."""

    inherit_cache = True
    type = TEXT


@compiles(_UtcDay, "sqlite")
def _utc_on_sqlite(element: _UtcDay, compiler: Any, **options: Any) -> str:
    (moment,) = (compiler.process(clause, **options) for clause in element.clauses)
    return f"substr({moment}, 1, 10)"


@compiles(_UtcDay, "postgresql")
def _utc_on_postgres(element: _UtcDay, compiler: Any, **options: Any) -> str:
    (moment,) = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({moment}::timestamptz AT TIME ZONE 'UTC')"


class _PlainDay(FunctionElement[Any]):
    """A date, which on PostgreSQL becomes a timestamp, so that it has no zone."""

    inherit_cache = True
    type = TEXT


@compiles(_PlainDay, "sqlite")
def _plain_on_sqlite(element: _PlainDay, compiler: Any, **options: Any) -> str:
    (day,) = (compiler.process(clause, **options) for clause in element.clauses)
    return str(day)


@compiles(_PlainDay, "postgresql")
def _plain_on_postgres(element: _PlainDay, compiler: Any, **options: Any) -> str:
    (day,) = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({day}::timestamp)"


def banded(value: Value, level: Level) -> Value:
    """The value of a level, in its band if it has one."""
    if level.band is None:
        return value
    day: ColumnElement[Any]
    if value.attribute.data_type == "date":
        day = _PlainDay(value.expression)
    elif level.zone == "UTC":
        day = _UtcDay(value.expression)
    else:
        check_zone(level.zone)
        day = _LocalDay(value.expression, literal(level.zone, TEXT))
    return Value(_BANDS[level.band](day), Attribute(value.attribute.name, data_type="date"))


def check_zone(name: str) -> None:
    """Raise `Invalid` unless there is a time zone of this name."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Invalid(f"there is no time zone `{name:.80}`; zones have names like Europe/Berlin") from None
