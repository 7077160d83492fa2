"""Periods of the calendar: year, quarter, month, ISO week and day; each is named by its first day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from callsheet.errors import UsageError

__all__ = ["beginning", "first_day", "next_first_day"]


def first_day(day: date, band: str) -> date:
    """The first day of the period that a day is in.

    >>> first_day(date(2024, 5, 17), "quarter"), first_day(date(2024, 5, 17), "week")
    (datetime.date(2024, 4, 1), datetime.date(2024, 5, 13))
    """
    if band == "year":
        return day.replace(month=1, day=1)
    if band == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    if band == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if band == "week" else day


def next_first_day(first: date, band: str) -> date | None:
    """The first day of the period after the one that begins at a day; None after the last that there is.

    >>> next_first_day(date(2024, 12, 1), "month"), next_first_day(date(9999, 1, 1), "year")
    (datetime.date(2025, 1, 1), None)
    """
    if band in ("week", "day"):
        step = timedelta(days=7 if band == "week" else 1)
        return first + step if date.max - first >= step else None
    months = {"year": 12, "quarter": 3}.get(band, 1) + first.month - 1
    year = first.year + months // 12
    return first.replace(year=year, month=months % 12 + 1) if year <= date.max.year else None


def beginning(day: date, zone: str) -> datetime | None:
    """The moment at which a day begins in a zone; None if it is outside of the calendar.

    >>> beginning(date(2024, 7, 1), "Europe/Berlin").isoformat()
    '2024-06-30T22:00:00+00:00'
    """
    try:
        return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    except OverflowError:
        return None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise UsageError(f"there is no time zone `{zone:.80}`; zones have names like Europe/Berlin") from None
