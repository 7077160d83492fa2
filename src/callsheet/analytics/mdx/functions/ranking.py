"""The most and the least of a set, and ranks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from callsheet.analytics.mdx.evaluation import Context, Evaluation
from callsheet.analytics.mdx.functions.ordering import Descending, sort_key
from callsheet.analytics.mdx.pruning import top_by_facts
from callsheet.analytics.mdx.registry import mdx_function
from callsheet.analytics.mdx.values import as_number, whole

__all__ = ["ranked"]


def ranked(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any, descending: bool) -> list[Any]:
    """Tuples with their values, the largest or the smallest first; equal ones stay in their order."""
    pairs = [(members, evaluation.scalar(node, here)) for members, here in evaluation.over(tuples, context)]
    if descending:
        return sorted(pairs, key=lambda pair: Descending(sort_key(pair[1])))
    return sorted(pairs, key=lambda pair: sort_key(pair[1]))


def _count(
    evaluation: Evaluation, context: Context, of: Any, count: float | None, node: Any, descending: bool
) -> list[Any]:
    most = max(0, whole(count))
    if node is None:
        return evaluation.set(of, context)[:most]
    tuples = top_by_facts(evaluation, context, of, most, node) if descending else None
    if tuples is None:
        tuples = evaluation.set(of, context)
    return [members for members, _ in ranked(evaluation, context, tuples, node, descending)[:most]]


@mdx_function("TopCount(node, number, node?)")
def top_count(evaluation: Evaluation, context: Context, tuples: Any, count: float | None, node: Any = None) -> Any:
    """The tuples with the largest values, the largest first."""
    return _count(evaluation, context, tuples, count, node, True)


@mdx_function("BottomCount(node, number, node?)")
def bottom_count(evaluation: Evaluation, context: Context, tuples: Any, count: float | None, node: Any = None) -> Any:
    """The tuples with the smallest values, the smallest first."""
    return _count(evaluation, context, tuples, count, node, False)


def _until(
    evaluation: Evaluation, context: Context, tuples: list[Any], node: Any, descending: bool,
    goal: Callable[[float], float], percent: bool = False,
) -> list[Any]:  # fmt: skip
    """The first of the ranked tuples, until their values add up to a goal, which depends on the sum of all."""
    pairs = ranked(evaluation, context, tuples, node, descending)
    if percent and pairs and all(value is None for _, value in pairs):
        # Of nothing but empty values one tuple is taken.
        return [pairs[0 if descending else -1][0]]
    numbers = [as_number(value) or 0 for _, value in pairs]
    wanted, total = goal(sum(numbers)), 0.0
    found = []
    for (members, _), number in zip(pairs, numbers):
        if total >= wanted:
            break
        total += number
        found.append(members)
    return found


@mdx_function("TopSum(set, number, node)")
def top_sum(evaluation: Evaluation, context: Context, tuples: list[Any], least: float | None, node: Any) -> list[Any]:
    """The largest tuples, until their values add up to a number."""
    return _until(evaluation, context, tuples, node, True, lambda _: least or 0)


@mdx_function("BottomSum(set, number, node)")
def bottom_sum(
    evaluation: Evaluation, context: Context, tuples: list[Any], least: float | None, node: Any
) -> list[Any]:
    """The smallest tuples, until their values add up to a number."""
    return _until(evaluation, context, tuples, node, False, lambda _: least or 0)


@mdx_function("TopPercent(set, number, node)")
def top_percent(
    evaluation: Evaluation, context: Context, tuples: list[Any], part: float | None, node: Any
) -> list[Any]:
    """The largest tuples, until their values add up to a percentage of all."""
    return _until(evaluation, context, tuples, node, True, lambda total: total * (part or 0) / 100, True)


@mdx_function("BottomPercent(set, number, node)")
def bottom_percent(
    evaluation: Evaluation, context: Context, tuples: list[Any], part: float | None, node: Any
) -> list[Any]:
    """The smallest tuples, until their values add up to a percentage of all."""
    return _until(evaluation, context, tuples, node, False, lambda total: total * (part or 0) / 100, True)


@mdx_function("Rank(tuple, node, node?)")
def rank(evaluation: Evaluation, context: Context, members: tuple[Any, ...], node: Any, by: Any = None) -> int | None:
    """The place of a tuple in a set, from 1; by an expression, the number of larger values and one more."""
    if any(member.null for member in members):
        return None
    if by is None:
        tuples = evaluation.set(node, context)
        if not tuples:
            return None
        place: int = evaluation.places(tuples).get(members, 0)
        return place
    tuples = evaluation.set(node, context)
    if not tuples:
        return None
    own = evaluation.scalar(by, evaluation.at(context, members))
    values = [evaluation.scalar(by, here) for _, here in evaluation.over(tuples, context)]
    filled = [value for value in values if value is not None]
    if own is None:
        return len(filled) + 1
    key = sort_key(own)
    return 1 + sum(bool(sort_key(value) > key) for value in filled)


@mdx_function("LastNonEmpty(set, node)")
def last_non_empty(evaluation: Evaluation, context: Context, tuples: list[Any], node: Any) -> Any:
    """The last tuple of a set that has a value."""
    found = None
    for members, here in evaluation.over(tuples, context):
        if evaluation.scalar(node, here) is not None:
            found = members
    if found is None and tuples:
        return tuple(member.hierarchy.null_member for member in tuples[0])
    return evaluation.space.measures.null_member if found is None else found
