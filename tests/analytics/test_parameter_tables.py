"""Parameter tables: made, edited, shared, guarded, undone, as of earlier positions; what is refused names the cure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from callsheet import AsyncSession, Session
from callsheet.errors import CallsheetError, CommitError, QueryError, UnknownName, UsageError
from callsheet.measures import count, distinct, high, parameter, rank, total
from callsheet.model.language.measures import measure_text, parse_measure
from callsheet.model.measure import AggregateFunction
from callsheet.model.parameter import Parameter, coordinate, most_specific
from callsheet.model.weighing import weighed
from callsheet.server.service import Service
from callsheet.testing import session_on


@pytest.fixture
def session() -> Iterator[Session]:
    """Three tasks of one project, with rates by project and name."""
    with Session("memory:", schema="production") as session:
        project = session.create("Project", {"name": "sintel"})
        for name, bid in (("anim", 2.0), ("comp", 3.0), ("light", 5.0)):
            session.create("Task", {"name": name, "parent": project, "bid": bid})
        rules: list[Any] = [({}, 10.0), ({"Name": "comp"}, 20.0), ({"Project": "sintel", "Name": "light"}, 100.0)]
        session.create_parameter_table("Rates", "Task", {"Project": "project.name", "Name": "name"}, rules)
        session.commit()
        yield session


def cost(session: Session, **options: Any) -> Any:
    cube = session.create_cube("Task", f"Work {len(session.cubes)}", keep=False)
    cube.measures["Cost"] = total("bid") * parameter("Rates")
    return cube.query("Cost", **options).to_rows()


def test_a_rule_changed_is_undone_and_read_in_the_past(session: Session) -> None:
    """Rules are entities: a commit changes a number, `at` reads the earlier one, undo takes it back."""
    assert cost(session) == [{"Cost": 20.0 + 60.0 + 500.0}]
    rates = session.parameters["Rates"]
    before = session.create_cube("Task", "Now", keep=False).query().position
    rates.set(1.0, Name="light", Project="sintel")
    rates.set(2.0, Project="sintel")
    done = session.commit()
    assert rates.value(Project="sintel") == 2.0
    assert cost(session) == [{"Cost": 4.0 + 6.0 + 5.0}]
    assert cost(session, at=before) == [{"Cost": 580.0}]
    session.undo(done)
    session.commit()
    assert cost(session) == [{"Cost": 580.0}]


def test_of_equally_many_keys_the_earlier_ones_win(session: Session) -> None:
    """The order of the keys is declared when the table is made."""
    rates = session.parameters["Rates"]
    assert rates.value(Name="comp", Project="sintel") == 20.0
    rates.set(7.0, Project="sintel")
    assert rates.value(Name="comp", Project="sintel") == 7.0
    assert [each.coordinates for each in rates.rules][1:3] == [{"Project": "sintel"}, {"Name": "comp"}]


def test_two_rules_for_the_same_texts_are_refused(session: Session) -> None:
    """By the table, and by the server for who writes entities."""
    keys = {"Name": "name"}
    with pytest.raises(UsageError, match="twice"):
        session.create_parameter_table("Twice", "Task", keys, [({"Name": "a"}, 1.0), ({"Name": "a"}, 2.0)])
    session.rollback()
    table = session.parameters["Rates"].entity
    session.create("ParameterRule", {"table": table, "key_2": "comp", "value": 3.0})
    with pytest.raises(CommitError, match="exists already"):
        session.commit()


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (parameter("Rates"), "stands alone"),
        (parameter("Rates") * parameter("Rates"), "product of parameters"),
        (1 + parameter("Rates"), "stands left|neither"),
        (total("bid") + parameter("Rates"), "neither"),
        (parameter("Rates") / total("bid"), "cannot stand left"),
        (distinct("name") * parameter("Rates"), "`distinct` cannot be multiplied"),
        (high("name") * parameter("Rates"), "is no number"),
        (rank(total("bid")) * parameter("Rates"), "no window"),
        (total("bid") * count() * parameter("Rates"), "no arithmetic"),
        (total("bid") * parameter("Rate"), "did you mean `Rates`"),
        (total("bid") * parameter("Rates", "name"), "has 2 keys, and 1 levels"),
        (total("bid") * parameter("Rates", "name", "bid"), "cannot name a value of `bid`, a number"),
        (total("bid") * parameter("Rates", "name", "id"), "a key"),
        (total("bid") * parameter("Rates", "name", "assignments.resource.name"), "through a collection"),
    ],
)
def test_what_has_no_meaning_is_refused(session: Session, measure: Any, message: str) -> None:
    """With a message that names the parameter or the level."""
    with pytest.raises(QueryError, match=message):
        session.query("Task").aggregate(measure)


def test_an_owner_has_one_value_at_each_level(session: Session) -> None:
    """A level that does not lead through the owner is refused, unless the value repeats."""
    task = session.query("Task").first()
    assert task is not None
    user = session.create("User", {"username": "anna"})
    for hours in (1.0, 2.0):
        session.create("Timelog", {"context": task, "user": user, "duration": hours})
    session.create_parameter_table("By user", "Timelog", {"User": "user.username"}, [({"User": "anna"}, 3.0)])
    session.commit()
    logs = session.query("Timelog")
    with pytest.raises(QueryError, match=r"takes each `context` once, which does not tell `user.username` apart"):
        logs.aggregate(total("context[Task].bid") * parameter("By user"))
    repeated = total("context[Task].bid", repeated=True) * parameter("By user")
    assert list(logs.aggregate({"it": repeated})[0].values()) == [task["bid"] * 3.0 * 2]


def test_a_table_is_about_other_types_by_their_levels(session: Session) -> None:
    """`place` says where they have the keys; without it the error says so."""
    measure = count() * parameter("Rates")
    with pytest.raises(QueryError, match="does not say where Shot has its keys: it is about Task"):
        session.query("Shot").aggregate(measure)
    session.parameters["Rates"].place("Shot", {"Project": "project.name", "Name": "name"})
    session.create("Shot", {"name": "edit", "parent": session.query("Project").one()})
    session.commit()
    assert session.query("Shot").aggregate({"it": measure}) == [{"it": 10.0}]


def test_rules_an_account_cannot_read_do_not_hold() -> None:
    """An account's numbers are those of the entities, and of the rules, that it may read."""
    with Service.open("memory:", "production") as service:
        with session_on(service, "admin") as admin:
            project = admin.create("Project", {"name": "sintel"})
            admin.create("Task", {"name": "anim", "parent": project, "bid": 2.0})
            admin.create_parameter_table("Rates", "Task", {"Name": "name"}, [({}, 10.0)])
            admin.commit()
            asked = {"it": total("bid") * parameter("Rates")}
            assert admin.query("Task").aggregate(asked) == [{"it": 20.0}]
        service.roles.add("tasks-only", ["read:Task", "read:Project"])
        service.accounts.add("bert", "tasks-only")
        with session_on(service, "bert") as bert:
            assert bert.query("Task").aggregate("sum(bid)") == [{"sum(bid)": 2.0}]
            assert list(bert.parameters) == []
            with pytest.raises(CallsheetError, match="there is no parameter table `Rates`"):
                bert.query("Task").aggregate(asked)


def test_a_text_is_read_back() -> None:
    """A product with parameters is written as it is made, and as it is computed."""
    for text in (
        "sum(bid) * parameter(Rates)",
        "(sum(bid) where name = \"x\") * parameter('Day rates', project.name, week(start_date))".replace("'", '"'),
        "(count * parameter(Rates)) / parameter(Other)",
    ):
        measure = parse_measure(text)
        assert measure_text(measure) == text
        assert measure_text(weighed(measure)) == text


def test_a_ratio_is_multiplied_above_its_line() -> None:
    """And a sum in each of its parts."""
    rates = Parameter("Rates")
    bid = AggregateFunction("sum", "bid")
    assert weighed((bid / count()) * rates) == weighed(bid * rates) / count()
    assert weighed(rates * (bid - 2 * count())) == weighed(bid * rates) - 2 * weighed(count() * rates)
    assert weighed(bid * (2 * rates)) == weighed(bid * rates) * 2 or weighed(bid * (2 * rates)).left.right.value == 2


def test_texts_of_values_are_checked(session: Session) -> None:
    """A rule names a text, a whole number, a boolean or a date; keys are those of the table."""
    rates = session.parameters["Rates"]
    for value in (1.5, "*", "", "x" * 201, object()):
        with pytest.raises(UsageError, match="a rule has a text"):
            coordinate(value)
    with pytest.raises(UnknownName, match=r"no key `Nam`; did you mean `Name`"):
        rates.set(1.0, Nam="x")
    for number in (True, "1", float("nan"), float("inf")):
        with pytest.raises(UsageError, match="the value of a rule is a number"):
            rates.set(number, Name="x")
    with pytest.raises(UnknownName, match="has no rule for"):
        rates.remove(Name="nobody")
    with pytest.raises(UnknownName, match="did you mean `Rates`"):
        session.parameters["Ratse"]
    with pytest.raises(QueryError, match="a level of the parameter table `X`"):
        session.create_parameter_table("X", "Task", {"A": "nmae"})
    with pytest.raises(UsageError, match="1 to 6 keys"):
        session.create_parameter_table("X", "Task", {})
    assert most_specific({}, ("a",)) is None


def test_why_names_the_commit_that_changed_a_rule(session: Session) -> None:
    """A changed rule is a cause of a changed number."""
    cube = session.create_cube("Task", "Work", keep=False)
    cube.measures["Cost"] = total("bid") * parameter("Rates")
    before = cube.query("Cost").position
    session.parameters["Rates"].set(11.0)
    done = session.commit()
    (cause,) = cube.query("Cost").why(0, since=before)
    assert (cause.position, cause.before, cause.after) == (done.position, 580.0, 582.0)


def test_a_session_that_awaits_has_the_same() -> None:
    """The tables are awaited; what records is not."""
    import asyncio

    async def run() -> Any:
        async with AsyncSession("memory:", schema="production") as session:
            await session.open() if hasattr(session, "open") else None
            session.create_parameter_table("Rates", "Task", {"Name": "name"}, [({}, 2.0)])
            await session.commit()
            return (await session.parameters)["Rates"].value(Name="x")

    assert asyncio.run(run()) == 2.0


def test_a_stored_cube_and_a_watch_follow_rules() -> None:
    """A product is never answered by cells that do not know the rules; a changed rule is a change of a watch."""
    pytest.importorskip("duckdb")
    with (
        Service.open("memory:", "production", administrator=False, analytics=True) as service,
        session_on(service, "anna") as session,
    ):
        project = session.create("Project", {"name": "sintel"})
        session.create("Task", {"name": "anim", "parent": project, "bid": 2.0})
        rates = session.create_parameter_table("Rates", "Task", {"Name": "name"}, [({}, 10.0)])
        cube = session.create_cube("Task", "Work")
        cube.measures["Hours"] = "sum(bid)"
        cube.measures["Cost"] = cube.measures["Hours"] * parameter("Rates")
        with pytest.raises(UsageError, match="`Cost` cannot be kept: a rule of its parameter"):
            cube.store(levels=["Project"], measures=["Cost"])
        cube.store(levels=["Project"])
        session.commit()
        asked: Any = {"levels": ["Project"], "explain": True}
        kept = cube.query("Hours", **asked)
        assert kept.plan["stored"] == "Work"
        found = cube.query("Cost", **asked)
        assert ("not kept" in found.plan["not_stored"], found.to_rows()[0]["Cost"]) == (True, 20.0)
        with cube.watch("Cost", levels=["Project"]) as changes:
            assert next(changes).frame.to_rows()[0]["Cost"] == 20.0
            rates.set(11.0)
            session.commit()
            assert next(changes).frame.to_rows()[0]["Cost"] == 22.0
