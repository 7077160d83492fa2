"""Which entities a query with a top or a sample keeps: their keys, as a statement.

A top numbers the entities of each value. A random sample takes them in the order of a hash of seed and key, which both
databases compute alike. A stratified one puts them in the order of their strata, and draws at even distances: with n of
N entities the one at place i if ``i * n // N`` is a new number there, so that each stratum has its share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, FromClause, case, cast, func, literal, select
from sqlalchemy import Select as Statement

from callsheet.model.query import Condition, Order, Path, Sample, Select, Top
from callsheet.server.store.columns import INTEGER, NUMBER, TEXT
from callsheet.server.store.comparison import Value, Where
from callsheet.server.store.sql_template import SqlTemplate
from callsheet.server.store.sqlite_statistics import DRAW

__all__ = ["chosen_keys", "directed"]

Column = ColumnElement[Any]


class SelectScope(Protocol):
    """What choosing needs of a `Scope`."""

    source: FromClause

    @property
    def key(self) -> Column: ...

    def of_type(self, indexed: bool = True) -> list[Where]: ...

    def condition(self, condition: Condition) -> Where: ...

    def value(self, path: Path) -> Value: ...


class _Whole(SqlTemplate):
    """The integer below a number that is not negative."""

    inherit_cache = True
    type = INTEGER
    sqlite, postgres = "CAST({0} AS INTEGER)", "CAST(floor({0}) AS BIGINT)"
    mariadb = "CAST(floor({0}) AS SIGNED)"


class _Drawn(SqlTemplate):
    """The place of a text in a random order: its hash, as bytes or in hexadecimal, which sort alike."""

    inherit_cache = True
    type = TEXT
    sqlite, postgres = f"{DRAW}(CAST({{0}} AS BLOB))", "md5({0})"
    mariadb = "md5({0})"


def directed(expression: Column, descending: bool) -> Column:
    """The expression with its direction: None is first in ascending order, last in descending order."""
    return expression.desc().nulls_last() if descending else expression.asc().nulls_first()


def chosen_keys(wanted: Select, scope: Callable[[], SelectScope], window: bool = False) -> Statement[Any]:
    """The keys of the entities that fulfil the condition and that top and sample keep; ``scope`` begins a statement.

    With ``window``, the query's order, limit and offset apply, too.
    """
    rows = scope()
    conditions = rows.of_type()
    if wanted.where is not None:
        conditions.append(rows.condition(wanted.where))
    if wanted.top is not None:
        keys = _topped(rows, conditions, wanted.top)
        if wanted.sample is None and not window:
            return keys
        rows = scope()
        conditions = [rows.key.in_(keys)]
    if wanted.sample is not None:
        keys = _sampled(rows, conditions, wanted.sample, wanted.order)
        if not window:
            return keys
        rows = scope()
        conditions = [rows.key.in_(keys)]
    order = _orders(rows, wanted.order)
    found = select(rows.key.label("id")).select_from(rows.source).where(*conditions)
    return found.order_by(*order).limit(wanted.limit).offset(wanted.offset or None)


def _orders(rows: SelectScope, orders: Sequence[Order]) -> list[Column]:
    return [*(directed(rows.value(each.path).expression, each.descending) for each in orders), rows.key.asc()]


def _topped(rows: SelectScope, conditions: list[Where], top: Top) -> Statement[Any]:
    by = _orders(rows, top.by)
    if top.per is None:
        return select(rows.key.label("id")).select_from(rows.source).where(*conditions).order_by(*by).limit(top.number)
    place = func.row_number().over(partition_by=rows.value(top.per).expression, order_by=by)
    found = select(rows.key.label("id"), place.label("place")).select_from(rows.source).where(*conditions).subquery()
    return select(found.c.id).where(found.c.place <= literal(top.number, INTEGER))


def _sampled(rows: SelectScope, conditions: list[Where], sample: Sample, order: Sequence[Order]) -> Statement[Any]:
    key = rows.key
    drawn = [_Drawn(literal(f"{sample.seed}:", TEXT) + key).asc(), key.asc()]
    by = _orders(rows, order) if sample.method == "first" else drawn
    if sample.per is not None:
        by = [directed(rows.value(sample.per).expression, False), *by]
    elif sample.number is not None:
        return select(key.label("id")).select_from(rows.source).where(*conditions).order_by(*by).limit(sample.number)
    place = func.row_number().over(order_by=by).label("place")
    number = func.count().over().label("number")
    found = select(key.label("id"), place, number).select_from(rows.source).where(*conditions).subquery()
    size = _size(sample, found.c.number)
    if sample.per is None:
        return select(found.c.id).where(found.c.place <= size)
    before, after = (found.c.place - 1) * size, found.c.place * size
    return select(found.c.id).where(after // found.c.number > before // found.c.number)


def _size(sample: Sample, number: Column) -> Column:
    """How many of so many entities a sample has."""
    if sample.fraction is not None:
        return _Whole(cast(number, NUMBER) * literal(sample.fraction, NUMBER) + literal(0.5, NUMBER))
    wanted = literal(sample.number, INTEGER)
    return case((number < wanted, number), else_=wanted)
