"""A change of a number that counts on from whatever is there: it needs no base, and is in conflict with nothing.

Theory. An increment, a lower bound and an upper bound are all functions of one form: add, then keep within bounds. One
after the other, two functions of this form are one of this form again (`Adjustment.then`). So however many are recorded
on one number, one goes to the server.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any, TypeAlias

from attrs import Factory, field, frozen

from callsheet.model.plain import Malformed

__all__ = [
    "Adjustment",
    "Number",
    "adjustments_from_plain",
    "adjustments_to_plain",
    "increment",
    "lower_to",
    "raise_to",
]

Number: TypeAlias = int | float


def _of_zero(adjustment: Any) -> Number:
    found: Number = adjustment.on_number(0)
    return found


@frozen
class Adjustment:
    """Add ``by``, then keep within ``low`` and ``high`` (None: no bound). No value at all becomes ``empty``.

    >>> Adjustment(by=2, high=10).apply(9), Adjustment(by=2).apply(None)
    (10, 2)
    """

    by: Number = 0
    low: Number | None = None
    high: Number | None = None
    empty: Number = field(default=Factory(_of_zero, takes_self=True))

    @property
    def is_increment(self) -> bool:
        """Whether it only adds, so that the opposite takes it back whatever was added since."""
        return self.low is None and self.high is None

    @property
    def numbers(self) -> tuple[Number, ...]:
        """All numbers it is made of."""
        return tuple(each for each in (self.by, self.empty, self.low, self.high) if each is not None)

    def on_number(self, value: Number) -> Number:
        """The adjusted number."""
        value = value + self.by
        if self.low is not None and value < self.low:
            value = self.low
        return self.high if self.high is not None and value > self.high else value

    def apply(self, value: Number | None) -> Number:
        """The adjusted value."""
        return self.empty if value is None else self.on_number(value)

    def then(self, other: Adjustment) -> Adjustment:
        """This and then the other, as one.

        >>> increment(2).then(raise_to(5)).then(increment(-1)).apply(1)
        4
        """
        low = other.low if self.low is None else other.on_number(self.low)
        high = other.high if self.high is None else other.on_number(self.high)
        return Adjustment(self.by + other.by, low, high, other.on_number(self.empty))


def increment(by: Number) -> Adjustment:
    """Add; no value counts as 0."""
    return Adjustment(by, empty=by)


def raise_to(value: Number) -> Adjustment:
    """At least this; no value becomes it."""
    return Adjustment(low=value, empty=value)


def lower_to(value: Number) -> Adjustment:
    """At most this; no value becomes it."""
    return Adjustment(high=value, empty=value)


def adjustments_to_plain(adjustments: Mapping[str, Adjustment]) -> dict[str, Any]:
    """Adjustments by name as plain data; a bound that is none is left out.

    >>> adjustments_to_plain({"bid": increment(1.5)})
    {'bid': {'by': 1.5, 'empty': 1.5}}
    """
    return {name: _to_plain(each) for name, each in adjustments.items()}


def _to_plain(each: Adjustment) -> dict[str, Number]:
    plain = {"by": each.by, "empty": each.empty}
    if each.low is not None:
        plain["low"] = each.low
    if each.high is not None:
        plain["high"] = each.high
    return plain


def adjustments_from_plain(plain: Any, strict: bool = False) -> dict[str, Adjustment]:
    """The adjustments that `adjustments_to_plain` was given; `Malformed` where these cannot have been.

    Keys that this version does not know are ignored, unless it is ``strict``.
    """
    if not isinstance(plain, Mapping) or not all(isinstance(name, str) for name in plain):
        raise Malformed(f"{plain!r:.80} is no object of adjustments")
    return {name: _from_plain(each, strict) for name, each in plain.items()}


def _from_plain(plain: Any, strict: bool) -> Adjustment:
    if not isinstance(plain, Mapping) or not {"by", "empty"} <= plain.keys():
        raise Malformed(f"{plain!r:.80} is no adjustment: an object with `by` and `empty`, perhaps `low` and `high`")
    if strict and (unknown := sorted(plain.keys() - {"by", "empty", "low", "high"})):
        raise Malformed(f"unknown `{unknown[0]:.80}` in an adjustment")
    low, high = (None if plain.get(name) is None else _number(plain[name]) for name in ("low", "high"))
    if low is not None and high is not None and low > high:
        raise Malformed(f"the adjustment's `low` {low} is more than its `high` {high}")
    return Adjustment(_number(plain["by"]), low, high, _number(plain["empty"]))


def _number(value: Any) -> Number:
    if type(value) is int or (type(value) is float and isfinite(value)):
        found: Number = value
        return found
    raise Malformed(f"{value!r:.80} is no number")
