"""Aggregate functions in SQL, each with the same meaning on every database (see ``model/measure.py``)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from attrs import evolve, frozen
from sqlalchemy import ColumnElement, Integer, Text, case, cast, func, literal, type_coerce
from sqlalchemy.types import TypeEngine

from callsheet.errors import Invalid
from callsheet.model.schema import Attribute
from callsheet.server.store.columns import INTEGER, NUMBER, TEXT, Truth
from callsheet.server.store.comparison import Value, Where
from callsheet.server.store.items import item_python
from callsheet.server.store.sql_template import SqlTemplate
from callsheet.server.store.sqlite_statistics import DEVIATION, FIRST, LATEST, MODE, QUANTILE, VARIANCE

__all__ = ["SqlFunction", "group_reader", "placeholder_type", "sql_function", "value_in_time", "weighted_function"]

Column = ColumnElement[Any]
Reading = Callable[[Any], Any]

_PRODUCT = Attribute("product", data_type="number")
_PLACES = {"median": 0.5, "lower_quartile": 0.25, "upper_quartile": 0.75}


class SqlQuantile(SqlTemplate):
    inherit_cache = True
    type = NUMBER
    meaning = "medians and quantiles"
    sqlite, postgres = f"{QUANTILE}({{0}}, {{1}})", "percentile_cont({1}) WITHIN GROUP (ORDER BY {0})"


class SqlVariance(SqlTemplate):
    inherit_cache = True
    type = NUMBER
    sqlite, postgres = f"{VARIANCE}({{0}})", "var_samp({0})"
    mariadb = "var_samp({0})"


class SqlDeviation(SqlTemplate):
    inherit_cache = True
    type = NUMBER
    sqlite, postgres = f"{DEVIATION}({{0}})", "stddev_samp({0})"
    mariadb = "stddev_samp({0})"


class SqlMode(SqlTemplate):
    inherit_cache = True
    meaning = "the most frequent value"
    sqlite, postgres = f"{MODE}({{0}})", "mode() WITHIN GROUP (ORDER BY {0})"

    def __init__(self, value: Column) -> None:
        super().__init__(value)
        self.type = value.type


_PRESENT = "FILTER (WHERE {0} IS NOT NULL AND {1} IS NOT NULL)"


class SqlLatest(SqlTemplate):
    """The value of the row with the largest second argument, then the largest third."""

    inherit_cache = True
    sqlite = f"{LATEST}({{0}}, {{1}}, {{2}})"
    postgres = f"(array_agg({{0}} ORDER BY {{1}} DESC, {{2}} DESC) {_PRESENT})[1]"
    duckdb = f"arg_max({{0}}, ROW({{1}}, {{2}})) {_PRESENT}"

    def __init__(self, value: Column, by: Column, key: Column) -> None:
        super().__init__(value, by, key)
        self.type = value.type


class SqlFirst(SqlLatest):
    """The value of the row with the smallest second argument, then the smallest third."""

    inherit_cache = True
    sqlite = f"{FIRST}({{0}}, {{1}}, {{2}})"
    postgres = f"(array_agg({{0}} ORDER BY {{1}}, {{2}}) {_PRESENT})[1]"
    duckdb = f"arg_min({{0}}, ROW({{1}}, {{2}})) {_PRESENT}"


@frozen(eq=False)
class SqlFunction:
    """A function of input columns: what goes in, what is computed, and how the result becomes a Python value.

    ``others`` go in beside the value. ``empty`` is the result of no values; ``data_type`` that of the attribute that
    the result is compared as.
    """

    value: Column
    function: Callable[..., Column]
    type: TypeEngine[Any]
    read: Reading
    data_type: str
    empty: int | None = None
    item: bool = False
    others: tuple[Column, ...] = ()

    @property
    def inputs(self) -> tuple[Column, ...]:
        return (self.value, *self.others)

    def of(self, condition: Where) -> SqlFunction:
        """The same of the values of rows that fulfil a condition."""
        value = type_coerce(case((condition, self.value)), self.value.type)
        return evolve(self, value=value, function=_count if self.function is _count_rows else self.function)


def value_in_time(name: str, value: Value, by: Column, key: Column) -> SqlFunction:
    """The value of the row that is the ``latest`` or the ``first`` by another column, then by its key."""
    function, column, read = SqlLatest if name == "latest" else SqlFirst, value.expression, group_reader(value)
    if isinstance(column.type, Truth):
        column, read = cast(column, Integer()), _truth
    data_type = value.attribute.data_type
    return SqlFunction(column, function, column.type, read, data_type, item=value.item, others=(by, key))


def sql_function(name: str, value: Value | None, place: float | None) -> SqlFunction:
    """The function of a name; without a value it counts rows."""
    if value is None:
        return SqlFunction(literal(1, INTEGER), _count_rows, INTEGER, int, "integer", 0)
    column, data_type = value.expression, value.attribute.data_type
    if name in ("count", "distinct"):
        function = _count if name == "count" else _distinct
        return SqlFunction(column, function, INTEGER, int, "integer", 0)
    if name == "sum" and data_type == "integer":
        return SqlFunction(column, lambda each: func.sum(each, type_=INTEGER), INTEGER, int, "integer", 0)
    if name in ("minimum", "maximum"):
        function = _minimum if name == "minimum" else _maximum
        return SqlFunction(column, function, column.type, group_reader(value), data_type, item=value.item)
    if name == "mode":
        if isinstance(column.type, Truth):
            return SqlFunction(cast(column, Integer()), SqlMode, INTEGER, _truth, data_type)
        return SqlFunction(column, SqlMode, column.type, group_reader(value), data_type, item=value.item)
    if name in ("sum", "average") and value.attribute.decimals is not None:
        return _exact(name, column, value.attribute.decimals)
    number = column if data_type == "number" else cast(column, NUMBER)
    if name == "sum":
        return SqlFunction(number, lambda each: func.sum(each, type_=NUMBER), NUMBER, _finite, "number", 0)
    return SqlFunction(number, _statistic(name, place), NUMBER, _finite, "number")


def weighted_function(
    name: str, value: Value | None, place: float | None, weights: Iterable[tuple[Column, bool]]
) -> SqlFunction:
    """The function of values that are each multiplied with weights, or divided by those that say so.

    A count is the sum of the weights where there is a value.
    """
    if value is None:
        product: Column = literal(1.0, NUMBER)
    elif name == "count":
        product = type_coerce(case((value.expression.is_not(None), literal(1.0, NUMBER))), NUMBER)
    else:
        product = cast(value.expression, NUMBER)
    for weight, divides in weights:
        below = func.nullif(weight, literal(0.0, NUMBER), type_=NUMBER)
        product = type_coerce(product / below if divides else product * weight, NUMBER)
    return sql_function("sum" if name == "count" else name, Value(product, _PRODUCT), place)


def _exact(name: str, column: Column, decimals: int) -> SqlFunction:
    """The sum or average of numbers that are whole multiples of a power of ten: of integers, divided in the end."""
    scale = float(10**decimals)
    units = cast(func.round(column * literal(scale, NUMBER), type_=NUMBER), INTEGER)

    def total(each: Column) -> Column:
        return cast(func.sum(each, type_=NUMBER), NUMBER) / literal(scale, NUMBER)

    if name == "sum":
        return SqlFunction(units, total, NUMBER, _finite, "number", 0)
    return SqlFunction(units, lambda each: total(each) / func.nullif(func.count(each), 0), NUMBER, _finite, "number")


def _statistic(name: str, place: float | None) -> Callable[[Column], Column]:
    if name == "average":
        return lambda each: func.avg(each, type_=NUMBER)
    if name == "variance":
        return SqlVariance
    if name == "deviation":
        return SqlDeviation
    at = _PLACES.get(name, place)
    return lambda each: SqlQuantile(each, literal(at, NUMBER))


def _count_rows(column: Column) -> Column:
    # SQLite counts rows much faster than values.
    return func.count()


def _count(column: Column) -> Column:
    return func.count(column)


def _distinct(column: Column) -> Column:
    return func.count(column.distinct())


def _minimum(column: Column) -> Column:
    return func.min(column, type_=column.type)


def _maximum(column: Column) -> Column:
    return func.max(column, type_=column.type)


def _truth(value: int | None) -> bool | None:
    return None if value is None else value != 0


def _finite(value: Any) -> float | None:
    """A float of the database's number; an infinite one is refused, as PostgreSQL does."""
    if value is None:
        return None
    number = float(value)
    if not math.isfinite(number):
        raise Invalid("a number in the query's answer is larger than 64 bits")
    return number


def group_reader(value: Value) -> Reading:
    """The function that converts a stored value to Python."""
    return (lambda stored: item_python(value.attribute, stored)) if value.item else (lambda stored: stored)


def placeholder_type(column_type: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type as ``CAST`` takes it: without a collation."""
    return Text() if column_type is TEXT else column_type
