"""Dates and times: read from ISO text, strictly, and brought to UTC."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo

__all__ = ["in_utc", "looks_like_date", "looks_like_datetime", "placed", "read_date", "read_datetime", "read_moment"]

_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?"
    r"(?:Z|[+-][0-9]{2}:?[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?"
)
_FINER = re.compile(r"\.[0-9]{6}[0-9]*[1-9]")


def looks_like_date(text: str) -> bool:
    """Whether the text has the form of a date, which need not exist."""
    return _DATE.fullmatch(text) is not None


def looks_like_datetime(text: str) -> bool:
    """Whether the text has the form of a date-time, which need not exist."""
    return _DATETIME.fullmatch(text) is not None


def read_date(text: str) -> date:
    """A date as ISO 8601 writes it, with dashes; else ``ValueError``.

    >>> read_date("2026-01-31")
    datetime.date(2026, 1, 31)
    """
    if not looks_like_date(text):
        raise ValueError("is no date; dates look like 2026-01-31")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"is no date: {error}") from None


def read_moment(text: str) -> datetime:
    """A date-time as ISO 8601 writes it, naive where it names no offset; a date is its midnight; else ``ValueError``.

    >>> read_moment("2026-01-01T10:00:00").isoformat()
    '2026-01-01T10:00:00'
    """
    if not looks_like_date(text) and not looks_like_datetime(text):
        raise ValueError("is no date-time; they look like 2026-01-31T18:30:00+00:00")
    if _FINER.search(text):
        raise ValueError("is finer than a microsecond")
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"is no date-time: {error}") from None


def read_datetime(text: str) -> datetime:
    """A date-time as a query writes it: as `read_moment` reads it, in UTC where it names no offset.

    >>> read_datetime("2026-01-01T10:00:00").isoformat()
    '2026-01-01T10:00:00+00:00'
    """
    found = read_moment(text)
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def placed(moment: datetime, zone: tzinfo | None) -> datetime:
    """A time without a zone, in the zone that is meant; ``ValueError`` where no clock there ever shows it.

    Of an hour that the clocks repeat it is in the first, or with ``fold=1`` in the second.

    >>> from zoneinfo import ZoneInfo
    >>> placed(datetime(2026, 3, 29, 2, 30), ZoneInfo("Europe/Berlin"))
    Traceback (most recent call last):
    ValueError: does not exist in Europe/Berlin, where clocks are put forward then
    """
    if zone is None or _offset(moment) is not None:
        return moment
    found = moment.replace(tzinfo=zone)
    if in_utc(found).astimezone(zone).replace(tzinfo=None, fold=0) != moment.replace(tzinfo=None, fold=0):
        raise ValueError(f"does not exist in {zone}, where clocks are put forward then")
    return found


def in_utc(moment: datetime) -> datetime:
    """The same instant in UTC, so that equal instants are equal values; ``ValueError`` where no zone says which it is.

    Times of two zones that meet in an hour which a clock repeats are never equal in Python, nor is such a time equal
    to itself in UTC. A zone may give no offset (``utcoffset() is None``): then the time is as naive as without it.

    >>> from datetime import timedelta, timezone
    >>> in_utc(datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))).isoformat()
    '2025-12-31T22:00:00+00:00'
    """
    if moment.tzinfo is UTC and not moment.fold:
        return moment
    offset = _offset(moment)
    if offset is None:
        raise ValueError("has no time zone")
    try:
        return (moment.replace(tzinfo=None, fold=0) - offset).replace(tzinfo=UTC)
    except OverflowError:
        raise ValueError("is outside of the years 1 to 9999 in UTC") from None


def _offset(moment: datetime) -> timedelta | None:
    try:
        return moment.utcoffset()
    except (NotImplementedError, TypeError, ValueError):
        # A zone of somebody's own that gives no usable offset is none.
        return None
