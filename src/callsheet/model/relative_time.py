"""A time relative to now, as a literal of conditions: seven days ago, the start of this month in Berlin.

It stays relative in a query, so that a stored query keeps its meaning, and becomes a time by the clock of the server
that answers. In text it is ``now(-7 days)``, in JSON ``{"__time__": {"__days__": -7}}``, in Python ``now(days=-7)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Final

from attrs import evolve, field, fields, frozen

from callsheet.errors import QueryError
from callsheet.model.scalar import shown
from callsheet.model.schema import did_you_mean

__all__ = ["MOST", "STARTS", "UNITS", "RelativeTime", "now"]

#: From the longest to the shortest.
UNITS: Final = ("years", "months", "weeks", "days", "hours", "minutes", "seconds")
STARTS: Final = ("year", "month", "week", "day", "hour", "minute")
#: The largest number of any unit, about that many seconds in 300 years.
MOST: Final = 10_000_000_000
_CALENDAR: Final = UNITS[:4]
_EARLIEST, _LATEST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


def _whole(instance: RelativeTime, attribute: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not -MOST <= value <= MOST:
        raise QueryError(f"{attribute.name} is a whole number, at most {MOST:,}, not {shown(value)}")


def _start(instance: RelativeTime, attribute: Any, value: Any) -> None:
    if value != "" and value not in STARTS:
        near = did_you_mean(value, STARTS) if isinstance(value, str) else ""
        raise QueryError(f"a time starts with a {', '.join(STARTS)}, not with {shown(value)}{near}")


def _zone(instance: RelativeTime, attribute: Any, value: Any) -> None:
    if value != "":
        zone_of(value)


@frozen
class RelativeTime:
    """So many units before or after now.

    First the time is set to the ``start`` of the year, month, week (Monday), day, hour or minute, then the units are
    added, from the years to the seconds. Years to days count on the calendar and the clock of the ``zone`` (a name of
    the IANA database; else UTC): a day later is the same hour, also where the clock changed. The 31st of a month that
    has fewer days is its last day.

    ``is_date`` says that an attribute without a time of day is compared; `check` sets it.

    >>> RelativeTime(days=-7).at(datetime(2026, 3, 31, 12, tzinfo=UTC)).isoformat()
    '2026-03-24T12:00:00+00:00'
    >>> RelativeTime(months=-1, start="day", zone="Europe/Berlin").at(datetime(2026, 3, 31, 12, tzinfo=UTC)).isoformat()
    '2026-02-27T23:00:00+00:00'
    """

    years: int = field(default=0, validator=_whole)
    months: int = field(default=0, validator=_whole)
    weeks: int = field(default=0, validator=_whole)
    days: int = field(default=0, validator=_whole)
    hours: int = field(default=0, validator=_whole)
    minutes: int = field(default=0, validator=_whole)
    seconds: int = field(default=0, validator=_whole)
    start: str = field(default="", validator=_start)
    zone: str = field(default="", validator=_zone)
    is_date: bool = field(default=False, eq=False)

    @property
    def units(self) -> Iterator[tuple[str, int]]:
        """The units that are not zero."""
        return ((unit, number) for unit in UNITS if (number := getattr(self, unit)))

    @property
    def direction(self) -> int:
        """-1 for a time that cannot be after now, 1 for one that cannot be before; 0 where that depends."""
        signs = {-1 if number < 0 else 1 for _, number in self.units}
        if self.start:
            signs.add(-1)
        return signs.pop() if len(signs) == 1 else 0

    def at(self, moment: datetime) -> datetime | date:
        """The time, in UTC, when it is ``moment`` now; the day in the zone, for an attribute that holds dates."""
        try:
            there = self._there(moment.astimezone(zone_of(self.zone)))
            found = there.astimezone(UTC)
        except (OverflowError, ValueError):
            found = there = _LATEST if self._seconds() > 0 else _EARLIEST
        return there.date() if self.is_date else min(max(found, _EARLIEST), _LATEST)

    def _there(self, moment: datetime) -> datetime:
        zone = moment.tzinfo
        local = _started(moment, self.start)
        if any(getattr(self, unit) for unit in _CALENDAR) or self.start in ("day", "week", "month", "year"):
            clock = _months_later(local.replace(tzinfo=None), self.years * 12 + self.months)
            # Through UTC and back: a time that the clocks skip becomes the one that they show instead.
            local = (clock + timedelta(weeks=self.weeks, days=self.days)).replace(tzinfo=zone).astimezone(UTC)
        exact = local.astimezone(UTC) + timedelta(hours=self.hours, minutes=self.minutes, seconds=self.seconds)
        return exact.astimezone(zone)

    def _seconds(self) -> int:
        """About how far from now it is."""
        sizes = (31_556_952, 2_629_746, 604_800, 86_400, 3_600, 60, 1)
        return sum(getattr(self, unit) * size for unit, size in zip(UNITS, sizes))

    def for_dates(self) -> RelativeTime:
        """The same, to be compared with dates."""
        return self if self.is_date else evolve(self, is_date=True)


def now(**units: Any) -> RelativeTime:
    """A time relative to now, for conditions; see `RelativeTime`.

    >>> now(days=-7, start="day").days
    -7
    """
    names = [each.name for each in fields(RelativeTime) if each.name != "is_date"]
    for name in units:
        if name not in names:
            raise QueryError(f"a time has no `{name}`{did_you_mean(name, names)}", hint=", ".join(names))
    return RelativeTime(**units)


def zone_of(name: str) -> tzinfo:
    """The time zone of a name; UTC where there is none."""
    if not name:
        return UTC
    from zoneinfo import ZoneInfo

    try:
        if not isinstance(name, str) or len(name) > 100:
            raise ValueError
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise QueryError(f"there is no time zone {shown(name)}", hint="like `Europe/Berlin`, or `UTC`") from None


def _started(moment: datetime, start: str) -> datetime:
    if not start:
        return moment
    moment = moment.replace(second=0, microsecond=0)
    if start == "minute":
        return moment
    moment = moment.replace(minute=0)
    if start == "hour":
        return moment
    moment = moment.replace(hour=0)
    if start == "week":
        return moment - timedelta(days=moment.weekday())
    if start == "month":
        return moment.replace(day=1)
    return moment.replace(month=1, day=1) if start == "year" else moment


def _months_later(moment: datetime, months: int) -> datetime:
    if not months:
        return moment
    from calendar import monthrange

    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))
