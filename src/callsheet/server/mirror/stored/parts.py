"""The parts of a folded function that a cell has: integers, which facts add to and take away again exactly.

A float is a whole number of units: its size says which of three units, and a sum is kept for each. So it is exact down
to 2**-100 (about 1e-30), and what was added can be taken away without a remainder.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen
from sqlalchemy import ColumnElement, and_, case, cast, func, literal
from sqlalchemy.types import UserDefinedType

from callsheet.model.measure import AggregateFunction
from callsheet.model.schema import Attribute
from callsheet.server.reading.functions import SqlFunction
from callsheet.server.store.columns import INTEGER, NUMBER

__all__ = ["FoldedParts", "folded_parts"]

Column = ColumnElement[Any]

SMALL, MIDDLE, LARGE = 2.0**100, 2.0**64, 2.0**16
"""Units in one, of floats below `LEAST`, up to `MOST`, and above."""
LEAST, MOST = 2.0**-12, 2.0**36


class Huge(UserDefinedType[int]):
    """Integers of 128 bits."""

    cache_ok = True

    def get_col_spec(self, **options: Any) -> str:
        return "HUGEINT"


HUGE = Huge()


@frozen(eq=False)
class FoldedParts:
    """The parts of one function: their types, what a group of facts is worth, and the function of several cells."""

    types: tuple[Any, ...]
    worth: Callable[[Column], list[Column]]
    value: Callable[..., Column]


def folded_parts(function: AggregateFunction, built: SqlFunction, attribute: Attribute | None) -> FoldedParts:
    """The parts of a count, a sum or an average, whose values ``built`` has as its input."""
    if function.name == "count":
        return FoldedParts((INTEGER,), lambda value: [built.function(value)], lambda number: _total(number, INTEGER))
    assert attribute is not None, "a sum has values"
    mean = function.name == "average"
    if attribute.decimals is not None:
        return _of_units((float(10**attribute.decimals),), lambda value: [value], mean)
    if attribute.data_type == "integer" and not mean:
        return FoldedParts((HUGE,), lambda value: [_sum(value)], lambda total: _total(total, INTEGER))
    return _of_units((SMALL, MIDDLE, LARGE), _by_size, mean)


def _of_units(units: tuple[float, ...], split: Callable[[Column], list[Column]], mean: bool) -> FoldedParts:
    """Sums of whole numbers of units, and the number of values."""

    def value(*columns: Column) -> Column:
        *sums, number = columns
        parts = [cast(_total(each, HUGE), NUMBER) / literal(unit, NUMBER) for each, unit in zip(sums, units)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total / func.nullif(_total(number, INTEGER), 0) if mean else total

    return FoldedParts(
        (*(HUGE for _ in units), INTEGER),
        lambda each: [*(_sum(part) for part in split(each)), func.count(each)],
        value,
    )


def _by_size(value: Column) -> list[Column]:
    size = func.abs(value, type_=NUMBER)
    kinds = [
        (size < literal(LEAST, NUMBER), SMALL),
        (and_(size >= literal(LEAST, NUMBER), size <= literal(MOST, NUMBER)), MIDDLE),
        (size > literal(MOST, NUMBER), LARGE),
    ]
    return [case((which, cast(value * literal(unit, NUMBER), HUGE))) for which, unit in kinds]


def _sum(value: Column) -> Column:
    return func.coalesce(func.sum(value, type_=HUGE), 0, type_=HUGE)


def _total(column: Column, kind: Any) -> Column:
    return func.sum(column, type_=kind)
