"""A session tells what happened, takes commits back, and looks at the past; the same in process and over HTTP."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings

import callsheet
import happenings
from callsheet import AsyncSession, ConflictError, Identity, Session, UsageError
from callsheet.model.history import Commit, EntityChange, HistoryEntry
from callsheet.model.operation import Change, Delete, Update
from callsheet.session.connection import over
from happenings import DOCUMENT, batches, happening, held, lasting
from strategies import EXAMPLES

A = happenings.identity("a")


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    with callsheet.serve(DOCUMENT) as server:
        yield server


@pytest.fixture(params=["local", "native"])
def session(request: pytest.FixtureRequest) -> Iterator[Any]:
    """A session on a new store in this process, or on one behind HTTP."""
    if request.param == "local":
        with happening() as studio, Session(connection=over(studio.service.backend("anna"))) as session:
            yield session
        return
    server = request.getfixturevalue("server")
    with Session(server.url, "admin", server.admin_key, schema_cache=False) as session:
        yield session
        for name in ("Version", "Node", "Status", "Tag", "User", "CustomAttributeConfiguration"):
            for entity in session.query(name):
                if session.unit.is_alive(entity):
                    session.delete(entity)
        session.commit()


@contextmanager
def raises_conflict() -> Iterator[list[Change]]:
    """The conflicts of the error raised inside."""
    found: list[Change] = []
    with pytest.raises(ConflictError) as caught:
        yield found
    found += caught.value.conflicts


# -- history and commits -------------------------------------------------------------------------------------


def test_the_history_of_an_entity(session: Any) -> None:
    """Who, when, what it was before and is after; newest first, with typed values."""
    project = session.create("Project", {"name": "p"})
    task = session.create("Task", {"name": "t", "due": date(2026, 6, 1), "metadata": {"k": "1"}})
    first = session.commit()
    task["parent"], task["due"], task["data"] = project, None, {"$date": "no date"}
    user = session.create("User")
    task["watchers"].append(user)
    second = session.commit()
    newest, oldest = session.history(task)
    assert isinstance(newest, HistoryEntry)
    assert (newest.position, newest.commit_id, newest.time) == (second.position, second.commit_id, second.time)
    assert (newest.kind, newest.user, newest.origin) == ("update", session.server_information.user, session.origin)
    assert newest.before["due"] == date(2026, 6, 1)
    assert newest.after["parent"] == project.identity
    assert newest.after["data"] == {"$date": "no date"}
    assert newest.added == {"watchers": (user.identity,)}
    assert (oldest.position, oldest.kind, oldest.before) == (first.position, "create", {})
    assert oldest.after["metadata.k"] == "1"


def test_the_history_of_what_was_deleted(session: Any) -> None:
    """By its identity; its last entry tells all it held."""
    task = session.create("Task", {"name": "t"})
    session.commit()
    identity = task.identity
    session.delete(task)
    session.commit()
    entries = session.history(identity)
    assert [entry.kind for entry in entries] == ["delete", "create"]
    assert entries[0].before["name"] == "t"
    assert session.history(Identity("Task", "never")) == []
    assert session.history(session.create("Task", {"name": "pending"})) == []
    session.rollback()


def test_limits_and_pages(session: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """At most so many; None tells all, however many requests that takes."""
    start = session.commits(limit=None)
    task = session.create("Task", {"name": "t"})
    after = session.commit().position
    for number in range(5):
        task["bid"] = number + 10.0
        session.commit()
    monkeypatch.setattr("callsheet.core.past.history.PAGE", 2)
    assert len(session.history(task, limit=None)) == 6
    assert [entry.after["bid"] for entry in session.history(task, limit=3)] == [14.0, 13.0, 12.0]
    commits = session.commits(after, limit=3)
    assert [commit.position for commit in commits] == [after + 1, after + 2, after + 3]
    assert len(session.commits(limit=None)) == len(start) + 6
    assert session.commits(limit=0) == session.history(task, limit=0) == []


def test_commits_of_a_user_since_a_time(session: Any) -> None:
    """A commit tells all that it changed."""
    session.create("Task", {"name": "t"})
    result = session.commit()
    (commit,) = session.commits(after=result.position - 1, user=session.server_information.user, since=result.time)
    assert isinstance(commit, Commit)
    assert isinstance(commit.changes[0], EntityChange)
    assert (commit.commit_id, len(commit.changes)) == (result.commit_id, 1)
    assert session.commits(user="nobody") == []
    assert session.commits(since=result.time + timedelta(days=1)) == []


@pytest.mark.parametrize(
    "call",
    [
        lambda session: session.history("a"),
        lambda session: session.history(A, limit=-1),
        lambda session: session.commits(since=datetime(2026, 5, 1)),
        lambda session: session.undo(True),
        lambda session: session.undo("unknown"),
        lambda session: session.undo(0),
        lambda session: session.undo(10**9),
        lambda session: session.undo(1, conflicts="perhaps"),
        lambda session: session.at("yesterday"),
        lambda session: session.at(datetime(2026, 5, 1)),
        lambda session: session.at(-1),
    ],
)
def test_wrong_use_is_an_error(callsheet_session: Any, call: Callable[[Any], Any]) -> None:
    """Of the caller's; nothing is recorded."""
    with pytest.raises(UsageError):
        call(callsheet_session)
    assert callsheet_session.pending == ()


# -- undo ----------------------------------------------------------------------------------------------------


def test_undo_is_pending_until_committed(session: Any) -> None:
    """It is reviewed like any other work; undoing it restores."""
    task = session.create("Task", {"name": "t", "bid": 1.0})
    session.commit()
    task["bid"] = 2.0
    done = session.commit()
    assert session.undo(done) == ()
    assert session.pending == (Update(task.identity, {"bid": 1.0}, {"bid": 2.0}, version=2),)
    assert task["bid"] == 1.0
    undone = session.commit()
    session.undo(undone.commit_id)
    session.commit()
    assert session.query("Task").where(id=task.id).one()["bid"] == 2.0


def test_undo_of_a_delete_makes_everything_again(session: Any) -> None:
    """Under their old keys: parents before children, references in circles, memberships from both sides."""
    project = session.create("Project", {"name": "p", "metadata": {"k": "1"}})
    tag, user = session.create("Tag", {"name": "g"}), session.create("User", {"username": f"u-{project.id}"})
    one = session.create("Task", {"name": "one", "parent": project, "code": "fixed", "bid": None})
    two = session.create("Task", {"name": "two", "parent": one, "buddy": one, "tags": [tag], "watchers": [user]})
    one["buddy"], one["about"] = two, two
    version = session.create("Version", {"task": two})
    session.commit()
    keys = {name: entity.identity for name, entity in locals().items() if hasattr(entity, "identity")}
    session.delete(project)
    done = session.commit()
    assert len(done.deleted) == 3
    assert session.query("Node").where(id=[one.id, two.id]).count() == 0
    session.undo(done)
    assert session.created[0].identity == keys["project"]
    session.commit()
    fresh = session.fork()
    again = fresh.get("Task", keys["two"].key)
    assert again["parent"]["buddy"] is again
    assert again["parent"]["parent"]["metadata"]["k"] == "1"
    assert (again["parent"]["code"], again["parent"]["bid"], again["bid"]) == ("fixed", None, 5.0)
    assert [each.identity for each in (*again["tags"], *again["watchers"])] == [keys["tag"], keys["user"]]
    assert fresh.get("Version", keys["version"].key)["task"] is again
    assert version.state == "detached"
    fresh.close()


def test_undo_sees_members_as_they_are_now() -> None:
    """A collection that was read before somebody else's commit is read again: what left it is put back."""
    tags = {"type": "collection", "target": "Tag", "inverse": "items"}
    items = {"type": "collection", "target": "Item", "inverse": "tags"}
    name = {"type": "string"}
    document = {
        "types": {"Tag": {"attributes": {"name": name, "items": items}}, "Item": {"attributes": {"tags": tags}}}
    }
    with callsheet.serve(document) as server:
        one, other, third = (Session(server.url, "admin", server.admin_key) for _ in range(3))
        with one, other, third:
            both = [one.create("Tag", {"name": name}) for name in ("a", "b")]
            item = one.create("Item", {"tags": both})
            one.commit()
            assert len(item["tags"]) == 2
            elsewhere = other.get("Item", item["id"])
            elsewhere["tags"].remove(other.get("Tag", both[0]["id"]))
            removal = other.commit()
            one.undo(removal.position)
            one.commit()
            assert {tag["name"] for tag in third.get("Item", item["id"])["tags"]} == {"a", "b"}


def test_undo_of_a_create_deletes(session: Any) -> None:
    """What was moved into it goes back first, so that no cascade takes it along."""
    old = session.create("Project", {"name": "old"})
    task = session.create("Task", {"name": "t", "parent": old})
    session.commit()
    task["parent"] = session.create("Project", {"name": "new"})
    session.delete(old)
    done = session.commit()
    session.undo(done)
    session.commit()
    assert session.fork().get("Task", task.id)["parent"]["name"] == "old"
    assert session.query("Project").where(name="new").count() == 0


def test_undo_keeps_what_others_changed_since(session: Any) -> None:
    """Other attributes of the same entity are not touched."""
    task = session.create("Task", {"name": "t", "bid": 1.0, "metadata": {"k": "1", "l": "1"}})
    session.commit()
    task["bid"], task["metadata"]["k"] = 2.0, "2"
    done = session.commit()
    with session.fork() as other:
        theirs = other.get("Task", task.id)
        theirs["name"], theirs["metadata"]["l"] = "theirs", "2"
        other.commit()
    session.undo(done)
    session.commit()
    now = session.fork().get("Task", task.id)
    assert (now["bid"], now["name"], dict(now["metadata"])) == (1.0, "theirs", {"k": "1", "l": "2"})


@pytest.fixture
def changed(session: Any) -> Any:
    """A commit that set two values, of which one was changed since."""
    task = session.create("Task", {"name": "t", "bid": 1.0, "due": None})
    session.commit()
    task["bid"], task["due"] = 2.0, date(2026, 6, 1)
    done = session.commit()
    with session.fork() as other:
        other.get("Task", task.id)["bid"] = 3.0
        other.commit()
    return done, task


def test_undo_of_what_changed_since_is_a_conflict(session: Any, changed: Any) -> None:
    """It tells base, ours and theirs, and records nothing."""
    done, task = changed
    with pytest.raises(ConflictError, match=r"\.bid: it is 3\.0 now, not 2\.0, as that commit left it"):
        session.undo(done)
    with raises_conflict() as conflicts:
        session.undo(done)
    assert conflicts == [Change(task.identity, "bid", 2.0, 1.0, 3.0)]
    assert session.pending == ()


def test_conflicts_are_skipped_or_forced(session: Any, changed: Any) -> None:
    """What was passed over is told."""
    done, task = changed
    assert [conflict.attribute for conflict in session.undo(done, conflicts="skip")] == ["bid"]
    assert (task["bid"], task["due"]) == (3.0, None)
    session.rollback()
    assert [conflict.attribute for conflict in session.undo(done, conflicts="force")] == ["bid"]
    assert (task["bid"], task["due"]) == (1.0, None)
    session.commit()


def test_what_came_since_stands_against_deleting_what_it_hangs_from(session: Any) -> None:
    """A child, a member, a value; forced, they go along."""
    project, tag = session.create("Project", {"name": "p"}), session.create("Tag")
    done = session.commit()
    child = session.create("Task", {"name": "late", "parent": project, "tags": [tag]})
    tag["name"] = "named"
    session.commit()
    with raises_conflict() as conflicts:
        session.undo(done)
    assert Change(project.identity, "", 1, None, child.identity) in conflicts
    assert Change(tag.identity, "name", None, None, "named") in conflicts
    assert [conflict.attribute for conflict in conflicts if conflict.identity == tag.identity] == ["name", "tasks"]
    session.undo(done, conflicts="skip")
    assert session.pending == ()
    session.undo(done, conflicts="force")
    session.commit()
    assert session.query("Node").where(id=[project.id, child.id]).count() == 0


def test_what_is_gone_cannot_be_referred_to(session: Any) -> None:
    """Neither by an older value, nor by what is made again; what requires it stays deleted."""
    task = session.create("Task", {"name": "t"})
    mate = session.create("Task", {"name": "mate", "buddy": task})
    version = session.create("Version", {"task": task})
    session.commit()
    mate["buddy"] = None
    session.delete(version)
    done, keys = session.commit(), (mate.identity, version.identity, task.identity)
    session.delete(task)
    session.commit()
    with raises_conflict() as conflicts:
        session.undo(done)
    assert conflicts == [Change(keys[1], "task", None, keys[2], None), Change(keys[0], "buddy", None, keys[2], None)]
    session.undo(done, conflicts="force")
    assert session.pending == ()


def test_what_was_made_again_by_others_is_compared(session: Any) -> None:
    """Equal, there is nothing to do; else the differences are conflicts."""
    task = session.create("Task", {"name": "t", "bid": 1.0})
    session.commit()
    identity = task.identity
    session.delete(task)
    done = session.commit()
    session.undo(done)
    session.commit()
    assert session.undo(done) == ()
    assert session.pending == ()
    session.get(*identity)["bid"] = 2.0
    session.commit()
    with raises_conflict() as conflicts:
        session.undo(done)
    assert conflicts == [Change(identity, "bid", None, 1.0, 2.0)]


def test_undo_stands_on_pending_work(session: Any) -> None:
    """Two commits are taken back one after the other, and committed together."""
    task = session.create("Task", {"name": "t", "bid": 1.0})
    first = session.commit()
    task["bid"] = 2.0
    second = session.commit()
    session.undo(second)
    session.undo(first)
    assert session.pending == (Delete(task.identity, 2),)
    session.rollback()
    task["bid"] = 9.0
    with raises_conflict() as conflicts:
        session.undo(second)
    assert conflicts == [Change(task.identity, "bid", 2.0, 1.0, 9.0)]
    session.rollback()


def test_undo_asks_a_bounded_number_of_times(session: Any) -> None:
    """However many entities a commit changed."""
    asked = []
    for count in (3, 300):
        project = session.create("Project", {"name": "p"})
        for number in range(count):
            session.create("Task", {"name": f"t{number}", "parent": project})
        done = session.commit()
        with session.fork() as fresh:
            fresh.statistics.reset()
            fresh.undo(done)
            asked.append(fresh.statistics.requests)
            assert len(fresh.pending) == count + 1
    assert asked[0] == asked[1] <= 10


def test_undo_learns_of_attributes_configured_since(callsheet_connect: Any) -> None:
    """A session opened before a custom attribute was configured takes a commit back that set it."""
    session, other = callsheet_connect(), callsheet_connect()
    task = session.create("Task", {"name": "t", "parent": session.create("Project", {"name": "p", "full_name": "P"})})
    session.commit()
    config = {"key": "fps", "entity_type": "Task", "data_type": "number", "label": "fps"}
    other.create("CustomAttributeConfiguration", config)
    other.commit()
    other.reload_schema()
    theirs = other.get("Task", task.id)
    for fps in (24.0, 25.0):
        theirs["custom_attributes"]["fps"] = fps
        done = other.commit()
    session.undo(done)
    session.commit()
    assert other.fork().get("Task", task.id)["custom_attributes"]["fps"] == 24.0


@settings(max_examples=12 * EXAMPLES, suppress_health_check=list(HealthCheck))
@given(batches)
def test_undone_step_by_step_everything_is_as_it_was(steps: list[list[Any]]) -> None:
    """After whatever commits: undoing the last restores what was before it, and undoing that restores again."""
    with happening() as studio:
        studio.commit(*happenings.first())
        for step in steps:
            studio.commit(*step)
        states = [lasting(state) for state in studio.states]
        with Session(connection=over(studio.service.backend("anna"))) as session:
            for position in range(len(states) - 1, 0, -1):
                before, after, last = states[position - 1], states[position], position
                for expected in (before, after, before):
                    assert session.undo(last) == ()
                    result = session.commit()
                    assert lasting(held(studio.store)) == expected
                    if result is None:
                        break
                    last = result.position
                    studio.note()


# -- the past ------------------------------------------------------------------------------------------------


@pytest.fixture
def eventful(session: Any) -> Any:
    """A task that got another bid, name and parent; and was deleted. Gives the results of the commits."""
    project = session.create("Project", {"name": "one"})
    task = session.create("Task", {"name": "t", "parent": project, "bid": 1.0, "metadata": {"k": "1"}})
    results = [session.commit()]
    task["parent"], task["bid"] = session.create("Project", {"name": "two"}), 2.0
    task["metadata"]["k"] = "2"
    results.append(session.commit())
    identity = task.identity
    session.delete(task)
    results.append(session.commit())
    return identity, results


def test_the_past_reads_as_it_was(session: Any, eventful: Any) -> None:
    """Queries, get, lazy reads, records, aggregates and history; several moments beside each other."""
    identity, (first, second, third) = eventful
    with session.at(first) as one, session.at(second.position) as two, session.at(third) as three:
        tasks = [past.get(*identity) for past in (one, two, three)]
        assert [task and task["bid"] for task in tasks] == [1.0, 2.0, None]
        assert [task["parent"]["name"] for task in tasks[:2]] == ["one", "two"]
        assert [dict(task["metadata"]) for task in tasks[:2]] == [{"k": "1"}, {"k": "2"}]
        assert [past.query("Task").aggregate("sum(bid)") for past in (one, two)] == [
            [{"sum(bid)": 1.0}],
            [{"sum(bid)": 2.0}],
        ]
        assert [past.query("Project").count() for past in (one, two, three)] == [1, 2, 2]
        assert [len(past.history(identity)) for past in (one, two, three)] == [1, 2, 3]
        assert one.commits(limit=None)[-1].position == first.position
        with two.fork() as forked:
            assert forked.query("select parent.name from Task").one()["parent"]["name"] == "two"
    assert session.get(*identity) is None


def test_a_time_is_a_moment_too(session: Any, eventful: Any) -> None:
    """The last commit done by then counts; before the first there is nothing; there is no future."""
    identity, (first, second, _) = eventful
    with session.at(second.time) as past:
        assert past.get(*identity)["bid"] == 2.0
    with session.at(first.time - timedelta(days=900)) as past:
        assert past.query("Node").count() == 0
    with pytest.raises(callsheet.ServerError, match="no commit 1000000 yet"), session.at(1_000_000):
        pass


def test_the_past_cannot_be_changed(session: Any, eventful: Any) -> None:
    """Whatever would write is a `UsageError` that says so; refreshing is reading."""
    identity, (first, _, _) = eventful
    with session.at(first) as past:
        task = past.get(*identity)
        attempts: list[Callable[[], Any]] = [
            lambda: past.create("Task", {"name": "x"}),
            lambda: past.delete(task),
            lambda: task.__setitem__("bid", 3.0),
            lambda: task.__setitem__("due", None),
            lambda: task["metadata"].__setitem__("k", "3"),
            lambda: task["watchers"].append(task["parent"]),
            lambda: past.ensure("Task", {"name": "x"}, ["name"]),
            past.commit,
            lambda: past.undo(first),
            lambda: past.call("users.list"),
        ]
        for attempt in attempts:
            with pytest.raises(UsageError, match="reads the past"):
                attempt()
        past.refresh(task, keep="remote")
        past.rollback()
        assert (past.pending, task["bid"]) == ((), 1.0)


def test_a_past_with_another_schema(callsheet_connect: Any) -> None:
    """Custom attributes are those of then; the present is not disturbed."""
    session = callsheet_connect()
    before = session.create("Project", {"name": "p", "full_name": "P"})
    first = session.commit()
    session.create(
        "CustomAttributeConfiguration", {"key": "fps", "entity_type": "Project", "data_type": "number", "label": "f"}
    )
    session.commit()
    session.reload_schema()
    before["custom_attributes"]["fps"] = 24.0
    second = session.commit()
    with session.at(first) as one, session.at(second) as two:
        assert "fps" not in one.schema.types["Project"].custom
        assert two.query("Project where custom_attributes.fps is 24").one()["custom_attributes"]["fps"] == 24.0
    assert "fps" in session.schema.types["Project"].custom


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_async_sessions_have_a_past_too(server: Any, backend: str) -> None:
    """The same verbs, awaited; a moment is entered when the session is opened."""

    async def script() -> None:
        async with AsyncSession(server.url, "admin", server.admin_key, schema_cache=False) as session:
            task = session.create("Task", {"name": "async", "bid": 1.0})
            first = await session.commit()
            task["bid"] = 2.0
            second = await session.commit()
            assert first is not None
            assert second is not None
            assert [entry.kind for entry in await session.history(task)] == ["update", "create"]
            assert [commit.position for commit in await session.commits(first.position)] == [second.position]
            async with session.at(first) as past:
                then = await past.get("Task", task.id)
                assert (then["bid"], past.moment) == (1.0, first.position)
                with pytest.raises(UsageError, match="reads the past"):
                    then["bid"] = 3.0
                async with past.fork() as forked:
                    assert await forked.query("Task").where(id=task.id, bid=1.0).count() == 1
            assert await session.undo(second) == ()
            await session.commit()
            assert (await session.fork().get("Task", task.id))["bid"] == 1.0
            session.delete(task)
            await session.commit()

    anyio.run(script, backend=backend)
