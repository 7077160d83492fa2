"""Stems: the rows that the values of some functions are taken from, together.

- Functions of a table's entities, and those for which repetition plays no part, share one stem, with one row for each
  entity. Conditions of functions are CASE WHEN in it.
- A function of values of another owner (``sum(task.bid)``) has a stem in which each owner is once in a group. Where the
  owner determines all levels (the kind and the shot of a task), the stem is read from the owners that entities reach.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from attrs import define, field, frozen
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    FromClause,
    cast,
    exists,
    literal,
    null,
    select,
    type_coerce,
    union_all,
)
from sqlalchemy import Select as Statement
from sqlalchemy.types import TypeEngine

from callsheet.model.facts import Fact
from callsheet.model.measure import IN_TIME, AggregateFunction
from callsheet.model.query import Condition, Path, Step
from callsheet.model.schema import EntityType, Schema
from callsheet.server.access.access import Access
from callsheet.server.reading.bands import banded
from callsheet.server.reading.choosing import chosen_keys
from callsheet.server.reading.functions import (
    SqlFunction,
    placeholder_type,
    sql_function,
    value_in_time,
    weighted_function,
)
from callsheet.server.reading.parameters import RuleSets, check_levels, joined_value
from callsheet.server.reading.same_groups import among_groups
from callsheet.server.reading.sql import Scope
from callsheet.server.store.comparison import Value, Where
from callsheet.server.store.store import Store

__all__ = ["Stem", "StemKey", "missing_of", "stem_key"]

_ONCE = frozenset({"minimum", "maximum", "distinct", *IN_TIME})
"""Functions for which it plays no part how often a value occurs."""


@frozen
class StemKey:
    """Which rows a function's values are taken from.

    ``table`` is a second table of facts; empty: the selected entities. ``owner`` are the relations to the owner that
    is once in a group; empty: the entities themselves. With ``ways``, it is once for each entity. ``condition`` is one
    of the rows, for owners.
    """

    table: str = ""
    owner: tuple[Step, ...] = ()
    ways: bool = False
    condition: Condition | None = None


def stem_key(schema: Schema, fact: Fact, function: AggregateFunction) -> StemKey:
    """The stem of a function."""
    if function.path is None:
        return StemKey(fact.table)
    place = schema.type(fact.select.entity_type)
    owner = _owner(schema, place, function.path)
    if function.repeated or function.name in _ONCE or not owner:
        return StemKey(fact.table, owner, True) if _spreads(schema, place, owner) else StemKey(fact.table)
    return StemKey(fact.table, owner, False, function.condition)


@define(eq=False)
class Stem:
    """The rows of some functions, and the scope that joins what they need; ``levels`` are those that it knows.

    With ``within``, only rows whose levels are those of one of these groups are there.
    """

    key: StemKey
    fact: Fact
    scope: Scope
    levels: dict[int, Value]
    _open: Callable[[], Scope]
    rules: RuleSets
    owners: Scope | None = None
    functions: dict[AggregateFunction, SqlFunction] = field(factory=dict)
    within: FromClause | None = None

    @classmethod
    def of(
        cls,
        key: StemKey,
        fact: Fact,
        store: Store,
        access: Access | None,
        rules: RuleSets,
        within: FromClause | None = None,
    ) -> Stem:
        """A stem of a table, with its levels."""
        opened = partial(Scope, store, fact.select.entity_type, access)
        scope = opened()
        owners, cut = None, 0
        if key.owner and not key.ways and _determines(key.owner, fact):
            cut = len(key.owner)
            owners = Scope(store, scope.entity(key.owner).entity_type.name, access)
        levels = {
            place: banded((owners or scope).row_value(Path(level.path.steps[cut:])), level)
            for place, level in enumerate(fact.levels)
            if level is not None
        }
        return cls(key, fact, scope, levels, opened, rules, owners, within=within)

    @property
    def repeats(self) -> bool:
        """Whether its rows must be made distinct in each kind of groups."""
        return bool(self._owner_columns())

    def add(self, function: AggregateFunction) -> SqlFunction:
        path = function.path
        if self.owners is not None and path is not None:
            inner = self.owners.row_value(Path(path.steps[len(self.key.owner) :]))
            found = self.functions[function] = self._of_values(function, inner, self.owners)
            return found
        value = None if path is None else self.scope.row_value(path)
        if value is not None and function.by is not None:
            by = self.scope.row_value(function.by).expression
            found = value_in_time(function.name, value, by, self.scope.key)
        else:
            found = self._of_values(function, value, self.scope)
        if function.condition is not None and self.key.condition is None:
            found = found.of(self.scope.condition(function.condition))
        self.functions[function] = found
        return found

    def _of_values(self, function: AggregateFunction, value: Value | None, scope: Scope) -> SqlFunction:
        """The function of values in a scope, which are multiplied with the weights of their rows."""
        if not function.weights:
            return sql_function(function.name, value, function.argument)
        key, kind, name = self.key, self.fact.select.entity_type, function.name
        owner = key.owner
        if function.path is not None and not owner:
            owner = _owner(scope.schema, scope.place.entity_type, function.path)
        weights = []
        for weight in function.weights:
            rules = self.rules[kind, weight.parameter]
            check_levels(name, rules, owner, bool(key.owner) and not key.ways)
            cut = len(key.owner) if scope is self.owners else 0
            weights.append((joined_value(scope, weight.parameter, rules, cut), weight.divides))
        return weighted_function(name, value, function.argument, weights)

    def rows(self) -> Statement[Any] | CompoundSelect[Any]:
        """Levels, the owner where it is once in a group, and the inputs of the functions."""
        found = self._rows()
        if self.within is None:
            return found
        rows = found.subquery()
        return select(*rows.c).where(among_groups(rows, self.within, [f"level_{place}" for place in self.levels]))

    def _rows(self) -> Statement[Any] | CompoundSelect[Any]:
        levels = [value.expression.label(f"level_{place}") for place, value in self.levels.items()]
        inputs = [
            column.label(f"input_{index}_{place}")
            for index, each in enumerate(self.functions.values())
            for place, column in enumerate(each.inputs)
        ]
        conditions = self.conditions()
        if self.key.condition is not None:
            conditions.append(self.scope.condition(self.key.condition))
        if self.owners is not None:
            return self._owner_rows(self.owners, [*levels, *inputs], conditions)
        return select(*levels, *self._owner_columns(), *inputs).select_from(self.scope.source).where(*conditions)

    def _owner_rows(self, owners: Scope, columns: list[Any], conditions: list[Where]) -> CompoundSelect[Any]:
        """Each owner that entities reach; and a row without an owner, if an entity reaches none."""
        key = self.scope.entity(self.key.owner).key
        reached = select(key).select_from(self.scope.source).where(*conditions, key.is_not(None))
        found = select(*columns).select_from(owners.source).where(*owners.of_type(), owners.key.in_(reached))
        none = select(literal(1)).select_from(self.scope.source).where(*conditions, key.is_(None))
        missing = [missing_of(column.type).label(column.name) for column in columns]
        return union_all(found, select(*missing).where(exists(none)))

    def conditions(self) -> list[Where]:
        """The conditions of the table's entities."""
        wanted, scope = self.fact.select, self.scope
        bounded = wanted.limit is not None or bool(wanted.offset)
        if bounded or wanted.top is not None or wanted.sample is not None:
            return [scope.key.in_(chosen_keys(wanted, self._open, window=bounded))]
        conditions = scope.of_type()
        if wanted.where is not None:
            conditions.append(scope.condition(wanted.where))
        return conditions

    def source(self, kept: Sequence[int], rows: FromClause | None) -> FromClause:
        """The rows from which one kind of groups is made: each owner once in a group."""
        if rows is None:
            statement = self.rows()
            distinct = isinstance(statement, Statement) and self._owner_columns()
            return (statement.distinct() if distinct else statement).subquery()  # type: ignore[union-attr]
        if not self._owner_columns():
            return rows
        names = [f"level_{place}" for place in kept]
        names += [name for name in dict(rows.c) if not name.startswith("level_")]
        return select(*(rows.c[name] for name in names)).distinct().subquery()

    def _owner_columns(self) -> list[Any]:
        """What must be once in a group; nothing where each row is of another entity."""
        key, scope = self.key, self.scope
        if self.owners is not None:
            return []
        if key.owner and not key.ways:
            return [scope.entity(key.owner).key.label("owner")]
        schema, place = scope.schema, scope.place.entity_type
        if key.owner or any(_spreads(schema, place, level.path.steps) for level in self.fact.levels if level):
            found = [scope.key.label("owner")]
            return [*found, scope.entity(key.owner).key.label("owned")] if key.owner else found
        return []


def _determines(owner: Sequence[Step], fact: Fact) -> bool:
    """Whether all levels of a table are those of an owner that is reached by these relations.

    A bounded choice of entities is not made twice.
    """
    select = fact.select
    bounded = select.limit is not None or select.offset or select.top is not None or select.sample is not None
    paths = [level.path.steps for level in fact.levels if level is not None]
    return not bounded and all(len(steps) > len(owner) and steps[: len(owner)] == owner for steps in paths)


def missing_of(column_type: TypeEngine[Any]) -> ColumnElement[Any]:
    """NULL of a type."""
    return type_coerce(cast(null(), placeholder_type(column_type)), column_type)


def _spreads(schema: Schema, place: EntityType, steps: Sequence[Step]) -> bool:
    """Whether one of these relations is a collection."""
    for step in steps:
        if step.name == "id":
            return False
        attribute = place.attribute(step.name)
        if attribute.kind == "collection":
            return True
        if attribute.kind != "reference":
            return False
        place = schema.type(step.cast or str(attribute.target))
    return False


def _owner(schema: Schema, place: EntityType, path: Path) -> tuple[Step, ...]:
    """The relations that lead to the owner of a path's values; the key of a reference belongs to who refers."""
    for index, step in enumerate(path.steps):
        attribute = place.attributes.get(step.name)
        if attribute is None or attribute.kind not in ("reference", "collection"):
            return path.steps[:index]
        if attribute.kind == "reference" and [each.name for each in path.steps[index + 1 :]] in ([], ["id"]):
            return path.steps[:index]
        place = schema.type(step.cast or str(attribute.target))
    return path.steps
