"""Dates: parts of them, sums, differences and names."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.formats import format_value
from callsheet.analytics.mdx.functions.texts import of_values
from callsheet.analytics.mdx.registry import mdx_function
from callsheet.analytics.mdx.values import as_text, whole

__all__: list[str] = []


@mdx_function("Now()", "CurrentDateString(text?)")
def now(evaluation: Evaluation, context: Context, pattern: str | None = None) -> Any:
    """The present date and time; by a format, as text."""
    return format_value(evaluation.now, pattern) if pattern else evaluation.now


@mdx_function("Date()")
def today(evaluation: Evaluation, context: Context) -> dt.datetime:
    """The present date."""
    return dt.datetime(evaluation.now.year, evaluation.now.month, evaluation.now.day)


@mdx_function("Time()")
def time_of_day(evaluation: Evaluation, context: Context) -> dt.datetime:
    """The present time of the day."""
    return _at(evaluation.now.hour, evaluation.now.minute, evaluation.now.second)


@mdx_function("Timer()")
def seconds_of_day(evaluation: Evaluation, context: Context) -> float:
    """The seconds since midnight."""
    now = evaluation.now
    return now.hour * 3600 + now.minute * 60 + now.second + now.microsecond / 1_000_000


_DAY_OF_TIMES = dt.datetime(1899, 12, 30)


def _at(hour: int, minute: int, second: int) -> dt.datetime:
    return _DAY_OF_TIMES + dt.timedelta(hours=hour, minutes=minute, seconds=second)


@of_values("TimeSerial(number, number, number)")
def time_serial(hour: float | None, minute: float | None, second: float | None) -> dt.datetime:
    """The time of an hour, a minute and a second."""
    return _at(whole(hour), whole(minute), whole(second))


@of_values("TimeValue(value)")
def time_value(value: Any) -> dt.datetime:
    """The time that a text is."""
    moment = _moment(value) if not isinstance(value, str) or "-" in value else _moment(f"1899-12-30 {value.strip()}")
    return _at(moment.hour, moment.minute, moment.second)


@of_values("IsDate(value)")
def is_date(value: Any) -> bool:
    """True for a date, and for a text that is one."""
    try:
        _moment(value)
    except ValueError:
        return False
    return True


@of_values("CDate(value)")
def to_date(value: Any) -> dt.datetime:
    """As a date: what a text says, or so many days after the end of 1899."""
    if isinstance(value, int | float):
        return _DAY_OF_TIMES + dt.timedelta(days=float(value))
    return _moment(value)


@of_values("DatePart(text, value)")
def date_part(unit: str | None, value: Any) -> int:
    """A part of a date, by its unit as in DateAdd; ``y`` is the day of the year, ``w`` that of the week."""
    moment, unit = _moment(value), (unit or "").lower()
    parts: dict[str, Callable[[], int]] = {
        "yyyy": lambda: moment.year, "q": lambda: (moment.month + 2) // 3, "m": lambda: moment.month,
        "y": lambda: moment.timetuple().tm_yday, "d": lambda: moment.day, "w": lambda: moment.isoweekday() % 7 + 1,
        "ww": lambda: _week(moment), "h": lambda: moment.hour, "n": lambda: moment.minute, "s": lambda: moment.second,
    }  # fmt: skip
    if unit not in parts:
        raise ValueError(f"`{unit}` is no unit; they are {', '.join(parts)}")
    return parts[unit]()


def _week(moment: dt.datetime) -> int:
    """The week that begins on Sunday; 1 has the first of January."""
    first = dt.datetime(moment.year, 1, 1)
    return (moment.timetuple().tm_yday - 1 + first.isoweekday() % 7) // 7 + 1


_STYLES = ("General Date", "Long Date", "Short Date", "Long Time", "Short Time")


@of_values("FormatDateTime(value, number?)")
def date_text(value: Any, style: float | None = 0) -> str:
    """A date as text: 0 general, 1 a long date, 2 a short one, 3 a long time, 4 a short one."""
    place = whole(style)
    if not 0 <= place < len(_STYLES):
        raise ValueError("the style is a number from 0 to 4")
    return format_value(_moment(value), _STYLES[place])


@of_values("DateSerial(number, number, number)")
def date_serial(year: float, month: float, day: float) -> dt.datetime:
    """The date of a year, a month and a day."""
    months = whole(year) * 12 + whole(month) - 1
    # A month 13 is in the next year, a day 0 the last of the month before.
    return dt.datetime(months // 12, months % 12 + 1, 1) + dt.timedelta(days=whole(day) - 1)


for _part in ("Year", "Month", "Day", "Hour", "Minute", "Second"):

    def _part_of(value: Any, part: str = _part) -> int:
        if not isinstance(value, dt.datetime | dt.date):
            value = dt.datetime.fromisoformat(as_text(value))
        return int(getattr(value, part.lower()))

    _part_of.__doc__ = f"The {_part.lower()} of a date."
    of_values(f"{_part}(value)")(_part_of)


_UNITS = {"yyyy": 12, "q": 3, "m": 1}
_SPANS = {"d": 86400, "y": 86400, "w": 86400, "ww": 7 * 86400, "h": 3600, "n": 60, "s": 1}


def _moment(value: Any) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value.replace(tzinfo=None)
    text = value.isoformat() if isinstance(value, dt.date) else as_text(value)
    named = _written(text)
    if named is not None:
        return named
    # Dates of a cube are those of a calendar; with and without a zone they could not be compared.
    return dt.datetime.fromisoformat(text).replace(tzinfo=None)


_WRITTEN = ("%m/%d/%Y", "%m/%d/%y", "%b %d, %Y", "%B %d, %Y", "%d %b %Y", "%d %B %Y", "%d-%b-%Y")


def _written(text: str) -> dt.datetime | None:
    """A date as people write it, such as ``April 29, 2006``; None if it is in digits, the year first."""
    for form in _WRITTEN:
        try:
            return dt.datetime.strptime(text.strip(), form)
        except ValueError:
            continue
    return None


@of_values("DateAdd(text, number, value)")
def date_add(unit: str | None, count: float, value: Any) -> dt.datetime:
    """A date so many units later: ``yyyy``, ``q``, ``m``, ``d``, ``ww``, ``h``, ``n`` or ``s``."""
    unit, moment, number = (unit or "").lower(), _moment(value), whole(count)
    if unit in _UNITS:
        months = moment.year * 12 + moment.month - 1 + number * _UNITS[unit]
        year, month = divmod(months, 12)
        last = (dt.date(year + (month == 11), (month + 1) % 12 + 1, 1) - dt.timedelta(days=1)).day
        return moment.replace(year=year, month=month + 1, day=min(moment.day, last))
    return moment + dt.timedelta(seconds=_span(unit) * number)


@of_values("DateDiff(text, value, value)")
def date_difference(unit: str | None, one: Any, two: Any) -> int:
    """How many units lie between two dates."""
    unit, first, second = (unit or "").lower(), _moment(one), _moment(two)
    if unit in _UNITS:
        size = _UNITS[unit]
        return (second.year * 12 + second.month - 1) // size - (first.year * 12 + first.month - 1) // size
    if unit in ("d", "y"):
        return (second.date() - first.date()).days
    return int((second - first).total_seconds() // _span(unit))


def _span(unit: str) -> int:
    if unit not in _SPANS:
        raise ValueError(f"`{unit}` is no unit; they are {', '.join([*_UNITS, *_SPANS])}")
    return _SPANS[unit]


@of_values("DateValue(value)")
def date_value(value: Any) -> dt.datetime:
    """The date that a text is."""
    return _moment(value)


@of_values("Weekday(value, number?)")
def weekday(value: Any, first: float | None = 1) -> int:
    """The day of the week, 1 to 7; the week begins on Sunday, or on another day."""
    return (_moment(value).isoweekday() % 7 - ((whole(first) or 1) - 1)) % 7 + 1


@of_values("MonthName(number, truth?)")
def month_name(month: float, short: bool = False) -> str:
    """The name of a month."""
    name = f"{dt.date(2000, whole(month), 1):%B}"
    return name[:3] if short else name


@of_values("WeekdayName(number, truth?)")
def weekday_name(day: float, short: bool = False) -> str:
    """The name of a day of the week, 1 is Sunday."""
    name = f"{dt.date(2000, 1, 1) + dt.timedelta(days=(whole(day) or 1)):%A}"
    return name[:3] if short else name
