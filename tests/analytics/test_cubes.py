"""Cubes equal brute force over the rows, have their types and totals, and every mistake names its cure."""

from __future__ import annotations

import csv
import math
import statistics
from collections import Counter
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from brute import Compared, World, line
from holidays import TYPES
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callsheet import UsageError, measures
from callsheet.measures import TOTAL

FIXED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]


def first_day(value: Any, band: str) -> date | None:
    """The first day of the period that a date is in."""
    if value is None:
        return None
    day = value if type(value) is date else value.date()
    if band == "year":
        return day.replace(month=1, day=1)
    if band == "quarter":
        return day.replace(month=(day.month - 1) // 3 * 3 + 1, day=1)
    if band == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if band == "week" else day


def quantile(values: list[float], place: float) -> float | None:
    if not values:
        return None
    ordered, at = sorted(values), place * (len(values) - 1)
    low = math.floor(at)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (at - low)


def mode(values: list[Any]) -> Any:
    counted = Counter(values)
    return min((value for value in counted if counted[value] == max(counted.values())), default=None)


FUNCTIONS: dict[str, Callable[[list[Any]], Any]] = {
    "sum": lambda values: sum(values),
    "mean": lambda values: statistics.fmean(values) if values else None,
    "min": lambda values: min(values, default=None),
    "max": lambda values: max(values, default=None),
    "median": lambda values: quantile(values, 0.5),
    "mode": mode,
    "variance": lambda values: statistics.variance(values) if len(values) > 1 else None,
    "standard_deviation": lambda values: statistics.stdev(values) if len(values) > 1 else None,
    "lower_quartile": lambda values: quantile(values, 0.25),
    "upper_quartile": lambda values: quantile(values, 0.75),
    "inter_quartile_range": lambda values: quantile(values, 0.75) - quantile(values, 0.25) if values else None,
    "distinct": lambda values: len(set(values)),
    "populated": lambda values: len(values),
}
NUMERIC = {"Bookings": ["boCost", "boDays", "boRate"], "People": ["peAge", "peInco"], "Households": ["hhCars"]}
SELECTORS = {
    "Bookings": ["boDest", "boProd", "boCanc"],
    "People": ["peOccu", "peGend", "peNews"],
    "Households": ["hhRegion", "hhIncome"],
}
DATES = {"Bookings": ["boDate", "boTrav"], "People": ["peBorn"], "Households": ["hhSince"]}
BANDS = ("year", "quarter", "month", "week", "day")


def of_tables_above(table: str, names: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(above, name) for above in line(table) for name in names[above]]


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, list[Any], list[Any], Any, bool]:
    """A table, dimensions (table, attribute, band), measures (function, table, attribute), a selection, totals."""
    table = draw(st.sampled_from(["Bookings", "People"]))
    plain = st.sampled_from(of_tables_above(table, SELECTORS)).map(lambda each: (*each, None))
    banded = st.tuples(st.sampled_from(of_tables_above(table, DATES)), st.sampled_from(BANDS))
    dimension = st.one_of(plain, banded.map(lambda each: (*each[0], each[1])))
    dimensions = draw(st.lists(dimension, max_size=2, unique=True))
    numbers = st.tuples(st.sampled_from(sorted(FUNCTIONS)), st.sampled_from(of_tables_above(table, NUMERIC)))
    measured = draw(st.lists(numbers.map(lambda each: (each[0], *each[1])), min_size=1, max_size=3, unique=True))
    low = draw(st.sampled_from([None, 0, 3, 18]))
    name = {"Bookings": "boDays", "People": "peAge"}[table]
    selection = None if low is None else Compared(table, name, ">", low)
    return table, dimensions, measured, selection, draw(st.booleans())


def brute(world: World, question: tuple[str, list[Any], list[Any], Any, bool]) -> dict[tuple[Any, ...], list[Any]]:
    """The numbers by the values of the dimensions; each owner of a value is taken once in a group."""
    table, dimensions, measured, selection, totals = question
    groups: dict[tuple[Any, ...], list[str]] = {}
    for key in world.rows[table]:
        if selection is not None and not selection.holds(world, key):
            continue
        values = []
        for above, name, band in dimensions:
            (owner,) = world.reach(table, key, above)
            value = world.rows[above][owner][name]
            values.append(first_day(value, band) if band else value)
        lengths = range(len(values) + 1) if totals else [len(values)]
        for length in lengths:
            groups.setdefault((*values[:length], *[TOTAL] * (len(values) - length)), []).append(key)
    if not groups and (not dimensions or totals):
        groups[tuple([TOTAL] * len(dimensions))] = []
    found = {}
    for group, keys in groups.items():
        numbers: list[Any] = [len(keys)]
        for function, above, name in measured:
            owners = {owner for key in keys for owner in world.reach(table, key, above)}
            values = [world.rows[above][owner][name] for owner in owners]
            numbers.append(FUNCTIONS[function]([value for value in values if value is not None]))
        found[group] = numbers
    return found


def near(one: Any, other: Any) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        return one is not None and other is not None and math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-6)
    return bool(one == other)


def check(session: Any, world: World, question: tuple[str, list[Any], list[Any], Any, bool]) -> None:
    table, dimensions, measured, selection, totals = question
    labels = {name: each["label"] for found in TYPES.values() for name, each in found["attributes"].items()}
    asked = [
        getattr(session.tables[above][name], band) if band else session.tables[above][name]
        for above, name, band in dimensions
    ]
    texts = ["count", *(f"{function}({labels[name]})" for function, _, name in measured)]
    named = {f"m{place}": text for place, text in enumerate(texts)}
    chosen = None if selection is None else selection.build(session)
    cube = session.tables[table].cube(asked, named, selection=chosen, totals=totals)
    expected = brute(world, question)
    found = {tuple(row.values())[: len(dimensions)]: list(row.values())[len(dimensions) :] for row in cube.to_rows()}
    assert len(found) == len(cube)
    assert set(found) == set(expected)
    for group, numbers in expected.items():
        assert all(near(one, other) for one, other in zip(found[group], numbers)), (group, found[group], numbers)


@settings(max_examples=60, deadline=None, suppress_health_check=FIXED)
@given(question=questions())
def test_a_cube_is_what_brute_force_computes(question: Any, small: Any, small_world: World) -> None:
    """Any dimensions of the table and those above, any measures, with and without a selection and totals."""
    check(small, small_world, question)


@pytest.mark.proof
@pytest.mark.timeout(3_000)
@settings(max_examples=600, deadline=None, suppress_health_check=FIXED)
@given(question=questions())
def test_many_cubes(question: Any, small: Any, small_world: World) -> None:
    """The same, 600 times."""
    check(small, small_world, question)


def test_a_cube_of_destinations_by_year(company: Any, world: World) -> None:
    """Names of columns, order of the dimensions, and types of every frame."""
    bookings = company.tables["Bookings"]
    cube = bookings.cube([bookings["Destination"], bookings["Booking Date"].year], ["count", bookings["Cost"].sum()])
    assert cube.columns == ("Destination", "Booking Date (year)", "Bookings", "Sum(Cost)")
    assert cube.dimensions == ("Destination", "Booking Date (year)")
    assert cube.measures == ("Bookings", "Sum(Cost)")
    rows = world.rows["Bookings"].values()
    greek = [row for row in rows if row["boDest"] == "Greece" and row["boDate"] and row["boDate"].year == 2022]
    found = next(
        row for row in cube if row["Destination"] == "Greece" and row["Booking Date (year)"] == date(2022, 1, 1)
    )
    assert found["Bookings"] == len(greek)
    assert math.isclose(found["Sum(Cost)"], sum(row["boCost"] or 0 for row in greek))
    assert cube.to_arrow().schema.field("Booking Date (year)").type == "date32[day]"
    assert cube.to_pandas()["Bookings"].sum() == len(rows)
    assert cube.to_polars()["Bookings"].sum() == len(rows)
    read = list(csv.DictReader(cube.to_csv().splitlines()))
    assert [row["Destination"] for row in read] == [value or "" for value in cube["Destination"]]
    same = bookings.cube(["Destination", "Booking Date by year"], ["count", "sum(Cost)"])
    assert same.to_rows() == cube.to_rows()


def test_the_missing_value_is_a_value(company: Any, world: World) -> None:
    """It is not left out by its place in the answer."""
    regions = [row["hhRegion"] for row in world.rows["Households"].values()]
    cube = company.tables["Households"].cube("Region")
    assert {row["Region"]: row["Households"] for row in cube} == Counter(regions)
    assert None in cube["Region"]


def test_totals_are_marked(company: Any, world: World) -> None:
    """By a value of their own; in frames by a column that says how many dimensions a row has."""
    people = company.tables["People"]
    cube = people.cube(["Region", "Gender"], ["count", "mean(Age)"], totals=True)
    whole = next(row for row in cube if row["Region"] is TOTAL)
    assert whole["Gender"] is TOTAL
    assert whole["People"] == len(world.rows["People"])
    frame = cube.to_pandas()
    assert Counter(frame["levels"]) == Counter(
        2 - (row["Region"] is TOTAL) - (row["Gender"] is TOTAL) for row in cube.to_rows()
    )
    assert frame[frame["levels"] == 0]["People"].tolist() == [len(world.rows["People"])]
    assert len(cube.without_totals()) == sum(row["Gender"] is not TOTAL for row in cube)
    assert "total" in repr(cube)
    assert "levels" not in cube.without_totals().to_arrow().column_names


def test_measures_of_other_tables_and_of_parts(company: Any, world: World) -> None:
    """How many bookings and people households of a region have; how many bookings are dear."""
    bookings, people = company.tables["Bookings"], company.tables["People"]
    cube = company.tables["Households"].cube(["Region"], [people, bookings, "count"])
    assert cube.measures == ("People", "Bookings", "Households")
    for row in cube:
        keys = {key for key, each in world.rows["Households"].items() if each["hhRegion"] == row["Region"]}
        members = {key for key, each in world.rows["People"].items() if each["household"] in keys}
        assert row["People"] == len(members)
        assert row["Bookings"] == sum(each["person"] in members for each in world.rows["Bookings"].values())
    dear = bookings["Cost"].populated().where(bookings["Cost"] > 1000).called("Dear")
    parts = bookings.cube(["Destination"], [dear, "count"])
    for row in parts:
        costs = [each["boCost"] for each in world.rows["Bookings"].values() if each["boDest"] == row["Destination"]]
        assert row["Dear"] == sum(cost is not None and cost > 1000 for cost in costs)


def test_measures_of_the_language_of_measures(company: Any, world: World) -> None:
    """A ratio of sums, under a name."""
    ratio = measures.total("boCost") / measures.total("boDays")
    cube = company.tables["Bookings"].cube((), {"A day": ratio})
    rows = world.rows["Bookings"].values()
    expected = sum(row["boCost"] or 0 for row in rows) / sum(row["boDays"] or 0 for row in rows)
    assert math.isclose(cube[0]["A day"], expected)


def test_a_cube_is_ordered_and_limited_by_the_server(company: Any) -> None:
    """By names of columns, the largest first with a minus."""
    bookings = company.tables["Bookings"]
    cube = bookings.cube(["Destination"], ["sum(Cost)"], order="-Sum(Cost)", limit=3)
    whole = bookings.cube(["Destination"], ["sum(Cost)"])
    assert cube["Sum(Cost)"] == sorted(whole["Sum(Cost)"], reverse=True)[:3]
    costly = bookings["Cost"] > 1000
    assert costly.cube(["Destination"]).to_rows() == bookings.cube(["Destination"], selection=costly).to_rows()


def test_a_cube_is_one_request_and_loads_nothing(holidays: Any) -> None:
    """Whatever it is of."""
    bookings = holidays.tables["Bookings"]
    before = holidays.statistics.requests
    bookings.cube(["Destination", "Occupation", "Region"], ["median(Cost)", "distinct(Surname)"], totals=True)
    assert holidays.statistics.requests == before + 1
    assert holidays.statistics.entities == 0


@pytest.mark.parametrize(
    ("dimensions", "measured", "options", "message"),
    [
        (["Destinaton"], None, {}, "no variable `Destinaton`; did you mean `Destination`"),
        (["Booking Date by yaer"], None, {}, "there is no band `yaer`; did you mean `year`"),
        (["Cost by year"], None, {}, "is of type Numeric; only dates have bands"),
        (["Booking Date"], ["summ(Cost)"], {}, "there is no measure `summ`; did you mean `sum`"),
        (["Booking Date"], ["sum"], {}, r"`sum` is of a variable: 'sum\(Cost\)'"),
        (["Booking Date"], ["sum(Destination)"], {}, "is of type Selector; the sum needs a Numeric"),
        (["Booking Date"], ["sum(("], {}, "is no measure"),
        (["Booking Date"], [3], {}, "not 3"),
        (["Booking Date"], [], {}, "at least one measure"),
        ([], ["sum(Cost)", "sum(Cost)"], {}, r"several columns are called `Sum\(Cost\)`"),
        (["Destination"], None, {"order": "Cost"}, "there is no column `Cost` to order by"),
        (["Destination"], None, {"selection": 3}, "a selection is needed, not 3"),
    ],
)
def test_a_wrong_cube_says_what_is_right(
    company: Any, dimensions: Any, measured: Any, options: dict[str, Any], message: str
) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=message):
        company.tables["Bookings"].cube(dimensions, measured, **options)


def test_quantiles_are_from_0_to_1(company: Any) -> None:
    """Others are refused."""
    cost = company.variables["Cost"]
    assert company.tables["Bookings"].cube((), [cost.quantile(0.9)]).columns == ("Quantile(Cost, 0.9)",)
    with pytest.raises(UsageError, match="a quantile is from 0 to 1, not 9"):
        cost.quantile(9)


def test_bars_of_text(company: Any) -> None:
    """One for each row that is no total; the longest has the width."""
    cube = company.tables["Bookings"].cube(["Destination"], ["count"], totals=True)
    lines = cube.bars(width=20).splitlines()
    assert lines[0] == "Bookings of Bookings"
    assert len(lines) == len(cube.without_totals()) + 1
    assert max(line.count("█") for line in lines) == 20
    with pytest.raises(UsageError, match="there is no measure `Cost`"):
        cube.bars("Cost")
    with pytest.raises(UsageError, match="the width of a chart"):
        cube.bars(width=0)
    text = company.tables["People"].cube((), ["max(Surname)"])
    with pytest.raises(UsageError, match="is no number, so it has no bars"):
        text.bars()


def test_a_plot(company: Any) -> None:
    """Dates are lines, other dimensions bars; a second dimension makes several."""
    bookings = company.tables["Bookings"]
    bars = bookings.cube(["Destination"], ["mean(Cost)"]).plot()
    assert len(bars.patches) == 8
    assert (bars.get_xlabel(), bars.get_ylabel()) == ("Destination", "Mean(Cost)")
    lines = bookings.cube(["Booking Date by quarter", "Product"], ["count"]).plot()
    assert len(lines.lines) == 4
    assert lines.get_legend() is not None
    with pytest.raises(UsageError, match="a chart shows one or two dimensions; this cube has 3"):
        bookings.cube(["Destination", "Product", "Region"]).plot()
