"""What is in a period of the calendar, as a condition."""

from __future__ import annotations

from datetime import date
from typing import Any

from callsheet.errors import UsageError
from callsheet.model.measure import BANDS
from callsheet.model.periods import beginning, first_day, next_first_day
from callsheet.model.query import And, Comparison, Condition, Path

__all__ = ["in_period"]


def in_period(path: Path, band: str, first: date | None, kind: str) -> Condition:
    """What is in the period that begins on a day, or has no date; ``kind`` is that of the attribute.

    >>> in_period(Path.of("due_date"), "month", date(2026, 2, 1), "date").conditions[1].value
    datetime.date(2026, 3, 1)
    """
    if band not in BANDS:
        raise UsageError(f"there is no band `{band:.40}`: {', '.join(BANDS)}")
    if first is None:
        return Comparison(path, "=", None)
    if first != first_day(first, band):
        raise UsageError(f"no {band} begins on {first}; the {band} of that day begins on {first_day(first, band)}")
    bounds: list[Any] = [first, next_first_day(first, band)]
    if kind == "datetime":
        bounds = [None if day is None else beginning(day, "UTC") for day in bounds]
    signs = (Comparison(path, sign, day) for sign, day in zip((">=", "<"), bounds) if day is not None)
    return And(tuple(signs))
