"""A question answered from the cells of a stored cube: the statement of its aggregate, over cells in place of facts.

All above the rows is that of any aggregate: totals, measures of others, conditions, order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen
from sqlalchemy import ColumnElement, Connection, FromClause, and_, false, func, or_, select, true
from sqlalchemy import Select as Statement

from callsheet.model.facts import Fact
from callsheet.model.measure import Aggregate, AggregateFunction
from callsheet.model.query import And, Comparison, Condition, Not, Or
from callsheet.server.access.access import Access
from callsheet.server.mirror.stored.cells import CellShape
from callsheet.server.mirror.stored.folding import CellsOfCube, StoredCubes
from callsheet.server.mirror.stored.matching import may_read_all, rest_of, why_not
from callsheet.server.reading.aggregates import AggregatePlan
from callsheet.server.reading.functions import SqlFunction
from callsheet.server.reading.stems import Stem, StemKey
from callsheet.server.store.comparison import Value, Where, compared
from callsheet.server.store.store import Store

__all__ = ["StoredAnswers", "StoredPlan"]


@frozen(eq=False)
class CellStem:
    """The rows that a question's values are taken from: cells. What an `AggregatePlan` needs of a `Stem`."""

    shape: CellShape
    fact: Fact
    levels: Mapping[int, Value]
    cells: FromClause
    conditions: Sequence[Where]
    functions: dict[AggregateFunction, SqlFunction] = field(factory=dict)
    repeats = False

    def add(self, function: AggregateFunction) -> SqlFunction:
        """A function of cells."""
        shape, columns = self.shape, self.cells.c
        built = shape.built[function]
        if function in shape.parts:
            first, *others = shape.parts_in(columns, function)
            found = evolve(built, value=first, others=tuple(others), function=shape.parts[function].value)
        else:
            column = columns[f"value_{shape.others.index(function)}"]
            merged = built.function if function.name in ("minimum", "maximum") else _only
            found = evolve(built, value=column, others=(), function=merged)
        self.functions[function] = found
        return found

    def rows(self) -> Statement[Any]:
        """Levels, and the inputs of the functions."""
        levels = [value.expression.label(f"level_{place}") for place, value in self.levels.items()]
        inputs = [
            column.label(f"input_{index}_{place}")
            for index, each in enumerate(self.functions.values())
            for place, column in enumerate(each.inputs)
        ]
        return select(*levels, *inputs).select_from(self.cells).where(*self.conditions)

    def source(self, kept: Sequence[int], rows: FromClause | None) -> FromClause:
        """The rows from which one kind of groups is made."""
        return self.rows().subquery() if rows is None else rows


def _only(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The value of the one cell that a group is."""
    return func.max(column, type_=column.type)


class StoredPlan(AggregatePlan):
    """The statement of an aggregate over cells; ``rows`` are those of the cube, or of a scenario over it."""

    def __init__(self, store: Store, aggregate: Aggregate, cells: CellsOfCube, rows: FromClause | None = None) -> None:
        self.cells = cells
        self._rows = cells.table if rows is None else rows
        super().__init__(store, None, aggregate, {})

    def _key(self, function: AggregateFunction) -> StemKey:
        return StemKey()

    def _new_stem(self, key: StemKey) -> Stem:
        shape, fact = self.cells.shape, self._facts[""]
        places = {level: place for place, level in enumerate(shape.aggregate.group)}
        kept = [self._value_at(places[level]) for level in self.aggregate.group]
        values = {level.path: self._value_at(place) for level, place in places.items() if level.band is None}
        conditions = [_condition(each, values) for each in rest_of(shape, self.aggregate) or ()]
        stem: Any = CellStem(shape, fact, dict(enumerate(kept)), self._rows, conditions)
        return stem  # type: ignore[no-any-return]

    def _value_at(self, place: int) -> Value:
        return self.cells.shape.levels[place]._replace(expression=self._rows.c[f"level_{place}"])

    @property
    def _is_bare(self) -> bool:
        return False


def _condition(condition: Condition, values: Mapping[Any, Value]) -> Where:
    """A condition on levels, in SQL: the same meaning as `Scope.condition` has."""
    if isinstance(condition, Comparison):
        return compared(values[condition.path], condition.operator, condition.value)
    if isinstance(condition, Not):
        return _condition(condition.condition, values).is_not(true())
    assert isinstance(condition, And | Or)
    parts = [_condition(part, values) for part in condition.conditions]
    return and_(true(), *parts) if isinstance(condition, And) else or_(false(), *parts)


@frozen(eq=False)
class StoredAnswers:
    """The stored cubes of one state of a mirror, for questions about it."""

    cubes: StoredCubes
    store: Store
    connection: Connection

    def plan(self, access: Access | None, aggregate: Aggregate) -> tuple[StoredPlan | None, dict[str, Any]]:
        """The plan that reads cells, with the cube's name; or None, with the reason why no stored cube answers."""
        reasons: list[str] = []
        for each in self.cubes.cubes(self.store, self.connection):
            if not isinstance(each, CellsOfCube):
                reasons.append(f"{each.name}: {each.problem}")
                continue
            kind = each.shape.aggregate.select.entity_type
            if kind != aggregate.select.entity_type:
                continue
            if not may_read_all(access, each.read, kind, self.store.schema):
                # What the cube is called may be none of the account's business, either.
                return None, {"not_stored": "a stored cube counts what this account may not read"}
            reason = why_not(each.shape, aggregate)
            if not reason:
                return StoredPlan(self.store, aggregate, each), {"stored": each.cube.name, "cells": each.cube.cells}
            reasons.append(f"{each.cube.name}: {reason}")
        return None, {"not_stored": "; ".join(reasons)} if reasons else {}
