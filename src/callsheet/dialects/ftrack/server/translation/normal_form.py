"""A condition as alternatives, each of them simple conditions that must all hold."""

from __future__ import annotations

from itertools import product

from attrs import frozen

from callsheet.errors import QueryError
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or

__all__ = ["SignedComparison", "disjuncts"]

MOST = 1_024
"""Alternatives of one condition."""


@frozen
class SignedComparison:
    """A condition that is no combination of others, or its complement."""

    condition: Comparison | Any_
    negated: bool = False


def disjuncts(condition: Condition, negated: bool = False) -> list[tuple[SignedComparison, ...]]:
    """The condition as alternatives, each of them literals that must all hold."""
    if isinstance(condition, Not):
        return disjuncts(condition.condition, not negated)
    if isinstance(condition, And | Or):
        parts = [disjuncts(part, negated) for part in condition.conditions]
        if isinstance(condition, Or) is not negated:
            found = [clause for part in parts for clause in part]
        else:
            number = 1
            for part in parts:
                number *= len(part)
            if number > MOST:
                raise QueryError("The condition has too many alternatives; use several queries.")
            found = [tuple(literal for clause in way for literal in clause) for way in product(*parts)]
        return found
    return [(SignedComparison(condition, negated),)]
