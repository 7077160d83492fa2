"""The table of a stored cube's cells, and the statements that say what facts are worth.

A cell is a combination of values at the levels, with the number of its facts, the parts of folded functions, and the
values of the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from sqlalchemy import Column as TableColumn
from sqlalchemy import ColumnElement, FromClause, MetaData, Select, Table, func, literal, select

from callsheet.model.language.keeping import is_folded
from callsheet.model.measure import Aggregate, AggregateFunction
from callsheet.server.mirror.stored.parts import FoldedParts, folded_parts
from callsheet.server.reading.aggregates import AggregatePlan
from callsheet.server.reading.bands import banded
from callsheet.server.reading.functions import SqlFunction, placeholder_type, sql_function
from callsheet.server.reading.same_groups import same_group
from callsheet.server.reading.sql import Scope
from callsheet.server.store.columns import INTEGER
from callsheet.server.store.comparison import Value
from callsheet.server.store.store import Store

__all__ = ["FACTS", "CellShape", "shape_of"]

Column = ColumnElement[Any]
FACTS = "facts"


@frozen(eq=False)
class CellShape:
    """What a cell has. ``parts`` are those of folded functions; ``others`` are functions that are computed again."""

    aggregate: Aggregate
    levels: tuple[Value, ...]
    parts: Mapping[AggregateFunction, FoldedParts]
    others: tuple[AggregateFunction, ...]
    built: Mapping[AggregateFunction, SqlFunction]

    @property
    def level_names(self) -> list[str]:
        """The columns that tell cells apart."""
        return [f"level_{place}" for place in range(len(self.levels))]

    @property
    def part_columns(self) -> dict[str, Any]:
        """The columns to which facts add, with their types: first the number of facts."""
        found: dict[str, Any] = {FACTS: INTEGER}
        for index, parts in enumerate(self.parts.values()):
            found |= {f"part_{index}_{place}": kind for place, kind in enumerate(parts.types)}
        return found

    @property
    def value_columns(self) -> dict[str, Any]:
        """The columns of functions that are computed again."""
        return {f"value_{index}": self.built[each].type for index, each in enumerate(self.others)}

    def parts_in(self, columns: Any, function: AggregateFunction) -> list[Column]:
        """The parts of a folded function among columns."""
        index = list(self.parts).index(function)
        return [columns[f"part_{index}_{place}"] for place in range(len(self.parts[function].types))]

    def table(self, name: str, values: bool = True, temporary: bool = False) -> Table:
        """A table of cells; without ``values``, of what facts add to only."""
        kinds = {name: placeholder_type(each.expression.type) for name, each in zip(self.level_names, self.levels)}
        kinds |= self.part_columns | (self.value_columns if values else {})
        prefixes = ["TEMPORARY"] if temporary else []
        return Table(name, MetaData(), *(TableColumn(each, kind) for each, kind in kinds.items()), prefixes=prefixes)

    def worth(self, store: Store, facts: FromClause | None = None, sign: int = 1) -> Select[Any]:
        """What facts (all, or these) are worth: levels, their number, and parts, in the order of `table`."""
        wanted = self.aggregate.select
        scope = Scope(store, wanted.entity_type, rows=facts)
        levels = [
            banded(scope.row_value(level.path), level).expression.label(name)
            for name, level in zip(self.level_names, self.aggregate.group)
        ]
        inputs = {}
        for index, function in enumerate(self.parts):
            inputs[function] = _input(scope, function).value.label(f"input_{index}")
        conditions = scope.of_type()
        if wanted.where is not None:
            conditions.append(scope.condition(wanted.where))
        rows = select(*levels, *inputs.values()).select_from(scope.source).where(*conditions).subquery()
        group = [rows.c[name] for name in self.level_names]
        columns: list[Column] = [func.count().label(FACTS)]
        for index, parts in enumerate(self.parts.values()):
            columns += parts.worth(rows.c[f"input_{index}"])
        signed = [column * literal(sign, INTEGER) if sign != 1 else column for column in columns]
        found = select(*group, *(each.label(name) for each, name in zip(signed, self.part_columns)))
        return found.select_from(rows).group_by(*group) if group else found.select_from(rows).having(func.count() > 0)

    def summed(self, rows: FromClause) -> Select[Any]:
        """Cells of several rows of each: without those that have no facts left."""
        group = [rows.c[name] for name in self.level_names]
        sums = [func.sum(rows.c[name], type_=kind).label(name) for name, kind in self.part_columns.items()]
        found = select(*group, *sums).select_from(rows).group_by(*group)
        return found.having(func.sum(rows.c[FACTS]) > 0)

    def recomputed(self, store: Store, within: FromClause | None = None) -> FromClause:
        """The levels and the other functions of all cells, or of those that are among some."""
        asked = Aggregate(self.aggregate.select, self.others, self.aggregate.group)
        statement = AggregatePlan(store, None, asked, {}, within).statement().order_by(None)
        names = [*self.level_names, *self.value_columns]
        found = select(*(column.label(name) for column, name in zip(statement.subquery().c, names)))
        return found.subquery()

    def complete(self, cells: FromClause, store: Store, within: FromClause | None = None) -> Select[Any]:
        """Cells with the values of the other functions, which are computed from a store."""
        own = [cells.c[name] for name in (*self.level_names, *self.part_columns)]
        if not self.others:
            return select(*own)
        values = self.recomputed(store, within)
        joined = cells.outerjoin(values, same_group(cells, values, self.level_names))
        return select(*own, *(values.c[name] for name in self.value_columns)).select_from(joined)


def shape_of(store: Store, aggregate: Aggregate) -> CellShape:
    """The shape of the cells of a checked aggregate."""
    scope, kind = Scope(store, aggregate.select.entity_type), aggregate.select.entity_type
    functions = {each: None for each in aggregate.functions if isinstance(each, AggregateFunction)}
    folded = [each for each in functions if is_folded(each, kind, store.schema)]
    built = AggregatePlan(store, None, aggregate, {}).functions
    parts = {}
    for each in folded:
        attribute = None if each.path is None else scope.row_value(each.path).attribute
        parts[each] = folded_parts(each, _input(scope, each), attribute)
    levels = tuple(banded(scope.row_value(level.path), level) for level in aggregate.group)
    return CellShape(aggregate, levels, parts, tuple(each for each in functions if each not in parts), built)


def _input(scope: Scope, function: AggregateFunction) -> SqlFunction:
    value = None if function.path is None else scope.row_value(function.path)
    found = sql_function(function.name, value, function.argument)
    return found if function.condition is None else found.of(scope.condition(function.condition))
