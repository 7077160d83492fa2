"""A cube of a table has what its schema suggests; it is edited as mappings, and answers by the server's numbers."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from callsheet import Session, measures
from callsheet.errors import AmbiguousName, QueryError, UnknownName, UsageError
from callsheet.measures import TOTAL
from callsheet.model.cube import CubeDefinition, CubeHierarchy, CubeLevel, CubeMeasure
from callsheet.model.measure import AggregateFunction

HOUR = 3600.0


def fill(session: Session) -> None:
    """Two sequences of two shots, whose shots have the same names; each task is worked on in two weeks."""
    project = session.create("Project", {"name": "sintel"})
    user = session.create("User", {"username": "anna"})
    for sequence in ("sq010", "sq020"):
        above = session.create("Sequence", {"name": sequence, "parent": project})
        for number, shot in enumerate(("sh010", "sh020")):
            parent = session.create("Shot", {"name": shot, "parent": above})
            task = session.create("Task", {"name": "anim", "parent": parent, "bid": 8 * HOUR * (number + 1)})
            for day in (2, 9):
                start = datetime(2026, 3, day, 9, tzinfo=UTC)
                session.create("Timelog", {"context": task, "user": user, "duration": 3 * HOUR, "start": start})
    session.commit()


@pytest.fixture(scope="module")
def shared() -> Iterator[Session]:
    with Session("memory:") as session:
        fill(session)
        yield session


@pytest.fixture
def session(shared: Session) -> Session:
    shared.rollback()
    cubes = shared.cubes
    for name in list(cubes):
        del cubes[name]
    shared.commit()
    return shared


@pytest.fixture
def hours(session: Session) -> Any:
    """A cube of the hours worked."""
    cube = session.create_cube("Timelog", "Hours")
    cube.measures["Hours"] = measures.total("duration") / HOUR
    cube.measures["Bid"] = measures.total("context[Task].bid") / HOUR
    return cube


def test_a_schema_suggests_a_cube(session: Session) -> None:
    """The line of the production, dates, categories of the facts and of what they are in; no keys."""
    cube = session.create_cube("Timelog")
    assert cube.name == "Timelogs"
    assert [*cube.hierarchies["Project"]] == ["Project", "Sequence", "Shot", "Task"]
    assert [*cube.hierarchies["Start"]] == ["Year", "Quarter", "Month", "Week", "Day"]
    assert {"User", "Is billable", "Task status", "Task type"} < {*cube.hierarchies}
    assert [*cube.measures] == ["Timelogs", "Sum(duration)", "Mean(duration)"]
    assert not any(level.text.endswith("id") for level in cube.levels.values())
    assert [*session.create_cube("Shot").hierarchies["Project"]] == ["Project", "Sequence", "Shot"]


def test_the_modes(session: Session) -> None:
    """Without measures there is the count; by hand there are no hierarchies either."""
    plain = session.create_cube("Task", "plain", mode="no_measures")
    assert [*plain.measures] == ["Tasks"]
    assert "Project" in plain.hierarchies
    manual = session.create_cube("Task", "manual", mode="manual")
    assert [*manual.measures] == ["Tasks"]
    assert len(manual.hierarchies) == len(manual.levels) == 0
    with pytest.raises(UsageError, match=r"auto, no_measures, manual; did you mean `manual`"):
        session.create_cube("Task", "x", mode="manul")


def test_owners_count_once(hours: Any) -> None:
    """The bid of a task is counted once, however often it was worked on; totals are right, too."""
    frame = hours.query("Hours", "Bid", levels=["Sequence"], totals=True)
    assert frame.to_rows() == [
        {"Project": "sintel", "Sequence": "sq010", "Hours": 12.0, "Bid": 24.0},
        {"Project": "sintel", "Sequence": "sq020", "Hours": 12.0, "Bid": 24.0},
        {"Project": "sintel", "Sequence": TOTAL, "Hours": 24.0, "Bid": 48.0},
        {"Project": TOTAL, "Sequence": TOTAL, "Hours": 24.0, "Bid": 48.0},
    ]
    weeks = hours.query("Hours", "Bid", levels=["Week"], totals=True)
    assert [row["Bid"] for row in weeks] == [48.0, 48.0, 48.0]


def test_a_level_comes_with_those_above_it(hours: Any) -> None:
    """Two shots of one name in different sequences are two rows; a week is known by itself."""
    assert len(hours.query("Hours", levels="Shot")) == 4
    assert hours.query("Hours", levels="Shot").dimensions == ("Project", "Sequence", "Shot")
    assert hours.query("Hours", levels=["Week"]).to_rows() == [
        {"Week": date(2026, 3, 2), "Hours": 12.0},
        {"Week": date(2026, 3, 9), "Hours": 12.0},
    ]
    whole = hours.query("Hours", levels=hours.hierarchies["Start"])
    assert whole.dimensions == ("Year", "Quarter", "Month", "Week", "Day")


def test_measures_are_edited(hours: Any) -> None:
    """A measure that names others follows them, is shown by its format, and keeps them."""
    m = hours.measures
    m["Burn"] = m["Hours"] / m["Bid"]
    m["Burn"].format, m["Burn"].folder, m["Burn"].description = "0.0%", "money", "What was used of the bid."
    assert (m["Burn"].text, m["Burn"].format, m["Burn"].folder) == ("[Hours] / [Bid]", "0.0%", "money")
    assert hours.query("Burn")[0]["Burn"] == 0.5
    assert "50.0%" in repr(hours.query("Burn"))
    m["Bid"] = measures.total("context[Task].bid") / HOUR / 2
    assert hours.query("Burn")[0]["Burn"] == 1.0
    m["Burn"] = "100 * [Hours] / [Bid]"
    assert hours.query("Burn")[0]["Burn"] == 100.0
    assert m["Burn"].format == "0.0%"
    with pytest.raises(UsageError, match="`Hours` is part of `Burn`: remove it first"):
        del m["Hours"]
    del m["Burn"], m["Hours"]
    assert "Hours" not in m
    with pytest.raises(UnknownName, match="no measure `Bit`; did you mean `Bid`"):
        m["Bit"]


def test_hierarchies_are_edited(hours: Any) -> None:
    """Levels are texts, variables, bands, or those of other hierarchies; a mapping names them."""
    h, table = hours.hierarchies, hours.table
    h["When"] = [table["start"].year, "month(start)"]
    h["Who"] = {"Artist": "user"}
    h["Where"] = [hours.levels["Project"], hours.levels["Shot"]]
    assert [level.text for level in h["When"].values()] == ["year(start)", "month(start)"]
    assert h["Who"]["Artist"].text == "user.username"
    assert hours.query("Hours", levels=["Artist"]).to_rows() == [{"Artist": "anna", "Hours": 24.0}]
    h["Who"].description = "Who did it"
    assert h["Who"].description == "Who did it"
    with pytest.raises(AmbiguousName, match=r"`Start.Month`, `When.Month`"):
        hours.query("Hours", levels=["Month"])
    assert hours.query("Hours", levels=["When.Month"]).columns == ("Month", "Hours")
    assert hours.query("Hours", levels=[("When", "Month"), "Start.Month"]).columns == (
        "When.Month",
        "Start.Month",
        "Hours",
    )
    del h["When"]
    assert "When" not in h
    assert "Month" in hours.levels


def test_filters(hours: Any, session: Session) -> None:
    """A condition of a level, a text, a selection, and that of the cube itself, all at once."""
    levels = hours.levels
    week = date(2026, 3, 2)
    for given, expected in [
        (levels["Sequence"] == "sq010", 12.0),
        (levels["Sequence"] != "sq010", 12.0),
        (levels["Week"] == week, 12.0),
        (levels["Week"].in_([week, None]), 12.0),
        (levels["Month"] == date(2026, 3, 1), 24.0),
        ((levels["Week"] == week) & (levels["Shot"] == "sh010"), 6.0),
        ('context[Task].parent.name is "sh010"', 12.0),
        ("duration > 0", 24.0),
        (hours.table["duration"] > 0, 24.0),
    ]:
        assert hours.query("Hours", filter=given)[0]["Hours"] == expected, given
    early = session.create_cube("Timelog", "early", filter='start < "2026-03-05"')
    assert early.query("Timelogs")[0]["Timelogs"] == 4
    assert early.query("Timelogs", filter=early.levels["Shot"] == "sh010")[0]["Timelogs"] == 2
    with pytest.raises(UsageError, match="a week is named by its first day"):
        levels["Week"] == "2026-03-02"  # noqa: B015


def test_a_plain_count_follows_paths(session: Session) -> None:
    """A count under a condition on a path counts each entity once, in a query as in a cube."""
    query = session.query('Timelog where context[Task].parent.name is "sh010"')
    assert query.count() == query.aggregate("count")[0]["count"] == 4
    cube = session.create_cube("Timelog", "Logs", filter='context[Task].parent.name is "sh010"')
    assert cube.query("Timelogs")[0]["Timelogs"] == 4


def test_order_limit_and_totals_of_choice(hours: Any) -> None:
    """Columns order rows; totals list what stays."""
    frame = hours.query("Bid", levels=["Shot"], order=["-Bid", "Sequence"], limit=2)
    assert [row["Sequence"] for row in frame] == ["sq010", "sq020"]
    kept = hours.query("Hours", levels=["Sequence", "Week"], totals=[["Week"], []])
    assert [row["Hours"] for row in kept if row["Sequence"] is TOTAL] == [12.0, 12.0, 24.0]
    with pytest.raises(UnknownName, match="no column `Bit` to order by; did you mean `Bid`"):
        hours.query("Bid", order="-Bit")
    with pytest.raises(UnknownName, match="`Month` of the totals is no column"):
        hours.query("Bid", levels=["Week"], totals=[["Month"]])


def test_positions_are_an_axis(session: Session, hours: Any) -> None:
    """Several positions are one request: the first column says which, and the frame what is now."""
    before = hours.query("Hours").position
    log = session.query("Timelog").first()
    log["duration"] += 24 * HOUR
    session.commit()
    frame = hours.query("Hours", at=[before, None])
    assert frame.to_rows() == [{"at": before, "Hours": 24.0}, {"at": before + 1, "Hours": 48.0}]
    assert frame.position == before + 1
    assert hours.query("Hours", at=before).to_rows() == [{"Hours": 24.0}]
    log["duration"] -= 24 * HOUR
    session.commit()
    for wrong in ([], -1, "monday", True):
        with pytest.raises(UsageError):
            hours.query("Hours", at=wrong)


def test_frames_and_plans(hours: Any) -> None:
    """A frame is handed to other libraries, totals told apart; a plan says the statement, without values."""
    frame = hours.query("Hours", levels=["Sequence"], totals=True, explain=True)
    assert frame.to_arrow().column("levels").to_pylist() == [2, 2, 1, 0]
    assert frame.to_pandas()["Hours"].tolist() == frame.to_polars()["Hours"].to_list() == [12, 12, 24, 24]
    assert "total" in repr(frame)
    assert "<td>total</td>" in frame._repr_html_()
    assert frame.plan is not None
    assert "SELECT" in str(frame.plan["sql"])
    assert frame.truncated is None
    assert frame.without_totals().plan == frame.plan


def test_what_people_write_first(hours: Any) -> None:
    """A list of measures, one level as totals, a level by its text; what was removed is shown as such."""
    assert hours.query(["Hours", "Bid"]).measures == ("Hours", "Bid")
    assert len(hours.query("Hours", levels=["Sequence"], totals="Project")) == 3
    assert hours.query("Hours", levels=["month(start)"])["Hours"] == [24.0]
    assert "removed" in repr(hours.measures.pop("Bid"))
    with pytest.raises(UsageError, match=r"positions of the log, or commits.*'yesterday'"):
        hours.query("Hours", at="yesterday")


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda cube: cube.query("Hors"), "no measure `Hors`; did you mean `Hours`"),
        (lambda cube: cube.query("Hours", levels=["Sequense"]), "no level `Sequense`; did you mean `Sequence`"),
        (lambda cube: cube.query("Hours", levels=["Is"]), "no level `Is`"),
        (lambda cube: cube.query("Hours", "Hours"), "two measures are called `Hours`"),
        (lambda cube: cube.query("sum(duratoin)"), "no attribute `duratoin`"),
        (lambda cube: cube.query("Hours", filter=3), "a filter is a condition"),
        (lambda cube: cube.query("Hours", filter="duratoin > 3"), "no attribute `duratoin`"),
        (lambda cube: cube.query({"Week": "count"}, levels=["Week"]), "several columns are called `Week`"),
        (lambda cube: cube.query({"at": "count"}), "no column can be called `at`"),
        (lambda cube: cube.query("Hours", levels=["Start"]), "`Start` is a hierarchy; its levels are `Year`, "),
        (lambda cube: cube.query("Hours", scenario=3), "a scenario is named by a text"),
        (lambda cube: cube.measures.__setitem__("X", "sum(durat)"), "`X`: Timelog has no attribute `durat`"),
        (lambda cube: cube.measures.__setitem__("X", "sum(duration) +"), "expected a measure, found the end"),
        (lambda cube: cube.measures.__setitem__("", "count"), "a measure is named by a text"),
        (lambda cube: cube.measures.__setitem__("Hours", "[Hours] + 1"), "cannot be made of itself"),
        (lambda cube: cube.measures.__setitem__("X", "[Hors] + 1"), "no measure `Hors`; did you mean `Hours`"),
        (lambda cube: cube.hierarchies.__setitem__("X", []), "at least one level"),
        (lambda cube: cube.hierarchies.__setitem__("X", ["month(duration)"]), "only dates are in a month"),
        (lambda cube: cube.hierarchies.__setitem__("X", ["user", "user"]), "two levels are called `User`"),
        (lambda cube: setattr(cube.measures["Hours"], "name", "x"), "cannot be set"),
        (lambda cube: cube._core.create_cube("Timelog", "Hours"), "there is a cube `Hours` already"),
        (lambda cube: cube._core.create_cube("Timelogg"), "no table `Timelogg`; did you mean"),
        (lambda cube: cube._core.create_cube("Timelog", "x", filter="durat > 3"), "no attribute `durat`"),
        (lambda cube: cube._core.cubes["Hour"], "no cube `Hour`; did you mean `Hours`"),
    ],
)
def test_errors_name_what_is_wrong(hours: Any, ask: Any, message: str) -> None:
    """The measure or the level, and near ones; nothing has changed then."""
    before = hours.definition
    with pytest.raises((UsageError, QueryError, AttributeError), match=message.replace("(", r"\(")):
        ask(hours)
    assert hours.definition == before


def test_a_definition_makes_a_cube(session: Session) -> None:
    """A cube of a definition is like any other; the definition has no names of measures in it."""
    given = CubeDefinition(
        "Bids",
        "Task",
        [CubeHierarchy("Shot", [CubeLevel("Shot", "parent.name")])],
        [CubeMeasure("Bid", AggregateFunction("sum", "bid"))],
    )
    session.cubes["Bids"] = given
    cube = session.cubes["Bids"]
    assert cube.definition == given
    cube.measures["Half"] = cube.measures["Bid"] / 2
    assert cube.definition.measures[1].measure == AggregateFunction("sum", "bid") / 2
    assert cube.query("Half", levels=["Shot"])["Half"] == [8 * HOUR, 16 * HOUR]
    assert list(session.cubes) == ["Bids"]
    assert "Bids" in session.cubes
    del session.cubes["Bids"]
    assert "Bids" not in session.cubes


def test_mdx_reads_bands(session: Session, hours: Any) -> None:
    """Members of a band are periods, each below the ones above it."""
    pytest.importorskip("lark")
    text = "select [Measures].[Hours] on columns, non empty [Start].[Month].members on rows from [Hours]"
    result = session.query_mdx(text, hours.definition)
    assert [row["Hours"] for row in result.to_rows()] == [24.0]
    weeks = "select [Measures].[Hours] on columns, non empty [Start].[Week].members on rows from [Hours]"
    assert [row["Hours"] for row in session.query_mdx(weeks, hours.definition).to_rows()] == [12.0, 12.0]


def test_a_question_has_a_text_in_mdx(session: Session, hours: Any) -> None:
    """Which gives the same numbers; what has no form there is named."""
    frame = hours.query("Hours", levels=["Sequence"], mdx=True)
    assert frame.mdx is not None
    answer = session.query_mdx(frame.mdx, hours.definition)
    numbers = [row["Hours"] for row in frame]
    assert sorted(
        value for row in answer.to_pandas().values.tolist() for value in row if isinstance(value, float)
    ) == sorted(numbers)
    assert hours.query("Hours", levels=["Sequence"]).mdx is None
    with pytest.raises(UsageError, match="a question with totals has no text in MDX here"):
        hours.query("Hours", levels=["Sequence"], totals=True, mdx=True)
    with pytest.raises(UsageError, match="is not of Hours, so it has no name in MDX"):
        hours.query("sum(duration)", levels=["Sequence"], mdx=True)
