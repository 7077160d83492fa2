"""Numbers, dates and money: what functions of values give, edges included."""

from __future__ import annotations

import datetime as dt

import pytest
from facts import units, written
from foodmart import ask, axis, value

from callsheet.analytics.mdx.errors import MdxError


def number(expression: str) -> float:
    found: float = (
        ask(f"with member [Measures].[x] as {expression} select {{[Measures].[x]}} on 0 from Sales").cells[0].value
    )
    return found


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("1 / 0", "Infinity"),
        ("-1 / 0", "-Infinity"),
        ("-1 / NULL", "Infinity"),
        ("0 / 0", "NaN"),
        ("NULL / 0", ""),
        ("NullValue() + 2", "2"),
        ("Power(-2, 0.5)", "NaN"),
        ("Sqr(-1)", "NaN"),
        ("Log(0)", "-Infinity"),
        ("Acos(2)", "NaN"),
        ("Exp(100000)", "Infinity"),
        ("SqrtPi(-1)", "NaN"),
        ("InverseNormal(0.5)", "0"),
        ("InverseNormal(2)", "NaN"),
        ("Round(Atan2(1, 1) * 4000)", "3,142"),
        ("Replace('abcabc', 'a', 'x', 2)", "abcxbc"),
        ("Replace('abcabc', 'a', 'x', 1, 1)", "xbcabc"),
        ("VBA!UCase('abc')", "ABC"),
        ("TypeName(1)", "Integer"),
        ("TypeName('1')", "String"),
        ("TypeName(Now())", "Date"),
        ("CByte(255)", "255"),
        ("IsDate('2006-04-29')", "true"),
        ("IsDate('soon')", "false"),
        ("Year(CDate('April 29, 2006'))", "2,006"),
        ("DatePart('q', '2006-04-29')", "2"),
        ("DatePart('ww', '2006-01-08')", "2"),
        ("Day(DateSerial(2006, 3, 0))", "28"),
        ("Month(DateSerial(2006, 13, 1))", "1"),
        ("Hour(TimeSerial(25, 30, 0))", "1"),
        ("FormatDateTime(DateSerial(2006, 4, 29), 1)", "Saturday, April 29, 2006"),
        ("Format(TimeValue('13:05'), 'hh:nn')", "13:05"),
        ("Members('[Gender].[F]').Name", "F"),
    ],
)
def test_values_have_these_texts(expression: str, text: str) -> None:
    """Where there is no number, it is NaN, never an error."""
    assert value(expression) == text


REFUSED = [
    "CByte(256)", "DatePart('x', '2006-04-29')", "CDate('soon')", "Error('stop')", "FormatDateTime('2006-04-29', 9)",
    "Pmt(NULL, 3, 4)", "ParamRef('p')",
]  # fmt: skip


@pytest.mark.parametrize("expression", REFUSED)
def test_what_cannot_be_computed_is_refused(expression: str) -> None:
    """With the function's name and place."""
    with pytest.raises(MdxError) as error:
        value(expression)
    assert error.value.position == 32


def test_money_over_periods_adds_up() -> None:
    """A loan of 1000 is paid back by its payments; interest and the rest are the payment."""
    payment = number("Pmt(0.01, 12, 1000)")
    owed, interest, rest = 1000.0, 0.0, 0.0
    for period in range(1, 13):
        own = number(f"IPmt(0.01, {period}, 12, 1000)")
        part = number(f"PPmt(0.01, {period}, 12, 1000)")
        assert own == pytest.approx(-owed * 0.01)
        assert own + part == pytest.approx(payment)
        owed, interest, rest = owed * 1.01 + payment, interest + own, rest + part
    assert owed == pytest.approx(0)
    assert rest == pytest.approx(-1000)
    assert number(f"PV(0.01, 12, {payment})") == pytest.approx(1000)
    assert number("FV(0.01, 12, -100, 0, 1)") == pytest.approx(sum(100 * 1.01**at for at in range(1, 13)))
    assert number(f"NPer(0.01, {payment}, 1000)") == pytest.approx(12)
    assert number(f"Rate(12, {payment}, 1000)") == pytest.approx(0.01)


def test_depreciation_loses_what_an_asset_costs() -> None:
    """All methods end at what is left."""
    assert number("SLN(1000, 100, 9)") == pytest.approx(100)
    assert sum(number(f"SYD(1000, 100, 9, {at})") for at in range(1, 10)) == pytest.approx(900)
    assert number("DDB(1000, 100, 10, 1)") == pytest.approx(200)
    assert number("DDB(1000, 100, 10, 2)") == pytest.approx(160)


def test_values_over_a_set_have_a_worth() -> None:
    """An investment of 100 that brings 60 and 60."""
    flows = "[Store].[USA].Children, Iif([Store].CurrentMember.Name = 'CA', -100, 60)"
    assert number(f"NPV(0.1, {flows})") == pytest.approx(-100 / 1.1 + 60 / 1.1**2 + 60 / 1.1**3)
    rate = number(f"IRR({flows})")
    assert -100 + 60 / (1 + rate) + 60 / (1 + rate) ** 2 == pytest.approx(0, abs=1e-6)
    assert number(f"MIRR({flows}, 0.1, 0.1)") == pytest.approx(((60 * 1.1 + 60) / 100) ** 0.5 - 1)


def test_infinite_values_are_the_largest() -> None:
    """Then come those that are no number, then the others, then empty ones."""
    keys = (
        "CASE [Promotion Media].CurrentMember.Name WHEN 'TV' THEN 1 / 0 WHEN 'Radio' THEN 0 / 0 WHEN 'Bulk Mail' THEN "
    )
    ordered = axis(f"Order({{[Bulk Mail], [TV], [Daily Paper], [Radio]}}, {keys} -1 / 0 END, BDESC)")
    assert [line.rpartition("[")[2].rstrip("]") for line in ordered.splitlines()] == [
        "TV", "Radio", "Bulk Mail", "Daily Paper",
    ]  # fmt: skip


def test_formulas_may_use_each_other_many_times() -> None:
    """A running sum over the days of two years; one that never ends is refused."""
    running = (
        "with member [Measures].[r] as IIf([Time.Weekly].PrevMember IS NULL, [Measures].[Unit Sales], "
        "([Measures].[r], [Time.Weekly].PrevMember) + [Measures].[Unit Sales]) "
        "select {[Measures].[r]} on 0, {Tail([Time.Weekly].[Day].Members, 1)} on 1 from Sales"
    )
    assert ask(running).cells[0].text == written(units())
    with pytest.raises(MdxError, match="refers to itself"):
        ask("with member [Measures].[r] as [Measures].[s] + 1 member [Measures].[s] as [Measures].[r] * 2 "
            "select {[Measures].[r]} on 0 from Sales")  # fmt: skip


def test_a_parameter_is_known_wherever_it_is_defined() -> None:
    """Also to what is in front of it."""
    query = (
        "with member [Measures].[a] as 'ParamRef(\"P\") * 2' member [Measures].[b] as 'Parameter(\"P\", NUMERIC, 21)' "
        "select {[Measures].[a], [Measures].[b]} on 0 from Sales"
    )
    assert [cell.text for cell in ask(query).cells] == ["42", "21"]


def test_no_member_is_no_tuple() -> None:
    """IS looks at each member of a tuple; a hierarchy is its current member."""
    truth = {
        "([Store].[All Stores].Parent, [Gender].[M]) IS NULL": "true",
        "[Store].[USA].Children.Item(20) IS NULL": "true",
        "([Store].[USA], [Gender].[M]) IS NULL": "false",
        "[Store] IS [Store].[All Stores]": "true",
        "[Store] IS [Store].[USA]": "false",
    }
    assert {each: value(each) for each in truth} == truth


def test_comments_may_have_comments_in_them() -> None:
    """Positions behind them stay."""
    assert ask("select /* a /* b */ '[ c */ {[Gender].[F]} -- /* d\n on 0 from Sales").cells[0].value == units(
        gender="F"
    )
    with pytest.raises(MdxError) as error:
        ask("select /* a /* b */ c */ {[Gender].[X]} on 0 from Sales")
    assert error.value.position == 35


def test_the_present_is_one_moment_of_the_query() -> None:
    """Date, time and the seconds of the day."""
    now = dt.datetime(2026, 11, 30, 22, 5, 7)
    query = (
        "with member [Measures].[d] as 'Format(Date(), \"yyyy-mm-dd hh\")' member [Measures].[t] as "
        "'Format(Time(), \"hh:nn:ss\")' member [Measures].[s] as 'Timer()' "
        "select {[Measures].[d], [Measures].[t], [Measures].[s]} on 0 from Sales"
    )
    assert [cell.text for cell in ask(query, now=now).cells] == ["2026-11-30 00", "22:05:07", "79,507"]
