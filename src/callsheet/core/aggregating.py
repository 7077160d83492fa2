"""Numbers about a query: from the server's aggregates, or a count of keys if it has none."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from callsheet.core.core import Core
from callsheet.core.paging import every_page
from callsheet.errors import UsageError
from callsheet.flow import Flow
from callsheet.model.language import relative
from callsheet.model.measure import Aggregate, AggregateFunction
from callsheet.model.query import Path

__all__ = ["aggregate"]


def aggregate(core: Core, question: Aggregate) -> Flow[list[tuple[Any, ...]]]:
    """Numbers about what a query selects. A server without aggregates is read to count; it has no other numbers."""
    if not core.features.measures and not question.is_plain:
        raise UsageError(
            "this server has counts, sums, averages and extremes by attributes only: select the values, and compute "
            "with `records()` or `to_pandas()`"
        )
    if not core.features.aggregate:
        return [((yield from _counted(core, question)),)]
    core.statistics.count("aggregate")
    if not core.features.relative_times and relative.is_relative(question):
        question = relative.fixed_aggregate(question, core.server_now())
    return (yield from core._dialect.aggregate(question))


def _counted(core: Core, question: Aggregate) -> Flow[int]:
    """How many entities a query selects, by reading their keys."""
    if question.group or any(each != AggregateFunction("count") for each in question.functions):
        raise UsageError(
            "this server has no aggregates: select the values, and compute with `records()` or `to_pandas()`"
        )
    key = core.schema.types[question.select.entity_type].key[0]
    select = evolve(question.select, projections=(Path.of(key),), order=())
    return sum((yield from every_page(core, select, core.page_size, len)))
