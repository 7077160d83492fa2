"""One question is answered on one connection: the rows, the position that they are as of, and how they came about."""

from __future__ import annotations

from time import perf_counter
from typing import Any, Protocol

from attrs import frozen
from sqlalchemy import Connection
from sqlalchemy import Select as Statement

from callsheet.model.measure import Aggregate
from callsheet.model.question import Answer, Question
from callsheet.server.access.access import Access
from callsheet.server.reading.aggregates import AggregatePlan
from callsheet.server.reading.parameters import rule_sets
from callsheet.server.store.store import Store

__all__ = ["KeptCells", "ReadState", "read_answer"]


class KeptCells(Protocol):
    """What is kept beside the entities of a state, and may answer in their place."""

    def plan(self, access: Access | None, aggregate: Aggregate) -> tuple[AggregatePlan | None, dict[str, Any]]:
        """A plan that reads cells, if one can; and what an explanation says of it."""


@frozen(eq=False)
class ReadState:
    """One consistent state: the store to compile for, a connection, and the position of the log that it is as of.

    ``cells`` may answer a question in place of the entities.
    """

    store: Store
    connection: Connection
    position: int
    cells: KeptCells | None = None


def read_answer(state: ReadState, question: Question, access: Access, most: int | None) -> Answer:
    """The answer to a checked question, cut at ``most`` groups (None: no limit)."""
    connection = state.connection
    began = perf_counter()
    plan, kept = (None, {}) if state.cells is None else state.cells.plan(access, question.aggregate)
    if plan is None:
        rules = rule_sets(state.store, connection, access, question.aggregate)
        plan = AggregatePlan(state.store, access, question.aggregate, rules)
    statement = plan.limited(most)
    planned = perf_counter()
    plan.check(connection)
    raw = connection.execute(statement).all()
    run = perf_counter()
    rows = plan.read(raw if most is None else raw[:most])
    read = perf_counter()
    explained: dict[str, Any] | None = None
    if question.explain:
        explained = {
            "engine": connection.dialect.name,
            "sql": sql_text(connection, statement),
            "milliseconds": {
                "plan": _milliseconds(began, planned),
                "run": _milliseconds(planned, run),
                "read": _milliseconds(run, read),
            },
            "groups": len(rows),
            **kept,
        }
    return Answer(rows, state.position, most if most is not None and len(raw) > most else None, explained)


def sql_text(connection: Connection, statement: Statement[Any]) -> str:
    """A statement as the connection's database gets it, with placeholders in place of values."""
    return str(statement.compile(dialect=connection.dialect, compile_kwargs={"render_postcompile": True}))


def _milliseconds(began: float, ended: float) -> float:
    return round((ended - began) * 1_000, 3)
