"""Faults that analysts meet in another SDK, each by a test that shows that it is not here.

What a test's docstring states is the fault. Those of logins, whose tests need a desk, are at the end.
"""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from brute import Compared, Ranked, World, counts, selected

import callsheet
from callsheet import Session
from callsheet.dialects.native.client import NativeDialect
from callsheet.errors import (
    AmbiguousName,
    CallsheetError,
    QueryError,
    SchemaError,
    TransportError,
    Unauthorised,
    UsageError,
)
from callsheet.flow import Response
from callsheet.measures import TOTAL

PASSWORD = "open sesame, please"
KEY = "the key of these tests"


def document(**types: dict[str, Any]) -> dict[str, Any]:
    return {"types": {name: {"attributes": attributes} for name, attributes in types.items()}}


# -- tables and variables ------------------------------------------------------------------------------------------


def test_a_list_of_tables_is_a_list(holidays: Any) -> None:
    """What is called a list has no places and no slices: `tables[0]` raises KeyError."""
    assert holidays.tables[0].name == "Households"
    assert [table.name for table in holidays.tables[:2]] == ["Households", "People"]


def test_a_list_of_tables_is_a_dict(holidays: Any) -> None:
    """What is called a dict has no keys, items or get."""
    assert "People" in list(holidays.tables.keys())
    assert dict(holidays.tables.items())["People"] is holidays.tables.get("People")
    assert holidays.tables.get("Peple") is None


def test_a_name_can_be_looked_for_in_the_tables(holidays: Any) -> None:
    """`"People" in tables` raises AttributeError, because a table is compared with a text."""
    assert "People" in holidays.tables
    assert "Peple" not in holidays.tables
    assert (holidays.tables["People"] == "People") is False


def test_not_every_text_is_in_the_variables(holidays: Any) -> None:
    """Any text is `in variables`, because comparing a variable makes a condition, and conditions are true."""
    assert "Cost" in holidays.variables
    assert "nonsense" not in holidays.variables


def test_a_variable_has_a_place_in_a_list(holidays: Any) -> None:
    """`list(variables).index(variable)` raises ValueError."""
    assert list(holidays.variables).index(holidays.variables["Cost"]) == holidays.variables.index("Cost")


def test_two_variables_of_one_description_are_ambiguous() -> None:
    """Of several variables with the same description the last one is found, in silence."""
    cost = {"type": "number", "description": "Cost"}
    with Session("memory:", schema=document(Booking={"a": cost}, Policy={"b": cost})) as session:
        with pytest.raises(AmbiguousName, match=r"`Booking\.a`, `Policy\.b`"):
            session.variables["Cost"]
        assert session.tables["Policy"]["Cost"].name == "b"


def test_tables_and_variables_are_hashable(holidays: Any) -> None:
    """Both define equality without a hash, so they are in no set and no dict."""
    assert len({holidays.tables["People"], holidays.tables["Person"], holidays.variables["Cost"]}) == 2


def test_tables_are_not_sorted_by_a_partial_order(holidays: Any) -> None:
    """`<` means "is above", so `sorted(tables)` gives an order that depends on the order before."""
    with pytest.raises(TypeError):
        sorted(holidays.tables)
    assert holidays.tables["Households"].is_ancestor("Bookings")


def test_the_type_of_a_variable_is_shown_as_its_name(holidays: Any) -> None:
    """In a text the type is shown as a member of an enumeration on newer Pythons."""
    assert f"{holidays.variables['Cost'].type}" == "Numeric"


def test_variables_of_any_type_are_there() -> None:
    """Variables of types that the client does not handle are left out, with or without a warning."""
    attributes = {"a": {"type": "json"}, "b": {"type": "mapping"}, "c": {"type": "datetime"}}
    with Session("memory:", schema=document(Dot=attributes)) as session:
        assert [each.type for each in session.variables] == ["Reference", "Json", "Mapping", "DateTime"]


def test_all_tables_and_variables_are_read() -> None:
    """Only the first page is read: ten tables, or a thousand variables."""
    types = {f"T{number}": {f"v{place}": {} for place in range(40)} for number in range(30)}
    with Session("memory:", schema=document(**types)) as session:
        assert (len(session.tables), len(session.variables)) == (30, 30 * 41)


def test_a_table_needs_no_variables_and_a_schema_no_root() -> None:
    """A table without variables, or none or several tables at the top, make every login fail."""
    circle = {"b": {"type": "reference", "target": "B"}}
    back = {"a": {"type": "reference", "target": "A"}}
    with Session("memory:", schema=document(A=circle, B=back, Alone={}, Bare={})) as session:
        assert [table.name for table in session.tables] == ["A", "B", "Alone", "Bare"]
        assert session.tables["Bare"].total_records == 0
        assert session.master_table in session.tables


def test_a_schema_of_a_newer_server_is_read() -> None:
    """One unknown word in the description of one variable makes every login fail."""
    attributes = {
        "plain": {"type": "string", "novelty": 3},
        "shape": {"type": "hologram", "label": "Shape", "novelty": 3},
        "parts": {"type": "mapping", "items": "hologram"},
    }
    described = {"novelty": 1, "types": {"Dot": {"novelty": 2, "attributes": attributes}}}
    answer = {"server": "x", "version": "9", "time": "2030-01-01T00:00:00Z", "schema_hash": "x", "schema": described}
    flow = NativeDialect().describe()
    next(flow)
    with pytest.raises(StopIteration) as ended:
        flow.send(Response(200, json.dumps(answer).encode(), {"content-type": "application/json"}))
    found = ended.value.value.schema.types["Dot"].attributes
    assert (found["plain"].data_type, found["plain"].writable) == ("string", True)
    assert (found["shape"].data_type, found["shape"].label, found["shape"].writable) == ("json", "Shape", False)
    assert (found["parts"].kind, found["parts"].writable) == ("scalar", False)
    with pytest.raises(SchemaError, match="unknown key `novelty`"):
        Session("memory:", schema=described)


def test_looking_costs_no_request(holidays: Any) -> None:
    """A login reads every table and every variable, page by page, before anything is done."""
    before = holidays.statistics.requests
    assert (len(holidays.tables), len(holidays.variables), holidays.master_table.name) == (9, 94, "Households")
    assert holidays.statistics.requests == before


# -- selections ----------------------------------------------------------------------------------------------------


def test_a_chained_comparison_is_an_error(holidays: Any) -> None:
    """`50 <= cost <= 100` keeps the last part only, in silence."""
    with pytest.raises(UsageError, match=r"between\(low, high\)"):
        50 <= holidays.variables["Cost"] <= 100  # noqa: B015


def test_and_or_not_are_errors(holidays: Any) -> None:
    """`a and b` is b, `a or b` is a, `not a` is False: conditions are always true."""
    cost = holidays.variables["Cost"]
    for wrong in (
        lambda: (cost > 3) and (cost < 9),
        lambda: (cost > 3) or (cost < 9),
        lambda: not cost > 3,
        lambda: bool(cost > 3),
    ):
        with pytest.raises(UsageError, match="neither true nor false"):
            wrong()


def test_a_code_that_is_none_is_refused(holidays: Any) -> None:
    """A misspelt code is sent, and selects nothing."""
    with pytest.raises(QueryError, match="did you mean `Greece`"):
        holidays.variables["Destination"] == "Grece"  # noqa: B015


def test_an_empty_list_selects_nothing(holidays: Any, world: World) -> None:
    """An empty list is sent as one empty text."""
    surname = holidays.variables["Surname"]
    assert surname.is_in([]).count() == 0
    assert (surname == "").count() == [row["peSurn"] for row in world.rows["People"].values()].count("") > 0


def test_no_character_separates_values() -> None:
    """Values of a list are joined by tabs, so a tab in a value makes two of one."""
    with Session("memory:", schema=document(Dot={"name": {}})) as session:
        for name in ("a\tb", "a", "b"):
            session.create("Dot", {"name": name})
        session.commit()
        found = session.tables["Dot"]["name"].is_in(["a\tb", "c"])
        assert [entity["name"] for entity in found] == ["a\tb"]


def test_numbers_keep_all_their_digits() -> None:
    """Numbers are rounded to four decimals before they are compared."""
    with Session("memory:", schema=document(Dot={"size": {"type": "number"}})) as session:
        for size in (1.123456, 1.1235):
            session.create("Dot", {"size": size})
        session.commit()
        assert [entity["size"] for entity in session.variables["size"] == 1.123456] == [1.123456]


def test_dates_have_strict_comparisons(holidays: Any, world: World) -> None:
    """Dates know `<=` and `>=` only."""
    day = date(2022, 3, 1)
    for operator, found in (
        ("<", holidays.variables["Booking Date"] < day),
        (">", holidays.variables["Booking Date"] > day),
    ):
        assert found.count() == len(selected(world, Compared("Bookings", "boDate", operator, day)))


def test_a_moment_is_no_date(holidays: Any) -> None:
    """A date and time that is compared with a date loses its time in silence."""
    with pytest.raises(QueryError, match="Booking Date"):
        holidays.variables["Booking Date"] >= datetime(2022, 3, 1, 12, tzinfo=UTC)  # noqa: B015


def test_moments_and_references_are_compared(holidays: Any, world: World) -> None:
    """Equality of moments, and any comparison of references, are not implemented."""
    moment = next(row["weTime"] for row in world.rows["WebVisits"].values() if row["weTime"] is not None)
    assert (holidays.variables["Time of Visit"] == moment).count() >= 1
    assert (holidays.variables["Booked for"] == "Li").count() == len(
        [1 for row in world.rows["Bookings"].values() if world.rows["People"][row["person"]]["peSurn"] == "Li"]
    )


def test_texts_between_two_texts(holidays: Any, world: World) -> None:
    """`between` compares in another case than its bounds are checked in, and loses texts."""
    term = Compared("People", "peSurn", "between", ("Jones", "li"))
    assert holidays.variables["Surname"].between("Jones", "li").count() == len(selected(world, term)) > 0


def test_a_limited_selection_is_counted_wherever_it_stands(holidays: Any, world: World) -> None:
    """A selection inside a selection has no table: counting raises AttributeError. Limits come without counts above."""
    bookings = holidays.tables["Bookings"]
    costs = Ranked({key: row["boCost"] for key, row in world.rows["Bookings"].items()})
    top = costs.sorted(world.rows["Bookings"], ascending=False)[:10]
    limited = bookings.everything.limit(10, by="Cost")
    assert limited.count() == 10
    assert limited.counts == counts(world, "Bookings", top)
    assert (limited & (bookings["Cost"] > 0)).count() == 10
    assert limited.of("People").count() == len({world.rows["Bookings"][key]["person"] for key in top})


def test_a_range_without_an_order_is_refused_where_it_is_written(holidays: Any) -> None:
    """A range of ranks without `by` passes the first check, and fails later elsewhere."""
    with pytest.raises(UsageError, match="a pair of ranks needs `by`"):
        holidays.tables["Bookings"].everything.limit((2, 3))


def test_children_are_asked_about_all_and_none(holidays: Any) -> None:
    """Only "any of the children" can be said."""
    bookings = holidays.tables["Bookings"]
    dear = bookings["Cost"] > 200
    every, none, some = (ask(dear).count() for ask in (bookings.all, bookings.none, bookings.any))
    assert none + some == holidays.tables["People"].total_records
    assert 0 < every < holidays.tables["People"].total_records


# -- grids and cubes -----------------------------------------------------------------------------------------------


def test_a_grid_says_what_it_leaves_out(holidays: Any, world: World) -> None:
    """A grid ends after 1,000 rows in silence, and does not know how many there are."""
    grid = holidays.tables["Bookings"].datagrid(["Cost"])
    assert (len(grid), grid.truncated, grid.total) == (1_000, True, len(world.rows["Bookings"]))
    assert sum(1 for _ in grid.stream()) == grid.total


def test_columns_of_one_description_have_names_of_their_own(holidays: Any) -> None:
    """Two columns of the same description become one."""
    grid = holidays.tables["Bookings"].datagrid(["Bookings.id", "People.id"], max_rows=1)
    assert len(set(grid.columns)) == len(grid[0]) == 2


def test_cells_have_the_types_of_the_schema(holidays: Any) -> None:
    """All cells are texts, dates with the day first; a missing number is NaN."""
    grid = holidays.tables["Bookings"].datagrid(["Cost", "Booking Date", "Cancelled"], max_rows=None)
    for row in grid:
        assert isinstance(row["Cost"], float | None)
        assert isinstance(row["Booking Date"], date | None)
        assert isinstance(row["Cancelled"], bool | None)
    assert None in grid["Cost"]


def test_a_cube_keeps_its_first_and_its_last_row(holidays: Any, world: World) -> None:
    """What is not classified and what is a total are the first and the last row, and are cut off by their place."""
    regions = [row["hhRegion"] for row in world.rows["Households"].values()]
    cube = holidays.tables["Households"].cube(["Region"], totals=True)
    assert {row["Region"]: row["Households"] for row in cube} == {
        **{region: regions.count(region) for region in set(regions)},
        TOTAL: len(regions),
    }


def test_dimensions_of_a_cube_are_in_the_order_they_were_given(holidays: Any, world: World) -> None:
    """Axes of a cube were swapped: the wire has them in the reverse order."""
    for names in (["Destination", "Cancelled"], ["Cancelled", "Destination"]):
        cube = holidays.tables["Bookings"].cube(names)
        assert list(cube.dimensions) == names
        cell = next(row for row in cube if row["Destination"] == "Greece" and row["Cancelled"] is True)
        rows = world.rows["Bookings"].values()
        assert cell["Bookings"] == sum(row["boDest"] == "Greece" and row["boCanc"] is True for row in rows)


def test_bands_of_dates_stay_dates_beside_totals_and_missing_ones(holidays: Any) -> None:
    """Periods and totals exclude each other: with one, the other is an error."""
    cube = holidays.tables["Bookings"].cube([holidays.variables["Booking Date"].week], totals=True)
    values = cube["Booking Date (week)"]
    assert {None, TOTAL} < set(values)
    assert all(type(value) is date and value.weekday() == 0 for value in set(values) - {None, TOTAL})


def test_every_mistake_of_a_cube_is_named(holidays: Any) -> None:
    """The first wrong name ends the check."""
    with pytest.raises(UsageError) as caught:
        holidays.tables["Bookings"].cube(["Destinaton", "Reggion", "Country.of"], ["sum(Csot)", "mean(Destination)"])
    assert str(caught.value).splitlines() == [
        "this cube cannot be made:",
        "  - Bookings: there is no variable `Destinaton`; did you mean `Destination`?",
        "  - Bookings: there is no variable `Reggion`; did you mean `Region` or `hhRegion`?",
        "  - Bookings: there is no variable `Country.of`",
        "  - Bookings: there is no variable `Csot`; did you mean `Cost`?",
        "  - `Bookings.boDest` (Destination) is of type Selector; the mean needs a Numeric",
    ]


def test_nothing_of_it_needs_pandas() -> None:
    """The library imports pandas, in a version that excludes newer ones, before anything is done."""
    program = (
        "import sys\nfrom callsheet import Session\n"
        "with Session('memory:', schema={'types': {'Dot': {'attributes': {'a': {'type': 'number'}}}}}) as session:\n"
        "    assert session.tables['Dot'].datagrid().to_rows() == []\n"
        "    assert session.tables['Dot'].cube().to_rows() == [{'Dots': 0}]\n"
        "assert not {'pandas', 'numpy', 'pyarrow'} & set(sys.modules), sorted(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_what_is_selected_can_be_changed() -> None:
    """Data can be read only."""
    with Session("memory:", schema=document(Dot={"size": {"type": "number"}})) as session:
        session.create("Dot", {"size": 1.0})
        session.commit()
        for entity in session.variables["size"] == 1.0:
            entity["size"] = 2.0
        session.commit()
        assert (session.variables["size"] == 2.0).count() == 1


# -- logins and sessions -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def desk() -> Iterator[Any]:
    """A server on which anna has a password."""
    limits = {"password_bytes": 8 * 2**10, "password_passes": 1}
    with callsheet.serve(document(Dot={"size": {"type": "number"}}), admin_key=KEY, limits=limits) as server:
        with Session(server.url, "admin", KEY, schema_cache=False) as session:
            session.call("users.add", name="anna", role="user")
            session.call("users.password", name="anna", password=PASSWORD)
        yield server


@pytest.fixture
def anna(desk: Any) -> Iterator[Any]:
    with callsheet.login_with_password(desk.url, "anna", PASSWORD, schema_cache=False) as session:
        yield session


def test_a_password_that_cannot_be_hidden_is_not_read(desk: Any, tmp_path: Path) -> None:
    """Where echo cannot be switched off, the password is asked for and shown in plain text."""
    program = "import sys, callsheet\ntry:\n    callsheet.login(sys.argv[1], 'anna')\n"
    program += "except callsheet.UsageError as error:\n    print(error)\n    print('left:', sys.stdin.read())"
    done = subprocess.run(
        [sys.executable, "-c", program, desk.url],
        input=PASSWORD,
        capture_output=True,
        text=True,
        start_new_session=True,
        env={"PATH": "", "CALLSHEET_PROFILES": str(tmp_path)},
    )
    assert f"left: {PASSWORD}" in done.stdout, done.stderr
    assert "Set CALLSHEET_PASSWORD" in done.stdout


def test_a_serialised_session_has_no_token(anna: Any) -> None:
    """A serialised session has the token in clear, and no version of its format."""
    text = anna.serialize()
    assert anna.access_token not in text
    assert json.loads(text)["callsheet"] == 1
    assert anna.access_token not in anna.serialize(include_token=True, passphrase="a phrase that opens")


def test_a_damaged_session_text_is_one_error_with_its_cure() -> None:
    """What is restored from a damaged text fails by whatever is missing."""
    for text in ("", "{", "[]", '{"callsheet": 99}', '{"callsheet": 1}'):
        with pytest.raises(UsageError):
            Session.deserialize(text)


def test_a_session_says_how_it_is_kept(anna: Any) -> None:
    """Pickling and copying fail by "cannot pickle socket"."""
    for make in (pickle.dumps, copy.deepcopy):
        with pytest.raises(UsageError, match=r"`session\.serialize\(\)`"):
            make(anna)


def test_a_wrong_password_is_a_short_error(desk: Any) -> None:
    """The error of a wrong password has the whole answer in it, its headers too, and the class is a generated one."""
    with pytest.raises(Unauthorised) as caught:
        callsheet.login_with_password(desk.url, "anna", "wrong " + PASSWORD)
    text = str(caught.value)
    assert len(text) < 300
    assert PASSWORD not in text
    assert "content-type" not in text.lower()


def test_an_address_where_nobody_answers_is_an_error_of_ours() -> None:
    """A refused connection is an error of the library underneath."""
    with pytest.raises(TransportError, match=r"127\.0\.0\.1"):
        callsheet.login_with_password("http://127.0.0.1:9", "anna", PASSWORD, retries=0)


def test_a_slash_at_the_end_of_an_address_changes_nothing(desk: Any) -> None:
    """An address that ends in a slash is refused as unauthorised."""
    with callsheet.login_with_password(desk.url + "/", "anna", PASSWORD, schema_cache=False) as session:
        assert session.logged_in()


def test_a_session_is_closed_and_logged_out(desk: Any) -> None:
    """There is no way to log out, and no context manager."""
    with callsheet.login_with_password(desk.url, "anna", PASSWORD, schema_cache=False) as session:
        session.logout()
        with pytest.raises(Unauthorised, match="logged out"):
            session.tables["Dot"].count()
    with pytest.raises(CallsheetError, match="closed"):
        session.tables  # noqa: B018


def test_two_sessions_have_two_servers(desk: Any, anna: Any) -> None:
    """The address of the first session is that of all others of the process."""
    with Session("memory:", schema=document(Other={})) as session:
        assert [table.name for table in session.tables] == ["Other"]
        assert [table.name for table in anna.tables] == ["Dot"]


def test_no_request_waits_for_ever(anna: Any) -> None:
    """Requests have no timeout unless one is given."""
    timeouts = anna.api_client._settings.timeouts
    assert all(0 < each <= 300 for each in (timeouts.connect, timeouts.read))
