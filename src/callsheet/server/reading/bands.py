"""Bands of dates in SQL: the first day of the year, quarter, month or ISO week that a date is in."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import ColumnElement, literal

from callsheet.errors import Invalid
from callsheet.model.measure import Level
from callsheet.model.schema import Attribute
from callsheet.server.store.columns import TEXT, Day
from callsheet.server.store.comparison import Value
from callsheet.server.store.sql_template import SqlTemplate
from callsheet.server.store.sqlite_statistics import LOCAL_DAY

__all__ = ["banded", "check_zone"]


class _Band(SqlTemplate):
    """The first day of a band; the argument is a date, as the database has it."""

    inherit_cache = True
    type = Day()


class _Year(_Band):
    inherit_cache = True
    sqlite, postgres = "(substr({0}, 1, 4) || '-01-01')", "(date_trunc('year', {0})::date)"
    mariadb = "(CAST({0} AS DATE) - INTERVAL (dayofyear({0}) - 1) DAY)"


class _Quarter(_Band):
    inherit_cache = True
    sqlite = "(substr({0}, 1, 5) || printf('%02d', (CAST(substr({0}, 6, 2) AS INTEGER) - 1) / 3 * 3 + 1) || '-01')"
    postgres = "(date_trunc('quarter', {0})::date)"
    mariadb = "(CAST({0} AS DATE) - INTERVAL (dayofmonth({0}) - 1) DAY - INTERVAL mod(month({0}) - 1, 3) MONTH)"


class _Month(_Band):
    inherit_cache = True
    sqlite, postgres = "(substr({0}, 1, 7) || '-01')", "(date_trunc('month', {0})::date)"
    mariadb = "(CAST({0} AS DATE) - INTERVAL (dayofmonth({0}) - 1) DAY)"


class _Week(_Band):
    inherit_cache = True
    # Back to the day after last week's, then on to a Monday: no step leaves the years that SQLite knows.
    sqlite, postgres = "date({0}, '-6 days', 'weekday 1')", "(date_trunc('week', {0})::date)"
    mariadb = "(CAST({0} AS DATE) - INTERVAL weekday({0}) DAY)"


class _OfDay(_Band):
    inherit_cache = True
    sqlite, postgres = "substr({0}, 1, 10)", "(date_trunc('day', {0})::date)"
    mariadb = "CAST({0} AS DATE)"


_BANDS: dict[str, type[_Band]] = {"year": _Year, "quarter": _Quarter, "month": _Month, "week": _Week, "day": _OfDay}


class _LocalDay(SqlTemplate):
    """The day of a moment by the calendar of a zone; on PostgreSQL a timestamp without a zone."""

    inherit_cache = True
    type = TEXT
    sqlite, postgres = f"{LOCAL_DAY}({{0}}, {{1}})", "({0}::timestamptz AT TIME ZONE {1}::text)"
    meaning = "days of a time zone other than UTC"


class _UtcDay(SqlTemplate):
    """A moment by the calendar of UTC: on SQLite a text that begins with the day."""

    inherit_cache = True
    type = TEXT
    sqlite, postgres = "substr({0}, 1, 10)", "({0}::timestamptz AT TIME ZONE 'UTC')"
    mariadb = "{0}"


class _PlainDay(SqlTemplate):
    """A date, which on PostgreSQL becomes a timestamp, so that it has no zone."""

    inherit_cache = True
    type = TEXT
    sqlite, postgres = "{0}", "({0}::timestamp)"
    mariadb = duckdb = "{0}"


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
