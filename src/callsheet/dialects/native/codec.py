"""Queries and results are converted from the model to the shapes of the wire, and back.

Change sets are converted by `callsheet.model.converter`, as in journals.
"""

from __future__ import annotations

from callsheet.dialects.native.shapes import (
    Both,
    Compare,
    Either,
    Neither,
    ResultReply,
    Some,
    WireCondition,
    WireOrder,
    WirePath,
    WireSample,
    WireSelect,
    WireTop,
)
from callsheet.dialects.protocol import CommitResult, Touched
from callsheet.errors import SchemaError
from callsheet.model.plain import Malformed
from callsheet.model.query import (
    OPERATORS,
    And,
    Any_,
    Comparison,
    Condition,
    Not,
    Or,
    Order,
    Path,
    Sample,
    Select,
    Step,
    Top,
)
from callsheet.model.record import Identity
from callsheet.model.values import pack, unpack

__all__ = [
    "condition_in",
    "condition_out",
    "path_in",
    "path_out",
    "result_in",
    "result_out",
    "select_in",
    "select_out",
]

CONDITION_DEPTH = 32


def path_out(path: Path) -> WirePath:
    return [step.name if step.cast is None else (step.name, step.cast) for step in path.steps]


def path_in(wire: WirePath) -> Path:
    return Path(tuple(Step(step) if isinstance(step, str) else Step(step[0], step[1]) for step in wire))


def condition_out(condition: Condition, depth: int = CONDITION_DEPTH) -> WireCondition:
    if depth == 0:
        raise SchemaError(f"a condition nested more than {CONDITION_DEPTH} deep cannot be sent")
    if isinstance(condition, Comparison):
        path = path_out(condition.path)
        if isinstance(condition.value, Select):
            return Compare(path, condition.operator, select=_select_out(condition.value, depth - 1))
        return Compare(path, condition.operator, pack(condition.value))
    if isinstance(condition, Any_):
        inner = None if condition.condition is None else condition_out(condition.condition, depth - 1)
        return Some(path_out(condition.path), inner, condition.word)
    if isinstance(condition, Not):
        return Neither(condition_out(condition.condition, depth - 1))
    parts = [condition_out(part, depth - 1) for part in condition.conditions]
    return Both(parts) if isinstance(condition, And) else Either(parts)


def condition_in(wire: WireCondition, depth: int = CONDITION_DEPTH) -> Condition:
    if depth == 0:
        raise Malformed(f"the condition is nested more than {CONDITION_DEPTH} deep")
    if isinstance(wire, Compare):
        return _comparison_in(wire, depth)
    if isinstance(wire, Some):
        inner = None if wire.condition is None else condition_in(wire.condition, depth - 1)
        if wire.word not in ("any", "has"):
            raise Malformed(f"`{wire.word}` is neither `any` nor `has`")
        return Any_(path_in(wire.path), inner, wire.word)
    if isinstance(wire, Neither):
        return Not(condition_in(wire.condition, depth - 1))
    parts = tuple(condition_in(part, depth - 1) for part in wire.conditions)
    return And(parts) if isinstance(wire, Both) else Or(parts)


def _comparison_in(wire: Compare, depth: int) -> Comparison:
    if wire.operator not in OPERATORS:
        raise Malformed(f"`{wire.operator}` is not an operator; use one of {' '.join(OPERATORS)}")
    several = wire.operator in ("in", "not_in")
    if wire.select is not None:
        if not several:
            raise Malformed(f"`{wire.operator}` compares with a value, not with a query")
        return Comparison(path_in(wire.path), wire.operator, _select_in(wire.select, depth - 1))
    value = unpack(wire.value)
    if several != isinstance(value, list):
        raise Malformed(f"`{wire.operator}` takes {'a list' if several else 'one value'}, not {value!r:.80}")
    if any(isinstance(item, dict | list | Identity) for item in (value if several else (value,))):
        raise Malformed(f"`{wire.operator}` cannot compare with {value!r:.80}")
    return Comparison(path_in(wire.path), wire.operator, tuple(value) if several else value)


def select_out(select: Select) -> WireSelect:
    return _select_out(select, CONDITION_DEPTH)


def select_in(wire: WireSelect) -> Select:
    return _select_in(wire, CONDITION_DEPTH)


def _select_out(select: Select, depth: int) -> WireSelect:
    top, sample = select.top, select.sample
    return WireSelect(
        select.entity_type,
        [path_out(path) for path in select.projections],
        None if select.where is None else condition_out(select.where, depth),
        _orders_out(select.order),
        select.limit,
        select.offset,
        None
        if top is None
        else WireTop(top.number, _orders_out(top.by), None if top.per is None else path_out(top.per)),
        None if sample is None else _sample_out(sample),
    )


def _orders_out(orders: tuple[Order, ...]) -> list[WireOrder]:
    return [WireOrder(path_out(order.path), order.descending) for order in orders]


def _orders_in(wire: list[WireOrder]) -> tuple[Order, ...]:
    return tuple(Order(path_in(order.path), order.descending) for order in wire)


def _sample_out(sample: Sample) -> WireSample:
    per = None if sample.per is None else path_out(sample.per)
    return WireSample(sample.number, sample.fraction, sample.method, sample.seed, per)


def _select_in(wire: WireSelect, depth: int) -> Select:
    return Select(
        wire.entity_type,
        tuple(path_in(path) for path in wire.projections),
        None if wire.where is None else condition_in(wire.where, depth),
        _orders_in(wire.order),
        wire.limit,
        wire.offset,
        None if wire.top is None else _top_in(wire.top),
        None if wire.sample is None else _sample_in(wire.sample),
    )


def _top_in(wire: WireTop) -> Top:
    return Top(wire.number, _orders_in(wire.by), None if wire.per is None else path_in(wire.per))


def _sample_in(wire: WireSample) -> Sample:
    per = None if wire.per is None else path_in(wire.per)
    return Sample(wire.number, wire.fraction, wire.method, wire.seed, per)


def result_out(result: CommitResult) -> ResultReply:
    return ResultReply(
        result.commit_id,
        result.position,
        result.time,
        list(result.versions),
        list(result.merged),
        [(identity.entity_type, identity.key) for identity in result.deleted],
        result.replayed,
        [(each.identity, each.version, list(each.emptied)) for each in result.touched],
    )


def result_in(wire: ResultReply) -> CommitResult:
    return CommitResult(
        wire.commit_id,
        wire.position,
        wire.time,
        tuple(wire.versions),
        tuple(wire.merged),
        tuple(Identity(entity_type, key) for entity_type, key in wire.deleted),
        wire.replayed,
        tuple(Touched(Identity(*identity), version, tuple(emptied)) for identity, version, emptied in wire.touched),
    )
