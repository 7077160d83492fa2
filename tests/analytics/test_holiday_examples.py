"""The examples of the text about sessions of a holiday company, with our rows: each prints what the text prints."""

from __future__ import annotations

from typing import Any

from holidays import MEDIUM, sizes


def test_tables_and_variables_are_looked_up(holidays: Any) -> None:
    """`session.tables["People"]`, `session.variables["Cost"]`."""
    people = holidays.tables["People"]
    cost = holidays.variables["Cost"]
    assert people.name == "People"
    assert (cost.name, cost.table.name) == ("boCost", "Bookings")


def test_tables_are_looked_up_by_name(holidays: Any) -> None:
    """`my_session.tables["Communications"]` is one object, and says what it is."""
    found = holidays.tables["Communications"]
    assert found is holidays.tables["Communications"]
    assert repr(found).startswith("<Table Communications: 8 variables>\n")


def test_tables_are_counted_and_iterated(holidays: Any, capsys: Any) -> None:
    """`len(my_session.tables)`, and `f"{table.total_records:>9,} {table.plural}"`."""
    assert len(holidays.tables) == 9
    for table in holidays.tables:
        print(f"{table.total_records:>9,} {table.plural}")
    assert capsys.readouterr().out.splitlines() == [
        "      464 Households",
        "      722 People",
        "    1,330 Bookings",
        "      133 Policies",
        "      175 WebVisits",
        "       44 Communications",
        "       35 Journeys",
        "       96 Content",
        "        1 Responses",
    ]
    assert sum(sizes(MEDIUM).values()) == 3_000


def test_tables_get_names_of_their_own(holidays: Any) -> None:
    """`households = my_session.tables["Households"]` and so on."""
    households = holidays.tables["Households"]
    people = holidays.tables["People"]
    bookings = holidays.tables["Bookings"]
    assert [each.parent for each in (households, people, bookings)] == [None, households, people]


def test_the_master_table(holidays: Any) -> None:
    """`master.name` is 'Households'."""
    master = holidays.master_table
    assert master is holidays.tables["Households"]
    assert master.name == "Households"


def test_variables_are_looked_up_by_name_or_description(holidays: Any) -> None:
    """`variables["peOccu"]` is a selector, `variables["Destination"].name` is 'boDest'."""
    assert repr(holidays.variables["peOccu"]) == "<Variable People.peOccu “Occupation”: Selector>"
    assert holidays.variables["Destination"].name == "boDest"


def test_variables_are_reached_through_their_table(holidays: Any) -> None:
    """They are the same objects."""
    assert holidays.tables["Bookings"]["Destination"] is holidays.variables["Destination"]


def test_variables_are_counted_and_iterated(holidays: Any, capsys: Any) -> None:
    """`len(my_session.variables)` is 94; a loop over those with "date" in their description."""
    assert len(holidays.variables) == 94
    for var in holidays.variables:
        if "date" in var.description.lower():
            print(f"{var.name:>8}: {var.description}")
    assert capsys.readouterr().out == (
        "  boDate: Booking Date\n"
        "  boTrav: Travel Date\n"
        "bo1O9ZTR: Busy dates\n"
        "PoPolic1: Policy Date\n"
        "PoTrave1: Policy Travel Date\n"
        "PoBooki1: Policy Booking Date\n"
        "cmCommDt: Date of Communication\n"
        "raRspDat: Response Date\n"
        "ReCommun: Communication Date\n"
    )
