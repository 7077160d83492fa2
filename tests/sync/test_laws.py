"""Laws of plans, on random rows and random servers: what is applied is what the rows say, and once is enough."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callsheet import Column, RowMapping, Session

pytestmark = pytest.mark.usefixtures("size")

NAMES = ["a", "b", "c", "d", "e"]
ROWS = st.lists(
    st.fixed_dictionaries(
        {"n": st.sampled_from(NAMES)},
        optional={
            "text": st.sampled_from(["", "x", "y", " "]),
            "number": st.sampled_from(["", "1", "2,5", "3.5"]),
            "tags": st.sampled_from(["", "t1", "t2,t1", "t1, t2,t1"]),
            "status": st.sampled_from(["", "Ready", "Done", "Nix"]),
            "lens": st.sampled_from(["", "35", "50"]),
        },
    ),
    max_size=6,
)
MAPPING = RowMapping(
    {
        "n": "name",
        "text": "description",
        "number": "bid",
        "tags": Column("tags.name", split=","),
        "status": "status.name",
        "lens": "metadata.lens",
    },
    constants={"parent.name": "show"},
)
ENDINGS: list[Any] = ["keep", "delete", "omit", {"description": "gone"}]


@pytest.fixture(scope="module")
def server() -> Iterator[Session]:
    """One server for all examples: each works below a project of its own name, emptied before it."""
    with Session("memory:") as session:
        state = session.create("State", {"name": "Any", "short": "any"})
        for name in ("Ready", "Done", "Omitted"):
            session.create("Status", {"name": name, "state": state})
        for name in ("t1", "t2"):
            session.create("Tag", {"name": name})
        session.create("Project", {"name": "show"})
        session.commit()
        yield session


def plan(session: Session, rows: Any, **options: Any) -> Any:
    given = {"key": ("parent.name", "name"), "mapping": MAPPING, "on_error": "skip", "max_deleted": 1}
    return session.plan("Task", rows, **{**given, **options})


def emptied(server: Session) -> Session:
    session = server.fork()
    for task in session.query("Task").all():
        session.delete(task)
    session.commit()
    return server.fork()


def state(session: Session) -> dict[str, tuple[Any, ...]]:
    """What the server has, by name."""
    found = {}
    for task in session.fork().query("select name, description, bid, status.name, tags.name, metadata from Task"):
        tags = frozenset(tag["name"] for tag in task["tags"])
        status = task["status"] and task["status"]["name"]
        found[task["name"]] = (task["description"], task["bid"], status, tags, task["metadata"].get("lens"))
    return found


def expected(before: dict[str, tuple[Any, ...]], rows: list[dict[str, str]], ending: Any) -> dict[str, Any]:
    """The same by hand: one row after the other, written into a dict."""
    after = {name: list(values) for name, values in before.items()}
    taken: dict[str, tuple[Any, ...]] = {}
    named = {row["n"] for row in rows}
    for row in rows:
        cells = cells_of(row)
        if "Nix" in cells:
            # A row whose status does not exist is refused, and a later one of its key is refused beside it.
            taken.setdefault(row["n"], cells)
            continue
        if row["n"] in taken:
            continue
        taken[row["n"]] = cells
        held = after.setdefault(row["n"], [None, 0.0, None, frozenset(), None])
        for place, value in enumerate(cells):
            if value != "missing":
                held[place] = value
    for name in set(after) - named:
        if ending == "delete":
            del after[name]
        elif ending == "omit":
            after[name][2] = "Omitted"
        elif ending != "keep":
            after[name][0] = "gone"
    return {name: tuple(values) for name, values in after.items()}


def cells_of(row: dict[str, str]) -> tuple[Any, ...]:
    def text(name: str) -> Any:
        return "missing" if name not in row else row[name].strip() or None

    number = text("number")
    tags = text("tags")
    return (
        text("text"),
        number if number in ("missing", None) else float(number.replace(",", ".")),
        text("status"),
        tags if tags == "missing" else frozenset(each.strip() for each in (tags or "").split(",") if each.strip()),
        text("lens"),
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=ROWS, second=ROWS, ending=st.sampled_from(ENDINGS))
def test_applied_once_is_enough(server: Session, first: Any, second: Any, ending: Any) -> None:
    """The server has what the rows say; the same plan again is empty; the log has as many changes as the plan says."""
    session = emptied(server)
    plan(session, first).apply()
    before = state(session)
    assert before == expected({}, first, "keep")
    made = plan(session, second, delete=ending)
    done = made.apply()
    assert state(session) == expected(before, second, ending)
    assert plan(session, second, delete=ending).is_empty
    changes = [change for commit in done.commits for change in session.commits(after=commit.position - 1)[0].changes]
    tasks = [change for change in changes if change.identity.entity_type == "Task"]
    assert len(tasks) == len(made.created) + len(made.changed) + len(made.deleted)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=ROWS, second=ROWS, chunk=st.integers(1, 4))
def test_chunks_and_one_commit_end_alike(server: Session, first: Any, second: Any, chunk: int) -> None:
    """Applied in chunks of any size, the server has what one commit gives it."""
    session = emptied(server)
    plan(session, first).apply()
    before = state(session)
    plan(session, second).apply(atomic=False, chunk=chunk)
    assert state(session) == expected(before, second, "keep")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=ROWS, second=ROWS)
def test_a_run_taken_back_leaves_what_was_there(server: Session, first: Any, second: Any) -> None:
    """Undoing the last run gives the values of before."""
    session = emptied(server)
    plan(session, first).apply()
    before = state(session)
    made = plan(session, second, delete="delete", name="second")
    if made.is_empty:
        return
    made.apply()
    session.fork().undo_sync(session.fork().sync_runs("second", 1)[0])
    assert state(session) == before
