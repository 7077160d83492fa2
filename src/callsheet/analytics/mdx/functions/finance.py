"""Money over periods, as functions of Visual Basic: payments, present and future values, depreciation.

Money that is paid is negative, money that is received positive. ``due`` is 1 if payments are at the beginning of a
period.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.functions.aggregation import numbers
from callsheet.analytics.mdx.functions.texts import of_values
from callsheet.analytics.mdx.registry import mdx_function

__all__: list[str] = []


def _growth(rate: float, periods: float, due: float | None) -> tuple[float, float]:
    """By what a value grows, and what payments of 1 come to."""
    if rate == 0:
        return 1.0, periods
    grown = math.pow(1 + rate, periods)
    return grown, (grown - 1) / rate * (1 + rate * bool(due))


@of_values("FV(number, number, number, number?, number?)")
def future_value(rate: float, periods: float, payment: float, value: float | None = 0, due: float | None = 0) -> float:
    """What payments of each period, and a present value, come to."""
    grown, paid = _growth(rate, periods, due)
    return -((value or 0) * grown + payment * paid)


@of_values("PV(number, number, number, number?, number?)")
def present_value(
    rate: float, periods: float, payment: float, future: float | None = 0, due: float | None = 0
) -> float:
    """What payments of each period, and a future value, are worth now."""
    grown, paid = _growth(rate, periods, due)
    return -((future or 0) + payment * paid) / grown


@of_values("Pmt(number, number, number, number?, number?)")
def payment(rate: float, periods: float, value: float, future: float | None = 0, due: float | None = 0) -> float:
    """The payment of each period."""
    grown, paid = _growth(rate, periods, due)
    return -(value * grown + (future or 0)) / paid


@of_values("IPmt(number, number, number, number, number?, number?)")
def interest(
    rate: float, period: float, periods: float, value: float, future: float | None = 0, due: float | None = 0
) -> float:
    """The part of a period's payment that is interest."""
    each = payment(rate, periods, value, future, due)
    owed = future_value(rate, period - 1, each, value, due)
    if due:
        return 0.0 if period == 1 else float((owed - each) * rate / (1 + rate))
    return float(owed * rate)


@of_values("PPmt(number, number, number, number, number?, number?)")
def principal(
    rate: float, period: float, periods: float, value: float, future: float | None = 0, due: float | None = 0
) -> float:
    """The part of a period's payment that is no interest."""
    return float(payment(rate, periods, value, future, due) - interest(rate, period, periods, value, future, due))


@of_values("NPer(number, number, number, number?, number?)")
def periods_of(rate: float, each: float, value: float, future: float | None = 0, due: float | None = 0) -> float:
    """The number of payments."""
    future = future or 0
    if rate == 0:
        return -(value + future) / each
    paid = each * (1 + rate * bool(due)) / rate
    return math.log((paid - future) / (paid + value)) / math.log(1 + rate)


@of_values("Rate(number, number, number, number?, number?, number?)")
def rate_of(
    periods: float, each: float, value: float, future: float | None = 0, due: float | None = 0,
    guess: float | None = 0.1,
) -> float:  # fmt: skip
    """The interest of a period."""
    return _root(lambda rate: future_value(rate, periods, each, value, due) - (future or 0), guess)


def _root(function: Callable[[float], float], guess: float | None) -> float:
    """Where a function is 0, by secants from a guess."""
    one = 0.1 if guess is None else guess
    two = one + 0.01
    for _ in range(100):
        low, high = function(one), function(two)
        if abs(high) < 1e-9 or high == low:
            break
        one, two = two, max(-0.999999, two - high * (two - one) / (high - low))
    if abs(function(two)) > 1e-6:
        raise ValueError("no rate was found near the guess")
    return two


@of_values("SLN(number, number, number)")
def straight_depreciation(cost: float, rest: float, life: float) -> float:
    """What an asset loses in each period, the same in all."""
    return (cost - rest) / life


@of_values("SYD(number, number, number, number)")
def falling_depreciation(cost: float, rest: float, life: float, period: float) -> float:
    """What an asset loses in a period, by the sum of the years' digits."""
    return (cost - rest) * (life - period + 1) * 2 / (life * (life + 1))


@of_values("DDB(number, number, number, number, number?)")
def declining_depreciation(cost: float, rest: float, life: float, period: float, factor: float | None = 2) -> float:
    """What an asset loses in a period, at a rate of what it is worth then."""
    part = min(1.0, (2 if factor is None else factor) / life)
    before = float(max(rest, cost * (1 - part) ** (period - 1)))
    return max(0.0, min(before * part, before - rest))


def _worth(rate: float, flows: list[Any]) -> float:
    return float(sum(flow / (1 + rate) ** at for at, flow in enumerate(flows, start=1)))


@mdx_function("NPV(number, set, node?)")
def net_present_value(
    evaluation: Evaluation, context: Context, rate: float | None, tuples: list[Any], node: Any = None
) -> float | None:
    """What the values over a set are worth now, one at the end of each period."""
    flows = numbers(evaluation, context, tuples, node)
    return _worth(rate or 0, flows) if flows else None


@mdx_function("IRR(set, node?, number?)")
def internal_rate(
    evaluation: Evaluation, context: Context, tuples: list[Any], node: Any = None, guess: float | None = None
) -> float | None:
    """The interest at which the values over a set are worth nothing now."""
    flows = numbers(evaluation, context, tuples, node)
    if not flows:
        return None
    try:
        return _root(lambda rate: _worth(rate, flows), guess)
    except (ArithmeticError, ValueError) as error:
        raise MdxError(f"IRR cannot be computed: {error}") from None


@mdx_function("MIRR(set, node, number, number)")
def modified_rate(
    evaluation: Evaluation, context: Context, tuples: list[Any], node: Any, finance: float | None, again: float | None
) -> float | None:
    """The interest of values over a set, paid at one rate, and invested again at another."""
    flows = numbers(evaluation, context, tuples, node)
    paid = _worth(finance or 0, [min(0, flow) for flow in flows])
    if len(flows) < 2 or not paid:
        return None
    got = _worth(again or 0, [max(0, flow) for flow in flows]) * (1 + (again or 0)) ** len(flows)
    return float((-got / (paid * (1 + (finance or 0)))) ** (1 / (len(flows) - 1)) - 1)
