"""Queries over FoodMart give what sums over the rows of its files give, printed line by line."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest
from facts import buyers, money, rows, units, written
from foodmart import ask, axis, foodmart, value

from callsheet.analytics.mdx.errors import MdxError


def test_a_query_is_printed_by_axes_and_rows() -> None:
    """Axis 0 is the slicer; names are whole; All is not written in front of its children."""
    found = ask("select {[Measures].[Unit Sales]} on columns, {[Gender].Members} on rows from [Sales]")
    assert found.to_text() == (
        "Axis #0:\n{}\n"
        "Axis #1:\n{[Measures].[Unit Sales]}\n"
        "Axis #2:\n{[Gender].[All Gender]}\n{[Gender].[F]}\n{[Gender].[M]}\n"
        f"Row #0: 266,773\nRow #1: {written(units(gender='F'))}\nRow #2: {written(units(gender='M'))}\n"
    )


def test_a_slicer_restricts_and_empty_cells_have_no_text() -> None:
    """Members of the second year are there, and have no sales."""
    found = ask(
        "select {[Measures].[Store Sales], [Measures].[Store Cost], [Measures].[Profit]} on 0, "
        "{[Time].[1997].[Q2], [Time].[1998]} on 1 from Sales where ([Store].[USA].[OR], [Gender].[F])"
    )
    place = {"store_state": "OR", "gender": "F", "quarter": "Q2"}
    sales, cost = money("store_sales", **place), money("store_cost", **place)
    assert found.to_text().splitlines() == [
        "Axis #0:",
        "{[Store].[USA].[OR], [Gender].[F]}",
        "Axis #1:",
        "{[Measures].[Store Sales]}",
        "{[Measures].[Store Cost]}",
        "{[Measures].[Profit]}",
        "Axis #2:",
        "{[Time].[1997].[Q2]}",
        "{[Time].[1998]}",
        f"Row #0: {written(sales, 2)}",
        f"Row #0: {written(cost, 2)}",
        f"Row #0: ${written(sales - cost, 2)}",
        "Row #1: ",
        "Row #1: ",
        "Row #1: ",
    ]


def test_growth_compares_with_the_period_before() -> None:
    """The first period is compared with itself, since there is none before."""
    found = ask("select {[Measures].[Profit Growth]} on 0, {[Time].[1997].Children} on 1 from Sales")
    profits = [
        money("store_sales", quarter=quarter) - money("store_cost", quarter=quarter)
        for quarter in ("Q1", "Q2", "Q3", "Q4")
    ]
    growth = [Decimal(0), *(later / earlier - 1 for earlier, later in pairwise(profits))]
    assert [cell.text for cell in found.cells] == [f"{written(each * 100, 1)}%" for each in growth]


def test_a_slicer_of_several_tuples_counts_each_fact_and_each_customer_once() -> None:
    """Members that another one covers add nothing."""
    found = ask(
        "select {[Measures].[Unit Sales], [Measures].[Customer Count]} on 0 from Sales "
        "where {[Time].[1997].[Q1], [Time].[1997].[Q1].[2], [Time].[1997].[Q2].[4]}"
    )
    months = {"1", "2", "3", "4"}
    assert [cell.value for cell in found.cells] == [
        sum(int(Decimal(row["unit_sales"])) for row in rows() if row["month_of_year"] in months),
        buyers(lambda row: row["month_of_year"] in months),
    ]
    assert len(found.slicer) == 3


def test_a_slicer_of_tuples_is_no_product() -> None:
    """Only the combinations that are listed count."""
    found = ask(
        "select {[Measures].[Customer Count]} on 0 from Sales "
        "where {([Gender].[F], [Store].[USA].[CA]), ([Gender].[M], [Store].[USA].[WA].[Seattle])}"
    )
    assert found.cells[0].value == buyers(
        lambda row: (
            (row["gender"], row["store_state"]) == ("F", "CA") or (row["gender"], row["store_city"]) == ("M", "Seattle")
        )
    )


def test_aggregate_counts_distinct_customers_and_adds_sales() -> None:
    """Sums are added, distinct counts are counted over all facts."""
    assert value("Aggregate({[Time].[1997].[Q1], [Time].[1997].[Q2]}, [Measures].[Customer Count])") == written(
        buyers(lambda row: row["quarter"] in ("Q1", "Q2"))
    )
    assert value("Aggregate({[Gender].[F], [Gender].[F]}, [Measures].[Unit Sales])") == written(2 * units(gender="F"))


def test_non_empty_removes_positions_without_any_value() -> None:
    """Rows and columns, each seen over all of the other axis."""
    found = ask(
        "select non empty {[Time].[1997], [Time].[1998]} on 0, "
        "non empty {[Store].[Store Country].Members} on 1 from Sales"
    )
    assert [str(position[0]) for position in found.axes[0].positions] == ["[Time].[1997]"]
    assert [str(position[0]) for position in found.axes[1].positions] == ["[Store].[USA]"]


def test_a_large_product_is_made_of_its_facts_only() -> None:
    """Sixteen million tuples are never made; the order is that of the product."""
    found = ask(
        "select {[Measures].[Unit Sales]} on 0, non empty CrossJoin([Customers].[Name].Members, "
        "[Product].[Product Name].Members) on 1 from Sales "
        "where ([Time].[1997].[Q1].[1], [Store].[USA].[WA].[Bellingham])"
    )
    place = {"store_city": "Bellingham", "month_of_year": "1"}
    sums: dict[tuple[str, str], int] = {}
    for row in (row for row in rows() if all(row[name] == wanted for name, wanted in place.items())):
        key = (row["customer_id"], row["product_name"])
        sums[key] = sums.get(key, 0) + int(Decimal(row["unit_sales"]))
    assert sum(cell.value for cell in found.cells) == sum(sums.values())
    assert len(found.cells) == len(sums)
    customers = [position[0].unique_name for position in found.axes[1].positions]
    assert customers == sorted(customers)


def test_a_calculated_member_of_another_hierarchy_is_solved_in_its_order() -> None:
    """The ratio of sums is not the sum of ratios: the solve order decides."""
    query = (
        "with member [Measures].[Part] as '[Measures].[Store Cost] / [Measures].[Store Sales]', solve_order = {0}, "
        "format_string = '0.0000' "
        "member [Store].[West] as '[Store].[USA].[CA] + [Store].[USA].[WA]', solve_order = {1} "
        "select {{[Measures].[Part]}} on 0, {{[Store].[West]}} on 1 from Sales"
    )
    states = [
        (money("store_cost", store_state=state), money("store_sales", store_state=state)) for state in ("CA", "WA")
    ]
    of_sums = sum(cost for cost, _ in states) / sum(sales for _, sales in states)
    sum_of = sum(cost / sales for cost, sales in states)
    assert ask(query.format(2, 1)).cells[0].text == written(of_sums, 4)
    assert ask(query.format(1, 2)).cells[0].text == written(sum_of, 4)


def test_a_subselect_restricts_facts_and_members() -> None:
    """Totals are those of what is left."""
    found = ask(
        "select {[Measures].[Unit Sales]} on 0, {[Store].[USA].Children} on 1 from "
        "(select {[Store].[USA].[CA], [Store].[USA].[WA].[Seattle]} on 0 from Sales where [Gender].[F])"
    )
    assert [str(position[0]) for position in found.axes[1].positions] == ["[Store].[USA].[CA]", "[Store].[USA].[WA]"]
    assert [cell.value for cell in found.cells] == [
        units(store_state="CA", gender="F"),
        units(store_city="Seattle", gender="F"),
    ]


def test_cells_are_read_in_few_questions() -> None:
    """All cells of one kind are one question; those of a ranking over calculated members take few turns."""
    cube = foodmart()
    cube.calls = 0
    found = ask(
        "select {[Measures].[Unit Sales], [Measures].[Profit]} on 0, [Store].[Store City].Members on 1 from Sales"
    )
    assert (found.turns, found.questions, cube.calls) == (1, 1, 1)
    ranked = ask(
        "with set [Best] as TopCount([Product].[Brand Name].Members, 5, [Measures].[Profit]) "
        "member [Measures].[Place] as Rank([Product].CurrentMember, [Best]) "
        "select {[Measures].[Profit], [Measures].[Place]} on 0, [Best] on 1 from Sales"
    )
    assert ranked.turns <= 2
    assert [cell.text for cell in ranked.cells][1::2] == ["1", "2", "3", "4", "5"]


def test_properties_are_shown_where_the_axis_asks() -> None:
    """They come with the members, and are no cells."""
    found = ask(
        "select {[Measures].[Unit Sales]} on 0, {[Store].[USA].[CA].[Los Angeles].Children} dimension properties "
        "[Store].[Store Name].[Store Manager], member_key on 1 from Sales"
    )
    assert dict(found.axes[1].positions[0][0].properties) == {"Store Manager": "White", "member_key": "Store 7"}


def test_rows_and_tables_show_captions() -> None:
    """A row is a mapping with a column for each hierarchy on the rows, and each position of the columns."""
    found = ask("select {[Measures].[Unit Sales]} on 0, {[Gender].[F]} * {[Marital Status].[S]} on 1 from Sales")
    number = units(gender="F", marital_status="S")
    assert found.to_rows() == [{"Gender": "F", "Marital Status": "S", "Unit Sales": number}]
    assert found.to_table().splitlines() == ["       Unit Sales", f"F / S{written(number):>12}"]
    assert found.cell(0, 0).value == number


@pytest.mark.parametrize(
    ("query", "position", "words"),
    [
        ("select {[Gendr].[F]} on 0 from Sales", 8, ["`Gendr`", "did you mean `Gender`?"]),
        ("select {[Gender].[X]} on 0 from Sales", 17, ["there is no `X` in [Gender]"]),
        ("select {[Store].[USSA].[CA]} on 0 from Sales", 16, ["in [Store]", "did you mean `USA`?"]),
        ("select {[Gender].Chldren} on 0 from Sales", 17, ["did you mean `Children`?"]),
        ("select Heed([Gender].Members) on 0 from Sales", 7, ["no function `Heed`", "did you mean `Head`?"]),
        ("select Head() on 0 from Sales", 7, ["not called like this", "Head(set, number?)"]),
        ("select {[Gender].[Gender]} on 0 from Sales", -1, ["a set is expected, not a level", "Members"]),
        ("select {[Gender].[F]} on 1 from Sales", 8, ["axis 1 and no axis 0"]),
        ("select {[Gender].[F]} on 0 from Budget", 32, ["the cube is Sales, not Budget"]),
        ("select {[Gender].[F]} on 0 from Sales where [Gender].[M]", -1, ["[Gender] is on the slicer and on axis 0"]),
        ("select {([Gender].[F], [Gender].[M])} on 0 from Sales", 9, ["two members of one hierarchy"]),
        (
            "with member [Measures].[a] as [Measures].[a] select {[Measures].[a]} on 0 from Sales",
            -1,
            ["refers to itself"],
        ),
        ("drillthrough select {[Gender].[F]} on 0 from Sales", 0, ["DRILLTHROUGH is not answered here"]),
        ("with member [x] as 1 select {[x]} on 0 from Sales", 12, ["needs its hierarchy", "[Measures].[x]"]),
        ("with member [Measures].[x] as 'Heed(1)' select {[Measures].[x]} on 0 from Sales", 31, ["no function `Heed`"]),
    ],
)
def test_errors_have_a_position_and_a_hint(query: str, position: int, words: list[str]) -> None:
    """They name what is unknown, and what is nearest to it."""
    with pytest.raises(MdxError) as error:
        ask(query)
    assert [word for word in words if word not in str(error.value)] == []
    assert error.value.position == position


def test_names_are_found_in_any_form() -> None:
    """With and without All, by level, by key, without the hierarchy, in any case."""
    names = [
        "[Store].[USA].[CA]", "[Store].[All Stores].[USA].[CA]", "store.usa.ca", "[Store].[Store State].[CA]",
        "[Store].[Store State].&[CA]", "[USA].[CA]", "[Store].&[USA].&[CA]",
    ]  # fmt: skip
    assert {axis(name) for name in names} == {"[Store].[USA].[CA]"}
    assert axis("[Gender].[Gender].[F]") == "[Gender].[F]"
    assert axis("[Time].[Weekly].[1997].[2]") == axis("[Time.Weekly].[1997].[2]") == "[Time.Weekly].[1997].[2]"


def test_a_slicer_without_members_leaves_nothing() -> None:
    """Every cell is empty."""
    found = ask("select {[Measures].[Unit Sales]} on 0 from Sales where Filter([Gender].Members, 1 = 2)")
    assert [cell.value for cell in found.cells] == [None]
    assert len(found.slicer) == 0


def test_a_formula_may_use_itself_for_another_member() -> None:
    """A running sum over two years of months, from the first one on."""
    found = ask(
        "with member [Measures].[r] as IIf([Time].PrevMember IS NULL, [Measures].[Unit Sales], "
        "([Measures].[r], [Time].PrevMember) + [Measures].[Unit Sales]) "
        "select {[Measures].[r]} on 0, {[Time].[Month].Members} on 1 from Sales"
    )
    months = [units(month_of_year=str(month)) for month in range(1, 13)]
    assert [cell.value for cell in found.cells] == [sum(months[: at + 1]) for at in range(24)]
    assert found.turns == 1


def test_members_belong_together_by_lineage_or_by_facts() -> None:
    """Of one hierarchy those above and below; of two hierarchies those with sales in common."""
    assert axis("Exists([Store].[Store State].Members, {[Store].[USA].[CA].[Los Angeles]})") == "[Store].[USA].[CA]"
    states = {row["store_state"] for row in rows() if row["gender"] == "F"}
    found = axis("Exists([Store].[Store State].Members, {[Gender].[F]})").splitlines()
    assert found == [f"[Store].[USA].[{state}]" for state in sorted(states)]


def test_only_part_of_two_hierarchies_overridden_leaves_the_rest_of_the_slicer() -> None:
    """A formula that names a member of one hierarchy is still restricted in the other."""
    found = ask(
        "with member [Measures].[x] as ([Measures].[Unit Sales], [Gender].[M]) select {[Measures].[x]} on 0 from Sales "
        "where {([Gender].[F], [Store].[USA].[CA]), ([Gender].[M], [Store].[USA].[WA])}"
    )
    assert found.cells[0].value == units(gender="M", store_state="CA") + units(gender="M", store_state="WA")
