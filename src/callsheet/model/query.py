"""Queries as data: what to select, under which condition, in which order."""

from __future__ import annotations

from attrs import field, frozen

from callsheet.model.condition import Condition, Path

__all__ = ["Aggregate", "Order", "Select"]


@frozen
class Order:
    """Order by the value at a path; nulls come first when ascending, last when descending."""

    path: Path
    descending: bool = False


@frozen
class Select:
    """The entities of a type (subtypes included) that fulfil a condition.

    ``projections`` are the paths whose values come with the answer, through relations where dotted; empty:
    every scalar, reference and mapping of the type. Results are ordered by ``order``, then by key, so the
    order is always total.
    """

    entity_type: str
    projections: tuple[Path, ...] = ()
    where: Condition | None = None
    order: tuple[Order, ...] = ()
    limit: int | None = None
    offset: int = 0


@frozen
class Aggregate:
    """Numbers about the entities a query selects (its projections, order, limit and offset play no part).

    ``functions`` are ``(function, path)`` pairs, the function one of count, sum, average, minimum, maximum;
    the path of ``count`` may be empty. One row comes back for each combination of the values at ``group``.
    """

    select: Select
    functions: tuple[tuple[str, Path | None], ...] = (("count", None),)
    group: tuple[Path, ...] = field(default=())
