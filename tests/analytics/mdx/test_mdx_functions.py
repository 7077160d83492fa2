"""Each function gives what its definition says, over the members and sales of FoodMart."""

from __future__ import annotations

import datetime as dt
import statistics
from decimal import Decimal

import pytest
from facts import buyers, money, units, written
from foodmart import ask, axis, value

from callsheet.analytics.mdx.errors import MdxError

Q = "[Time].[1997].[Q{}]"
STATES = ("CA", "OR", "WA")


def names(text: str) -> str:
    """Short forms, written out: states and quarters, one in a line."""
    found = []
    for word in text.split():
        if word.startswith("Q"):
            found.append(f"[Time].[1997].[{word[:2]}]" + (f".[{word[3:]}]" if len(word) > 2 else ""))
        else:
            found.append("[Store].[USA]" + (f".[{word}]" if word != "USA" else ""))
    return "\n".join(found)


@pytest.mark.parametrize(
    ("expression", "members"),
    [
        ("[Store].[USA].Children", "CA OR WA"),
        ("[Store].[USA].[CA].Siblings", "CA OR WA"),
        ("[Store].[USA].FirstChild", "CA"),
        ("[Store].[USA].LastChild", "WA"),
        ("[Store].[USA].[OR].FirstSibling", "CA"),
        ("[Store].[USA].[OR].LastSibling", "WA"),
        ("[Store].[USA].[OR].PrevMember", "CA"),
        ("[Store].[USA].[OR].NextMember", "WA"),
        ("[Store].[USA].[WA].NextMember", ""),
        ("[Store].[USA].[WA].Lag(2)", "CA"),
        ("[Store].[USA].[CA].Lead(1)", "OR"),
        ("[Store].[USA].[CA].Parent", "USA"),
        ("[Store].[All Stores].Parent", ""),
        ("{[Store].[USA].[CA] : [Store].[USA].[WA]}", "CA OR WA"),
        ("{[Store].[USA].[WA] : [Store].[USA].[OR]}", "OR WA"),
        ("Ancestor([Store].[USA].[CA].[Los Angeles], 2)", "USA"),
        ("Ancestor([Store].[USA].[CA].[Los Angeles], [Store].[Store State])", "CA"),
        ("Ancestors([Store].[USA].[CA].[Los Angeles], [Store].[Store Country])", "CA USA"),
        ("Descendants([Store].[USA], [Store].[Store State])", "CA OR WA"),
        ("Descendants([Store].[USA], 1, SELF_AND_BEFORE)", "USA CA OR WA"),
        ("Descendants([Store].[USA], 1, BEFORE)", "USA"),
        ("Descendants([Time].[1997].[Q1], , LEAVES)", "Q1.1 Q1.2 Q1.3"),
        ("Descendants([Time].[1997].[Q1])", "Q1 Q1.1 Q1.2 Q1.3"),
        ("Descendants([Time].[1997].[Q1], 5)", ""),
        ("Descendants({[Time].[1997].[Q1], [Time].[1997].[Q2]}, [Time].[Month])", "Q1.1 Q1.2 Q1.3 Q2.4 Q2.5 Q2.6"),
        ("Descendants([Time].[1997], [Time].[Quarter], LEAVES)", ""),
        ("Head([Store].[USA].Children, 2)", "CA OR"),
        ("Head([Store].[USA].Children)", "CA"),
        ("Tail([Store].[USA].Children, 2)", "OR WA"),
        ("Tail([Store].[USA].Children, 9)", "CA OR WA"),
        ("Tail([Store].[USA].Children, 0)", ""),
        ("Subset([Store].[USA].Children, 1)", "OR WA"),
        ("Subset([Store].[USA].Children, 1, 1)", "OR"),
        ("[Store].[USA].Children.Item(1)", "OR"),
        ("[Store].[USA].Children.Item(7)", ""),
        ("[Store].[USA].Children.Item('WA')", "WA"),
        ("Union({[Store].[USA].[OR]}, {[Store].[USA].[CA], [Store].[USA].[OR]})", "OR CA"),
        ("Union({[Store].[USA].[OR]}, {[Store].[USA].[OR]}, ALL)", "OR OR"),
        ("{[Store].[USA].[OR]} + {[Store].[USA].[CA]}", "OR CA"),
        ("[Store].[USA].Children - {[Store].[USA].[CA]}", "OR WA"),
        ("Except([Store].[USA].Children, {[Store].[USA].[OR]})", "CA WA"),
        ("Intersect([Store].[USA].Children, {[Store].[USA].[WA], [Store].[USA].[OR]})", "OR WA"),
        ("Distinct({[Store].[USA].[OR], [Store].[USA], [Store].[USA].[OR]})", "OR USA"),
        ("Hierarchize({[Store].[USA].[WA], [Store].[USA], [Store].[USA].[CA]})", "USA CA WA"),
        ("Hierarchize({[Store].[USA].[WA], [Store].[USA], [Store].[USA].[CA]}, POST)", "CA WA USA"),
        ("Order([Store].[USA].Children, [Measures].[Unit Sales], DESC)", "WA CA OR"),
        ("Order({[Store].[USA], [Store].[USA].Children}, [Measures].[Unit Sales], ASC)", "USA OR CA WA"),
        ("Order({[Store].[USA], [Store].[USA].Children}, [Measures].[Unit Sales], BASC)", "OR CA WA USA"),
        ("Order([Store].[USA].Children, [Store].CurrentMember.Name, BDESC)", "WA OR CA"),
        ("Order([Store].[USA].Children, [Store].CurrentMember.OrderKey, BDESC)", "WA OR CA"),
        ("TopCount([Store].[USA].Children, 2, [Measures].[Unit Sales])", "WA CA"),
        ("TopCount([Store].[USA].Children, 2)", "CA OR"),
        ("BottomCount([Store].[USA].Children, 2, [Measures].[Unit Sales])", "OR CA"),
        ("TopPercent([Store].[USA].Children, 60, [Measures].[Unit Sales])", "WA CA"),
        ("TopSum([Store].[USA].Children, 100000, [Measures].[Unit Sales])", "WA"),
        ("BottomPercent([Store].[USA].Children, 10, [Measures].[Unit Sales])", "OR"),
        ("BottomSum([Store].[USA].Children, 70000, [Measures].[Unit Sales])", "OR CA"),
        ("Filter([Store].[USA].Children, [Measures].[Unit Sales] > 70000)", "CA WA"),
        ("Generate({[Store].[USA]}, {[Store].CurrentMember.FirstChild, [Store].CurrentMember})", "CA USA"),
        ("Ytd([Time].[1997].[Q2].[5])", "Q1.1 Q1.2 Q1.3 Q2.4 Q2.5"),
        ("Qtd([Time].[1997].[Q2].[5])", "Q2.4 Q2.5"),
        ("PeriodsToDate([Time].[Year], [Time].[1997].[Q3])", "Q1 Q2 Q3"),
        ("LastPeriods(2, [Time].[1997].[Q3])", "Q2 Q3"),
        ("LastPeriods(-2, [Time].[1997].[Q3])", "Q3 Q4"),
        ("ParallelPeriod([Time].[Quarter], 1, [Time].[1997].[Q2].[5])", "Q1.2"),
        ("OpeningPeriod([Time].[Month], [Time].[1997])", "Q1.1"),
        ("ClosingPeriod([Time].[Quarter], [Time].[1997])", "Q4"),
        ("Cousin([Time].[1997].[Q2].[5], [Time].[1997].[Q3])", "Q3.8"),
        ("DrilldownLevel({[Time].[1997].[Q1], [Time].[1997].[Q2]})", "Q1 Q1.1 Q1.2 Q1.3 Q2 Q2.4 Q2.5 Q2.6"),
        ("DrilldownLevelTop({[Store].[USA]}, 1, , [Measures].[Unit Sales])", "USA WA"),
        ("DrilldownLevelBottom({[Store].[USA]}, 1, , [Measures].[Unit Sales])", "USA OR"),
        ("DrilldownMember({[Time].[1997].[Q1], [Time].[1997].[Q2]}, {[Time].[1997].[Q2]})", "Q1 Q2 Q2.4 Q2.5 Q2.6"),
        ("DrillupLevel({[Store].[USA], [Store].[USA].[CA]})", "USA"),
        ("DrillupMember({[Store].[USA], [Store].[USA].[CA]}, {[Store].[USA]})", "USA"),
        ("ToggleDrillState({[Store].[USA], [Store].[USA].[CA]}, {[Store].[USA]})", "USA"),
        ("ToggleDrillState({[Store].[USA]}, {[Store].[USA]})", "USA CA OR WA"),
        ("Exists([Store].[USA].Children, {[Store].[USA].[CA].[Los Angeles]})", "CA"),
        ("Extract({([Gender].[F], [Store].[USA].[CA]), ([Gender].[M], [Store].[USA].[CA])}, [Store])", "CA"),
        ("StrToMember('[Store].[USA].[CA]')", "CA"),
        ("StrToSet('{[Store].[USA].[CA], [Store].[USA]}')", "CA USA"),
        ("IIf(1 = 1, [Store].[USA].Children, {})", "CA OR WA"),
        ("CASE WHEN 1 = 2 THEN {[Store].[USA]} ELSE {[Store].[USA].[CA]} END", "CA"),
        ("[Store].DefaultMember.Children.Item(2)", "USA"),
        ("[Store].Levels(2).Members.Item(7)", "CA"),
        ("Dimensions('Store').Levels('Store State').Members.Item(7)", "CA"),
        ("Filter([Store].[Store State].Members, [Store].CurrentMember IN {[Store].[USA].[CA]})", "CA"),
        ("Filter([Store].[USA].Children, [Store].CurrentMember IS [Store].[USA].[WA])", "WA"),
        ("Filter([Store].[USA].Children, [Store].CurrentMember.Name MATCHES '[A-C].*')", "CA"),
        ("Filter([Store].[USA].Children AS s, s.CurrentOrdinal > 0)", "OR WA"),
        ("NonEmptyCrossJoin([Store].[Store State].Members)", "CA OR WA"),
        ("NonEmpty([Store].[Store State].Members)", "CA OR WA"),
        ("Ascendants([Store].[USA].[CA]).Item(1)", "USA"),
    ],
)  # fmt: skip
def test_a_set_has_these_members(expression: str, members: str) -> None:
    """In this order."""
    assert axis(expression) == names(members)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("Sum([Store].[USA].Children, [Measures].[Unit Sales])", "266,773"),
        ("Sum({}, [Measures].[Unit Sales])", ""),
        ("Count([Store].[Store State].Members)", "10"),
        ("Count([Store].[Store State].Members, EXCLUDEEMPTY)", "3"),
        ("[Store].[Store State].Members.Count", "10"),
        ("DistinctCount({[Gender].[F], [Gender].[F], [Time].[1998]})", None),
        ("Rank([Store].[USA].[OR], [Store].[USA].Children)", "2"),
        ("Rank([Store].[USA].[OR], [Store].[USA].Children, [Measures].[Unit Sales])", "3"),
        ("Rank([Store].[Canada], [Store].[USA].Children)", "0"),
        ("CoalesceEmpty(([Measures].[Unit Sales], [Time].[1998]), 7)", "7"),
        ("[Measures].[Unit Sales] + ([Measures].[Unit Sales], [Time].[1998])", "266,773"),
        ("[Measures].[Unit Sales] * ([Measures].[Unit Sales], [Time].[1998])", ""),
        ("IIf(IsEmpty(([Measures].[Unit Sales], [Time].[1998])), 'no', 'yes')", "no"),
        ("IIf(([Measures].[Unit Sales], [Time].[1998]) = 0, 'zero', 'other')", "other"),
        ("[Store].Levels.Count", "5"),
        ("1 / 0", "Infinity"),
        ("0 / 0", "NaN"),
        ("-(1 / 0)", "-Infinity"),
        ("CASE [Gender].CurrentMember.Name WHEN 'All Gender' THEN 'all' ELSE 'some' END", "all"),
        ("[Store].[USA].[CA].Name", "CA"),
        ("[Store].[USA].[CA].UniqueName", "[Store].[USA].[CA]"),
        ("[Store].[All Stores].UniqueName", "[Store].[All Stores]"),
        ("[Store].[Store State].UniqueName", "[Store].[Store State]"),
        ("[Time.Weekly].Dimension.Name", "Time"),
        ("[Time].[Quarter].Ordinal", "1"),
        ("[Store].[USA].[CA].Level.Name", "Store State"),
        ("[Store].[All Stores].Parent.Name", "#null"),
        ("[Store].[USA].[CA].[Los Angeles].[Store 7].Properties('Store Manager')", "White"),
        ("[Store].[USA].[CA].[Los Angeles].[Store 7].Properties('Store Sqft')", "23,598"),
        ("[Store].[USA].[CA].Properties('MEMBER_UNIQUE_NAME')", "[Store].[USA].[CA]"),
        ("Generate([Store].[USA].Children, [Store].CurrentMember.Name, ', ')", "CA, OR, WA"),
        ("SetToStr(Head([Store].[USA].Children, 2))", "{[Store].[USA].[CA], [Store].[USA].[OR]}"),
        ("TupleToStr(([Gender].[F], [Store].[USA]))", "([Gender].[F], [Store].[USA])"),
        ("Cast(1 + 2 AS STRING)", "3.0"),
        ("Cast('12' AS INTEGER) + 1", "13"),
        ("Len('abc')", "3"),
        ("Left('abc', 2) || Right('abc', 1) || Mid('abcdef', 2, 3)", "abcbcd"),
        ("InStr('abc', 'c')", "3"),
        ("UCase('a') + LCase('B')", "Ab"),
        ("Trim(' a ') || Replace('aXa', 'X', '-')", "aa-a"),
        ("Format(1234.5, '#,##0.00')", "1,234.50"),
        ("Format(DateSerial(1997, 3, 5), 'yyyy-mm-dd')", "1997-03-05"),
        ("Format(DateAdd('m', 1, DateSerial(1997, 1, 31)), 'yyyy-mm-dd')", "1997-02-28"),
        ("DateDiff('h', '1997-01-01T00:00:00+02:00', '1997-01-01T05:30:00')", "5"),
        ("DateDiff('d', DateSerial(1997, 1, 1), DateSerial(1997, 2, 1))", "31"),
        ("Year(DateSerial(1997, 3, 5)) + Month(DateSerial(1997, 3, 5))", "2,000"),
        ("MonthName(3) || WeekdayName(1)", "MarchSunday"),
        ("Weekday(DateSerial(1997, 3, 5))", "4"),
        ("Int(-2.5) + Fix(-2.5) + Abs(-1) + Sgn(-3)", "-5"),
        ("Val('12ab') + Sqr(16)", "16"),
        ("IIf([Store].[USA].[CA] IS [Store].[USA].[CA] AND NOT [Store].Parent IS NULL XOR 1 = 2, 1, 2)", "2"),
        ("IIf(IsAncestor([Store].[USA], [Store].[USA].[CA]), 1, 2)", "1"),
        ("IIf(IsLeaf([Store].[USA]), 1, 2)", "2"),
        ("Parameter('p', NUMERIC, 3, 'text') + ParamRef('p')", "6"),
        ("(1 + 2) * 3 - 4 / 2", "7"),
    ],
)  # fmt: skip
def test_an_expression_has_this_value(expression: str, text: str | None) -> None:
    """As text, in the format of the cell."""
    if text is None:
        with pytest.raises(MdxError):
            # Its set has members of two hierarchies.
            value(f"Sum({expression})")
    else:
        assert value(expression) == text


def test_statistics_are_those_of_python() -> None:
    """Deviations, median, covariance and lines, of the sales of three states."""
    sales = [float(money("store_sales", store_state=state)) for state in STATES]
    sold = [float(units(store_state=state)) for state in STATES]
    states = "[Store].[USA].Children"

    def number(expression: str) -> float:
        query = f"with member [Measures].[x] as {expression} select {{[Measures].[x]}} on 0 from Sales"
        found: float = ask(query).cells[0].value
        return found

    one, two = "[Measures].[Store Sales]", "[Measures].[Unit Sales]"
    line = statistics.linear_regression(sold, sales)
    expected = {
        f"Stdev({states}, {one})": statistics.stdev(sales),
        f"StdevP({states}, {one})": statistics.pstdev(sales),
        f"Var({states}, {one})": statistics.variance(sales),
        f"VarP({states}, {one})": statistics.pvariance(sales),
        f"Median({states}, {one})": statistics.median(sales),
        f"Avg({states}, {one})": statistics.mean(sales),
        f"Max({states}, {one})": max(sales),
        f"Min({states}, {one})": min(sales),
        f"Correlation({states}, {one}, {two})": statistics.correlation(sales, sold),
        f"CovarianceN({states}, {one}, {two})": statistics.covariance(sales, sold),
        f"Covariance({states}, {one}, {two})": statistics.covariance(sales, sold) * 2 / 3,
        f"LinRegSlope({states}, {one}, {two})": line.slope,
        f"LinRegIntercept({states}, {one}, {two})": line.intercept,
        f"LinRegPoint(1000, {states}, {one}, {two})": line.slope * 1000 + line.intercept,
        f"LinRegR2({states}, {one}, {two})": statistics.correlation(sales, sold) ** 2,
        f"Percentile({states}, {one}, 50)": statistics.median(sales),
        f"Percentile({states}, {one}, 100)": max(sales),
        f"Percentile({states}, {one}, 40)": statistics.quantiles(sales, n=5, method="inclusive")[1],
        f"FirstQ({states}, {one})": min(sales),
        f"ThirdQ({states}, {one})": max(sales),
    }
    assert {name: number(name) for name in expected} == pytest.approx(expected)


def test_visual_totals_are_about_what_is_shown() -> None:
    """Also where totals are within totals; the pattern makes the names."""
    shown = "{[Store].[USA], [Store].[USA].[CA], [Store].[USA].[CA].[Los Angeles], [Store].[USA].[OR]}"
    found = ask(f"select {{[Measures].[Unit Sales]}} on 0, VisualTotals({shown}, '**Sum of *') on 1 from Sales")
    assert [str(position[0]) for position in found.axes[1].positions] == [
        "[Store].[*Sum of USA]", "[Store].[USA].[*Sum of CA]", "[Store].[USA].[CA].[Los Angeles]", "[Store].[USA].[OR]",
    ]  # fmt: skip
    city, state = units(store_city="Los Angeles"), units(store_state="OR")
    assert [cell.value for cell in found.cells] == [city + state, city, city, state]


def test_the_present_date_names_a_member() -> None:
    """The exact one, or the nearest before or after it."""
    query = 'select {{CurrentDateMember([Time], \'["Time"]\\.[yyyy]\\.["Q"q]\\.[m]\'{})}} on 0 from Sales'
    now = dt.datetime(1997, 5, 3)
    assert str(ask(query.format(""), now=now).axes[0].positions[0][0]) == "[Time].[1997].[Q2].[5]"
    later = dt.datetime(2026, 1, 1)
    assert len(ask(query.format(""), now=later).axes[0]) == 0
    assert str(ask(query.format(", BEFORE"), now=later).axes[0].positions[0][0]) == "[Time].[1998].[Q4].[12]"
    assert len(ask(query.format(", AFTER"), now=later).axes[0]) == 0


def test_calculated_members_are_listed_where_they_are_wanted() -> None:
    """Members leaves them out, AllMembers and AddCalculatedMembers have them."""
    query = "with member [Gender].[All Gender].[x] as '1' select {{{}}} on 0 from Sales"

    def found(expression: str) -> list[str]:
        return [str(position[0]) for position in ask(query.format(expression)).axes[0].positions]

    plain = ["[Gender].[F]", "[Gender].[M]"]
    assert found("[Gender].[Gender].Members") == plain
    assert found("[Gender].[Gender].AllMembers") == [*plain, "[Gender].[All Gender].[x]"]
    assert found("AddCalculatedMembers([Gender].[Gender].Members)") == [*plain, "[Gender].[All Gender].[x]"]
    assert found("StripCalculatedMembers([Gender].[Gender].AllMembers)") == plain
    assert found("CalculatedChild([Gender].[All Gender], 'x')") == ["[Gender].[All Gender].[x]"]


def test_formats_come_from_members_and_measures() -> None:
    """An explicit format is first; a calculated measure has that of the first measure in its formula."""
    query = (
        "with member [Measures].[a] as '[Measures].[Store Sales] / 2' "
        "member [Measures].[b] as '[Measures].[Unit Sales] / 2', format_string = '0.0' "
        "member [Measures].[c] as 'Rank([Store].CurrentMember, Order([Store].Members, [Measures].[Store Sales]))' "
        "member [Measures].[d] as '1', format_string = Iif(1 = 1, '0.000', '0') "
        "member [Gender].[e] as '[Gender].[F]', format_string = '0;0' "
        "select {[Measures].[a], [Measures].[b], [Measures].[c], [Measures].[d]} on 0, {[Gender].[e]} on 1 from Sales"
    )
    assert [cell.format for cell in ask(query).cells] == ["#,###.00", "0.0", "#,##0", "0.000"]
    sales, half = money("store_sales") / 2, Decimal(units()) / 2
    texts = [cell.text for cell in ask(query.replace("{[Gender].[e]}", "{[Gender].[All Gender]}")).cells]
    assert texts == [written(sales, 2), f"{half:.1f}", "1", "1.000"]


def test_aggregate_over_a_named_set_is_exact() -> None:
    """The customers of the three best brands are counted once."""
    query = (
        "with set [best] as TopCount([Product].[Product Department].Members, 2, [Measures].[Unit Sales]) "
        "member [Product].[Top] as Aggregate([best]) select {[Measures].[Customer Count]} on 0, "
        "{[best], [Product].[Top]} on 1 from Sales"
    )
    found = ask(query)
    departments = {position[0].name for position in found.axes[1].positions[:2]}
    assert departments == {"Produce", "Snack Foods"}
    assert found.cells[2].value == buyers(lambda row: row["product_department"] in departments)
