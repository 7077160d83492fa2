"""Moments as people write them on the command line: ISO texts in the local zone, and how long ago."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import click

__all__ = ["read_moment"]

_AGO = re.compile(r"(\d{1,6})\s*([mhdw])\Z")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_moment(text: str, now: datetime) -> datetime:
    """The moment that a text means; `now` has a zone, which texts without one are in.

    >>> from datetime import UTC
    >>> now = datetime(2026, 2, 1, 12, tzinfo=UTC)
    >>> read_moment("2d", now).isoformat(), read_moment("2026-01-31", now).isoformat()
    ('2026-01-30T12:00:00+00:00', '2026-01-31T00:00:00+00:00')
    """
    ago = _AGO.match(text.strip())
    try:
        if ago is not None:
            return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        found = datetime.fromisoformat(text.strip())
    except (ValueError, OverflowError):
        raise click.BadParameter(
            f"{text!r:.80} is no moment: write 2026-01-31, 2026-01-31T18:30, or how long ago: 30m, 12h, 2d, 1w"
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=now.tzinfo)
