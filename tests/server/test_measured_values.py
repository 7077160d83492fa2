"""Measures written out: None, empty groups, ties, large numbers, limits and deadlines, on each database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from databases import new_database
from sqlalchemy import Connection

from callsheet.errors import Invalid, TooLarge
from callsheet.measures import (
    count,
    deviation,
    distinct,
    high,
    inter_quartile_range,
    low,
    mean,
    median,
    mode,
    quantile,
    total,
    variance,
)
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.parser import parse
from callsheet.model.measure import Aggregate, Measure
from callsheet.model.query import Path
from callsheet.server.reading.aggregates import read_aggregate
from callsheet.server.reading.cost import check_cost
from callsheet.server.store.store import Store

DOCUMENT: dict[str, Any] = {
    "types": {
        "Entry": {
            "attributes": {
                "n": {"type": "integer"},
                "x": {"type": "number"},
                "word": {"type": "string"},
                "flag": {"type": "boolean"},
                "day": {"type": "date"},
            }
        }
    }
}
ROWS: list[dict[str, Any]] = [
    {"n": 1, "x": 1.0, "word": "b", "flag": True},
    {"n": 2, "x": 2.0, "word": "B", "flag": False},
    {"n": None, "x": 4.0, "word": "b", "flag": False},
    {"n": 4, "x": 8.0, "word": "B", "flag": None},
    {"n": 2, "x": None, "word": None, "flag": True},
]


@pytest.fixture(scope="module", params=["memory", "postgres"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """One store of each kind."""
    folder = tmp_path_factory.mktemp("measured")
    with new_database(request.param, folder) as url, closing(Store.open(url, DOCUMENT)) as opened:
        yield opened


@pytest.fixture
def store(engine: Store) -> Store:
    """A store with the rows above, and no others."""
    rows = [{"id": f"e{number}", "_type": "Entry", "_version": 1, **row} for number, row in enumerate(ROWS)]

    def fill(connection: Connection) -> None:
        connection.execute(engine.tables["Entry"].delete())
        connection.execute(engine.tables["Entry"].insert(), rows)

    engine.write(fill)
    return engine


def asked(store: Store, text: str, measures: tuple[Measure, ...], **options: Any) -> list[tuple[Any, ...]]:
    most = options.pop("most", None)
    question = check_aggregate(Aggregate(parse(text), measures, **options), store.schema)
    check_cost(question)
    with store.reading() as connection:
        return read_aggregate(store, connection, question, most=most)


EVERY = (
    count(),
    count("x"),
    distinct("n"),
    total("n"),
    total("x"),
    mean("x"),
    low("word"),
    high("word"),
    median("x"),
    quantile("x", 0.9),
    inter_quartile_range("x"),
    mode("word"),
    mode("flag"),
    variance("x"),
    deviation("n"),
)


def test_the_numbers_of_a_group(store: Store) -> None:
    """None is left out; of equally frequent values the smallest is the mode; variances are those of samples."""
    (row,) = asked(store, "Entry", EVERY)
    assert row[:13] == (5, 4, 3, 9, 15.0, 3.75, "B", "b", 3.0, pytest.approx(6.8), pytest.approx(3.25), "B", False)
    assert row[13:] == (pytest.approx(9.583333333333334), pytest.approx(1.2583057392117916))
    assert [type(value) for value in row[:5]] == [int, int, int, int, float]


def test_the_numbers_of_nothing(store: Store) -> None:
    """Counts and sums are 0, all else is None; groups there are none."""
    nothing = (0, 0, 0, 0, 0.0, *[None] * 10)
    assert asked(store, "Entry where word is x", EVERY) == [nothing]
    assert asked(store, "Entry where word is x", EVERY, group=("flag",)) == []
    totals = asked(store, "Entry where word is x", (count(), median("x")), group=("flag",), totals=True)
    assert [row[1:] for row in totals] == [(0, None)]
    assert asked(store, "Entry where n is 4", (variance("x"), deviation("x"))) == [(None, None)]


def test_divisions_by_nothing_and_by_zero_give_none(store: Store) -> None:
    """A ratio is of the numbers of the group."""
    ratios = (total("x") / count(), total("x") / (count() - 5), mean("x") / count("n", where="n > 9"), 2 - mean("n"))
    assert asked(store, "Entry", ratios) == [(3.0, None, None, -0.25)]


def test_a_group_of_which_nothing_counts_is_a_group(store: Store) -> None:
    """A measure's condition filters the measure, `having` the groups."""
    found = asked(store, "Entry", (count(where="n is 1"), total("x", where="n is 1")), group=("word",))
    assert found == [(None, 0, 0.0), ("B", 0, 0.0), ("b", 1, 1.0)]
    kept = asked(store, "Entry", (count(),), group=("word",), having=total("x", where="n is 1") > 0)
    assert kept == [("b", 2)]


def test_large_integers_are_exact(store: Store) -> None:
    """Sums of integers are no floats; what does not fit into 64 bits is refused."""
    large = [{"id": f"l{number}", "_type": "Entry", "_version": 1, "n": 2**53 + 1, "word": "l"} for number in range(2)]
    store.write(lambda connection: connection.execute(store.tables["Entry"].insert(), large))
    assert asked(store, "Entry where word is l", (total("n"), high("n"), mode("n"))) == [
        (2**54 + 2, 2**53 + 1, 2**53 + 1)
    ]
    assert asked(store, "Entry", (count(),), group=("word",), having=total("n").equals(2**54 + 2)) == [("l", 2)]


@pytest.mark.parametrize("measure", [total("x") * 1e308 * 10, variance("x")])
def test_what_floats_cannot_hold_is_refused(store: Store, measure: Measure) -> None:
    """An infinite number is no answer."""
    huge = [{"id": f"h{number}", "_type": "Entry", "_version": 1, "x": 1e300 * number} for number in range(3)]
    store.write(lambda connection: connection.execute(store.tables["Entry"].insert(), huge))
    with pytest.raises(Invalid, match="a number in the query's answer is larger than 64 bits"):
        asked(store, "Entry", (measure,))


def test_costs_are_limited(store: Store) -> None:
    """Groups, functions, levels and selects: the error says what to do."""
    with pytest.raises(TooLarge, match="more than 2 groups; group by fewer levels or longer bands, or set a limit"):
        asked(store, "Entry", (count(),), group=("word",), most=2)
    assert len(asked(store, "Entry", (count(),), group=("word",), limit=2, most=2)) == 2
    with pytest.raises(TooLarge, match="more than 200 functions"):
        asked(store, "Entry", tuple(quantile("x", number / 300) for number in range(201)))
    with pytest.raises(TooLarge, match="more than 12 levels"):
        asked(store, "Entry", (count(),), group=(Path.of("n"),) * 13)


def test_a_long_aggregate_is_stopped() -> None:
    """The store's deadline interrupts medians as it does other statements."""
    with closing(Store.open("memory:", DOCUMENT, deadline=0.05)) as opened:
        rows = [{"id": f"e{number:06}", "_type": "Entry", "_version": 1, "x": 1.0} for number in range(20_000)]
        opened.write(lambda connection: connection.execute(opened.tables["Entry"].insert(), rows))
        many = tuple(quantile("x", number / 100) for number in range(100))
        with pytest.raises(Invalid, match="query takes too long"):
            asked(opened, "Entry", many)
