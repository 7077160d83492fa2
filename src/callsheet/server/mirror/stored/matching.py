"""Whether the cells of a stored cube answer a question: the same facts, levels that are kept, functions that are kept.

Cells that are left out or put together must be whole: so a condition is about levels, and what cannot be put together
(a median, a distinct count) is asked by all levels of the cube.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from callsheet.model.facts import conjuncts
from callsheet.model.language.reaching import Reaching
from callsheet.model.measure import Aggregate, AggregateFunction, Level, functions_of, measures_of
from callsheet.model.query import Any_, Comparison, Condition, Not, Select
from callsheet.model.schema import Schema
from callsheet.model.window import windows_of
from callsheet.server.access.access import Access
from callsheet.server.mirror.stored.cells import CellShape
from callsheet.server.reading.windows import kinds_of

__all__ = ["may_read_all", "rest_of", "why_not"]

MERGED = ("minimum", "maximum")
"""Functions that are computed again, whose values in several cells make that of all."""


def why_not(shape: CellShape, asked: Aggregate) -> str:
    """Why cells cannot answer a checked question about their facts; empty if they can."""
    select, kept = asked.select, shape.aggregate
    if select.limit is not None or select.offset or select.top is not None or select.sample is not None:
        return "it is about some of the facts, chosen by their order"
    if asked.empty:
        return "it asks for members without facts"
    if level := next((each for each in asked.group if each not in kept.group), None):
        return f"`{_shown(level)}` is no level that is kept"
    rest = rest_of(shape, asked)
    if rest is None:
        return "the cube has a filter that the question does not have"
    paths = {level.path for level in kept.group if level.band is None}
    if any(not _is_about(each, paths) for each in rest):
        return "a condition is not about levels that are kept"
    places = {place for place, level in enumerate(asked.group) if level in kept.group}
    whole = {asked.group[place] for place in places} == set(kept.group)
    whole = whole and kinds_of(asked, list(dict.fromkeys(windows_of(asked)))) == (tuple(range(len(asked.group))),)
    for function in _functions(asked):
        if reason := _lacks(shape, function, whole):
            return reason
    return ""


def rest_of(shape: CellShape, asked: Aggregate) -> list[Condition] | None:
    """The conditions of a question beside those of the cube; None if it lacks one of these."""
    wanted, own = list(conjuncts(asked.select.where)), list(conjuncts(shape.aggregate.select.where))
    if any(each not in wanted for each in own):
        return None
    return [each for each in wanted if each not in own]


def may_read_all(access: Access | None, read: Reaching, entity_type: str, schema: Schema) -> bool:
    """Whether an account may read all entities that the cells are made of."""
    if access is None or access.reads_all:
        return True
    return access.everywhere("read", entity_type) and all(access.everywhere("read", root) for root in read.roots)


def _functions(asked: Aggregate) -> Iterable[AggregateFunction]:
    for measure in measures_of(asked):
        yield from functions_of(measure)


def _lacks(shape: CellShape, function: AggregateFunction, whole: bool) -> str:
    if function in shape.parts:
        return ""
    if function not in shape.others:
        return f"`{function.name}` of what it is about is not kept"
    if whole or function.name in MERGED:
        return ""
    return f"`{function.name}` of several cells is not known from that of each: ask by all levels that are kept"


def _is_about(condition: Condition, paths: Iterable[object]) -> bool:
    """Whether a condition is about values at these paths only."""
    if isinstance(condition, Comparison):
        return condition.path in paths and not isinstance(condition.value, Select)
    if isinstance(condition, Any_):
        return False
    parts: Sequence[Condition] = [condition.condition] if isinstance(condition, Not) else condition.conditions
    return all(_is_about(each, paths) for each in parts)


def _shown(level: Level) -> str:
    text = ".".join(level.path.names)
    return f"{level.band}({text})" if level.band else text
