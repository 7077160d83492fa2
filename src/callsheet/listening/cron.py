"""When a schedule is due: cron expressions in a time zone, by the package cronsim.

As in Debian's cron, clock changes go by what is fixed. If neither minute nor hour begins with ``*``, a time that a
clock change leaves out is due at the first moment after the gap, and one that exists twice is due the first time only.
Any other expression follows the clock on the wall: what is left out is not due, what exists twice is due twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from callsheet.errors import UsageError
from callsheet.model.schema import did_you_mean

__all__ = ["check_cron", "is_there", "latest", "ticks", "zone_of"]

LENGTH = 200
FIELDS = "minute hour day-of-month month day-of-week"
_SPANS = tuple(timedelta(hours=hours) for hours in (1, 24, 32 * 24, 366 * 24, 9 * 366 * 24))


def is_there() -> bool:
    """Whether the package that reads cron expressions is installed."""
    from importlib.util import find_spec

    return find_spec("cronsim") is not None


def check_cron(whose: str, expression: str, zone: str) -> None:
    """Raise `UsageError` for an expression or a zone that cannot be read, and for one that is never due."""
    if not isinstance(expression, str) or len(expression) > LENGTH or len(expression.split()) != 5:
        raise UsageError(
            f'{whose}: {expression!r:.80} is no cron expression: that is five fields, {FIELDS}, as in "0 2 * * mon-fri"'
        )
    zone_of(whose, zone)
    if not is_there():
        raise UsageError(f"{whose}: schedules need the extra `schedule`: pip install 'callsheet[schedule]'")
    from cronsim import CronSimError

    try:
        first = next(ticks(expression, zone, datetime.now(UTC)), None)
    except CronSimError as error:
        reason = str(error).removeprefix("Bad ")
        raise UsageError(f"{whose}: the {reason} of the cron expression {expression!r} cannot be read") from None
    if first is None:
        raise UsageError(f"{whose}: the cron expression {expression!r} is due on no day of the next fifty years")


def zone_of(whose: str, zone: str) -> ZoneInfo:
    """The time zone of a name. Raises `UsageError` for a name that no zone has."""
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        hint = did_you_mean(zone, available_timezones()) if isinstance(zone, str) else ""
        raise UsageError(f"{whose}: there is no time zone {zone!r:.80}{hint}") from None


def ticks(expression: str, zone: str, after: datetime) -> Iterator[datetime]:
    """The moments after a moment at which an expression is due, each once, in the zone.

    >>> found = ticks("0 2 * * mon-fri", "Europe/Stockholm", datetime(2026, 11, 27, 12, tzinfo=UTC))
    >>> [str(next(found)), str(next(found))]
    ['2026-11-30 02:00:00+01:00', '2026-12-01 02:00:00+01:00']
    """
    from cronsim import CronSim

    last = after.astimezone(UTC)
    for found in CronSim(expression, after.astimezone(ZoneInfo(zone))):
        # Two times of a gap are one moment, and a search that begins in a repeated hour may find the hour before.
        if (moment := found.astimezone(UTC)) > last:
            last = moment
            yield found


def latest(expression: str, zone: str, after: datetime, until: datetime) -> datetime | None:
    """The last moment at which an expression is due, after one moment and until another; None where there is none.

    >>> week_ago, now = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 29, 12, tzinfo=UTC)
    >>> str(latest("0 2 * * mon-fri", "Europe/Stockholm", week_ago, now))
    '2026-11-27 02:00:00+01:00'
    """
    for span in (*_SPANS, until - after):
        start = max(after, until - span)
        found = None
        for each in ticks(expression, zone, start):
            if each > until:
                break
            found = each
        if found is not None or start == after:
            return found
    return None
