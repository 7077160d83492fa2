"""Statistics over sets: spread, quantiles, covariance, lines through points."""

from __future__ import annotations

import math
from typing import Any

from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.functions.aggregation import numbers
from callsheet.analytics.mdx.registry import mdx_function
from callsheet.analytics.mdx.values import as_number

__all__: list[str] = []


def _variance(found: list[Any], sample: bool) -> float | None:
    """The mean square distance from the mean; of a sample by one less than there are."""
    size = len(found) - (1 if sample else 0)
    if not found:
        return None
    if size == 0:
        return math.nan
    mean = sum(found) / len(found)
    return float(sum((value - mean) ** 2 for value in found)) / size


def _root(value: float | None) -> float | None:
    return None if value is None else math.sqrt(value) if not math.isnan(value) else value


@mdx_function("Var(set, node?)", "Variance(set, node?)")
def variance(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any = None) -> Any:
    """The variance of a sample."""
    return _variance(numbers(evaluation, context, tuples, node), True)


@mdx_function("VarP(set, node?)", "VarianceP(set, node?)")
def population_variance(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any = None) -> Any:
    """The variance of a population."""
    return _variance(numbers(evaluation, context, tuples, node), False)


@mdx_function("Stdev(set, node?)", "Stddev(set, node?)")
def deviation(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any = None) -> Any:
    """The standard deviation of a sample."""
    return _root(_variance(numbers(evaluation, context, tuples, node), True))


@mdx_function("StdevP(set, node?)", "StddevP(set, node?)")
def population_deviation(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any = None) -> Any:
    """The standard deviation of a population."""
    return _root(_variance(numbers(evaluation, context, tuples, node), False))


@mdx_function("Median(set, node?)")
def median(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any = None) -> Any:
    """The value in the middle, or the mean of the two in the middle."""
    return _percentile(numbers(evaluation, context, tuples, node), 0.5)


@mdx_function("Percentile(set, node, number)")
def percentile(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any, part: float | None) -> Any:
    """The value at a percentage of the way from the smallest to the largest value, between two of them if need be."""
    return _percentile(numbers(evaluation, context, tuples, node), (part or 0) / 100)


def _percentile(found: list[Any], part: float) -> Any:
    if not found:
        return None
    ordered = sorted(found)
    if part <= 0:
        return ordered[0]
    if part >= 1:
        return ordered[-1]
    place = part * (len(ordered) - 1)
    low = math.floor(place)
    return ordered[low] + (ordered[low + 1] - ordered[low]) * (place - low) if place > low else ordered[low]


def _quartile(found: list[Any], quarter: int) -> Any:
    """The value behind a quarter of the values; if that is between two, their mean."""
    if not found:
        return None
    ordered = sorted(found)
    place, rest = divmod(len(ordered) * quarter, 4)
    if rest == 0 and place < len(ordered) - 1:
        return (ordered[place] + ordered[place + 1]) / 2
    return ordered[place]


@mdx_function("FirstQ(set, node?)")
def first_quartile(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any = None) -> Any:
    """The first quartile."""
    return _quartile(numbers(evaluation, context, tuples, node), 1)


@mdx_function("ThirdQ(set, node?)")
def third_quartile(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any = None) -> Any:
    """The third quartile."""
    return _quartile(numbers(evaluation, context, tuples, node), 3)


def _points(
    evaluation: Evaluation, context: Context, tuples: list[Any], vertical: Any, across: Any
) -> tuple[list[Any], list[Any]]:
    """The values of two expressions where both have one; without the second, the values of the tuples."""
    ys, xs = [], []
    for _, here in evaluation.over(tuples, context):
        y = as_number(evaluation.scalar(vertical, here))
        x = as_number(evaluation.value(here) if across is None else evaluation.scalar(across, here))
        if x is not None and y is not None:
            ys.append(y)
            xs.append(x)
    return ys, xs


def _products(one: list[Any], two: list[Any]) -> float:
    """The sum of the products of the distances from the means."""
    mean_one, mean_two = sum(one) / len(one), sum(two) / len(two)
    return float(sum((a - mean_one) * (b - mean_two) for a, b in zip(one, two)))


@mdx_function("Covariance(set, node, node?)")
def covariance(evaluation: Evaluation, context: Context, tuples: list[Any], one: Any, two: Any = None) -> Any:
    """The covariance of a population."""
    ys, xs = _points(evaluation, context, tuples, one, two)
    return _products(ys, xs) / len(ys) if ys else None


@mdx_function("CovarianceN(set, node, node?)")
def sample_covariance(evaluation: Evaluation, context: Context, tuples: list[Any], one: Any, two: Any = None) -> Any:
    """The covariance of a sample."""
    ys, xs = _points(evaluation, context, tuples, one, two)
    if not ys:
        return None
    return _products(ys, xs) / (len(ys) - 1) if len(ys) > 1 else math.nan


@mdx_function("Correlation(set, node, node?)")
def correlation(evaluation: Evaluation, context: Context, tuples: list[Any], one: Any, two: Any = None) -> Any:
    """The correlation of two expressions, from -1 to 1."""
    ys, xs = _points(evaluation, context, tuples, one, two)
    if not ys:
        return None
    spread = math.sqrt(_products(ys, ys) * _products(xs, xs))
    return _products(ys, xs) / spread if spread else math.nan


def _line(ys: list[Any], xs: list[Any]) -> tuple[float, float] | None:
    """The slope and the intercept of the line nearest to points."""
    if not ys:
        return None
    spread = _products(xs, xs)
    slope = _products(ys, xs) / spread if spread else math.nan
    return slope, sum(ys) / len(ys) - slope * sum(xs) / len(xs)


@mdx_function("LinRegSlope(set, node, node?)")
def slope(evaluation: Evaluation, context: Context, tuples: list[Any], y: Any, x: Any = None) -> Any:
    """The slope of the line nearest to points."""
    line = _line(*_points(evaluation, context, tuples, y, x))
    return None if line is None else line[0]


@mdx_function("LinRegIntercept(set, node, node?)")
def intercept(evaluation: Evaluation, context: Context, tuples: list[Any], y: Any, x: Any = None) -> Any:
    """Where the line nearest to points crosses 0."""
    line = _line(*_points(evaluation, context, tuples, y, x))
    return None if line is None else line[1]


@mdx_function("LinRegPoint(number, set, node, node?)")
def point(evaluation: Evaluation, context: Context, at: float | None, tuples: list[Any], y: Any, x: Any = None) -> Any:
    """The height of the line nearest to points, at a place."""
    line = _line(*_points(evaluation, context, tuples, y, x))
    return None if line is None or at is None else line[0] * at + line[1]


def _rests(ys: list[Any], xs: list[Any]) -> float | None:
    """The sum of the square distances from the line."""
    line = _line(ys, xs)
    return None if line is None else float(sum((y - line[0] * x - line[1]) ** 2 for y, x in zip(ys, xs)))


@mdx_function("LinRegR2(set, node, node?)")
def determination(evaluation: Evaluation, context: Context, tuples: list[Any], y: Any, x: Any = None) -> Any:
    """How much of the variance the line explains, from 0 to 1."""
    ys, xs = _points(evaluation, context, tuples, y, x)
    rest = _rests(ys, xs)
    if rest is None:
        return None
    spread = _products(ys, ys)
    return 1 - rest / spread if spread else math.nan


@mdx_function("LinRegVariance(set, node, node?)")
def rest_variance(evaluation: Evaluation, context: Context, tuples: list[Any], y: Any, x: Any = None) -> Any:
    """The variance of the distances from the line."""
    ys, xs = _points(evaluation, context, tuples, y, x)
    rest = _rests(ys, xs)
    return None if rest is None else rest / (len(ys) - 2) if len(ys) > 2 else math.nan
