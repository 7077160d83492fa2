"""Laws: batches give what single reads give, pruning changes nothing, and sets are what lists are."""

from __future__ import annotations

from typing import Any

import pytest
from foodmart import ask, foodmart, space
from hypothesis import given, settings
from hypothesis import strategies as st

from callsheet.analytics.mdx import pruning
from callsheet.analytics.mdx.cells import CubeQuestion
from callsheet.analytics.mdx.errors import MdxLimit
from callsheet.analytics.mdx.limits import MdxLimits
from callsheet.analytics.mdx.reading import CellReader

MEMBERS = ["[Time].[1997]", "[Time].[1998]", "[Time].[1997].[Q1]", "[Time].[1997].[Q2]", "[Time].[1997].[Q2].[4]",
           "[Time].[1997].[Q2].[6]", "[Time].[1998].[Q3]"]  # fmt: skip
SETS = st.lists(st.sampled_from(MEMBERS), max_size=5)
ORDER = sorted(MEMBERS)


def found(expression: str) -> list[str]:
    positions = ask(f"select {expression} on 0 from Sales where [Measures].[Unit Sales]").axes[0].positions
    return [str(position[0]) for position in positions]


def braces(members: list[str]) -> str:
    return "{" + ", ".join(members) + "}"


def once(members: list[str]) -> list[str]:
    return list(dict.fromkeys(members))


@given(SETS, SETS)
@settings(max_examples=25, deadline=None)
def test_sets_are_united_cut_and_ordered_as_lists_are(one: list[str], two: list[str]) -> None:
    """Doubles go, except with ALL; the order is that of the first set."""
    a, b = braces(one), braces(two)
    assert found(f"Union({a}, {b})") == once([*one, *two])
    assert found(f"Union({a}, {b}, ALL)") == [*one, *two]
    assert found(f"Intersect({a}, {b})") == once([each for each in one if each in two])
    assert found(f"Except({a}, {b})") == once([each for each in one if each not in two])
    assert found(f"Hierarchize({a})") == sorted(one, key=ORDER.index)
    assert found(f"Filter({a}, [Time].CurrentMember IN {b})") == [each for each in one if each in two]
    assert found(f"Generate({a}, {{[Time].CurrentMember, {', '.join(two) or '{}'}}})") == once(
        [each for first in one for each in (first, *two)]
    )


@given(SETS, st.sampled_from(["ASC", "DESC", "BASC", "BDESC"]))
@settings(max_examples=40, deadline=None)
def test_an_order_only_changes_the_order(members: list[str], flag: str) -> None:
    """By values where hierarchies are broken; empty values are lowest."""
    ordered = found(f"Order({braces(members)}, [Measures].[Unit Sales], {flag})")
    assert sorted(ordered) == sorted(members)
    cells = ask(f"select {braces(ordered)} on 0 from Sales where [Measures].[Unit Sales]").cells
    values = [cell.value or 0 for cell in cells]
    if flag.startswith("B"):
        assert values == sorted(values, reverse=flag == "BDESC")
    else:
        years = [member[:13] for member in ordered]
        assert years == sorted(years, key=years.index)


FORMULAS = [
    "Sum(Ytd(), [Measures].[Store Sales])",
    "[Measures].[Profit Growth]",
    "IIf([Measures].[Unit Sales] > 9000, [Measures].[Store Cost], ([Measures].[Store Cost], [Time].PrevMember))",
    "Rank([Store].CurrentMember, Order([Store].[Store Country].Members, [Measures].[Unit Sales], BDESC))",
    "Sum(TopCount([Product].[Product Family].Members, 2, [Measures].[Profit]), [Measures].[Unit Sales])",
    "Count(Filter([Gender].[Gender].Members, [Measures].[Unit Sales] > 10000))",
    "Aggregate({[Gender].[F], [Gender].[M]}, [Measures].[Customer Count])",
    "CoalesceEmpty(([Measures].[Unit Sales], [Time].NextMember), 0) - [Measures].[Unit Sales]",
]


def _query(formula: str, rows: str, slicer: str) -> str:
    return (
        f"with member [Measures].[x] as {formula} select {{[Measures].[x], [Measures].[Unit Sales]}} on 0, "
        f"non empty Order({rows}, [Measures].[x], BDESC) on 1 from Sales where {slicer}"
    )


ROWS = ["[Time].[Quarter].Members", "[Time].[1997].Children * [Store].[USA].Children"]
SLICERS = ["[Marital Status].[S]", "{[Marital Status].[S], [Marital Status].[M]}"]


@pytest.mark.parametrize("formula", FORMULAS)
def test_cells_read_together_give_what_single_reads_give(formula: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that rested on a missing cell is kept."""
    queries = [_query(formula, rows, slicer) for rows, slicer in zip(ROWS, SLICERS)]
    together = [ask(query).to_text() for query in queries]
    read = CellReader._value

    def at_once(self: CellReader, measure: Any, members: Any, covers: Any) -> Any:
        before = self.missing
        value = read(self, measure, members, covers)
        if self.missing > before:
            self.take(self.space.cells.ask(self.prepare()))
            self.missing = before
            value = read(self, measure, members, covers)
        return value

    monkeypatch.setattr(CellReader, "_value", at_once)
    limits = MdxLimits(turns=100_000)
    assert [ask(query, limits=limits).to_text() for query in queries] == together


LARGE = [
    "select {[Measures].[Unit Sales], [Measures].[Profit]} on 0, non empty [Store].[Store Name].Members * "
    "[Product].[Product Category].Members on 1 from Sales where [Time].[1997].[Q1].[2]",
    "select TopCount([Product].[Product Category].Members * [Store].[Store Name].Members, 7, [Measures].[Unit Sales]) "
    "on 0 from Sales where {[Gender].[F]}",
    "select TopCount([Product].[Product Category].Members * [Store].[Store Name].Members, 7, [Measures].[Profit]) "
    "on 0 from Sales",
    "select TopCount([Store].[Store Name].Members * {[Time].[1998].Children} * [Product].[Product Department].Members, "
    "5, [Measures].[Unit Sales]) on 0 from Sales",
    "select Filter([Product].[Product Category].Members * [Store].[Store Name].Members, "
    "[Measures].[Unit Sales] > 400 and not isempty([Measures].[Store Cost])) on 0 from Sales",
    "select non empty Order(Filter([Product].[Product Category].Members * [Store].[Store Name].Members, "
    "[Measures].[Profit] > 300 or [Measures].[Unit Sales] < 9), [Measures].[Profit], DESC) on 0 from Sales",
    "select non empty [Store].[Store Name].Members * [Product].[Product Category].Members * {[Measures].[Profit], "
    "[Measures].[Unit Sales]} on 0 from Sales where [Time].[1997].[Q1].[2]",
    "select non empty {[Measures].[Profit], [Measures].[Unit Sales]} * [Store].[Store Name].Members * "
    "[Product].[Product Category].Members on 0 from Sales where [Time].[1997].[Q1].[2]",
    "with member [Measures].[one] as 1 select {[Measures].[one]} on 0, non empty "
    "[Product].[Product Department].Members * [Store].[Store Name].Members on 1 from Sales",
]


@pytest.mark.parametrize("query", LARGE)
def test_pruning_changes_no_answer(query: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Products made of their facts give what whole products give."""
    pruned = ask(query)
    monkeypatch.setattr(pruning, "LARGE", 10**9)
    assert ask(query).to_text() == pruned.to_text()


def test_the_largest_of_many_are_asked_with_an_order_and_a_limit() -> None:
    """Sixteen million tuples: the cube sorts, and a few rows come back."""
    answer = ask(
        "select TopCount([Customers].[Name].Members * [Product].[Product Name].Members, 5, [Measures].[Unit Sales]) "
        "on 0 from Sales where [Store].[USA].[WA].[Bellingham]"
    )
    (question,) = [each for each in answer.asked if each.order is not None]
    assert isinstance(question, CubeQuestion)
    assert question.limit is not None
    assert question.limit < 2000
    assert question.measures == ("Unit Sales",)


@pytest.mark.parametrize(
    ("query", "limits", "words"),
    [
        ("select [Customers].[Name].Members * [Product].[Product Name].Members on 0 from Sales", MdxLimits(),
         "16,038,360"),
        ("select [Store].Members * [Product].Members on 0 from Sales", MdxLimits(tuples=1000), "limit `tuples`"),
        ("select Generate([Customers].[Name].Members, [Store].Members, ALL) on 0 from Sales", MdxLimits(tuples=1000),
         "limit `tuples`"),
        ("select Filter([Customers].[Name].Members, 1 = 2) on 0 from Sales", MdxLimits(seconds=-1), "limit `seconds`"),
        ("select {[Measures].[Unit Sales]} on 0, [Customers].[Name].Members on 1 from Sales", MdxLimits(tuples=10_000),
         "limit `tuples`"),
    ],
)  # fmt: skip
def test_a_query_that_costs_too_much_is_stopped(query: str, limits: MdxLimits, words: str) -> None:
    """Before a product is made, and in every iteration."""
    with pytest.raises(MdxLimit) as error:
        ask(query, limits=limits)
    assert words in str(error.value)


def test_a_level_is_read_when_it_is_used() -> None:
    """A query over countries reads no customers."""
    from foodmart import FoodMart

    from callsheet.analytics.mdx.query import answer_mdx

    read = []

    class Counting(FoodMart):
        def __init__(self) -> None:
            self.__dict__.update(foodmart().__dict__)

        def members(self, level: Any) -> Any:
            read.append(level)
            return super().members(level)

    answer_mdx(Counting(), "select {[Customers].[USA].Children} on 0 from Sales")
    assert ("Customers", 3) not in read
    assert ("Customers", 1) in read
    assert space().description.name == "Sales"
