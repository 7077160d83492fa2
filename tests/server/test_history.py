"""What happened can be asked for, page by page, by those who may know; and the store as it was can be read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from databases import postgres_database
from hypothesis import HealthCheck, given, settings
from sqlalchemy import event
from studio import Create, Delete, Identity, Studio, Update, project, task, update

import happenings
from callsheet.errors import Forbidden, Invalid, NotFound, TooLarge
from callsheet.model.history import commit_from_plain
from callsheet.model.language.parser import parse
from callsheet.model.operation import ChangeSet
from callsheet.server.log import history
from callsheet.server.reading.snapshot import LIFETIME, Snapshots, materialised
from happenings import START, batches, happening, held

P, Q, A, B = Identity("Project", "p"), Identity("Project", "q"), Identity("Task", "a"), Identity("Task", "b")


def ask(studio: Studio, action: str, by: str = "admin", **arguments: Any) -> Any:
    return studio.service.backend(by).call(action, arguments)


def told(answer: dict[str, Any]) -> list[tuple[int, list[str]]]:
    """Of each commit its position, and the keys of what it changed."""
    return [(plain["position"], [change["key"] for change in plain["changes"]]) for plain in answer["commits"]]


# -- commits -------------------------------------------------------------------------------------------------


def test_commits_are_told_with_who_when_and_what(studio: Studio) -> None:
    """As plain data; a commit is made of it again."""
    studio.commit(task("a", bid=1), user="anna", origin="here", commit_id="mine")
    studio.commit(update(A, bid=2), Create(Identity("Tag", "t")))
    answer = ask(studio, "commits")
    commit = commit_from_plain(answer["commits"][0])
    assert (commit.position, commit.commit_id, commit.user, commit.origin) == (1, "mine", "anna", "here")
    assert commit.time == datetime(2026, 5, 1, 12, 0, 1, tzinfo=UTC)
    assert [(change.identity, change.kind, change.version) for change in commit.changes] == [(A, "create", 1)]
    assert told(answer) == [(1, ["a"]), (2, ["a", "t"])]
    assert answer["next"] is None


def test_commits_come_in_pages(studio: Studio) -> None:
    """``next`` is where to go on: nothing is told twice, nothing left out."""
    for number in range(7):
        studio.commit(task(f"t{number}"))
    first = ask(studio, "commits", limit=3)
    assert [position for position, _ in told(first)] == [1, 2, 3]
    assert first["next"] == [3, 0]
    second = ask(studio, "commits", after=3, limit=100)
    assert [position for position, _ in told(second)] == [4, 5, 6, 7]


def test_a_large_commit_goes_on_on_the_next_page(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is bounded by the changes in it, too."""
    monkeypatch.setattr(history, "CHANGES", 4)
    studio.commit(*(task(f"t{number}") for number in range(6)))
    studio.commit(task("u"))
    pages, after, skip = [], 0, 0
    while True:
        answer = ask(studio, "commits", after=after, skip=skip)
        pages.append(told(answer))
        if answer["next"] is None:
            break
        after, skip = answer["next"]
    assert pages == [[(1, ["t0", "t1", "t2", "t3"])], [(1, ["t4", "t5"]), (2, ["u"])]]


def test_commits_of_one_user_since_a_time_or_by_id(studio: Studio) -> None:
    """Each narrows what is told."""
    for number, user in enumerate(("anna", "ben", "anna", "ben")):
        studio.commit(task(f"t{number}"), user=user)
    assert [position for position, _ in told(ask(studio, "commits", user="ben"))] == [2, 4]
    since = datetime(2026, 5, 1, 12, 0, 3, tzinfo=UTC)
    assert [position for position, _ in told(ask(studio, "commits", since=since))] == [3, 4]
    assert [position for position, _ in told(ask(studio, "commits", since=since, after=3))] == [4]
    assert told(ask(studio, "commits", since=since + timedelta(hours=1))) == []
    assert [position for position, _ in told(ask(studio, "commits", commit_id="commit-2"))] == [2]


@pytest.mark.parametrize(
    ("action", "arguments", "problem"),
    [
        ("commits", {"after": -1}, "`after` is an integer from 0"),
        ("commits", {"limit": 1_001}, "`limit` is an integer from 1 to 1,000"),
        ("commits", {"limit": True}, "`limit` is an integer"),
        ("commits", {"since": datetime(2026, 5, 1)}, "`since` is a datetime with a time zone"),
        ("commits", {"user": 3}, "`user` is a string"),
        ("commits", {"colour": "red"}, "unexpected keyword argument 'colour'"),
        ("history", {"entity_type": "Task", "key": ["a"]}, "a key is a string"),
        ("at", {}, "takes a position or a time"),
        ("at", {"position": 7}, "there is no commit 7 yet; the last is 0"),
        ("at", {"time": "now"}, "`time` is a datetime with a time zone"),
    ],
)
def test_wrong_arguments_are_refused(studio: Studio, action: str, arguments: dict[str, Any], problem: str) -> None:
    """With the argument at fault."""
    with pytest.raises(Invalid, match=problem):
        ask(studio, action, **arguments)


# -- one entity ----------------------------------------------------------------------------------------------


def test_history_is_told_newest_first_and_of_the_deleted(studio: Studio) -> None:
    """Also by the name of another type of the family; what never was has none."""
    studio.commit(task("a", bid=1), task("b"))
    studio.commit(update(A, bid=2))
    studio.commit(update(B, bid=2))
    studio.commit(Delete(A))
    answer = ask(studio, "history", entity_type="Node", key="a")
    assert told(answer) == [(4, ["a"]), (2, ["a"]), (1, ["a"])]
    assert [plain["changes"][0]["kind"] for plain in answer["commits"]] == ["delete", "update", "create"]
    assert ask(studio, "history", entity_type="Task", key="x") == {"commits": [], "next": None}
    with pytest.raises(NotFound, match="no entity type `Tsak`"):
        ask(studio, "history", entity_type="Tsak", key="x")


def test_history_comes_in_pages(studio: Studio) -> None:
    """``next`` is the commit to start at again."""
    studio.commit(task("a"))
    for number in range(4):
        studio.commit(update(A, bid=number))
    first = ask(studio, "history", entity_type="Task", key="a", limit=2)
    assert (told(first), first["next"]) == ([(5, ["a"]), (4, ["a"])], 3)
    rest = ask(studio, "history", entity_type="Task", key="a", start=first["next"])
    assert (told(rest), rest["next"]) == ([(3, ["a"]), (2, ["a"]), (1, ["a"])], None)


# -- cost ----------------------------------------------------------------------------------------------------


@contextmanager
def statements(studio: Studio) -> Iterator[list[tuple[str, Any]]]:
    """The statements that are sent meanwhile."""
    sent: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        sent.append((statement, parameters))

    with studio.store.reading() as connection:
        engine = connection.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    ("action", "arguments"),
    [
        ("history", {"entity_type": "Task", "key": "a"}),
        ("history", {"entity_type": "Task", "key": "b"}),
        ("commits", {"after": 3}),
        ("commits", {"user": "admin", "after": 2}),
        ("commits", {"since": START + timedelta(seconds=3)}),
        ("commits", {"commit_id": "commit-2"}),
        ("at", {"time": START + timedelta(seconds=3)}),
    ],
)
def test_no_read_of_history_scans_a_table(studio: Studio, action: str, arguments: dict[str, Any]) -> None:
    """Each statement searches by a key or an index, and none sorts: the cost hangs on what is told."""
    studio.commit(task("a"), task("b"))
    studio.commit(update(A, bid=1))
    studio.commit(Delete(B))
    studio.commit(update(A, bid=2))
    with statements(studio) as sent:
        ask(studio, action, **arguments)
    queries = [(text, parameters) for text, parameters in sent if text.lstrip().startswith("SELECT")]
    assert 0 < len(queries) <= 6
    with studio.store.reading() as connection:
        for text, parameters in queries:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters)]
            assert all(step.startswith("SEARCH") for step in plan), (text, plan)


# -- who may know --------------------------------------------------------------------------------------------


@pytest.fixture
def split(studio: Studio) -> Studio:
    """Two projects with a task each, and an account that may read one of them."""
    studio.service.accounts.add("gina", "guest")
    studio.commit(project("p"), project("q"))
    studio.service.roles.grant("gina", "reader", "p")
    studio.commit(task("a", P), task("b", Q))
    studio.commit(update(A, about=B))
    studio.commit(update(B, bid=1))
    return studio


def test_what_may_not_be_read_has_no_history(split: Studio) -> None:
    """It is told as what never was; commits that changed nothing else are left out."""
    assert told(ask(split, "commits", "gina")) == [(1, ["p"]), (2, ["a"]), (3, ["a"])]
    assert ask(split, "history", "gina", entity_type="Task", key="b") == {"commits": [], "next": None}
    assert len(ask(split, "history", "gina", entity_type="Task", key="a")["commits"]) == 2


def test_references_to_what_may_not_be_read_are_told_as_none(split: Studio) -> None:
    """As when they are read."""
    change = ask(split, "history", "gina", entity_type="Task", key="a")["commits"][0]["changes"][0]
    assert change["after"]["about"] is None
    assert ask(split, "history", entity_type="Task", key="a")["commits"][0]["changes"][0]["after"]["about"] == B


def test_the_deleted_count_as_where_they_were(split: Studio) -> None:
    """Their last project decides, also for what belongs to one by way of something deleted."""
    split.commit(Create(Identity("Version", "v"), {"task": A}), Create(Identity("Version", "w"), {"task": B}))
    split.commit(Delete(A), Delete(B))
    assert told(ask(split, "commits", "gina", after=4)) == [(5, ["v"]), (6, ["a", "v"])]
    assert len(ask(split, "history", "gina", entity_type="Task", key="a")["commits"]) == 3
    assert ask(split, "history", "gina", entity_type="Task", key="b")["commits"] == []


def test_the_past_is_read_under_the_permissions_of_now(split: Studio) -> None:
    """What belongs to which project is as it was then."""
    split.commit(update(A, parent=Q))
    now, then = split.service.backend("gina"), split.service.backend("gina").at(3)
    query = parse("Task order by id")
    assert keys(now.select(query, 10)) == []
    assert keys(then.select(query, 10)) == ["a"]


def keys(page: Any) -> list[str]:
    return [row[0] for block in page.records[: page.roots] for row in block.rows]


# -- the past ------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(batches)
def test_the_store_as_it_was_is_what_it_was(steps: list[list[Any]]) -> None:
    """After whatever commits: every row, membership, version and tombstone of every moment."""
    with happening() as studio:
        studio.commit(*happenings.first())
        for step in steps:
            studio.commit(*step)
        for position, state in enumerate(studio.states):
            past = materialised(studio.store, position)
            assert held(past) == state
            assert ("fps" in past.schema.types["Task"].custom) is (position > 0)
            past.close()


def test_the_past_answers_like_the_present_did(studio: Studio) -> None:
    """Queries, aggregates, the schema; history up to then."""
    config = {"key": "fps", "entity_type": "Task", "data_type": "number"}
    studio.commit(task("a", bid=1), task("b", bid=2))
    studio.commit(Create(Identity("CustomAttributeConfiguration", "c"), config))
    studio.commit(Update(A, {"custom_attributes.fps": 25, "bid": 7}), Delete(B))
    backend = studio.service.backend("admin")
    before, after = backend.at(1), backend.at(3)
    query = parse("select bid from Task order by id")
    assert [list(row) for row in before.select(query, 10).records[0].rows] == [["a", 1, 1.0], ["b", 1, 2.0]]
    assert [list(row) for row in after.select(query, 10).records[0].rows] == [["a", 2, 7.0]]
    schemas = [each.describe().schema for each in (before, after)]
    assert [list(schema.types["Task"].custom) for schema in schemas if schema] == [[], ["fps"]]
    assert told(before.call("history", {"entity_type": "Task", "key": "a"})) == [(1, ["a"])]
    assert told(after.call("history", {"entity_type": "Task", "key": "b"})) == [(3, ["b"]), (1, ["b"])]
    assert told(before.call("commits", {})) == [(1, ["a", "b"])]
    assert before.call("at", {"time": START + timedelta(days=1)}) == {"position": 1}


def test_the_past_cannot_be_changed(studio: Studio) -> None:
    """Nor can anything be done there but read."""
    studio.commit(task("a"))
    past = studio.service.backend("admin").at(1)
    for attempt in (
        lambda: past.commit(ChangeSet("x", (task("b"),))),
        lambda: past.stage("x", 0, [task("b")]),
        lambda: past.call("users.list", {}),
    ):
        with pytest.raises(Invalid, match="state of the server after commit 1: it is read-only"):
            attempt()


def test_a_moment_is_a_position_or_a_time(studio: Studio) -> None:
    """A time is the last commit done by then; there is no future."""
    for number in range(3):
        studio.commit(task(f"t{number}"))
    at = [ask(studio, "at", time=START + timedelta(seconds=second))["position"] for second in (0, 1, 2.5, 3, 99)]
    assert at == [0, 1, 2, 3, 3]
    assert ask(studio, "at", position=2) == {"position": 2}
    with pytest.raises(Invalid, match="there is no commit 4 yet"):
        studio.service.backend("admin").at(4).select(parse("Task"), 1)


def test_too_much_cannot_be_read_as_it_was(studio: Studio) -> None:
    """Rows are bounded, and so is what happened since."""
    studio.commit(task("a"))
    for number in range(4):
        studio.commit(update(A, bid=number))
    past = materialised(studio.store, 1, 4)
    assert "Node a" in held(past)
    past.close()
    with pytest.raises(TooLarge, match="more than 3 changes have been made since"):
        materialised(studio.store, 1, 3)
    studio.commit(task("b"), task("c"))
    with pytest.raises(TooLarge, match="more than 2 rows"):
        materialised(studio.store, 6, 2)


def test_moments_are_kept_for_a_while(studio: Studio) -> None:
    """At most four, the longest unasked goes first; after five minutes all of them; none while it is read."""
    now = [0.0]
    snapshots = Snapshots(studio.store, clock=lambda: now[0])
    for number in range(6):
        studio.commit(task(f"t{number}"))
    opened: dict[int, Any] = {}
    for position in (1, 2, 3, 4, 1, 5):
        with snapshots.at(position) as store:
            opened.setdefault(position, store)
    with snapshots.at(1) as again, snapshots.at(2) as anew:
        assert (again is opened[1], anew is opened[2]) == (True, False)
        now[0] += LIFETIME
        with snapshots.at(6):
            pass
        assert "Node t0" in held(again)
    assert len(snapshots) <= 3
    now[0] += LIFETIME
    with snapshots.at(1):
        assert len(snapshots) == 1
    snapshots.close()
    assert len(snapshots) == 0


def test_a_disabled_account_reads_no_past(studio: Studio) -> None:
    """The account is looked up with each request, for moments that are kept, too."""
    studio.service.accounts.add("gina", "guest")
    past = studio.service.backend("gina").at(0)
    assert keys(past.select(parse("Task"), 1)) == []
    with pytest.raises(Forbidden):
        studio.service.backend("gina").call("users.list", {})
    studio.service.accounts.disable("gina")
    with pytest.raises(Exception, match="disabled"):
        past.select(parse("Task"), 1)


@pytest.mark.parametrize("kind", ["file", "postgresql"])
def test_the_past_of_other_databases(kind: str, tmp_path: Any) -> None:
    """The database need not be in memory for its past to be; history is told alike."""
    with contextlib.ExitStack() as stack:
        file = f"sqlite:///{tmp_path / 'studio.db'}"
        url = file if kind == "file" else stack.enter_context(postgres_database())
        studio = stack.enter_context(happening(url))
        studio.commit(*happenings.first())
        at, end, b = START, date(2026, 7, 1), happenings.identity("b")
        values = {"due": end, "data": {"$date": [1.5]}, "custom_attributes.end": end, "metadata.k": "1", "about": b}
        studio.commit(Update(b, values, added={"watchers": (happenings.identity("u"),)}))
        studio.commit(Delete(happenings.identity("a")))
        studio.commit(Create(b, {"name": "again"}))
        for position, state in enumerate(studio.states):
            past = materialised(studio.store, position)
            assert held(past) == state
            past.close()
        answer = studio.service.backend("anna").call("history", {"entity_type": "Task", "key": "b"})
        assert [plain["changes"][0]["kind"] for plain in answer["commits"]] == ["create", "delete", "update", "create"]
        assert studio.service.backend("anna").call("at", {"time": at}) == {"position": 0}
