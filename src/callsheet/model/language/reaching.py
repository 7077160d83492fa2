"""Reaching: which entities can change the answer of an aggregate, and which facts a changed entity changes.

An aggregate reads its entities (the facts) and what their paths lead to. A change of one entity changes the numbers of
those facts whose own key, *or one of whose references on the way*, is the entity's key. The reference is tested, not
the row it leads to: until the first changed entity the way is the same before and after, so the facts are the same,
also when the entity is created or deleted. Through collections the facts before and after may differ; both count.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeAlias

from attrs import frozen

from callsheet.chunks import chunks
from callsheet.model.language.resolution import resolve
from callsheet.model.measure import (
    Aggregate,
    AggregateFunction,
    Arithmetic,
    Constant,
    Measure,
    functions_of,
    measures_of,
)
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Path, Select, Step
from callsheet.model.schema import EntityType, Schema

__all__ = ["Reaching", "adds_up", "is_of_facts", "reaching"]

Way: TypeAlias = tuple[Step, ...]
KEYS = 500
"""Keys in one condition."""


@frozen
class Reaching:
    """What an aggregate reads. ``ways`` are the relations that lead from a fact to entities, with their root types.

    The empty way is the fact itself. With ``spreads`` some way leads through a collection. With ``whole`` the numbers
    of a fact depend on others, too: the query is bounded, a condition has a query in it, or a measure sees other
    groups. ``roots`` are the root types of all that is read.
    """

    ways: Mapping[Way, str]
    spreads: bool
    whole: bool
    roots: frozenset[str]

    def touched(self, changed: Mapping[str, Collection[str]]) -> Iterator[Comparison]:
        """Conditions on facts, one of which holds for those that changed entities (by root type) touch."""
        for way, root in self.ways.items():
            yield from self.touched_by(way, changed.get(root, ()))

    def touched_by(self, way: Way, keys: Collection[str]) -> Iterator[Comparison]:
        """Conditions on facts, one of which holds for those that lead to one of these entities by a way."""
        for some in chunks(sorted(keys), KEYS):
            yield Comparison(Path((*_uncast(way), Step("id"))), "in", tuple(some))


def _uncast(way: Way) -> Way:
    """A way to an entity of any type."""
    return (*way[:-1], Step(way[-1].name)) if way else way


def reaching(aggregate: Aggregate, schema: Schema) -> Reaching:
    """What a checked aggregate reads.

    >>> schema = Schema({"types": {"Job": {"attributes": {"bid": {"type": "number"}}},
    ...     "Entry": {"attributes": {"job": {"type": "reference", "target": "Job"}}}}})
    >>> found = reaching(Aggregate(Select("Entry"), (AggregateFunction("sum", "job.bid"),)), schema)
    >>> sorted(found.roots), found.spreads, found.whole
    (['Entry', 'Job'], False, False)
    """
    return _Reader(schema, schema.types[aggregate.select.entity_type]).read(aggregate)


class _Reader:
    """Collects the ways of one aggregate."""

    def __init__(self, schema: Schema, fact: EntityType) -> None:
        self._schema, self._fact = schema, fact
        self._ways: dict[Way, str] = {(): fact.root}
        self._roots: set[str] = {fact.root}
        self._spreads = self._whole = False

    def read(self, aggregate: Aggregate) -> Reaching:
        self._select(aggregate.select)
        for level in aggregate.group:
            self._path(level.path)
        for measure in measures_of(aggregate):
            for function in functions_of(measure):
                if function.table:
                    continue
                for path in (function.path, function.by):
                    if path is not None:
                        self._path(path)
                if function.condition is not None:
                    self._condition(function.condition)
        if not is_of_facts(aggregate):
            # A second table, rules of parameters, other groups, or which levels are kept apart: anything may change it.
            self._whole = True
            self._roots |= {kind.root for kind in self._schema.types.values()}
        return Reaching(self._ways, self._spreads, self._whole, frozenset(self._roots))

    def _select(self, select: Select) -> None:
        paths = [order.path for order in select.order]
        for bound in (select.top, select.sample):
            self._whole = self._whole or bound is not None
            if bound is not None and bound.per is not None:
                paths.append(bound.per)
        if select.top is not None:
            paths += [order.path for order in select.top.by]
        self._whole = self._whole or select.limit is not None or bool(select.offset)
        for path in paths:
            self._path(path)
        if select.where is not None:
            self._condition(select.where)

    def _path(self, path: Path, before: Way = ()) -> None:
        """Add the ways of a path that continues one."""
        steps = (*before, *path.steps)
        chain = resolve(Path(steps), self._fact, self._schema).chain
        for index, (_, attribute) in enumerate(chain):
            if attribute.kind not in ("reference", "collection"):
                return
            rest = [step.name for step in steps[index + 1 :]]
            if attribute.kind == "reference" and rest == ["id"]:
                return  # The key of a reference belongs to who refers.
            self._spreads = self._spreads or attribute.kind == "collection"
            root = self._schema.type(str(attribute.target)).root
            self._ways[steps[: index + 1]] = root
            self._roots.add(root)

    def _condition(self, condition: Condition, before: Way = ()) -> None:
        if isinstance(condition, And | Or):
            for part in condition.conditions:
                self._condition(part, before)
        elif isinstance(condition, Not):
            self._condition(condition.condition, before)
        elif isinstance(condition, Any_):
            self._path(condition.path, before)
            if condition.condition is not None:
                self._condition(condition.condition, (*before, *condition.path.steps))
        else:
            self._comparison(condition, before)

    def _comparison(self, comparison: Comparison, before: Way) -> None:
        self._path(comparison.path, before)
        if isinstance(comparison.value, Select):
            self._whole = True
            inner = comparison.value
            asked = Aggregate(inner, (AggregateFunction("count", inner.projections[0]),))
            self._roots |= reaching(asked, self._schema).roots


def is_of_facts(aggregate: Aggregate) -> bool:
    """Whether each cell is computed of its own facts alone: by functions, numbers and arithmetic of one table.

    A measure with a parameter depends on its rules, too.
    """
    return not aggregate.empty and all(map(_is_of_facts, measures_of(aggregate)))


def _is_of_facts(measure: Measure) -> bool:
    if isinstance(measure, AggregateFunction):
        return not measure.table and not measure.weights
    return isinstance(measure, Arithmetic | Constant) and all(map(_is_of_facts, measure.parts))


def adds_up(measure: Measure, entity_type: EntityType, schema: Schema) -> bool:
    """Whether the measure of a group is the sum of those of its facts: sums and counts of their own values."""
    if isinstance(measure, Arithmetic):
        return measure.operator in "+-" and all(adds_up(part, entity_type, schema) for part in measure.parts)
    if not isinstance(measure, AggregateFunction) or measure.name not in ("sum", "count"):
        return False
    if measure.weights:
        return False  # A rule changes many facts.
    return measure.path is None or measure.repeated or _is_own(measure.path, entity_type, schema)


def _is_own(path: Path, entity_type: EntityType, schema: Schema) -> bool:
    kinds: Iterable[str] = (attribute.kind for _, attribute in resolve(path, entity_type, schema).chain)
    relations = [kind for kind in kinds if kind in ("reference", "collection")]
    return not relations or (relations == ["reference"] and path.steps[1:] in ((), (Step("id"),)))
