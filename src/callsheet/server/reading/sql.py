"""Queries are compiled to SQL: the third interpreter of the condition tree, besides text and ``matches``.

A path's references become LEFT JOINs, one for each distinct path; the key of a reference is read from its own column,
without a join. A collection becomes EXISTS. SQL's third truth value is never visible: ``not`` is IS NOT TRUE, ``!=``
is IS DISTINCT FROM, and a condition that is unknown at the top selects nothing, like a false one.

Rows that the account may not read (``access.py``) are excluded from every SELECT. The target of a reference is joined
under the same condition, and the reference's key is read from the joined row, so an unreadable target reads as None.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from attrs import define, field
from sqlalchemy import ColumnElement, FromClause, UnaryExpression, and_, exists, false, literal, or_, select, true
from sqlalchemy.sql.operators import custom_op

from callsheet.errors import Invalid
from callsheet.model import query
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Or, Path, Step
from callsheet.model.schema import Attribute, EntityType, Schema
from callsheet.server.access.access import Access
from callsheet.server.reading.choosing import chosen_keys, directed
from callsheet.server.store.comparison import KEY, Value, Where, compared, holds_for_none
from callsheet.server.store.items import item_value
from callsheet.server.store.native_keys import same_key
from callsheet.server.store.store import Store

__all__ = ["JoinedEntity", "Scope", "of_type", "readable", "unindexed"]

Steps = Sequence[Step]

_PLUS: custom_op[Any] = custom_op("+")


@define(eq=False)
class JoinedEntity:
    """The entity at some step of a path; ``key`` is NULL if there is none."""

    scope: Scope
    entity_type: EntityType
    key: ColumnElement[Any]
    nullable: bool
    _table: FromClause | None = None
    _steps: dict[Step, JoinedEntity] = field(factory=dict)

    @property
    def table(self) -> FromClause:
        """The entity's table, joined when first needed."""
        if self._table is None:
            self._table = self.scope.joined(self.entity_type, self.key)
        return self._table

    def column(self, name: str) -> ColumnElement[Any]:
        return self.table.c[name]

    def attribute(self, name: str) -> Attribute:
        if name == "id":
            return KEY
        return self.entity_type.attribute(name)

    def follow(self, step: Step, attribute: Attribute) -> JoinedEntity:
        """The target of a reference, narrowed to the step's cast if it has one."""
        found = self._steps.get(step)
        if found is None:
            found = self._steps[step] = self._follow(step, attribute)
        return found

    def _follow(self, step: Step, attribute: Attribute) -> JoinedEntity:
        target = self.scope.schema.type(str(attribute.target))
        key = self.column(attribute.name)
        if self.scope.conceals(target):
            table = self.scope.joined(target, key)
            return JoinedEntity(self.scope, target, table.c.id, True, table).narrowed(step.cast)
        return JoinedEntity(self.scope, target, key, True).narrowed(step.cast)

    def member(self, step: Step) -> JoinedEntity:
        """A member of a collection, joined as one row for each; narrowed to the step's cast if it has one."""
        every = Step(step.name)
        if every not in self._steps:
            self._steps[every] = self.scope.joined_member(self, step.name)
        if step not in self._steps:
            self._steps[step] = self._steps[every].narrowed(step.cast)
        return self._steps[step]

    def narrowed(self, cast: str | None) -> JoinedEntity:
        """The same entity if it has this type, else none."""
        schema = self.scope.schema
        if cast is None or schema.is_a(self.entity_type.name, cast):
            return self
        narrow = schema.type(cast)
        table = self.scope.joined(narrow, self.key, schema.concrete(cast))
        return JoinedEntity(self.scope, narrow, table.c.id, True, table)


class Scope:
    """One SELECT: its joined tables, its conditions, and what the account may read (None: all).

    ``rows`` are those of the type's table that it begins with, if not all.
    """

    def __init__(
        self,
        store: Store,
        entity_type: str,
        access: Access | None = None,
        alias: bool = True,
        rows: FromClause | None = None,
    ) -> None:
        self.store, self.schema, self.access = store, store.schema, access
        found = self.schema.type(entity_type)
        table = store.tables[found.root]
        start: FromClause = rows if rows is not None else table.alias() if alias else table
        self.source: FromClause = start
        self.place = JoinedEntity(self, found, start.c.id, False, start)
        self._keys: dict[FromClause, ColumnElement[Any]] = {}

    def joined(self, entity_type: EntityType, key: ColumnElement[Any], types: Sequence[str] = ()) -> FromClause:
        """Join a type's table by key; with ``types``, only rows of these types."""
        table = self.store.tables[entity_type.root].alias()
        on = same_key(table.c.id, key)
        if types:
            on = and_(on, table.c._type.in_(types))
        if self.conceals(entity_type):
            on = and_(on, *readable(self.access, entity_type, table))
        self.source = self.source.outerjoin(table, on)
        self._keys[table] = key
        return table

    def join_rows(self, rows: FromClause, on: Where) -> None:
        """Join rows of which at most one fulfils the condition."""
        self.source = self.source.outerjoin(rows, on)

    def joined_member(self, owner: JoinedEntity, name: str) -> JoinedEntity:
        """Join the members of a collection by its owner."""
        attribute = owner.attribute(name)
        target = self.schema.type(str(attribute.target))
        table = self.store.tables[target.root].alias()
        conditions = of_type(self.schema, target, table) + readable(self.access, target, table)
        if self.store.is_link(owner.entity_type.name, name):
            link = self.store.link(owner.entity_type.name, name)
            linked = link.table.alias()
            inner = linked.join(table, and_(table.c.id == linked.c[link.far.name], *conditions))
            self.source = self.source.outerjoin(inner, linked.c[link.near.name] == owner.key)
        else:
            on = and_(same_key(table.c[str(attribute.inverse)], owner.key), *conditions)
            self.source = self.source.outerjoin(table, on)
        return JoinedEntity(self, target, table.c.id, True, table)

    def reached(self, expression: ColumnElement[Any]) -> list[Where]:
        """The condition that the joined row of a column exists; none if the column is not from a joined table.

        A missing row never fulfils ``IN``, but SQLite does not deduce that: without this condition it keeps the outer
        join and reads the whole table, instead of using an index of the joined one.
        """
        table = getattr(expression, "table", None)
        return [] if table not in self._keys else [table.c.id == self._keys[table]]

    def conceals(self, entity_type: EntityType) -> bool:
        """Whether there may be entities of this type that the account may not read."""
        return self.access is not None and not self.access.everywhere("read", entity_type.name)

    def of_type(self, indexed: bool = True) -> list[Where]:
        """The conditions that rows have the scope's type (if its table has other types) and may be read.

        Unless ``indexed``, SQLite does not look for rows by their type.
        """
        place = self.place
        return of_type(self.schema, place.entity_type, place.table, indexed) + readable(
            self.access, place.entity_type, place.table
        )

    def condition(self, condition: Condition) -> Where:
        """A condition on the scope's entities."""
        return _condition(self.place, condition)

    def order(self, order: Sequence[query.Order]) -> list[ColumnElement[Any]]:
        """The expressions of ``ORDER BY``; the key comes last, so that the order is total."""
        found = [directed(self.value(each.path).expression, each.descending) for each in order]
        return [*found, self.place.key.asc()]

    @property
    def key(self) -> ColumnElement[Any]:
        return self.place.key

    def entity(self, steps: Steps) -> JoinedEntity:
        """The entity at the end of relations; members of collections are joined, as a row for each."""
        place = self.place
        for step in steps:
            attribute = place.attribute(step.name)
            place = place.member(step) if attribute.kind == "collection" else place.follow(step, attribute)
        return place

    def row_value(self, path: Path) -> Value:
        """The value at a path, which may lead through collections: their members are joined, as a row for each."""
        found: list[Value] = []

        def take(value: Value) -> Where:
            found.append(value)
            return true()

        def through(owner: JoinedEntity, steps: Steps) -> Where:
            return _walk(owner.member(steps[0]), steps[1:], take, through)

        _walk(self.place, path.steps, take, through)
        return found[0]

    def value(self, path: Path) -> Value:
        """The value at a path; raises `Invalid` if the path goes through a collection."""

        def refuse(members: JoinedEntity, steps: Steps) -> Where:
            raise Invalid(f"`{'.'.join(path.names)}` goes through a collection; there is no single value to use")

        found: list[Value] = []

        def take(value: Value) -> Where:
            found.append(value)
            return true()

        _walk(self.place, path.steps, take, refuse)
        return found[0]


def unindexed(expression: ColumnElement[Any]) -> ColumnElement[Any]:
    """The same expression, for which SQLite uses no index."""
    return UnaryExpression(expression, operator=_PLUS, type_=expression.type)


def of_type(schema: Schema, entity_type: EntityType, table: FromClause, indexed: bool = True) -> list[Where]:
    """The condition that rows of a family's table have this type, or one derived from it."""
    if not entity_type.parent:
        return []
    column = table.c._type if indexed else unindexed(table.c._type)
    return [column.in_(schema.concrete(entity_type.name))]


def readable(access: Access | None, entity_type: EntityType, table: FromClause) -> list[Where]:
    """The condition that the account may read a table's rows of a type; none if it may read all."""
    return [] if access is None else access.allowed("read", entity_type.name, table)


def _condition(place: JoinedEntity, condition: Condition) -> Where:
    if isinstance(condition, Comparison):
        return _comparison(place, condition)
    if isinstance(condition, And):
        return and_(true(), *(_condition(place, part) for part in condition.conditions))
    if isinstance(condition, Or):
        return or_(false(), *(_condition(place, part) for part in condition.conditions))
    if isinstance(condition, Not):
        return _complement(_condition(place, condition.condition))
    return _any(place, condition)


def _complement(condition: Where) -> Where:
    return condition.is_not(true())


def _walk(
    place: JoinedEntity,
    steps: Steps,
    arrive: Callable[[Value], Where],
    collection: Callable[[JoinedEntity, Steps], Where],
) -> Where:
    """Follow references; calls ``arrive`` with the value, or ``collection`` with the steps that begin with one."""
    for index, step in enumerate(steps):
        attribute = place.attribute(step.name)
        last = index == len(steps) - 1
        if attribute.kind == "collection":
            return collection(place, steps[index:])
        if attribute.kind == "mapping" and not last:
            item = place.entity_type.item(attribute.name, steps[index + 1].name)
            return arrive(Value(item_value(place.column(attribute.name), steps[index + 1].name, item), item, True))
        if attribute.kind == "reference" and not (last and step.cast is None):
            place = place.follow(step, attribute)
        elif last:
            return arrive(_here(place, step, attribute))
        else:
            raise Invalid(f"`{step.name}` of {place.entity_type.name} is not a relation; nothing can follow it")
    return arrive(Value(place.key, KEY))


def _here(place: JoinedEntity, step: Step, attribute: Attribute) -> Value:
    """The value of an attribute of the entity itself."""
    if attribute.computed == "link":
        raise Invalid(f"{place.entity_type.name}.{attribute.name} is computed on reading; no condition can use it")
    if attribute is KEY:
        return Value(place.key, KEY)
    if attribute.kind == "reference" and place.scope.conceals(place.scope.schema.type(str(attribute.target))):
        return Value(place.follow(step, attribute).key, attribute)
    return Value(place.column(attribute.name), attribute)


def _comparison(place: JoinedEntity, comparison: Comparison) -> Where:
    def arrive(value: Value) -> Where:
        if isinstance(comparison.value, query.Select):
            inside = _selected(place.scope, value, comparison.value)
            return inside if comparison.operator == "in" else _complement(inside)
        found = compared(value, comparison.operator, comparison.value)
        if comparison.operator != "in" or holds_for_none("in", comparison.value):
            return found
        return and_(found, *place.scope.reached(value.expression))

    def through(owner: JoinedEntity, steps: Steps) -> Where:
        def inside(member: JoinedEntity) -> Where:
            return _walk(member.narrowed(steps[0].cast), steps[1:], arrive, through)

        some = _members(owner, Step(steps[0].name), inside)
        if owner.nullable and holds_for_none(comparison.operator, comparison.value):
            return or_(owner.key.is_(None), some)
        return some

    return _walk(place, comparison.path.steps, arrive, through)


def _any(place: JoinedEntity, condition: Any_) -> Where:
    """The condition that some member, or the referenced entity, fulfils the inner condition."""

    def fulfils(entity: JoinedEntity) -> Where:
        return true() if condition.condition is None else _condition(entity, condition.condition)

    def along(owner: JoinedEntity, steps: Steps) -> Where:
        for index, step in enumerate(steps):
            attribute = owner.attribute(step.name)
            if attribute.kind == "collection":
                rest = steps[index + 1 :]
                return _members(owner, step, partial(along, steps=rest) if rest else fulfils)
            owner = owner.follow(step, attribute)
        return and_(owner.key.is_not(None), fulfils(owner))

    return along(place, condition.path.steps)


def _members(owner: JoinedEntity, step: Step, inside: Callable[[JoinedEntity], Where]) -> Where:
    """The condition that any member of a collection (narrowed to the step's cast) fulfils ``inside``."""
    store = owner.scope.store
    attribute = owner.attribute(step.name)
    scope = Scope(store, step.cast or str(attribute.target), owner.scope.access)
    start = scope.place
    conditions = scope.of_type()
    if store.is_link(owner.entity_type.name, attribute.name):
        link = store.link(owner.entity_type.name, attribute.name)
        table = link.table.alias()
        scope.source = scope.source.join(table, table.c[link.far.name] == start.key)
        conditions.append(table.c[link.near.name] == owner.key)
    else:
        conditions.append(same_key(start.column(str(attribute.inverse)), owner.key))
    conditions.append(inside(start))
    statement = select(literal(1)).select_from(scope.source).where(*conditions)
    return exists(statement.correlate(_owner_of(owner)))


def _owner_of(owner: JoinedEntity) -> FromClause:
    """The outer table that an inner SELECT is correlated with."""
    column: Any = owner.key
    table: FromClause = column.table
    return table


def _selected(outer: Scope, value: Value, inner: query.Select) -> Where:
    """The condition that a value is among the results of a nested query."""
    scope = Scope(outer.store, inner.entity_type, outer.access)
    if len(inner.projections) > 1:
        raise Invalid("a query inside `in (…)` returns one value for each entity; select one attribute")
    found = scope.value(inner.projections[0]) if inner.projections else Value(scope.place.key, KEY)
    if found.attribute.data_type in ("date", "datetime") and found.item != value.item:
        raise Invalid("a nested query cannot compare dates in mappings with dates of attributes")
    if inner.top is not None or inner.sample is not None:
        keys = chosen_keys(inner, partial(Scope, outer.store, inner.entity_type, outer.access))
        conditions: list[Where] = [scope.key.in_(keys)]
    else:
        conditions = scope.of_type() + ([] if inner.where is None else [scope.condition(inner.where)])
    order = scope.order(inner.order)
    statement = select(found.expression.label("value")).select_from(scope.source)
    statement = statement.where(*conditions)
    if inner.limit is not None or inner.offset:
        statement = statement.order_by(*order).limit(inner.limit).offset(inner.offset or None)
    values = statement.subquery().c.value
    inside = value.expression.in_(select(values).where(values.is_not(None)))
    if found.attribute is KEY:
        return inside
    return or_(inside, and_(value.expression.is_(None), exists(select(literal(1)).where(values.is_(None)))))
