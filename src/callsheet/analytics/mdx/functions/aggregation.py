"""Numbers over sets: sums, counts, means, and the aggregate that the measure itself has."""

from __future__ import annotations

from typing import Any

from callsheet.analytics.mdx.errors import MdxError
from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.functions.navigation import LevelList
from callsheet.analytics.mdx.registry import mdx_function
from callsheet.analytics.mdx.values import as_number

__all__ = ["aggregated", "numbers"]


def numbers(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any) -> list[Any]:
    """The values of an expression over a set, without empty ones; without an expression, the values of the tuples."""
    found = []
    for _, here in evaluation.over(tuples, context):
        value = evaluation.value(here) if node is None else evaluation.scalar(node, here)
        if value is not None:
            found.append(as_number(value))
    return found


@mdx_function("Sum(set, node?)")
def sum_of(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any = None) -> Any:
    """The sum of the values; of none it is empty."""
    found = numbers(evaluation, context, tuples, node)
    return sum(found) if found else None


@mdx_function("Avg(set, node?)")
def average(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any = None) -> Any:
    """The mean of the values that are not empty."""
    found = numbers(evaluation, context, tuples, node)
    return sum(found) / len(found) if found else None


@mdx_function("Min(set, node?)")
def least(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any = None) -> Any:
    """The smallest value."""
    return min(numbers(evaluation, context, tuples, node), default=None)


@mdx_function("Max(set, node?)")
def most(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any = None) -> Any:
    """The largest value."""
    return max(numbers(evaluation, context, tuples, node), default=None)


@mdx_function("Count(any, word?)", "any.Count")
def count(evaluation: Evaluation, context: Context, of: Any, flag: str | None = None) -> int:
    """The number of tuples; with EXCLUDEEMPTY, of those that have a value. Also of members of a tuple."""
    if isinstance(of, LevelList):
        return of.size
    if isinstance(of, tuple):
        return len(of)
    tuples = evaluation.as_set(of, context)
    if flag == "EXCLUDEEMPTY":
        return sum(evaluation.value(here) is not None for _, here in evaluation.over(tuples, context))
    if flag not in (None, "INCLUDEEMPTY"):
        raise MdxError(f"`{flag}` is no flag of Count", -1, "they are EXCLUDEEMPTY and INCLUDEEMPTY")
    return len(tuples)


@mdx_function("DistinctCount(set)")
def distinct_count(evaluation: Evaluation, context: Context, tuples: list[Any]) -> int:
    """The number of different tuples that have a value."""
    return count(evaluation, context, list(dict.fromkeys(tuples)), "EXCLUDEEMPTY")


@mdx_function("Aggregate(set, node?)")
def aggregate(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any = None) -> Any:
    """The value over a set, as the measure aggregates: sums are added, distinct counts are counted over all facts."""
    if node is None:
        return aggregated(evaluation, tuples, context)
    found = evaluation.evaluate(node, context)
    if isinstance(found, tuple) or hasattr(found, "level"):
        return aggregated(evaluation, tuples, evaluation.at(context, evaluation.as_tuple(found, context)))
    return sum_of(evaluation, context, tuples, node)


def aggregated(evaluation: Evaluation, tuples: list[Any], context: Context) -> Any:
    """The value of a context over a set of tuples."""
    if not tuples:
        return None
    measure = context[0].measure
    if measure is None and any(member.hierarchy.index == 0 for member in tuples[0]):
        measure = tuples[0][0].measure
    rollup = "sum" if measure is None else measure.rollup
    calculated = any(member.calculated or member.covers is not None for each in tuples for member in each)
    if rollup in ("sum", "min", "max") or calculated:
        found = [as_number(evaluation.value(here)) for _, here in evaluation.over(tuples, context)]
        filled = [value for value in found if value is not None]
        if not filled:
            return None
        return {"min": min, "max": max}.get(rollup, sum)(filled)
    return evaluation.value(evaluation.covered(tuples, context))
