"""One cell of an aggregate as it is computed: its value in a state, of all its facts or of some."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, TypeAlias

from attrs import evolve, frozen
from sqlalchemy import Connection

from callsheet.errors import Invalid, UsageError
from callsheet.model.cause import CellQuestion
from callsheet.model.history import Commit
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.drilling import drilled
from callsheet.model.language.reaching import Reaching, adds_up, is_of_facts, reaching
from callsheet.model.measure import TOTAL, Aggregate, AggregateFunction, Level
from callsheet.model.query import And, Condition, Or, Select
from callsheet.model.schema import Schema
from callsheet.server.access.access import Access
from callsheet.server.reading.aggregates import read_aggregate
from callsheet.server.store.store import Store

__all__ = ["ReadCell", "Keys", "changed_keys"]

Keys: TypeAlias = dict[str, set[str]]
"""Keys of entities, by the root of their type."""
NAMED = 2_000
"""For more changed entities of one kind, those beyond are not looked up."""


def changed_keys(schema: Schema, commit: Commit) -> Keys:
    """The entities that a commit changed."""
    found: Keys = {}
    for change in commit.changes:
        kind, key = change.identity
        found.setdefault(schema.types[kind].root, set()).add(key)
    return found


@frozen(eq=False)
class ReadCell:
    """A cell of one measure. ``adds_up`` says that its value is the sum of what its facts are worth."""

    schema: Schema
    aggregate: Aggregate
    cell: tuple[Any, ...]
    reach: Reaching
    adds_up: bool

    @staticmethod
    def of(schema: Schema, question: CellQuestion) -> ReadCell:
        """The cell of a checked question; raises `Invalid` for what is none."""
        aggregate, place = question.aggregate, question.measure
        if not 0 <= place < len(aggregate.functions):
            raise Invalid(f"the measure is a place from 0 to {len(aggregate.functions) - 1}, not {place!r:.80}")
        measure = aggregate.functions[place]
        cell = question.cell[: len(aggregate.group)]
        try:
            drilled(aggregate, cell, schema)
        except UsageError as error:
            raise Invalid(str(error)) from None
        asked = evolve(aggregate, functions=(measure,), having=None, order=(), limit=None, offset=0)
        if is_of_facts(asked):
            # A total is a cell of fewer levels.
            kept = [place for place, value in enumerate(cell) if value is not TOTAL]
            asked = evolve(asked, group=tuple(asked.group[place] for place in kept), totals=False)
            cell = tuple(cell[place] for place in kept)
        reach = reaching(asked, schema)
        additive = not reach.whole and adds_up(measure, schema.types[asked.select.entity_type], schema)
        return ReadCell(schema, asked, cell, reach, additive)

    @property
    def is_partial(self) -> bool:
        """Whether the facts that commits touched, and the cell's own, are all that it takes to go back."""
        return not self.reach.whole and not self.reach.spreads

    @property
    def is_summed(self) -> bool:
        """Whether a commit's effect is known by the facts that it touched."""
        return self.adds_up and not self.reach.spreads

    def entities(self) -> Select:
        """The entities of the cell."""
        return drilled(self.aggregate, self.cell, self.schema)

    def touched(self, keys: Keys) -> Condition:
        """What the facts fulfil that changed entities touch."""
        parts = tuple(self.reach.touched(keys))
        return parts[0] if len(parts) == 1 else Or(parts)

    def value(self, store: Store, connection: Connection, access: Access | None, among: Condition | None = None) -> Any:
        """The value in a state, of the facts that fulfil a condition; of no facts 0 if it adds up, else None."""
        asked = self.aggregate
        if is_of_facts(asked):
            asked = evolve(asked, select=_narrowed(self.entities(), among))
        levels = len(self.cell)
        for row in read_aggregate(store, connection, check_aggregate(asked, self.schema), access):
            if row[:levels] == self.cell:
                return row[levels]
        return 0 if self.adds_up else None

    def movers(self, store: Store, connection: Connection, access: Access, keys: Keys) -> set[tuple[str, str]]:
        """The changed entities that facts of the cell reach in a state, as roots and keys."""
        if not is_of_facts(self.aggregate) or self.reach.whole:
            # Other entities than those of the cell may have changed it: which ones are chosen, and the other groups.
            return {(root, key) for root, found in keys.items() if root in self.reach.roots for key in found}
        found: set[tuple[str, str]] = set()
        for way, root in self.reach.ways.items():
            for condition in self.reach.touched_by(way, _some(keys.get(root, ()))):
                level = Level(condition.path)
                asked = Aggregate(_narrowed(self.entities(), condition), (AggregateFunction("count"),), (level,))
                rows = read_aggregate(store, connection, check_aggregate(asked, self.schema), access)
                found.update((root, row[0]) for row in rows if row[0] in keys[root])
        return found


def _some(keys: Iterable[str]) -> Collection[str]:
    return sorted(keys)[:NAMED]


def _narrowed(select: Select, among: Condition | None) -> Select:
    if among is None:
        return select
    return evolve(select, where=among if select.where is None else And((select.where, among)))
