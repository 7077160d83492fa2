"""Aggregates are converted from the model to the shapes of the wire, and back; so are the rows of their answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attrs import evolve

from callsheet.dialects.native.codec import (
    CONDITION_DEPTH,
    condition_in,
    condition_out,
    path_in,
    path_out,
    select_in,
    select_out,
)
from callsheet.dialects.native.shapes import (
    AggregateBody,
    AggregateReply,
    MeasureCompare,
    MeasuresBoth,
    MeasuresEither,
    MeasuresNeither,
    WireArithmetic,
    WireChoice,
    WireConstant,
    WireFunction,
    WireGroupOrder,
    WireHaving,
    WireLevel,
    WireMeasure,
    WireParameter,
    WirePath,
    WireScoped,
    WireWindow,
)
from callsheet.errors import SchemaError
from callsheet.model.choice import Choice, Scoped
from callsheet.model.measure import (
    TOTAL,
    Aggregate,
    AggregateFunction,
    AggregateOrder,
    Arithmetic,
    Constant,
    Having,
    HavingAll,
    HavingAny,
    HavingNot,
    Level,
    Measure,
    MeasureComparison,
)
from callsheet.model.parameter import Parameter
from callsheet.model.plain import Malformed
from callsheet.model.values import pack, unpack
from callsheet.model.window import Window

__all__ = ["aggregate_in", "aggregate_out", "rows_in", "rows_out"]

Rows = list[tuple[Any, ...]]


def aggregate_out(aggregate: Aggregate) -> AggregateBody:
    return AggregateBody(
        select_out(aggregate.select),
        [_function_out(each) for each in aggregate.functions],
        [path_out(level.path) if level == Level(level.path) else _level_out(level) for level in aggregate.group],
        None if aggregate.having is None else _having_out(aggregate.having, CONDITION_DEPTH),
        [_order_out(each) for each in aggregate.order],
        aggregate.limit,
        aggregate.offset,
        aggregate.totals if isinstance(aggregate.totals, bool) else [list(kept) for kept in aggregate.totals],
        {table: [(path_out(one), path_out(other)) for one, other in pairs] for table, pairs in aggregate.shared},
        aggregate.empty,
    )


def aggregate_in(wire: AggregateBody) -> Aggregate:
    return Aggregate(
        select_in(wire.select),
        tuple(_function_in(each) for each in wire.functions),
        tuple(Level(path_in(each)) if isinstance(each, list) else _level_in(each) for each in wire.group),
        None if wire.having is None else _having_in(wire.having, CONDITION_DEPTH),
        tuple(_order_in(each) for each in wire.order),
        wire.limit,
        wire.offset,
        wire.totals if isinstance(wire.totals, bool) else tuple(tuple(kept) for kept in wire.totals),
        tuple(
            (table, tuple((path_in(one), path_in(other)) for one, other in pairs))
            for table, pairs in wire.shared.items()
        ),
        wire.empty,
    )


def rows_out(rows: Rows, levels: int) -> AggregateReply:
    """The rows of an answer, of which the first ``levels`` values are those of its group."""
    totals = [sum(1 << place for place, value in enumerate(row[:levels]) if value is TOTAL) for row in rows]
    packed = [[None if value is TOTAL else pack(value) for value in row] for row in rows]
    return AggregateReply(packed, totals if any(totals) else [])


def rows_in(rows: Sequence[Sequence[Any]], totals: Sequence[int]) -> Rows:
    """The rows of an answer; ``rows`` hold unpacked values."""
    found = [tuple([tuple(value) if isinstance(value, list) else value for value in row]) for row in rows]
    for index, bits in enumerate(totals):
        if bits and index < len(found):
            found[index] = tuple([TOTAL if bits >> place & 1 else value for place, value in enumerate(found[index])])
    return found


def _function_out(measure: Measure) -> tuple[str, WirePath | None] | WireMeasure:
    if isinstance(measure, AggregateFunction) and measure == AggregateFunction(measure.name, measure.path):
        return measure.name, None if measure.path is None else path_out(measure.path)
    return _measure_out(measure, CONDITION_DEPTH)


def _function_in(wire: tuple[str, WirePath | None] | WireMeasure) -> Measure:
    if isinstance(wire, tuple):
        return AggregateFunction(wire[0], None if wire[1] is None else path_in(wire[1]))
    return _measure_in(wire, CONDITION_DEPTH)


def _measure_out(measure: Measure, depth: int) -> WireMeasure:
    if depth == 0:
        raise SchemaError(f"a measure nested more than {CONDITION_DEPTH} deep cannot be sent")
    if isinstance(measure, Arithmetic):
        left, right = _measure_out(measure.left, depth - 1), _measure_out(measure.right, depth - 1)
        return WireArithmetic(measure.operator, left, right)
    if isinstance(measure, Constant):
        return WireConstant(measure.value)
    if isinstance(measure, Window):
        levels = [_level_out(each) for each in measure.levels]
        return WireWindow(measure.name, _measure_out(measure.of, depth - 1), levels, measure.number)
    if isinstance(measure, Choice):
        otherwise = None if measure.otherwise is None else _measure_out(measure.otherwise, depth - 1)
        return WireChoice(_having_out(measure.condition, depth - 1), _measure_out(measure.then, depth - 1), otherwise)
    if isinstance(measure, Scoped):
        then, other = _measure_out(measure.then, depth - 1), _measure_out(measure.otherwise, depth - 1)
        return WireScoped(then, other, [_level_out(each) for each in measure.levels])
    if isinstance(measure, Parameter):
        return WireParameter(measure.name, [_level_out(each) for each in measure.levels])
    if not isinstance(measure, AggregateFunction):
        raise SchemaError(f"{measure!r:.80} is no measure that can be sent")
    if measure.weights:
        # The product, as it was written; who checks it multiplies the values again.
        weight, plain = measure.weights[-1], evolve(measure, weights=measure.weights[:-1])
        return _measure_out(Arithmetic("/" if weight.divides else "*", plain, weight.parameter), depth)
    path = None if measure.path is None else path_out(measure.path)
    condition = None if measure.condition is None else condition_out(measure.condition)
    by = None if measure.by is None else path_out(measure.by)
    return WireFunction(measure.name, path, condition, measure.argument, measure.repeated, by, measure.table)


def _measure_in(wire: WireMeasure, depth: int) -> Measure:
    if depth == 0:
        raise Malformed(f"the measure is nested more than {CONDITION_DEPTH} deep")
    if isinstance(wire, WireArithmetic):
        return Arithmetic(wire.operator, _measure_in(wire.left, depth - 1), _measure_in(wire.right, depth - 1))
    if isinstance(wire, WireConstant):
        return Constant(wire.value)
    if isinstance(wire, WireWindow):
        levels = tuple(_level_in(each) for each in wire.levels)
        return Window(wire.name, _measure_in(wire.of, depth - 1), levels, wire.number)
    if isinstance(wire, WireChoice):
        otherwise = None if wire.otherwise is None else _measure_in(wire.otherwise, depth - 1)
        return Choice(_having_in(wire.condition, depth - 1), _measure_in(wire.then, depth - 1), otherwise)
    if isinstance(wire, WireScoped):
        then, other = _measure_in(wire.then, depth - 1), _measure_in(wire.otherwise, depth - 1)
        return Scoped(then, other, tuple(_level_in(each) for each in wire.levels))
    if isinstance(wire, WireParameter):
        return Parameter(wire.name, tuple(_level_in(each) for each in wire.levels))
    path = None if wire.path is None else path_in(wire.path)
    condition = None if wire.condition is None else condition_in(wire.condition)
    by = None if wire.by is None else path_in(wire.by)
    return AggregateFunction(wire.name, path, condition, wire.argument, wire.repeated, by, wire.table)


def _level_out(level: Level) -> WireLevel:
    return WireLevel(path_out(level.path), level.band, level.zone)


def _level_in(wire: WireLevel) -> Level:
    return Level(path_in(wire.path), wire.band, zone=wire.zone)


def _order_out(order: AggregateOrder) -> WireGroupOrder:
    by = _level_out(order.by) if isinstance(order.by, Level) else _measure_out(order.by, CONDITION_DEPTH)
    return WireGroupOrder(by, order.descending)


def _order_in(wire: WireGroupOrder) -> AggregateOrder:
    by = _level_in(wire.by) if isinstance(wire.by, WireLevel) else _measure_in(wire.by, CONDITION_DEPTH)
    return AggregateOrder(by, wire.descending)


def _having_out(having: Having, depth: int) -> WireHaving:
    if depth == 0:
        raise SchemaError(f"a condition nested more than {CONDITION_DEPTH} deep cannot be sent")
    if isinstance(having, MeasureComparison):
        return MeasureCompare(_measure_out(having.measure, depth - 1), having.operator, pack(having.value))
    if isinstance(having, HavingNot):
        return MeasuresNeither(_having_out(having.condition, depth - 1))
    parts = [_having_out(part, depth - 1) for part in having.conditions]
    return MeasuresBoth(parts) if isinstance(having, HavingAll) else MeasuresEither(parts)


def _having_in(wire: WireHaving, depth: int) -> Having:
    if depth == 0:
        raise Malformed(f"the condition is nested more than {CONDITION_DEPTH} deep")
    if isinstance(wire, MeasureCompare):
        value = unpack(wire.value)
        if isinstance(value, dict | list):
            raise Malformed(f"a measure is compared with one value, not with {value!r:.80}")
        return MeasureComparison(_measure_in(wire.measure, depth - 1), wire.operator, value)
    if isinstance(wire, MeasuresNeither):
        return HavingNot(_having_in(wire.condition, depth - 1))
    parts = tuple(_having_in(part, depth - 1) for part in wire.conditions)
    return HavingAll(parts) if isinstance(wire, MeasuresBoth) else HavingAny(parts)
