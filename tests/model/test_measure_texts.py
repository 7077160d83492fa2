"""Texts of measures: what is written is read back, and what is no measure is an error with its place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from callsheet.errors import QueryError
from callsheet.measures import choice, count, first, high, latest, mean, quantile, scoped, total
from callsheet.model.choice import Choice, Scoped
from callsheet.model.language.measures import measure_text, parse_measure
from callsheet.model.language.parser import parse_condition
from callsheet.model.measure import (
    BANDS,
    FUNCTIONS,
    IN_TIME,
    AggregateFunction,
    Arithmetic,
    Constant,
    HavingAll,
    HavingAny,
    HavingNot,
    Level,
    Measure,
    MeasureComparison,
)
from callsheet.model.window import WINDOWS, Window

CONDITIONS = [
    parse_condition(text) for text in ('a is "x, y)"', "a.b > -2 and not c in (1, 2)", "x any (y is 1) or z is 2")
]


@st.composite
def functions(draw: st.DrawFn) -> AggregateFunction:
    name = draw(st.sampled_from(FUNCTIONS))
    condition = draw(st.none() | st.sampled_from(CONDITIONS))
    table = draw(st.just("") | strategies.type_names())
    if name == "count" and draw(st.booleans()):
        return AggregateFunction(name, None, condition, table=table)
    argument = draw(st.floats(0, 1)) if name == "quantile" else None
    by = draw(strategies.paths()) if name in IN_TIME else None
    return AggregateFunction(name, draw(strategies.paths()), condition, argument, draw(st.booleans()), by, table)


def texts() -> st.SearchStrategy[Measure]:
    """Measures that have a text."""
    numbers = st.one_of(st.integers(-9, 9), st.integers(-(2**50), 2**50), st.floats(-1e300, 1e300)).map(Constant)
    level = st.builds(Level, strategies.paths(), st.sampled_from(BANDS), zone=st.sampled_from(["UTC", "Asia/Tokyo"]))
    levels = st.lists(st.one_of(level, st.builds(Level, strategies.paths())), min_size=1, max_size=2).map(tuple)

    def larger(part: st.SearchStrategy[Measure]) -> st.SearchStrategy[Measure]:
        compared = st.builds(MeasureComparison, part, st.sampled_from(["=", "!=", "<="]), strategies.literals())
        two = st.tuples(compared, compared)
        having = st.one_of(compared, compared.map(HavingNot), two.map(HavingAll), two.map(HavingAny).map(HavingNot))
        return st.one_of(
            st.builds(Arithmetic, st.sampled_from("+-*/"), part, part),
            st.builds(Window, st.sampled_from(WINDOWS), part, levels, st.integers(1, 9)),
            st.builds(Choice, having, part, st.none() | part),
            st.builds(Scoped, part, part, levels),
        )

    return st.recursive(st.one_of(functions(), numbers), larger, max_leaves=4)


@given(texts())
def test_what_is_written_is_read_back(measure: Measure) -> None:
    """Conditions, places, levels with their zones, numbers and nesting included."""
    assert parse_measure(measure_text(measure)) == measure, measure_text(measure)


BIDS = total("bid")


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("sum(bid)/count", BIDS / count()),
        ("sum(bid) + 2*count - 1.5", BIDS + 2 * count() - 1.5),
        ("(sum(bid)+2)*-3", (BIDS + 2) * -3),
        ("2 * sum(bid)", 2 * BIDS),
        ("sum(bid) where name is a and bid > 2", total("bid", where="name is a and bid > 2")),
        ("latest(status.name, created_at)", latest("status.name", by="created_at")),
        ("first(bid, day) where bid > 0", first("bid", "day", where="bid > 0")),
        ("if(count > 3 and not sum(bid) is 0, max(bid))", choice("count > 3 and not sum(bid) is 0", high("bid"))),
        ("if(count > 3, sum(bid) / count, 0)", choice(count() > 3, BIDS / count(), 0)),
        (
            "scoped(mean(bid), sum(bid), a.b, month(day))",
            scoped(mean("bid"), BIDS, "a.b", "month(day)"),
        ),
        ("sum(hours) / sum(bid) of Task", total("hours") / total("bid", table="Task")),
        ("count of Task where bid > 2", count(table="Task", where="bid > 2")),
        ("quantile(bid, 0.5, repeated)", quantile("bid", 0.5, repeated=True)),
    ],
)
def test_a_text_stands_for_a_measure(text: str, meant: Measure) -> None:
    """As people write it, with signs next to what they join."""
    assert parse_measure(text) == meant


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "there is nothing to read"),
        ("sume(bid)", "no function `sume`; did you mean `sum`"),
        ("sum(bid) +", "expected a measure, found the end"),
        ("sum(bid) count", "`count` is not expected here"),
        ("sum(bid, count)", "not expected|expected"),
        ("if(count, 3)", "expected a comparison"),
        ("if", "`if` needs a measure"),
        ("scoped(count)", "expected `,`"),
        ("share()", "`share` needs a measure"),
        ("previous(count, moth(day))", "no band `moth`; did you mean `month`"),
        ("quantile(bid, 2)", "is not a quantile"),
        ("quantile(bid)", "is not a quantile"),
        ("(" * 60 + "count" + ")" * 60, "nested more than"),
    ],
)
def test_what_is_no_measure_is_an_error(text: str, message: str) -> None:
    """With what was meant."""
    with pytest.raises(QueryError, match=message):
        parse_measure(text)


@given(st.text("sumcont(bid)+-*/, 0.9<>='\\\"where if", max_size=40))
def test_any_text_is_a_measure_or_an_error(text: str) -> None:
    """Nothing else is raised."""
    found: Any = None
    try:
        found = parse_measure(text)
    except QueryError:
        return
    assert parse_measure(measure_text(found)) == found
