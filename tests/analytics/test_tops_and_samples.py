"""Limits and samples of selections equal brute force; they are nested, joined and counted like any selection."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import Any

import pytest
from brute import Compared, Ranked, World, counts, selected
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callsheet import UsageError

FIXED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


def keys(selection: Any) -> list[str]:
    return [row["id"] for row in selection.to_query().select("id").records()]


@pytest.fixture
def bookings(small: Any) -> Any:
    return small.tables["Bookings"]


def test_the_largest_and_the_smallest(bookings: Any, small_world: World) -> None:
    """By a variable of the table, or of one above; of equal values the smaller key."""
    rows = small_world.rows
    costs = Ranked({key: row["boCost"] for key, row in rows["Bookings"].items()})
    ages = Ranked({key: rows["People"][row["person"]]["peAge"] for key, row in rows["Bookings"].items()})
    everything = bookings.everything
    assert sorted(keys(everything.limit(10, by="Cost"))) == sorted(costs.sorted(rows["Bookings"], False)[:10])
    by_cost = everything.limit(10, by=bookings["Cost"], ascending=True)
    assert sorted(keys(by_cost)) == sorted(costs.sorted(rows["Bookings"], True)[:10])
    assert sorted(keys(everything.limit(7, by="Age"))) == sorted(ages.sorted(rows["Bookings"], False)[:7])
    assert str(everything.limit(10, by="Cost")) == "Bookings limit 10 by boCost descending"


@settings(max_examples=40, deadline=None, suppress_health_check=FIXED)
@given(
    number=st.integers(0, 4),
    per=st.sampled_from(["People", "Households", "Destination", "Cancelled", "Region"]),
    by=st.sampled_from(["Cost", "Booking Date", "Rating", None]),
    ascending=st.booleans(),
    floor=st.sampled_from([0.0, 200.0, 1000.0]),
)
def test_so_many_for_each_value(
    small: Any, small_world: World, number: int, per: str, by: str | None, ascending: bool, floor: float
) -> None:
    """For each record of a table above, and for each value of a variable, None among them."""
    rows, names = small_world.rows, {"Cost": "boCost", "Booking Date": "boDate", "Rating": "boRate"}
    term = Compared("Bookings", "boCost", ">=", floor)
    chosen = selected(small_world, term)
    groups: dict[Any, list[str]] = {}
    for key in chosen:
        row = rows["Bookings"][key]
        person = rows["People"][row["person"]]
        value = {
            "People": row["person"],
            "Households": person["household"],
            "Destination": row["boDest"],
            "Cancelled": row["boCanc"],
            "Region": rows["Households"][person["household"]]["hhRegion"],
        }[per]
        groups.setdefault(value, []).append(key)
    ranked = Ranked({key: rows["Bookings"][key][names[by]] if by else None for key in chosen})
    expected = sorted(key for group in groups.values() for key in ranked.sorted(group, ascending)[:number])
    found = term.build(small).limit(number, by=by, per=per, ascending=ascending)
    assert sorted(keys(found)) == expected
    assert found.count() == len(expected)
    assert found.counts == counts(small_world, "Bookings", expected)
    assert small.selection(found.to_json()).select_statement == found.select_statement


def test_ranks(bookings: Any, small_world: World) -> None:
    """The eleventh to the twentieth."""
    costs = Ranked({key: row["boCost"] for key, row in small_world.rows["Bookings"].items()})
    expected = costs.sorted(small_world.rows["Bookings"], False)[10:20]
    found = bookings.everything.limit((11, 20), by="Cost")
    assert keys(found) == expected
    assert found.count() == 10


def test_a_plain_limit_counts_what_it_gives(bookings: Any) -> None:
    """Also where there are fewer."""
    assert bookings.everything.limit(5).count() == 5
    assert bookings.everything.limit(10**6).count() == bookings.count()
    assert bookings.everything.limit(0).count() == 0


def test_limits_are_nested_and_joined(small: Any, bookings: Any, small_world: World) -> None:
    """The people of the ten dearest bookings; all others; the cheapest three of the ten; those to Greece."""
    rows = small_world.rows["Bookings"]
    costs = Ranked({key: row["boCost"] for key, row in rows.items()})
    top = costs.sorted(rows, False)[:10]
    people = bookings.everything.limit(10, by="Cost").of("People")
    assert sorted(keys(people)) == sorted({rows[key]["person"] for key in top})
    rest = ~bookings.everything.limit(10, by="Cost")
    assert sorted(keys(rest)) == sorted(set(rows) - set(top))
    twice = bookings.everything.limit(10, by="Cost").limit(3, by="Cost", ascending=True)
    assert sorted(keys(twice)) == sorted(costs.sorted(top, True)[:3])
    both = bookings.everything.limit(10, by="Cost") & (bookings["Destination"] == "Greece")
    assert sorted(keys(both)) == sorted(key for key in top if rows[key]["boDest"] == "Greece")
    assert small.selection(people.to_json()).select_statement == people.select_statement


def test_a_random_sample_is_the_same_for_the_same_seed(bookings: Any, small_world: World) -> None:
    """Another seed draws others; a larger sample has the smaller one in it."""
    everything = bookings.everything
    ten = keys(everything.sample(10))
    assert len(set(ten)) == 10
    assert set(ten) <= set(small_world.rows["Bookings"])
    assert sorted(ten) == sorted(keys(everything.sample(10)))
    assert set(ten) < set(keys(everything.sample(30)))
    assert set(ten) != set(keys(everything.sample(10, seed=4)))
    assert everything.sample(10).count() == 10


def test_a_share(bookings: Any) -> None:
    """A fraction of those selected, rounded."""
    total = bookings.count()
    for share in (0.1, Fraction(1, 3), 1):
        number = int(total * float(share) + 0.5)
        assert bookings.everything.sample(frac=share).count() == number
        assert len(keys(bookings.everything.sample(frac=share, method="first"))) == number


def test_the_first_ones(bookings: Any, small_world: World) -> None:
    """In the order of keys."""
    assert keys(bookings.everything.sample(4, method="first")) == sorted(small_world.rows["Bookings"])[:4]


def test_a_stratified_sample_gives_each_value_its_share(bookings: Any, small_world: World) -> None:
    """Rounded up or down."""
    rows = small_world.rows["Bookings"]
    found = keys(bookings.everything.sample(frac=0.5, method="stratified", per="Destination"))
    whole = Counter(row["boDest"] for row in rows.values())
    part = Counter(rows[key]["boDest"] for key in found)
    for value, number in whole.items():
        assert abs(part[value] - number * len(found) / len(rows)) < 1, value
    assert len(found) == (len(rows) + 1) // 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda s: s.limit(-1), "a limit is a whole number from 0, not -1"),
        (lambda s: s.limit(True), "a limit is a whole number from 0, not True"),
        (lambda s: s.limit((3, 1), by="Cost"), "ranks are counted from 1"),
        (lambda s: s.limit((2, 3)), "a pair of ranks needs `by`"),
        (lambda s: s.limit((2, 3), by="Cost", per="People"), "takes no `per`"),
        (lambda s: s.limit(3, by="Csot"), "no variable `Csot`; did you mean `Cost`"),
        (lambda s: s.limit(3, by="Bookings sold"), "leads to many|of type Array"),
        (lambda s: s.limit(3, per="Content"), "leads to many|no value"),
        (lambda s: s.limit(3, by=3), "a variable is needed, or its name, not 3"),
        (lambda s: s.sample(), "takes a number or a share"),
        (lambda s: s.sample(3, 0.5), "takes a number or a share"),
        (lambda s: s.sample(frac=1.5), "above 0 and at most 1, not 1.5"),
        (lambda s: s.sample(3, method="radnom"), "not 'radnom'; did you mean `random`"),
        (lambda s: s.sample(3, method="stratified"), "needs `per`"),
        (lambda s: s.sample(3, per="Cost"), "others take none"),
        (lambda s: s.sample(3, seed="x"), "the seed of a sample is a whole number"),
        (lambda s: s.sample(3, seed=-1), "the seed of a sample is a whole number"),
    ],
)
def test_a_wrong_limit_says_what_is_right(bookings: Any, wrong: Any, message: str) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=message):
        wrong(bookings.everything)
