"""A savepoint takes back exactly what a failing block recorded, whatever was recorded before, in it, and after it.

The law is checked by a twin: a session on an equal server that does only what survives, without any savepoint.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plain_model import DOCUMENT

from callsheet import AsyncSession, Session
from callsheet.entity.frozen import thaw
from callsheet.errors import CallsheetError, Detached, StateError
from callsheet.model.operation import ChangeSet, Create
from callsheet.model.record import Identity
from callsheet.session.connection import over
from callsheet.testing import memory_service
from strategies import EXAMPLES

TYPES = {"p1": "Project", "t1": "Task", "t2": "Task", "s1": "Status", "s2": "Status", "g1": "Tag", "g2": "Tag"}
COLLECTIONS = {"Task": "tags, children", "Project": "tags, children", "Status": "tasks", "Tag": "contexts"}
NEW = {"n1": "Task", "n2": "Task", "n3": "Tag"}
KEYS = [*TYPES, *NEW]
SEED = (
    *(Create(Identity(TYPES[key], key), {"name": key}) for key in ("p1", "s1", "s2", "g1", "g2")),
    *(
        Create(
            Identity("Task", key),
            {"name": key, "parent": Identity("Project", "p1"), "status": Identity("Status", "s1"), "bid": 5},
            {"tags": (Identity("Tag", "g1"),)},
        )
        for key in ("t1", "t2")
    ),
)


class Failed(Exception):
    """What a block ends with."""


@pytest.fixture
def session() -> Iterator[Session]:
    with memory_service(DOCUMENT) as service:
        service.commit(ChangeSet("seed", SEED), "admin")
        with Session(connection=over(service.backend("admin"))) as opened:
            yield opened


def all_loaded(session: Session) -> None:
    """Everything is loaded, so that reading changes nothing."""
    for name in ("Project", "Task", "Status", "Tag"):
        session.query(name).all()
    for name, paths in (
        ("Task", "tags, children"),
        ("Project", "tags, children"),
        ("Status", "tasks"),
        ("Tag", "contexts"),
    ):
        session.populate(session.query(name).all(), paths)


def entity(session: Session, key: str) -> Any:
    found = session.get({**TYPES, **NEW}[key], key)
    if found is None:
        raise ValueError(f"there is no {key}")
    return found


def act(session: Session, action: tuple[Any, ...]) -> None:
    """One thing that a script does; what the session refuses changes nothing."""
    with suppress(CallsheetError, ValueError, Failed):
        match action:
            case ("create", key):
                session.create(NEW[key], {"id": key, "name": key})
            case ("delete", key):
                session.delete(entity(session, key))
            case ("set", key, name, value):
                entity(session, key)[name] = value
            case ("refer", key, name, other):
                entity(session, key)[name] = None if other is None else entity(session, other)
            case ("item", key, item, value):
                entity(session, key)["metadata"][item] = value
            case ("link", key, name, other, True):
                entity(session, key)[name].append(entity(session, other))
            case ("link", key, name, other, _):
                entity(session, key)[name].remove(entity(session, other))
            case ("increment", key, by):
                session.increment(entity(session, key), "bid", by)
            case ("raise_to", key, value):
                session.raise_to(entity(session, key), "bid", value)


TASKS = st.sampled_from(["t1", "t2", "n1", "n2"])
ANY = st.sampled_from(KEYS)
ACTIONS = st.one_of(
    st.tuples(st.just("create"), st.sampled_from(list(NEW))),
    st.tuples(st.just("delete"), ANY),
    st.tuples(st.just("set"), TASKS, st.just("bid"), st.sampled_from([None, 1, 5])),
    st.tuples(st.just("set"), ANY, st.just("name"), st.sampled_from(["a", "t1"])),
    st.tuples(st.just("set"), TASKS, st.just("data"), st.sampled_from([None, {"a": [1]}])),
    st.tuples(st.just("refer"), TASKS, st.just("status"), st.sampled_from([None, "s1", "s2"])),
    st.tuples(st.just("refer"), TASKS, st.just("parent"), st.sampled_from(["p1", "t1", "n1"])),
    st.tuples(st.just("item"), TASKS, st.sampled_from(["colour", "shape"]), st.sampled_from([None, "red"])),
    st.tuples(st.just("link"), TASKS, st.just("tags"), st.sampled_from(["g1", "g2", "n3"]), st.booleans()),
    st.tuples(st.just("link"), st.sampled_from(["s1", "s2"]), st.just("tasks"), TASKS, st.booleans()),
    st.tuples(st.just("link"), st.sampled_from(["g1", "n3"]), st.just("contexts"), TASKS, st.booleans()),
    st.tuples(st.just("increment"), TASKS, st.sampled_from([1, -2])),
    st.tuples(st.just("raise_to"), TASKS, st.sampled_from([3, 9])),
)
#: A script: actions, and blocks of scripts that fail or not.
SCRIPTS: Any = st.recursive(
    st.lists(ACTIONS, max_size=5),
    lambda inner: st.lists(ACTIONS | st.tuples(st.just("block"), inner, st.booleans()), max_size=7),
    max_leaves=5,
)


def run(session: Session, script: list[Any]) -> None:
    for step in script:
        if step[0] != "block":
            act(session, step)
            continue
        try:
            with session.savepoint():
                run(session, step[1])
                if step[2]:
                    raise Failed
        except Failed:
            pass


def surviving(script: list[Any]) -> list[Any]:
    """What is left without the blocks that fail."""
    left = []
    for step in script:
        if step[0] != "block":
            left.append(step)
        elif not step[2]:
            left += surviving(step[1])
    return left


def shown(session: Session) -> Any:
    """Everything that a script can see of the pending work."""
    rows = {}
    for key in KEYS:
        found = session.identities.family(
            {"n3": "Tag"}.get(key) or session.types[{**TYPES, **NEW}[key]]._type.root
        ).get(key)
        if found is not None and found.state != "detached":
            rows[key] = (found.state, None if found.state == "deleted" else values(found))
    states = [[each.identity for each in found] for found in (session.created, session.modified, session.deleted)]
    return rows, states, session.pending, session.recorded_operations


def values(found: Any) -> dict[str, Any]:
    seen = {}
    for name, attribute in found._type.attributes.items():
        value = found.peek(name)
        if attribute.kind == "collection":
            seen[name] = sorted(each.identity for each in found[name])
        elif attribute.kind == "mapping":
            seen[name] = dict(found[name])
        elif attribute.kind == "reference":
            seen[name] = value and value.identity
        else:
            seen[name] = repr(thaw(value))
    return seen


@settings(max_examples=15 * EXAMPLES, suppress_health_check=list(HealthCheck))
@given(SCRIPTS)
def test_a_session_with_savepoints_is_like_one_that_did_only_what_survived(script: list[Any]) -> None:
    """States, values, collections, the log and the change set are equal, and so is the server after a commit."""
    with ExitStack() as stack:
        sessions = []
        for _ in range(2):
            service = stack.enter_context(memory_service(DOCUMENT))
            service.commit(ChangeSet("seed", SEED), "admin")
            sessions.append(stack.enter_context(Session(connection=over(service.backend("admin")))))
        for session in sessions:
            all_loaded(session)
        run(sessions[0], script)
        run(sessions[1], surviving(script))
        assert shown(sessions[0]) == shown(sessions[1])
        outcomes = []
        for session in sessions:
            try:
                session.commit()
                outcomes.append("")
            except CallsheetError as error:
                outcomes.append(str(type(error)))
        assert outcomes[0] == outcomes[1]
        if not outcomes[0]:
            assert shown(sessions[0]) == shown(sessions[1])


@settings(max_examples=6 * EXAMPLES, suppress_health_check=list(HealthCheck))
@given(SCRIPTS)
def test_what_is_read_in_a_block_stays_and_the_server_gets_what_survived(script: list[Any]) -> None:
    """Nothing is loaded before: reading in a block that fails loads values, and the commit has the same effect."""
    rows = []
    for steps in (script, surviving(script)):
        with memory_service(DOCUMENT) as service:
            service.commit(ChangeSet("seed", SEED), "admin")
            with Session(connection=over(service.backend("admin"))) as session:
                run(session, steps)
                with suppress(CallsheetError):
                    session.commit()
            with Session(connection=over(service.backend("admin"))) as fresh:
                all_loaded(fresh)
                rows.append(shown(fresh))
    assert rows[0] == rows[1]


def test_each_kind_of_change_is_taken_back(session: Session) -> None:
    """Values, creates, deletes, links and adjustments; what was pending before is pending again."""
    task = session.get("Task", "t1")
    task["name"] = "before"
    session.increment(task, "bid", 1)
    tag = session.get("Tag", "g2")
    with suppress(Failed), session.savepoint():
        task["name"] = "in the block"
        session.increment(task, "bid", 10)
        task["tags"].append(tag)
        made = session.create("Task", {"name": "new", "parent": session.get("Project", "p1")})
        session.delete(session.get("Task", "t2"))
        raise Failed
    assert (task["name"], task["bid"]) == ("before", 6)
    assert tag not in task["tags"]
    assert made.state == "detached"
    with pytest.raises(Detached):
        made["name"]
    assert session.get("Task", "t2").state == "clean"
    assert [operation.identity.key for operation in session.pending] == ["t1"]
    session.commit()
    assert session.query("Task where id is t1").one()["bid"] == 6


def test_what_another_session_wrote_meanwhile_is_shown_afterwards(session: Session) -> None:
    """A value that was loaded in the block is the server's, under the local one that was restored."""
    task, other = session.get("Task", "t1"), session.fork()
    task["name"] = "mine"
    with suppress(Failed), session.savepoint():
        task["name"] = "t1"
        other.get("Task", "t1")["name"] = "theirs"
        other.get("Task", "t1")["bid"] = 7
        other.commit()
        session.query("select name, bid from Task").all()
        raise Failed
    assert (task["name"], task["bid"]) == ("mine", 7)
    session.rollback()
    assert task["name"] == "theirs"


def test_commit_and_rollback_wait_for_the_end_of_the_block(session: Session) -> None:
    task = session.get("Task", "t1")
    with session.savepoint():
        task["name"] = "kept"
        for verb in (session.commit, session.rollback):
            with pytest.raises(StateError, match=f"a savepoint is open, so there is no {verb.__name__} yet"):
                verb()
    session.commit()
    assert session.fork().get("Task", "t1")["name"] == "kept"


def test_an_asynchronous_session_has_savepoints() -> None:
    async def story() -> list[Any]:
        with memory_service(DOCUMENT) as service:
            service.commit(ChangeSet("seed", SEED), "admin")
            async with AsyncSession(connection=over(service.backend("admin"))) as session:
                task = await session.get("Task", "t1")
                with suppress(Failed), session.savepoint():
                    task["name"] = "gone"
                    raise Failed
                refusal = ""
                try:
                    with session.savepoint():
                        task["name"] = "gone, too"
                        await session.commit()
                except StateError as error:
                    refusal = str(error)
                return [task["name"], session.pending, refusal]

    name, pending, refusal = asyncio.run(story())
    assert (name, pending) == ("t1", ())
    assert refusal.startswith("a savepoint is open")
