"""Queries checked against a schema: what they become, and what is said of those it does not allow."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from callsheet.errors import QueryError
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.checking import check, check_condition, check_path
from callsheet.model.language.parser import NESTING, parse, parse_condition
from callsheet.model.language.text import select_text
from callsheet.model.measure import Aggregate, AggregateFunction, AggregateOrder, Having, Level, Measure
from callsheet.model.query import And, Any_, Comparison, Condition, Not, Order, Path, Sample, Select, Top
from callsheet.model.record import Identity
from callsheet.model.schema import Schema

SCHEMA = Schema(
    {
        "types": {
            "Status": {
                "attributes": {"name": {}, "state": {"type": "enum", "choices": ["todo", "doing", "done"]}},
            },
            "Context": {
                "abstract": True,
                "attributes": {
                    "name": {},
                    "parent": {"type": "reference", "target": "Context"},
                    "children": {"type": "collection", "target": "Context", "inverse": "parent"},
                    "status": {"type": "reference", "target": "Status"},
                    "metadata": {"type": "mapping"},
                    "custom_attributes": {"type": "mapping", "items": "custom"},
                    "link": {"type": "json"},
                },
            },
            "Shot": {
                "extends": "Context",
                "attributes": {"fps": {"type": "number"}, "frames": {"type": "integer"}},
                "custom": {"lens": {"type": "integer"}},
            },
            "Task": {
                "extends": "Context",
                "attributes": {
                    "start": {"type": "datetime"},
                    "due": {"type": "date"},
                    "billable": {"type": "boolean"},
                    "timelogs": {"type": "collection", "target": "Timelog", "inverse": "task"},
                },
            },
            "Timelog": {
                "attributes": {"task": {"type": "reference", "target": "Task"}, "hours": {"type": "number"}},
            },
        }
    }
)


def checked(text: str) -> str:
    """The text of the checked query, which checking again must not change."""
    select = check(parse(text), SCHEMA, text)
    assert check(select, SCHEMA) == select
    return select_text(select)


def value(condition: str, entity_type: str = "Task") -> Any:
    """The value of a checked comparison."""
    found = check_condition(parse_condition(condition), entity_type, SCHEMA, condition)
    assert isinstance(found, Comparison)
    return found.value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Task where parent_id is k", 'Task where parent.id = "k"'),
        ("Task where parent is k", 'Task where parent.name = "k"'),
        ("Task where parent in (k, l)", 'Task where parent.name in ("k", "l")'),
        ("Task where parent like k%", 'Task where parent.name like "k%"'),
        (
            "Task where parent is 018f0000-0000-7000-8000-000000000001",
            'Task where parent.id = "018f0000-0000-7000-8000-000000000001"',
        ),
        ("Task where parent.status_id is_not None", "Task where parent.status.id != None"),
        ("Task where parent[Shot] is None", "Task where parent[Shot].id = None"),
        ("Task where status in (a, None)", 'Task where status.name in ("a", None)'),
        ("Task where parent_id like 'k%'", 'Task where parent.id like "k%"'),
        ("Task where parent any ()", "Task where parent has ()"),
        ("Task where parent_id has (name is x)", 'Task where parent has (name = "x")'),
        ("Task where children[Shot] has (fps > 24)", "Task where children[Shot] any (fps > 24.0)"),
        ("Task where children.status.name is x", 'Task where children.status.name = "x"'),
        ("Task where metadata.colour is red", 'Task where metadata.colour = "red"'),
        ("Shot where custom_attributes.lens > 35", "Shot where custom_attributes.lens > 35"),
        ("Task where parent[Shot].custom_attributes.lens=3", "Task where parent[Shot].custom_attributes.lens = 3"),
        ("Task where link is_not None", "Task where link != None"),
        ("Task where id in (Timelog where hours > 1)", "Task where id in (select id from Timelog where hours > 1.0)"),
        (
            "Task where id not_in (select task_id from Timelog where task.name is x order by hours limit 3)",
            'Task where id not_in (select task.id from Timelog where task.name = "x" order by hours limit 3)',
        ),
        ("select id, parent_id, parent, parent.status_id from Task", "select id, parent, parent.status from Task"),
        ("select children, metadata.a, metadata.b from Task", "select children, metadata from Task"),
        ("select parent[Shot].fps, status.name from Task", "select parent[Shot].fps, status.name from Task"),
        ("Task order by status, parent.name desc", "Task order by status.id, parent.name descending"),
        ("Context where name is a and not name is b", 'Context where name = "a" and not name = "b"'),
    ],
)
def test_queries_come_to_few_forms(text: str, expected: str) -> None:
    """Foreign keys, references and the words of membership are brought to one form each."""
    assert checked(text) == expected


@pytest.mark.parametrize(
    ("condition", "entity_type", "expected"),
    [
        ("fps = 24", "Shot", 24.0),
        ("frames = 24.0", "Shot", 24),
        ("frames > 1.5", "Shot", 1.5),
        ("name is 010", "Task", "010"),
        ("name is '2026-01-01'", "Task", "2026-01-01"),
        ("due is '2026-01-01'", "Task", date(2026, 1, 1)),
        ("due before 2026-01-01", "Task", date(2026, 1, 1)),
        ("start after 2026-01-01", "Task", datetime(2026, 1, 1, tzinfo=UTC)),
        ("start after '2026-01-01 10:00'", "Task", datetime(2026, 1, 1, 10, tzinfo=UTC)),
        ("start after 2026-01-01T10:00:00+02:00", "Task", datetime(2026, 1, 1, 8, tzinfo=UTC)),
        ("billable is true", "Task", True),
        ("state is done", "Status", "done"),
        ("state like 'd%'", "Status", "d%"),
        ("due in ('2026-01-01', None)", "Task", (date(2026, 1, 1), None)),
    ],
)
def test_values_get_the_type_of_the_attribute(condition: str, entity_type: str, expected: Any) -> None:
    """Strings become dates where dates are held, integers numbers; nothing else is guessed."""
    found = value(condition, entity_type)
    assert found == expected
    assert type(found) is type(expected)


def test_entities_are_compared_by_key() -> None:
    """An `Identity` stands for its key, alone and in lists."""
    status = Identity("Status", "s1")
    one = check_condition(Comparison(Path.of("status"), "=", status), "Task", SCHEMA)
    assert one == Comparison(Path.of("status.id"), "=", "s1")
    many = Comparison(Path.of("status"), "in", (status, "s2"))  # type: ignore[arg-type]
    assert check_condition(many, "Task", SCHEMA) == Comparison(Path.of("status.id"), "in", ("s1", "s2"))


@pytest.mark.parametrize(
    ("text", "at", "message", "hint"),
    [
        ("Tsk where name is x", "Tsk", "no entity type `Tsk`", "did you mean `Task`?"),
        ("Task where nmae is x", "nmae", "Task has no attribute `nmae`", "did you mean `name`?"),
        ("Task where status.nmae is x", "nmae", "Status has no attribute `nmae`", "did you mean `name`?"),
        ("select nmae from Task", "nmae", "Task has no attribute `nmae`", "did you mean `name`?"),
        ("Task order by nmae", "nmae", "Task has no attribute `nmae`", "did you mean `name`?"),
        ("Task where parent.fps > 24", "fps", "Context has no attribute `fps`", "cast: `parent[Shot].fps`"),
        ("Context where fps > 24", "fps", "Context has no attribute `fps`", "ask for Shot"),
        (
            "Task where parent.custom_attributes.lens is 3",
            "lens",
            "Context has no custom attribute `lens`",
            "cast: `parent[Shot].custom_attributes.lens`",
        ),
        ("Shot where custom_attributes.lns is 3", "lns", "no custom attribute `lns`", "did you mean `lens`?"),
        ("Task where parent[Sht].fps > 1", "Sht", "no entity type `Sht`", "did you mean `Shot`?"),
        ("Task where parent[Status].name is x", "Status", "is a Context, never a Status", "`Shot`"),
        ("Task where name[Shot].fps is 1", "name", "no type to cast to", ""),
        ("Task where name.x is 1", "x", "`Task.name` is a string, nothing follows", ""),
        ("Task where metadata.a.b is x", "b", "nothing follows", ""),
        ("Task where parent_id.name is x", "parent_id", "is a key, nothing follows", "go through `parent`"),
        ("Task where children is x", "children", "is a collection", "`children any (name is …)`"),
        ("Task where metadata is x", "metadata", "is a mapping", "`metadata.colour`"),
        ("Task where link is x", "link", "is JSON data", "`link is None`"),
        ("Task where link like x", "link", "is JSON data", ""),
        ("Task where parent < 3", "parent", "is a reference, which has no order", ""),
        ("Task where billable > False", "billable", "is a boolean, which has no order", ""),
        ("Shot where fps like x", "fps", "is a number: `like` does not apply", ""),
        ("Shot where fps is '3'", "fps", "takes a number, not str: '3'", "without quotes"),
        ("Shot where fps is x", "fps", "takes a number, not str", "without quotes"),
        ("Task where name is 3", "name", "takes a string, not int: 3", 'quote it: "3"'),
        ("Task where name is True", "name", "takes a string, not bool", 'quote it: "True"'),
        ("Task where billable is 1", "billable", "takes True or False, not int", ""),
        ("Task where due is soon", "due", "is no date; dates look like 2026-01-31", ""),
        ("Task where due is 2026-01-01T10:00", "due", "takes a datetime.date, not datetime", ""),
        ("Task where start is '2026-13-01'", "start", "is no date-time", ""),
        ("Task where start is 0001-01-01T00:00:00+10:00", "start", "outside of the years", ""),
        ("Task where status.state is doen", "status", "takes one of 'todo', 'doing', 'done'", "did you mean `done`"),
        ("Task where name < None", "name", "`<` needs a value, not None", "`name is None`"),
        ("Task where name any (name is x)", "name", "is no relation", ""),
        ("Task where metadata any ()", "metadata", "is no relation", ""),
        ("Task where metadata.a any ()", "metadata", "is no relation", ""),
        ("Task order by children.name", "children", "leads through a collection", ""),
        ("Task order by link", "link", "neither ordered nor compared", ""),
        ("select parent[Shot] from Task", "parent", "cannot end with a cast", "`parent[Shot].name`"),
        ("Task where id in (select hours from Timelog)", "id", "values that `id` never has", ""),
        ("Task where id in (select timelogs.id from Task)", "timelogs", "leads through a collection", ""),
        ("Task where due in (select start from Task)", "due", "`due` is a date, `start` a datetime", ""),
        ("Task where parent has (nmae is x)", "nmae", "Context has no attribute `nmae`", "did you mean `name`?"),
    ],
)
def test_errors_say_where_and_how_to_repair(text: str, at: str, message: str, hint: str) -> None:
    """Position, message and hint of each mistake."""
    with pytest.raises(QueryError) as caught:
        checked(text)
    assert caught.value.position == text.index(at)
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (And(()), "an `and` needs conditions"),
        (Comparison(Path(()), "=", 1), "a path needs a name"),
        (Comparison(Path.of("name"), "lke", "x"), "no operator `lke`; did you mean `like`"),
        (Comparison(Path.of("name"), "=", ("x",)), "compares `name` with one value"),
        (Comparison(Path.of("name"), "in", "x"), "takes a list of values"),
        (Comparison(Path.of("name"), "in", Identity("Task", "k")), "takes a list of values"),
        (Comparison(Path.of("name"), "=", "a\x00"), "without U+0000"),
        (Comparison(Path.of("name"), "=", "\ud800"), "valid Unicode"),
        (Comparison(Path.of("start"), "=", datetime(2026, 1, 1)), "with a time zone"),
        (Comparison(Path.of("parent[Shot].fps"), "=", float("inf")), "a finite number"),
        (Comparison(Path.of("parent[Shot].fps"), "=", 10**5000), "has more than 64 bits"),
        (Comparison(Path.of("name"), "in", ("x",) * 10_001), "more than 10,000 values"),
        (Comparison(Path.of(".".join(["parent"] * 12) + ".parent.name"), "=", "x"), "at most 12 relations"),
    ],
)
def test_conditions_made_by_hand_are_checked_as_well(condition: Condition, message: str) -> None:
    """A server trusts no tree, whoever built it."""
    with pytest.raises(QueryError) as caught:
        check_condition(condition, "Task", SCHEMA)
    assert message in str(caught.value)


def test_nesting_is_bounded_as_in_the_parser() -> None:
    """What passes can be written and read again."""
    condition: Condition = Comparison(Path.of("name"), "=", "x")
    for _ in range(NESTING):
        condition = Not(condition)
    assert check_condition(condition, "Task", SCHEMA) == condition
    with pytest.raises(QueryError, match="nested more than 32 deep"):
        check_condition(Not(condition), "Task", SCHEMA)
    for _ in range(5_000):
        condition = And((condition,))
    assert isinstance(check_condition(condition, "Task", SCHEMA), Not)


def test_limits_are_integers_from_nought() -> None:
    """Limit and offset are checked, for selects that no parser made."""
    for select in (Select("Task", limit=-1), Select("Task", offset=2**63), Select("Task", limit=True)):
        with pytest.raises(QueryError, match="must be an integer"):
            check(select, SCHEMA)


def test_a_path_gives_the_attributes_it_names() -> None:
    """One pair of type and attribute for each step; casts change the type of the next."""

    def names(text: str) -> list[tuple[str, str]]:
        return [(owner.name, attribute.name) for owner, attribute in check_path(Path.of(text), "Task", SCHEMA)]

    assert names("parent[Shot].fps") == [("Task", "parent"), ("Shot", "fps")]
    assert names("status_id") == [("Task", "status")]
    assert names("metadata.colour") == [("Task", "metadata"), ("Task", "metadata.colour")]
    assert names("timelogs.task.id") == [("Task", "timelogs"), ("Timelog", "task"), ("Task", "id")]
    assert check_path(Path.of("name"), SCHEMA.types["Task"], SCHEMA)[0][1].data_type == "string"


def test_aggregates_are_checked() -> None:
    """Types of functions and groups; references become their keys."""
    told = Aggregate(
        parse("select name from Timelog where hours > 1 order by hours limit 3"),
        (("count", None), ("sum", Path.of("hours")), ("maximum", Path.of("task.due"))),
        (Path.of("task.status_id"), Path.of("task.metadata.a")),
    )
    assert check_aggregate(told, SCHEMA) == Aggregate(
        Select("Timelog", (), Comparison(Path.of("hours"), ">", 1.0), (Order(Path.of("hours")),), 3),
        (("count", None), ("sum", Path.of("hours")), ("maximum", Path.of("task.due"))),
        (Path.of("task.status.id"), Path.of("task.metadata.a")),
    )


@pytest.mark.parametrize(
    ("function", "path", "message"),
    [
        ("avg", "hours", "no function `avg`"),
        ("sum", None, "`sum` needs a path"),
        ("sum", "task.name", "cannot take the sum of `task.name`, a string"),
        ("maximum", "task.billable", "cannot take the maximum"),
        ("count", "task.children", "is a collection and has no value of its own"),
        ("median", "task.due", "cannot take the median of `task.due`, a date"),
        ("quantile", "hours", "a quantile is at a number from 0 to 1, not None"),
    ],
)
def test_aggregates_that_make_no_sense_are_refused(function: str, path: str | None, message: str) -> None:
    """Each function takes what it can count with."""
    told = Aggregate(Select("Timelog"), ((function, None if path is None else Path.of(path)),))
    with pytest.raises(QueryError) as caught:
        check_aggregate(told, SCHEMA)
    assert message in str(caught.value)


HOURS = AggregateFunction("sum", "hours")


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"functions": (HOURS / AggregateFunction("mode", "task.name"),)}, "cannot reckon with `mode(task.name)`"),
        ({"functions": (HOURS * float("inf"),)}, "a measure is joined with numbers, not with inf"),
        ({"functions": (AggregateFunction("quantile", "hours", argument=1.5),)}, "from 0 to 1, not 1.5"),
        ({"functions": (AggregateFunction("sum", "hours", argument=0.5),)}, "`sum` takes no number"),
        ({"functions": (HOURS.where(parse_condition("nme is x")),)}, "Timelog has no attribute `nme`"),
        ({"group": (Level("hours", "month"),)}, "`hours` is a number: only dates are in a month"),
        ({"group": (Level("task.due", "moth"),)}, "there is no band `moth`; did you mean `month`?"),
        ({"order": (Level("hours"),)}, "cannot order by `hours`, which is no level of the groups"),
        ({"having": HOURS > None}, "`>` needs a value for `sum(hours)`"),
        ({"having": HOURS > "3"}, "`sum(hours)` takes a number"),
        ({"having": ~(HOURS.equals(date(2026, 1, 1)))}, "`sum(hours)` takes a number"),
        ({"limit": -1}, "limit must be an integer from 0, not -1"),
        ({"group": (Path.of("task"),), "totals": ((1,),)}, "totals name levels by their places from 0 to 0"),
    ],
)
def test_measures_that_make_no_sense_are_refused(told: dict[str, Any], message: str) -> None:
    """Measures, levels, orders, conditions on measures and totals: the error names what is wrong."""
    with pytest.raises(QueryError) as caught:
        check_aggregate(Aggregate(Select("Timelog"), **told), SCHEMA)
    assert message in str(caught.value)


def test_measures_are_checked_everywhere() -> None:
    """In orders and conditions, paths become those of the schema, and values have the measure's type."""
    measure: Measure = AggregateFunction("count", "task.status")
    having: Having = (HOURS > 3) | ~measure.equals(2)
    levels = (Level("task.due", "week", zone="Europe/Berlin"), Level("task"))
    orders = (AggregateOrder(measure, True), levels[1].ascending())
    found = check_aggregate(Aggregate(Select("Timelog"), (measure,), levels, having, orders), SCHEMA)
    counted = AggregateFunction("count", "task.status.id")
    assert found.functions == (counted,)
    assert found.group == (Level("task.due", "week"), Level("task.id"))
    assert found.order == (AggregateOrder(counted, True), AggregateOrder(Level("task.id")))
    assert found.having == (HOURS > 3.0) | ~counted.equals(2)
    assert check_aggregate(found, SCHEMA) == found


@pytest.mark.parametrize(
    ("select", "message"),
    [
        (Select("Task", top=Top(3)), "a top needs an order or a path"),
        (Select("Task", top=Top(-1, per=Path.of("parent"))), "limit must be an integer from 0, not -1"),
        (Select("Task", top=Top(3, per=Path.of("children.name"))), "it leads through a collection"),
        (Select("Task", sample=Sample()), "either a number of entities or a fraction"),
        (Select("Task", sample=Sample(3, 0.5)), "either a number of entities or a fraction"),
        (Select("Task", sample=Sample(fraction=1.5)), "the fraction of a sample is a number from 0 to 1, not 1.5"),
        (Select("Task", sample=Sample(3, method="firts")), "no method `firts` of sampling; did you mean `first`?"),
        (Select("Task", sample=Sample(3, method="stratified")), "a stratified sample needs a path"),
        (Select("Task", sample=Sample(3, per=Path.of("status"))), "a stratified sample needs a path"),
    ],
)
def test_tops_and_samples_that_make_no_sense_are_refused(select: Select, message: str) -> None:
    """Numbers, methods and paths."""
    with pytest.raises(QueryError) as caught:
        check(select, SCHEMA)
    assert message in str(caught.value)


def test_tops_and_samples_are_checked() -> None:
    """Their paths become those of the schema."""
    found = check(parse("Task limit 3 per status by due descending sample 9 per parent by 7"), SCHEMA)
    assert found.top == Top(3, (Order(Path.of("due"), True),), Path.of("status.id"))
    assert found.sample == Sample(9, None, "stratified", 7, Path.of("parent.id"))
    assert check(found, SCHEMA) == found


def test_moments_are_compared_in_utc() -> None:
    """A value with any offset is the same moment in UTC."""
    told = Comparison(Path.of("start"), "=", datetime(2026, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))))
    found = check_condition(Any_(Path.of("timelogs.task"), told), "Task", SCHEMA)
    assert isinstance(found, Any_)
    assert found.word == "has"
    assert repr(found.condition).endswith("value=datetime.datetime(2025, 12, 31, 23, 0, tzinfo=datetime.timezone.utc))")


def test_an_aggregate_takes_functions_as_objects_and_as_pairs() -> None:
    """A pair of name and path is the same function as the object that names its parts."""
    path = Path.of("bid")
    assert Aggregate(Select("Task"), (("sum", path),)) == Aggregate(Select("Task"), (AggregateFunction("sum", path),))
    assert Aggregate(Select("Task")).functions == (AggregateFunction("count", None),)
