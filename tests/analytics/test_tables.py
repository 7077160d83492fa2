"""Tables and variables: catalogs that are sequences and mappings, what they say of the schema and of the rows."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from brute import World
from holidays import HOLIDAYS, TYPES

from callsheet import Session
from callsheet.errors import AmbiguousName, SchemaError, UnknownName, UsageError

TREE = ["People", "Bookings", "Policies", "WebVisits", "Communications", "Content", "Responses", "Journeys"]


def test_a_catalog_is_a_sequence(holidays: Any) -> None:
    """Length, places, slices, iteration, reversal, index and count."""
    tables = holidays.tables
    assert len(tables) == 9
    assert tables[0].name == "Households"
    assert tables[-1].name == "Responses"
    assert [table.name for table in tables[1:3]] == ["People", "Bookings"]
    assert [table.name for table in tables] == list(TYPES)
    assert next(reversed(tables)) is tables[-1]
    assert tables.index(tables["People"]) == tables.index("People") == 1
    assert tables.count("People") == 1
    with pytest.raises(IndexError, match="there is no table 9: there are 9"):
        tables[9]
    with pytest.raises(TypeError, match="by its place or its name"):
        tables[None]


def test_a_catalog_is_a_mapping(holidays: Any) -> None:
    """Keys find their values, also where a name belongs to several variables."""
    for catalog in (holidays.tables, holidays.variables):
        assert len(set(catalog.keys())) == len(catalog)
        assert [catalog[key] for key in catalog.keys()] == catalog.values() == list(catalog)  # noqa: SIM118
        assert dict(catalog.items())[catalog.keys()[5]] is catalog[5]
        assert catalog.get("nothing") is None
        assert catalog.get("nothing", 3) == 3
    assert "peOccu" in holidays.variables.keys()  # noqa: SIM118
    assert "Bookings.person" in holidays.variables.keys()  # noqa: SIM118


def test_in_takes_a_name_or_a_thing_and_knows_what_is_not_there(holidays: Any) -> None:
    """Elsewhere every text is in the variables, and asking of the tables raises."""
    tables, variables = holidays.tables, holidays.variables
    assert "People" in tables
    assert "nonsense" not in tables
    assert tables["People"] in tables
    assert "Cost" in variables
    assert "nonsense" not in variables
    assert None not in variables
    assert 3 not in tables
    assert variables["Cost"] in variables
    assert variables["Cost"] not in tables["People"].variables
    assert "Cost" in tables["Bookings"]
    assert "Cost" not in tables["People"]
    assert list(variables).index(variables["Cost"]) == variables.index("Cost")


@pytest.mark.parametrize("name", ["Person", "People"])
def test_a_table_has_a_name_for_one_and_for_several(holidays: Any, name: str) -> None:
    """Both find it."""
    assert holidays.tables[name].name == "People"


def test_a_wrong_name_is_answered_by_near_ones(holidays: Any) -> None:
    """A KeyError and a SchemaError with what was meant."""
    with pytest.raises(UnknownName, match="there is no table `Peple`; did you mean `People`"):
        holidays.tables["Peple"]
    with pytest.raises(KeyError, match="there is no variable `Destinaton`; did you mean `Destination`"):
        holidays.variables["Destinaton"]
    with pytest.raises(UnknownName, match="there is no variable `Occupashun`; did you mean `Occupation`"):
        holidays.tables["People"]["Occupashun"]


def test_a_name_of_several_is_an_error_that_lists_them(holidays: Any) -> None:
    """Elsewhere the last one is taken in silence."""
    with pytest.raises(AmbiguousName, match=r"called `person`: `Bookings\.person`, `Policies\.person`"):
        holidays.variables["person"]
    with pytest.raises(AmbiguousName):
        holidays.variables.get("id")
    assert holidays.variables["Bookings.person"].table.name == "Bookings"
    assert holidays.variables["Bookings.Cost"] is holidays.variables["Cost"]
    assert "person" in holidays.variables


def test_two_labels_that_are_equal_are_ambiguous_not_the_last_one() -> None:
    """Two tables with a `Cost` each; a table finds its own."""
    cost = {"type": "number", "label": "Cost"}
    document = {
        "types": {"One": {"attributes": {"a": cost}}, "Two": {"attributes": {"b": cost, "One": {"label": "x"}}}}
    }
    with Session("memory:", schema=document) as session:
        with pytest.raises(AmbiguousName, match=r"`One\.a`, `Two\.b`"):
            session.variables["Cost"]
        assert session.tables["Two"]["Cost"].name == "b"
        assert session.variables["One"].table.name == "Two"
        assert session.tables["One"].name == "One"


def test_tables_and_variables_can_be_hashed_and_compared(holidays: Any, company: Any) -> None:
    """They are equal if they have the same schema and name, also in another session."""
    people, cost = holidays.tables["People"], holidays.variables["Cost"]
    assert {people: 1, cost: 2}[company.tables["People"]] == 1
    assert {people, company.tables["People"]} == {people}
    assert (cost == company.variables["Cost"]) is True
    assert (cost != holidays.variables["Rating"]) is True
    assert people != holidays.tables["Bookings"]
    assert people != "People"
    with Session("memory:", schema={**HOLIDAYS, "description": "Another one."}) as other:
        assert other.tables["People"] != people
        assert (other.variables["Cost"] == cost) is False


def test_the_tree_of_tables(holidays: Any) -> None:
    """Parent, children, ancestors nearest first, descendants each followed by its own."""
    tables = holidays.tables
    assert [table.name for table in tables["Responses"].ancestors] == ["Communications", "People", "Households"]
    assert [table.name for table in tables["People"].children] == [*TREE[1:5], "Journeys"]
    assert [table.name for table in tables["Households"].descendants] == TREE
    assert tables["Households"].parent is None
    assert tables["Content"].parent is tables["Communications"]
    assert holidays.master_table is tables["Households"]


def test_relations_between_tables(holidays: Any) -> None:
    """As methods; tables have no order, which would be a partial one."""
    households, people, bookings = (holidays.tables[name] for name in ("Households", "People", "Bookings"))
    assert households.is_ancestor(bookings)
    assert bookings.is_descendant("Households")
    assert not people.is_ancestor(people)
    assert people.is_ancestor(people, allow_same=True)
    assert people.is_descendant(people, allow_same=True)
    assert people.is_same(holidays.tables["Person"])
    assert bookings.is_related(holidays.tables["Content"])
    with pytest.raises(TypeError):
        sorted(holidays.tables)
    with pytest.raises(UsageError, match="a table is needed, or its name, not 3"):
        people.is_related(3)


def test_words_of_a_table(holidays: Any) -> None:
    """One, several, and a description."""
    table = holidays.tables["WebVisits"]
    assert (table.singular, table.plural, table.description) == ("Web Visit", "WebVisits", "WebVisits")
    assert holidays.tables["Policies"].plural == "Policies"


def test_all_tables_are_counted_by_one_request(holidays: Any, world: World) -> None:
    """And again only after `refresh`, or by `count`."""
    before = holidays.statistics.requests
    assert {table.name: table.total_records for table in holidays.tables} == {
        name: len(rows) for name, rows in world.rows.items()
    }
    assert holidays.statistics.requests == before + 1
    assert holidays.tables["People"].count() == len(world.rows["People"])
    holidays.tables["People"].refresh()
    assert holidays.tables["Bookings"].total_records == len(world.rows["Bookings"])
    assert holidays.statistics.requests == before + 3


def test_printing_asks_nothing(holidays: Any) -> None:
    """What is not known is a dash; numbers are shown once they were read."""
    before = holidays.statistics.requests
    text = repr(holidays.tables)
    assert holidays.statistics.requests == before
    assert text.splitlines()[0] == "9 tables"
    assert text.splitlines()[4].split() == ["People", "People", "Households", "-"]
    holidays.tables[0].total_records  # noqa: B018
    assert repr(holidays.tables).splitlines()[4].split() == ["People", "People", "Households", "722"]
    assert "<td>People</td>" in holidays.tables._repr_html_()
    assert "94 variables" in repr(holidays.variables)
    assert "… and 34 more" in repr(holidays.variables)


def test_names_are_completed_in_an_editor_of_lines(holidays: Any) -> None:
    """Of tables, of variables (of a table without ambiguity), and of the columns of what was fetched."""
    assert {"People", "Person"} < set(holidays.tables._ipython_key_completions_())
    assert {"boCost", "Cost", "Bookings.Cost"} < set(holidays.variables._ipython_key_completions_())
    assert "person" not in holidays.variables._ipython_key_completions_()
    bookings = holidays.tables["Bookings"]
    assert "person" in bookings._ipython_key_completions_()
    assert bookings.datagrid(["Cost"], max_rows=1)._ipython_key_completions_() == ["Cost"]


def test_rich_shows_a_table_and_no_text_is_markup(holidays: Any) -> None:
    """A label with brackets is shown as it is; HTML is escaped."""
    from io import StringIO

    from rich.console import Console

    document = {"types": {"Dot": {"attributes": {"a": {"label": "[red]<b>"}}}}}
    with Session("memory:", schema=document) as session:
        stream = StringIO()
        Console(file=stream, width=100).print(session.variables)
        assert "[red]<b>" in stream.getvalue()
        assert "<b>" not in session.variables._repr_html_()


def test_the_type_of_a_variable_is_a_plain_text(holidays: Any) -> None:
    """In f-strings too."""
    found = {name: f"{holidays.variables[name].type}" for name in ("Cost", "Occupation", "Newsletter", "Surname")}
    assert found == {"Cost": "Numeric", "Occupation": "Selector", "Newsletter": "Selector", "Surname": "Text"}
    assert holidays.variables["Booking Date"].type == "Date"
    assert holidays.variables["Time of Visit"].type == "DateTime"
    assert holidays.variables["Sold by"].type == "Reference"
    assert holidays.variables["Members"].type == "Array"
    assert holidays.variables["People.id"].type == "Reference"


def test_every_attribute_is_a_variable() -> None:
    """Also those of kinds that others leave out; a type without attributes has its key."""
    attributes = {"j": {"type": "json"}, "m": {"type": "mapping"}, "d": {"type": "datetime"}}
    with Session("memory:", schema={"types": {"Dot": {"attributes": attributes}, "Bare": {}}}) as session:
        assert [variable.type for variable in session.tables["Dot"].variables] == [
            "Reference",
            "Json",
            "Mapping",
            "DateTime",
        ]
        assert [variable.name for variable in session.tables["Bare"].variables] == ["id"]
        assert session.tables["Dot"]["m"]["colour"].name == "m.colour"


def test_codes_of_a_selector(holidays: Any, world: World) -> None:
    """With what they stand for, and with counts when asked."""
    income = holidays.variables["Income"]
    assert [(code.code, code.description) for code in income.codes] == [
        ("A", "<10k"),
        ("B", "10-20k"),
        ("C", "20-50k"),
        ("D", "50k+"),
    ]
    values = [row["hhIncome"] for row in world.rows["Households"].values()]
    counted = {code.code: code.count for code in income.counts()}
    assert counted == {value: values.count(value) for value in ("A", "B", "C", "D", None)}
    assert [code.code for code in holidays.variables["Newsletter"].codes] == [False, True]
    with pytest.raises(UsageError, match=r"Bookings\.boCost is of type Numeric and has no codes"):
        holidays.variables["Cost"].codes  # noqa: B018


def test_a_code_that_no_entity_has_is_counted_as_none() -> None:
    """All codes are listed."""
    document = {"types": {"Dot": {"attributes": {"c": {"type": "enum", "choices": ["a", "b"]}}}}}
    with Session("memory:", schema=document) as session:
        assert [code.count for code in session.variables["c"].counts()] == [0, 0]
        assert session.tables["Dot"].total_records == 0


def test_extremes_of_a_table_are_one_request(holidays: Any, world: World) -> None:
    """Of numbers and of dates."""
    before = holidays.statistics.requests
    costs = [row["boCost"] for row in world.rows["Bookings"].values() if row["boCost"] is not None]
    dates = [row["boDate"] for row in world.rows["Bookings"].values() if row["boDate"] is not None]
    assert (holidays.variables["Cost"].minimum, holidays.variables["Cost"].maximum) == (min(costs), max(costs))
    assert (holidays.variables["Booking Date"].minimum, holidays.variables["Booking Date"].maximum) == (
        min(dates),
        max(dates),
    )
    assert isinstance(min(dates), date)
    assert holidays.statistics.requests == before + 1
    with pytest.raises(UsageError, match=r"People\.peSurn has no minimum"):
        holidays.variables["Surname"].minimum  # noqa: B018


def test_a_table_is_no_sequence_of_anything(holidays: Any) -> None:
    """Iterating is an error that says what to iterate."""
    with pytest.raises(UsageError, match="iterate its `variables`"):
        list(holidays.tables["People"])
    with pytest.raises(TypeError, match="iterate a selection of People"):
        list(holidays.variables["Surname"])


def test_a_schema_that_names_what_is_not_there_is_refused() -> None:
    """`master`, `belongs_to` and `codes` are checked, each with its place."""
    wrong = {
        "master": "Dott",
        "types": {
            "Dot": {
                "belongs_to": "size",
                "codes": {"kind": {"c": "see"}, "sze": {}, "size": {"1": "one"}},
                "attributes": {"size": {"type": "integer"}, "kind": {"type": "enum", "choices": ["a"]}},
            },
            "Line": {"belongs_to": "dot"},
        },
    }
    with pytest.raises(SchemaError) as caught:
        Session("memory:", schema=wrong)
    for line in (
        "`master` names `Dott`, which is not a type; did you mean `Dot`?",
        "Dot: `belongs_to` names `size`, which is no reference",
        "Dot: `codes.kind` names `c`, which is no choice",
        "Dot: `codes` names `sze`, which is not an attribute; did you mean `size`?",
        "Dot: `codes` names `size`; only the choices of an enum have codes",
        "Line: `belongs_to` names `dot`, which is not an attribute",
    ):
        assert line in str(caught.value)


def test_a_closed_session_has_no_tables() -> None:
    """The error says so."""
    session = Session("memory:")
    session.close()
    with pytest.raises(UsageError, match="closed"):
        session.tables  # noqa: B018
