"""Why a cell changed: the question and its answer, converted from the model to the shapes of the wire, and back."""

from __future__ import annotations

from typing import Any

from callsheet.dialects.native.measures import aggregate_in, aggregate_out
from callsheet.dialects.native.shapes import CellBody, CellReply, WireCause
from callsheet.model.cause import Cause, CellQuestion, NumberChange
from callsheet.model.measure import TOTAL
from callsheet.model.record import Identity
from callsheet.model.values import pack, unpack

__all__ = ["change_in", "change_out", "question_in", "question_out"]


def question_out(question: CellQuestion) -> CellBody:
    totals = sum(1 << place for place, value in enumerate(question.cell) if value is TOTAL)
    cell = [None if value is TOTAL else pack(value) for value in question.cell]
    return CellBody(aggregate_out(question.aggregate), cell, question.since, question.until, question.measure, totals)


def question_in(wire: CellBody) -> CellQuestion:
    cell: Any = tuple(TOTAL if wire.totals >> place & 1 else unpack(value) for place, value in enumerate(wire.cell))
    return CellQuestion(aggregate_in(wire.aggregate), cell, wire.since, wire.until, wire.measure)


def change_out(change: NumberChange) -> CellReply:
    causes = [
        WireCause(
            each.position,
            pack(each.before),
            pack(each.after),
            each.commit_id,
            each.user,
            each.time,
            each.origin,
            [list(entity) for entity in each.entities],  # type: ignore[misc]
            each.changed,
        )
        for each in change.causes
    ]
    return CellReply(change.since, change.until, pack(change.before), pack(change.after), change.additive, causes)


def change_in(wire: CellReply) -> NumberChange:
    before, after = _values(wire.before, wire.after)
    return NumberChange(wire.since, wire.until, before, after, wire.additive, tuple(map(_cause_in, wire.causes)))


def _cause_in(wire: WireCause) -> Cause:
    facts = (wire.position, wire.commit_id, wire.user, wire.time, wire.origin)
    return Cause(
        *facts, tuple(Identity(*each) for each in wire.entities), wire.changed, *_values(wire.before, wire.after)
    )


def _values(*values: Any) -> tuple[Any, ...]:
    return tuple(unpack(value) for value in values)
