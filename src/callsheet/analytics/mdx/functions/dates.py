"""Dates: parts of them, sums, differences and names."""

from __future__ import annotations

import datetime as dt
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


@of_values("DateSerial(number, number, number)")
def date_serial(year: float, month: float, day: float) -> dt.datetime:
    """The date of a year, a month and a day."""
    return dt.datetime(whole(year), whole(month), whole(day))


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
    # Dates of a cube are those of a calendar; with and without a zone they could not be compared.
    return dt.datetime.fromisoformat(text).replace(tzinfo=None)


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
