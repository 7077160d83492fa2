"""Dates as text, by format strings in the manner of Visual Basic: ``yyyy-mm-dd hh:nn``."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

__all__ = ["format_date", "is_date_format"]

_NAMED = {
    "general date": "m/d/yyyy h:nn:ss AM/PM", "long date": "dddd, mmmm dd, yyyy", "medium date": "dd-mmm-yy",
    "short date": "m/d/yy", "long time": "h:nn:ss AM/PM", "medium time": "h:nn AM/PM", "short time": "hh:nn",
}  # fmt: skip
_PART = re.compile(
    r'"[^"]*"|\\.|AM/PM|am/pm|A/P|a/p|yyyy|yy|y|mmmm|mmm|mm|m|dddd|ddd|dd|d|hh|h|nn|n|ss|s|q|ww|w|.', re.I
)
_EPOCH = dt.datetime(1899, 12, 30)

_PARTS: dict[str, Callable[[dt.datetime], str]] = {
    "yyyy": lambda at: f"{at.year:04}", "yy": lambda at: f"{at.year % 100:02}",
    "y": lambda at: str(at.timetuple().tm_yday),
    "mmmm": lambda at: f"{at:%B}", "mmm": lambda at: f"{at:%b}", "mm": lambda at: f"{at.month:02}",
    "m": lambda at: str(at.month), "dddd": lambda at: f"{at:%A}", "ddd": lambda at: f"{at:%a}",
    "dd": lambda at: f"{at.day:02}", "d": lambda at: str(at.day), "nn": lambda at: f"{at.minute:02}",
    "n": lambda at: str(at.minute), "ss": lambda at: f"{at.second:02}", "s": lambda at: str(at.second),
    "q": lambda at: str((at.month + 2) // 3), "w": lambda at: str(at.isoweekday() % 7 + 1),
    "ww": lambda at: str(at.isocalendar()[1]),
}  # fmt: skip


def is_date_format(pattern: str) -> bool:
    """True if a pattern formats dates, not numbers.

    >>> is_date_format("yyyy-mm-dd"), is_date_format("#,##0.00")
    (True, False)
    """
    if pattern.strip().lower() in _NAMED:
        return True
    plain = re.sub(r'"[^"]*"|\\.', "", pattern)
    return not re.search("[0#]", plain) and bool(re.search(r"yy|mmm|dd|hh|nn|ss|[mdyhq]\W", plain + " ", re.I))


def format_date(value: Any, pattern: str) -> str:
    """A date, or a number of days since the end of 1899, as text.

    >>> format_date(dt.date(1997, 3, 5), "d mmm yyyy")
    '5 Mar 1997'
    """
    moment = _moment(value)
    pattern = _NAMED.get(pattern.strip().lower(), pattern)
    parts = _PART.findall(pattern)
    twelve = any(part.lower() in ("am/pm", "a/p") for part in parts)
    shown, hours_before = [], False
    for part in parts:
        low = part.lower()
        if low in ("h", "hh"):
            hour = (moment.hour - 1) % 12 + 1 if twelve else moment.hour
            shown.append(f"{hour:02}" if low == "hh" else str(hour))
        elif low in ("m", "mm") and hours_before:
            shown.append(_PARTS["n" * len(low)](moment))
        elif low in ("am/pm", "a/p"):
            shown.append(part.split("/")[moment.hour >= 12])
        else:
            shown.append(_PARTS[low](moment) if low in _PARTS else part.strip('"').removeprefix("\\"))
        hours_before = low in ("h", "hh") or (hours_before and not low.isalpha())
    return "".join(shown)


def _moment(value: Any) -> dt.datetime:
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day)
    return _EPOCH + dt.timedelta(days=float(value))
