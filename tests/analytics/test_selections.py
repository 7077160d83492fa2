"""Selections: what they are about, how they are joined, and every mistake an error instead of a wrong answer."""

from __future__ import annotations

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

import pytest
from brute import Both, Compared, Some, World, selected
from holidays import HOLIDAYS

from callsheet import QueryError, Session, UsageError
from callsheet.model.query import Select


@pytest.fixture
def people(company: Any) -> Any:
    return company.tables["People"]


@pytest.fixture
def bookings(company: Any) -> Any:
    return company.tables["Bookings"]


def test_the_result_is_about_the_left_table(people: Any, bookings: Any, world: World) -> None:
    """People with a costly booking; bookings of people of an occupation."""
    occupation = Compared("People", "peOccu", "is_in", ["Sales", "Retired"])
    costly = Compared("Bookings", "boCost", ">", 200.0)
    left = people["Occupation"].is_in(["Sales", "Retired"]) & (bookings["Cost"] > 200)
    assert str(left) == 'People where peOccu in ("Sales", "Retired") and bookings any (boCost > 200.0)'
    assert left.table is people
    assert left.count() == len(selected(world, Both("&", occupation, costly)))
    right = (bookings["Cost"] > 200) & people["Occupation"].is_in(["Sales", "Retired"])
    assert str(right) == 'Bookings where boCost > 200.0 and person has (peOccu in ("Sales", "Retired"))'
    assert right.table is bookings
    assert right.count() == len(selected(world, Both("&", costly, occupation)))


def test_quantities_of_children(people: Any, bookings: Any, world: World) -> None:
    """Any, all, none; by themselves of the table above, else of the one they are joined with."""
    costly = bookings["Cost"] > 200
    assert str(bookings.any(costly)) == "People where bookings any (boCost > 200.0)"
    assert str(bookings.none(costly)) == "People where not bookings any (boCost > 200.0)"
    assert str(bookings.all(costly)) == "People where not bookings any (not boCost > 200.0)"
    assert str(bookings.any()) == "People where bookings any ()"
    assert str(bookings.none()) == "People where not bookings any ()"
    households = bookings.all(costly).of("Households")
    assert str(households) == "Households where not people any (bookings any (not boCost > 200.0))"
    term = Some("all", "Bookings", Compared("Bookings", "boCost", ">", 200.0), "Households")
    assert households.count() == len(selected(world, term))
    both = people["Age"].is_not_null() & bookings.all(costly)
    assert both.table is people
    assert str(people.where(bookings.any(costly))) == str(bookings.any(costly))


def test_a_condition_on_the_parent_reads_as_has(people: Any, company: Any, world: World) -> None:
    """And one on its parent goes on."""
    north = company.tables["Households"]["Region"] == "North"
    assert str(north.of("Bookings")) == 'Bookings where person has (household has (hhRegion = "North"))'
    assert str(north.of("Bookings").of("People")) == (
        'People where bookings any (person has (household has (hhRegion = "North")))'
    )


def test_another_way_is_chosen_by_its_attribute(people: Any, bookings: Any) -> None:
    """The tree's way, or the one that is named."""
    costly = bookings["Cost"] > 200
    assert str(costly.of(people)) == "People where bookings any (boCost > 200.0)"
    assert str(costly.of(people, through="sold")) == "People where sold any (boCost > 200.0)"
    assert str(bookings.none(costly, through="sold")) == "People where not sold any (boCost > 200.0)"
    assert str(people["Age"].is_null().of(bookings, through="boAgen")) == "Bookings where boAgen has (peAge = None)"


def test_a_quantity_needs_somebody_it_is_of(company: Any) -> None:
    """The table at the top belongs to nobody, unless it is joined or told."""
    households = company.tables["Households"]
    some = households.any(households["Region"] == "North")
    with pytest.raises(UsageError, match="for whom"):
        some.count()
    assert str(some.of("People")) == 'People where household has (hhRegion = "North")'
    with pytest.raises(UsageError, match="this is Households itself"):
        some.of("Households")
    with pytest.raises(UsageError, match="all of what"):
        households.all(None).of("People").count()
    with pytest.raises(UsageError, match="takes a selection, not 'x'"):
        households.any("x")


def test_counts_of_the_tables_above_come_with_the_count(holidays: Any, world: World) -> None:
    """One request; found by a table, or by its name."""
    costly = holidays.tables["Bookings"]["Cost"] > 200
    before = holidays.statistics.requests
    number = costly.count()
    assert costly.counts["Bookings"] == number
    assert costly.counts[holidays.tables["Households"]] == costly.counts["Households"]
    assert set(costly.counts) == {"Bookings", "People", "Households"}
    assert holidays.statistics.requests == before + 1
    with pytest.raises(KeyError, match="there is no count of `Content`"):
        costly.counts["Content"]


def test_selections_are_neither_true_nor_false(people: Any, bookings: Any) -> None:
    """`and`, `or`, `not` and chained comparisons keep one part elsewhere; here they are errors."""
    one, two = people["Age"] > 3, bookings["Cost"] > 200
    for wrong in (
        lambda: one and two,
        lambda: one or two,
        lambda: not one,
        lambda: bool(one),
        lambda: 50 <= bookings["Cost"] <= 100,
        lambda: one if two else None,
    ):
        with pytest.raises(UsageError, match="neither true nor false"):
            wrong()
    with pytest.raises(TypeError):
        "x" in one  # noqa: B015


def test_missing_parentheses_are_named(people: Any) -> None:
    """`&` binds tighter than `>`."""
    with pytest.raises(UsageError, match="write parentheses around each comparison"):
        _ = people["Age"] > 3 & (people["Age"] < 9)
    with pytest.raises(UsageError, match="`&` joins selections, not 'x'"):
        (people["Age"] > 3) & "x"
    with pytest.raises(UsageError, match=r"`\|` joins selections, not True"):
        True | (people["Age"] > 3)


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("Cost", lambda v: v > "dear", r"`Bookings.boCost` \(Cost\): .*takes a number"),
        ("Cost", lambda v: v == True, r"`Bookings.boCost` \(Cost\): "),  # noqa: E712
        ("Cost", lambda v: v.contains("2"), r"`Bookings.boCost` \(Cost\): .*`like` does not apply"),
        ("Cost", lambda v: v.is_in("200"), r"`Bookings.boCost` \(Cost\): a list of values is needed, not '200'"),
        ("Cost", lambda v: v.is_in(200), "a list of values is needed, not 200"),
        ("Cost", lambda v: v.is_in([200, "x"]), "takes a number"),
        ("Cost", lambda v: v.between(9, 3), "takes the lower value first"),
        ("Cost", lambda v: v.between(None, 3), "needs two values"),
        ("Cost", lambda v: v.between(3, "x"), "cannot be compared with each other"),
        ("Cost", lambda v: v > None, "needs a value, not None"),
        ("Cost", lambda v: v["x"], "only a Mapping has items"),
        ("Destination", lambda v: v == "Portugl", "did you mean `Portugal`"),
        ("Destination", lambda v: v.is_in(["Greece", "Swedn"]), "did you mean `Sweden`"),
        ("Destination", lambda v: v == 3, r"`Bookings.boDest` \(Destination\)"),
        ("Booking Date", lambda v: v > "soon", r"`Bookings.boDate` \(Booking Date\)"),
        ("Booking Date", lambda v: v == datetime(2024, 1, 1, 12, tzinfo=UTC), r"`Bookings.boDate` \(Booking Date\)"),
        ("Booking Date", lambda v: v > 3, r"`Bookings.boDate` \(Booking Date\)"),
        ("Cancelled", lambda v: v > True, r"`Bookings.boCanc` \(Cancelled\): .*no order"),
        ("Booking Reference", lambda v: v.matches("B?"), "`\\?` in 'B\\?' cannot stand for one character"),
        ("Booking Reference", lambda v: v.contains(3), "a text is needed, not 3"),
        ("Booking Reference", lambda v: v.contains(), "at least one text is needed"),
        ("Booking Reference", lambda v: v > 3, "takes a string"),
        ("Booked for", lambda v: v > 3, r"`Bookings.person` \(Booked for\)"),
    ],
)
def test_a_wrong_comparison_names_the_variable(bookings: Any, name: str, wrong: Any, message: str) -> None:
    """At once, before anything is sent."""
    with pytest.raises(UsageError, match=message):
        wrong(bookings[name])


def test_floats_are_compared_exactly(bookings: Any) -> None:
    """No digit is rounded away, and fractions are numbers."""
    assert str(bookings["Cost"] == 1.123456) == "Bookings where boCost = 1.123456"
    assert str(bookings["Rating"] > 1.5) == "Bookings where boRate > 1.5"
    with pytest.raises(QueryError):
        bookings["Cost"] == Fraction(1, 3)  # noqa: B015


def test_dates_have_all_comparisons(company: Any, bookings: Any, world: World) -> None:
    """Strict ones too, and a datetime can be compared for equality."""
    day = date(2022, 3, 1)
    assert str(bookings["Booking Date"] < day) == "Bookings where boDate < 2022-03-01"
    moment = company.variables["Time of Visit"]
    assert str(moment == datetime(2024, 1, 1, 12, tzinfo=UTC)) == "WebVisits where weTime = 2024-01-01T12:00:00+00:00"
    term = Compared("Bookings", "boDate", "between", (date(2022, 1, 1), date(2022, 12, 31)))
    assert bookings["Booking Date"].between(*term.value).count() == len(selected(world, term))


def test_no_character_of_a_text_is_special(company: Any, world: World) -> None:
    """Percent, backslash, tab, quotes; the empty list selects nothing."""
    surname = company.variables["Surname"]
    values = [row["peSurn"] for row in world.rows["People"].values()]
    assert surname.contains("100%").count() == values.count("de 100%") > 0
    assert surname.starts_with("back\\").count() == values.count("back\\slash") > 0
    assert (surname == "O'Neil").count() == values.count("O'Neil") > 0
    assert surname.is_in(["a\tb", "Li"]).count() == values.count("Li")
    assert surname.is_in([]).count() == 0
    assert surname.is_not_in([]).count() == len(values)
    assert surname.matches("S*th").count() == values.count("Smith") + values.count("smith")
    assert surname.matches("*\\*").count() == 0
    assert surname.contains("smi", "li").count() == sum(values.count(each) for each in ("Smith", "smith", "Li"))
    assert surname.equals("Li", "Jones").count() == values.count("Li") + values.count("Jones")


def test_references_and_arrays_are_compared_by_labels_and_entities(company: Any, world: World) -> None:
    """By the label of what they refer to, by an entity, and by whether there is any."""
    bookings, people = company.tables["Bookings"], company.tables["People"]
    key, row = next(iter(world.rows["Bookings"].items()))
    person = company.get("People", row["person"])
    mine = sorted(each for each, booking in world.rows["Bookings"].items() if booking["person"] == row["person"])
    by_entity = bookings["Booked for"] == person
    assert sorted(each["id"] for each in by_entity) == mine
    assert sorted(each["id"] for each in bookings["Booked for"].is_in([person, person])) == mine
    assert str(bookings["Sold by"] == "Smith") == 'Bookings where boAgen.peSurn = "Smith"'
    assert str(people["Bookings sold"].is_null()) == "People where not sold any ()"
    assert str(people["Bookings sold"] == row["boRef"]) == f'People where sold.boRef = "{row["boRef"]}"'
    assert key in mine


def test_everything_and_nothing(people: Any, bookings: Any, world: World) -> None:
    """All of a table, and what is left without them."""
    everything = people.everything
    assert str(everything) == "People"
    assert everything.count() == len(world.rows["People"])
    assert (~everything).count() == 0
    assert str(everything & (people["Age"] > 3)) == "People where peAge > 3"
    assert str(everything | (people["Age"] > 3)) == "People"
    assert str(people.everything.of(bookings)) == "Bookings where person has ()"
    assert str(~~(people["Age"] > 3)) == "People where peAge > 3"


def test_a_selection_is_a_select_underneath(people: Any, company: Any) -> None:
    """It is read, ordered and iterated as a query."""
    selection = people["Age"] > 50
    assert isinstance(selection.select_statement, Select)
    query = selection.to_query().order_by("peSurn").limit(3)
    assert str(query) == "People where peAge > 50 order by peSurn limit 3"
    assert {entity["id"] for entity in selection} == {row["id"] for row in selection.to_query().select("id").records()}


def test_a_selection_is_stored_as_json(people: Any, bookings: Any, company: Any) -> None:
    """And is the same when it is read; so is a text of the query language."""
    selection = people["Occupation"].is_in(["Sales"]) & bookings.all(bookings["Cost"].between(100, 200.5))
    stored = selection.to_json()
    assert stored == (
        '{"format": 1, "table": "People", "selection": "People where peOccu in (\\"Sales\\") and not bookings any (not '
        '(boCost >= 100.0 and boCost <= 200.5))"}'
    )
    again = company.selection(stored)
    assert again.select_statement == selection.select_statement
    assert again.table is people
    assert str(company.selection("People where peAge > 3")) == "People where peAge > 3"


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ("{", "a stored selection is JSON; this is not"),
        ({"format": 2, "selection": "People"}, "format 2"),
        ({"selection": 3}, "has the keys `format` and `selection`"),
        (3, "has the keys `format` and `selection`"),
        ("Peple", "there is no entity type `Peple`"),
        ("select peAge from People", "names entities, not columns"),
        ("People where peAge > ", "peAge >"),
    ],
)
def test_what_is_no_stored_selection_is_refused(company: Any, stored: Any, message: str) -> None:
    """With the reason."""
    with pytest.raises(UsageError, match=message):
        company.selection(stored)


def test_selections_of_two_schemas_are_not_joined(people: Any) -> None:
    """The names may mean something else."""
    with Session("memory:", schema={**HOLIDAYS, "description": "Another one."}) as other:
        with pytest.raises(UsageError, match="different schemas"):
            (people["Age"] > 3) & (other.tables["People"]["Age"] > 3)
        with pytest.raises(UsageError, match="is of another schema"):
            (people["Age"] > 3).of(other.tables["Bookings"])


def test_a_type_above_and_a_type_below_are_the_same_entities() -> None:
    """A selection of shots is one of contexts that are these shots."""
    document = {
        "types": {
            "Context": {"attributes": {"name": {}}},
            "Shot": {"extends": "Context", "attributes": {"frames": {"type": "integer"}}},
        }
    }
    with Session("memory:", schema=document) as session:
        for number in range(4):
            session.create("Shot", {"name": f"sh{number}", "frames": number})
        session.create("Context", {"name": "sh3"})
        session.commit()
        long = session.tables["Shot"]["frames"] > 1
        assert str(long.of("Context")) == "Context where id in (select id from Shot where frames > 1)"
        assert long.of("Context").count() == 2
        named = session.tables["Context"]["name"] == "sh3"
        assert named.count() == 2
        assert named.of("Shot").count() == 1
        assert (long & named).count() == 1


def test_a_selection_without_a_collection_goes_by_a_query() -> None:
    """Where the schema has no collection of those that refer here."""
    document = {
        "types": {"Shot": {}, "Note": {"attributes": {"about": {"type": "reference", "target": "Shot"}, "text": {}}}}
    }
    with Session("memory:", schema=document) as session:
        shots = [session.create("Shot") for _ in range(3)]
        for shot, text in zip(shots, ("good", "bad")):
            session.create("Note", {"about": shot, "text": text})
        session.commit()
        good = session.tables["Note"]["text"] == "good"
        assert str(good.of("Shot")) == 'Shot where id in (select about.id from Note where text = "good")'
        assert good.of("Shot").count() == 1
        assert session.tables["Note"].none().of("Shot").count() == 1
