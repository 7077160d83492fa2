"""Laws of external ids: on random rows and servers, with kills and two jobs at once, each row has one entity."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import callsheet
from callsheet import RowMapping, Session
from callsheet.errors import CallsheetError

KEY = callsheet.external("tracker")
MAPPING = RowMapping({"name": "name", "bid": "bid"}, constants={"parent.name": "show"})
POLICIES = [None, "source", "target", "raise", "merge"]
ROW = st.fixed_dictionaries({"name": st.sampled_from("abcdef"), "bid": st.sampled_from([1.0, 2.0])})
#: Rows by id; no two have one name, as in any system of this kind.
ROWS = st.dictionaries(st.integers(1, 5), ROW, max_size=5).map(
    lambda rows: {
        id: row for id, row in rows.items() if [each["name"] for each in rows.values()].count(row["name"]) == 1
    }
)
THERE = st.sets(st.sampled_from("abcdef"), max_size=3)


class KilledHere(Exception):
    """The job was killed after a commit."""


@pytest.fixture(scope="module")
def server() -> Iterator[Session]:
    """One server for all examples."""
    with Session("memory:") as session:
        session.create("Project", {"name": "show"})
        session.commit()
        yield session


def emptied(server: Session, there: set[str]) -> Session:
    session = server.fork()
    for kind in ("Task", "ExternalId"):
        for entity in session.query(kind).all():
            session.delete(entity)
    session.commit()
    project = session.query("Project").one()
    for name in sorted(there):
        session.create("Task", {"name": name, "parent": project})
    session.commit()
    return server.fork()


def plan(session: Session, rows: dict[int, dict[str, Any]], policy: str | None, **options: Any) -> Any:
    given = [{"id": id, **row} for id, row in rows.items()]
    more = {"adopt": ("parent.name", "name"), "conflicts": policy, "on_error": "skip", "max_deleted": 1, **options}
    return session.fork().plan("Task", given, KEY, MAPPING, **more)


def check(session: Session, rows: dict[int, dict[str, Any]], there: set[str], policy: str | None) -> None:
    """Each row has exactly one entity, with its values where they are the row's to decide."""
    tasks = {task["id"]: task for task in session.fork().query("select id, name, bid from Task")}
    links = list(session.fork().query("select foreign_id, entity_id from ExternalId"))
    own = {each["foreign_id"]: tasks[each["entity_id"]] for each in links if each["entity_id"] in tasks}
    assert len({task["id"] for task in own.values()}) == len(own)
    assert {str(id) for id in rows} <= own.keys()
    assert len({task["name"] for task in tasks.values()}) == len(tasks)
    for id, row in rows.items():
        assert own[str(id)]["name"] == row["name"]
        if policy in (None, "source"):
            assert own[str(id)]["bid"] == row["bid"]
    assert there <= {task["name"] for task in tasks.values()} | {row["name"] for row in rows.values()}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, there=THERE, policy=st.sampled_from(POLICIES))
def test_once_is_enough_and_the_log_agrees(server: Session, rows: Any, there: set[str], policy: Any) -> None:
    """The next plan is empty, and the log has as many changes as the plan says."""
    session = emptied(server, there)
    made = plan(session, rows, policy)
    done = made.apply()
    assert plan(session, rows, policy).is_empty
    changes = [change for commit in done.commits for change in session.commits(after=commit.position - 1)[0].changes]
    kinds = [change.identity.entity_type for change in changes]
    assert kinds.count("Task") == len(made.created) + len(made.changed)
    assert kinds.count("ExternalId") == len(rows)
    assert (len(made.linked), len(made.created)) == (done.linked, done.created)
    assert len(made.linked) == sum(row["name"] in there for row in rows.values())
    check(session, rows, there, policy)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, there=THERE, policy=st.sampled_from(POLICIES), kill=st.integers(1, 5), chunk=st.integers(1, 4))
def test_a_killed_job_is_finished_by_the_next(
    server: Session, rows: Any, there: set[str], policy: Any, kill: int, chunk: int
) -> None:
    """After any of its commits: no entity is without its link, and none is there twice."""
    session = emptied(server, there)
    left = [kill]

    def killing(done: int, total: int) -> None:
        left[0] -= 1
        if not left[0]:
            raise KilledHere

    try:
        plan(session, rows, policy).apply(atomic=False, chunk=chunk, progress=killing)
    except KilledHere:
        pass
    plan(session, rows, policy).apply(atomic=False, chunk=chunk)
    assert plan(session, rows, policy).is_empty
    check(session, rows, there, policy)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, there=THERE, policy=st.sampled_from(POLICIES), chunks=st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_two_jobs_that_saw_the_same_do_not_double(
    server: Session, rows: Any, there: set[str], policy: Any, chunks: tuple[int, int]
) -> None:
    """Both plans were made before either was applied: the second does nothing again, or is refused."""
    session = emptied(server, there)
    plans = [plan(session, rows, policy) for _ in range(2)]
    for made, chunk in zip(plans, chunks, strict=True):
        try:
            made.apply(atomic=chunk == 4, chunk=chunk)
        except CallsheetError:
            pass
    plan(session, rows, policy).apply()
    assert plan(session, rows, policy).is_empty
    check(session, rows, there, policy)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, after=ROWS, policy=st.sampled_from(POLICIES))
def test_rows_that_go_take_their_entities_along(server: Session, rows: Any, after: Any, policy: Any) -> None:
    """With delete="delete" the server has the rows' entities and no other of theirs, and forgets the links."""
    session = emptied(server, set())
    plan(session, rows, policy).apply()
    try:
        plan(session, after, policy, delete="delete").apply()
    except CallsheetError:
        # Names that move from row to row are in each other's way for a moment: nothing was done.
        return
    again = plan(session, after, policy, delete="delete")
    assert again.is_empty
    if again.refused:
        # A row with a new id and the name of one that went: somebody has to say whether they are the same.
        assert {each.value for each in again.refused} <= {task["name"] for task in session.fork().query("Task")}
        return
    found = session.fork().query("select foreign_id from ExternalId")
    assert {each["foreign_id"] for each in found} == {str(id) for id in after}
    assert session.fork().query("Task").count() == len(after)
