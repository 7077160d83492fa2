"""The times of schedules: cron expressions in a time zone, by the package cronsim.

Clock changes are handled as in Debian's cron. If neither minute nor hour begins with ``*``, a time that a clock change
skips is due at the first moment after the gap, and a repeated time is due only the first time. Any other expression
follows the wall clock: a skipped time is not due, and a repeated time is due twice.
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
    """Whether the package cronsim is installed."""
    from importlib.util import find_spec

    return find_spec("cronsim") is not None


def check_cron(whose: str, expression: str, zone: str) -> None:
    """Raise `UsageError` for an invalid expression or time zone, and for an expression that is never due."""
    if not isinstance(expression, str) or len(expression) > LENGTH or len(expression.split()) != 5:
        raise UsageError(
            f"{whose}: {expression!r:.80} is not a cron expression, which has five fields: {FIELDS}, as in "
            '"0 2 * * mon-fri"'
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
    """The time zone of a name. Raises `UsageError` if there is none."""
    try:
        return ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        hint = did_you_mean(zone, available_timezones()) if isinstance(zone, str) else ""
        raise UsageError(f"{whose}: there is no time zone {zone!r:.80}{hint}") from None


def ticks(expression: str, zone: str, after: datetime) -> Iterator[datetime]:
    """The times at which an expression is due, after a time, each once, in the zone.

    >>> found = ticks("0 2 * * mon-fri", "Europe/Stockholm", datetime(2026, 11, 27, 12, tzinfo=UTC))
    >>> [str(next(found)), str(next(found))]
    ['2026-11-30 02:00:00+01:00', '2026-12-01 02:00:00+01:00']
    """
    from cronsim import CronSim

    last = after.astimezone(UTC)
    for found in CronSim(expression, after.astimezone(ZoneInfo(zone))):
        # Two skipped times are the same moment, and a search in a repeated hour may find an earlier moment.
        if (moment := found.astimezone(UTC)) > last:
            last = moment
            yield found


def latest(expression: str, zone: str, after: datetime, until: datetime) -> datetime | None:
    """The last time at which an expression is due, after one time and until another; None if there is none.

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
