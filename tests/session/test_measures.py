"""Numbers about a query: measures, groups, totals, tops and samples, as a session gives them."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

import pytest
from attrs import evolve

import callsheet
from callsheet import measures
from callsheet.errors import QueryError, UsageError
from callsheet.measures import TOTAL, Level, count, distinct, level, mean, median, quantile, total


@pytest.fixture
def slate(show: Any) -> Any:
    """The show, with bids 1 to 12, and the days of a month on which tasks are due."""
    for number, task in enumerate(show.query("Task order by parent.name, name"), 1):
        task["bid"] = float(number)
        task["due_date"] = date(2026, 1, 26 + number) if number < 6 else date(2026, 2, number) if number < 12 else None
    show.commit()
    fresh = show.fork()
    yield fresh
    fresh.close()


def test_texts_still_name_the_numbers(slate: Any) -> None:
    """Functions and groups as texts, the results as dicts by these texts."""
    assert slate.query("Task").aggregate("count", "sum(bid)", group_by=["status.name"]) == [
        {"status.name": "Done", "count": 6, "sum(bid)": 36.0},
        {"status.name": "Ready", "count": 6, "sum(bid)": 42.0},
    ]
    assert slate.query("Task").aggregate() == [{"count": 12}]


def test_measures_are_named_by_their_texts_or_by_a_mapping(slate: Any) -> None:
    """Arithmetic is of the group's numbers; a condition filters one measure."""
    done = total("bid", where="status.name is Done")
    assert slate.query("Task").aggregate(
        done / total("bid"), {"Middle": median("bid"), "p90": quantile("bid", 0.9)}
    ) == [{'(sum(bid) where status.name = "Done") / sum(bid)': 36 / 78, "Middle": 6.5, "p90": 10.9}]


def test_each_owner_is_once_in_a_group(slate: Any) -> None:
    """Both tasks of a shot reach its first frame, which counts once; repeated, it counts for each task."""
    frames = {"once": total("parent[Shot].fstart"), "each": total("parent[Shot].fstart", repeated=True)}
    assert slate.query("Task").aggregate(frames) == [{"once": 6 * 1001, "each": 12 * 1001}]
    assert slate.query("Task").aggregate(frames, group_by="status.name") == [
        {"status.name": "Done", "once": 6006, "each": 6006},
        {"status.name": "Ready", "once": 6006, "each": 6006},
    ]


def test_groups_have_bands_conditions_orders_and_limits(slate: Any) -> None:
    """Of the months, those with enough, the largest first."""
    query = slate.query("Task")
    months = query.aggregate(
        total("bid"), group_by=[level("due_date", "month", name="Month")], order_by="sum(bid) desc"
    )
    assert months == [
        {"Month": date(2026, 2, 1), "sum(bid)": 51.0},
        {"Month": date(2026, 1, 1), "sum(bid)": 15.0},
        {"Month": None, "sum(bid)": 12.0},
    ]
    few = query.aggregate("count", group_by="month(due_date)", having=(count() > 1) & (total("bid") < 50))
    assert few == [{"month(due_date)": date(2026, 1, 1), "count": 5}]
    assert query.aggregate("count", group_by="month(due_date)", having="count > 1 and sum(bid) < 50") == few
    named = query.aggregate({"Size": "count"}, group_by="month(due_date)", having="Size is 5 or not count(bid) >= 2")
    assert [row["Size"] for row in named] == [1, 5]
    weeks = query.aggregate("count", group_by="week(due_date)", order_by="week(due_date) descending", limit=2, offset=1)
    assert weeks == [
        {"week(due_date)": date(2026, 2, 2), "count": 3},
        {"week(due_date)": date(2026, 1, 26), "count": 5},
    ]


def test_totals_are_marked(slate: Any) -> None:
    """A total is no None, comes after its groups, and is right for measures that do not add up."""
    query = slate.query("Task where bid > 10")
    rows = query.aggregate(distinct("status"), median("bid"), group_by=["due_date", "name"], totals=True)
    assert [tuple(row.values()) for row in rows] == [
        (None, "light", 1, 12.0),
        (None, TOTAL, 1, 12.0),
        (date(2026, 2, 11), "anim", 1, 11.0),
        (date(2026, 2, 11), TOTAL, 1, 11.0),
        (TOTAL, TOTAL, 2, 11.5),
    ]
    only = query.aggregate("count", group_by=["due_date", "name"], totals=[["name"], []])
    assert [tuple(row.values()) for row in only if TOTAL in row.values()] == [
        (TOTAL, "anim", 1),
        (TOTAL, "light", 1),
        (TOTAL, TOTAL, 2),
    ]
    assert repr(TOTAL) == "TOTAL"


def test_an_aggregate_is_of_what_the_query_selects(slate: Any) -> None:
    """Limit, offset, tops and samples bound the entities."""
    first = slate.query("Task order by bid descending limit 3")
    assert first.aggregate("sum(bid)", "count") == [{"sum(bid)": 33.0, "count": 3}]
    assert slate.query("Task order by bid").offset(10).aggregate("sum(bid)") == [{"sum(bid)": 23.0}]
    assert slate.query("Task").limit(1, by="bid descending", per="parent").aggregate("sum(bid)") == [{"sum(bid)": 42.0}]
    assert slate.query("Task sample 0.5 by 3").aggregate("count") == [{"count": 6}]


def test_a_limit_may_be_for_each_value(slate: Any) -> None:
    """The largest of each shot; order and limit apply to what remains; the text says the same."""
    query = slate.query("Task").limit(1, by="bid descending", per="parent").order_by("bid").limit(2)
    assert [task["bid"] for task in query] == [2.0, 4.0]
    assert str(query) == "Task limit 1 per parent.id by bid descending order by bid limit 2"
    assert [task["bid"] for task in slate.query(str(query))] == [2.0, 4.0]
    assert slate.query("Task limit 1 per parent").count() == 6
    assert [task["bid"] for task in slate.query("Task limit 2 by bid descending order by bid")] == [11.0, 12.0]


def test_samples_are_drawn_by_their_seed(slate: Any) -> None:
    """The same seed draws the same; the shares of a stratified sample are those of its strata."""
    query = slate.query("Task")
    drawn = {seed: [task["id"] for task in query.sample(5, seed=seed)] for seed in (1, 2)}
    assert len(drawn[1]) == len(drawn[2]) == 5
    assert drawn[1] == [task["id"] for task in slate.fork().query("Task sample 5 by 1").pages_of(2)]
    assert drawn[1] != drawn[2]
    assert set(drawn[1]) < {task["id"] for task in query.sample(9, seed=1)}
    assert [task["bid"] for task in query.order_by("bid").sample(2, method="first")] == [1.0, 2.0]
    shares = query.sample(4, per="status", seed=5).aggregate("count", group_by="status.name")
    assert [row["count"] for row in shares] == [2, 2]
    assert query.sample(fraction=0.25).count() == 3


def test_the_past_has_its_own_numbers(slate: Any) -> None:
    """Measures, tops and samples are those of the moment."""
    before = slate.at(slate.commits()[-1].position)
    for task in slate.query("Task where bid > 10"):
        slate.delete(task)
    slate.commit()
    with before as past:
        assert past.query("Task").aggregate(median("bid"), "count") == [{"median(bid)": 6.5, "count": 12}]
        assert past.query("Task limit 1 per status by bid descending").aggregate("sum(bid)") == [{"sum(bid)": 23.0}]
    assert slate.query("Task").aggregate(median("bid"), "count") == [{"median(bid)": 5.5, "count": 10}]


@pytest.mark.anyio
async def test_an_asynchronous_session_has_the_same_numbers() -> None:
    """Each verb is declared once."""
    async with callsheet.AsyncSession("memory:") as session:
        session.create("Tag", {"name": "a"})
        await session.commit()
        found = await session.query("Tag").aggregate(count(), group_by="name", totals=True)
        assert [tuple(row.values()) for row in found] == [("a", 1), (TOTAL, 1)]


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda query: query.aggregate("sume(bid)"), QueryError, "no function `sume`; did you mean `sum`?"),
        (lambda query: query.aggregate(3), UsageError, "a measure is a text such as 'sum(bid)'"),
        (lambda query: query.aggregate("count", "count(id)", {"count": mean("bid")}), UsageError, ""),
        (lambda query: query.aggregate("count", group_by="moth(due_date)"), QueryError, "did you mean `month`?"),
        (lambda query: query.aggregate("count", group_by="bid", totals=[["name"]]), UsageError, "`name` of the totals"),
        (lambda query: query.aggregate(total("bid") + "1"), UsageError, "joined with measures and numbers"),
        (lambda query: query.sample(3, fraction=0.1), QueryError, "either a number of entities or a fraction"),
        (lambda query: query.sample(-1), UsageError, "sample is a whole number from 0"),
        (lambda query: query.limit(3, per="children"), QueryError, "is a collection"),
        (lambda query: bool(total("bid")), UsageError, "a measure is neither true nor false"),
        (lambda query: quantile("bid", 2), UsageError, "from 0 to 1, not 2"),
        (lambda query: total(None), UsageError, "sum needs a path"),
        (lambda query: list(query.aggregate("count", group_by=Level("due_date", "day", zone="x"))), None, ""),
    ],
)
def test_what_makes_no_sense_is_refused(slate: Any, ask: Any, error: Any, message: str) -> None:
    """Before anything is sent."""
    if error is None:
        assert ask(slate.query("Task"))
        return
    if not message:
        assert ask(slate.query("Task"))[0]["count"] == 6.5
        return
    with pytest.raises(error, match=re.escape(message)):
        ask(slate.query("Task"))


def test_a_zone_is_one_that_the_server_knows(slate: Any) -> None:
    """Moments are banded by a calendar; dates have none."""
    user = slate.create("User", {"username": "anna"})
    slate.create("Timelog", {"user": user, "start": datetime(2026, 1, 1, 23, tzinfo=UTC)})
    slate.commit()
    query = slate.query("Timelog")
    assert query.aggregate("count", group_by="day(start)")[0]["day(start)"] == date(2026, 1, 1)
    berlin = Level("start", "day", zone="Europe/Berlin")
    assert query.aggregate("count", group_by=berlin)[0]["day(start)"] == date(2026, 1, 2)
    with pytest.raises(callsheet.ServerError, match="there is no time zone `Berlin`"):
        query.aggregate("count", group_by=Level("start", "day", zone="Berlin"))


def test_a_server_without_measures_is_not_asked(slate: Any) -> None:
    """It is refused by name, and told what to do; the five functions of attributes are still requested."""
    described = slate._description
    slate._description = evolve(described, features=evolve(described.features, measures=False))
    assert slate.query("Task").aggregate("sum(bid)") == [{"sum(bid)": 78.0}]
    with pytest.raises(UsageError, match="counts, sums, averages and extremes by attributes only"):
        slate.query("Task").aggregate(median("bid"))
    with pytest.raises(UsageError, match="draws no samples"):
        slate.query("Task sample 3")


def test_paths_may_be_expressions(slate: Any) -> None:
    """``Task.bid`` is a path, and conditions on it are conditions."""
    task = slate.types["Task"]
    asked = measures.total(task.bid, where=task.bid > 10)
    assert slate.query("Task").aggregate({"large": asked}, group_by=task.status.name) == [
        {"status.name": "Done", "large": 11.0},
        {"status.name": "Ready", "large": 12.0},
    ]
