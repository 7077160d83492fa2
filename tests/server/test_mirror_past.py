"""The mirror answers as of an earlier position what it answered then, and what the store's own past says."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from databases import new_database
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from test_matches_equals_sql import DOCUMENT, SETTINGS

from callsheet.errors import Invalid
from callsheet.model.measure import Aggregate, AggregateFunction, Level
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.query import Path as Way
from callsheet.model.query import Select
from callsheet.model.question import Question
from callsheet.model.record import Identity
from callsheet.server.mirror import past as past_module
from callsheet.server.mirror.mirror import Mirror
from callsheet.server.reading.snapshot import materialised
from callsheet.server.service import Service
from callsheet.server.store.store import Store

KINDS = ("Node", "Leaf", "Tag")
SHORT = [Identity(kind, f"{kind}{number}") for kind in KINDS for number in range(3)]
LONG = [Identity(kind, str(UUID(int=100 * place + number))) for place, kind in enumerate(KINDS) for number in range(3)]
VALUES: dict[str, dict[str, Any]] = {
    "Node": {"name": "é", "size": 1.5, "n": 2**53 + 1},
    "Leaf": {"flag": True, "kind": "a", "metadata.a b": "x", "custom_attributes.n": 3},
    "Tag": {"name": ""},
}


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[Operation, ...]]:
    """Some commits that make, change, link and delete entities, and make deleted ones again."""
    things = draw(st.sampled_from([SHORT, LONG]))
    alive: dict[Identity, None] = {}
    tags: dict[Identity, set[Identity]] = {}
    found = []
    for _ in range(draw(st.integers(1, 5))):
        operations: list[Operation] = []
        for thing in draw(st.lists(st.sampled_from(things), unique=True, max_size=5)):
            if thing not in alive:
                operations.append(Create(thing, VALUES[thing.entity_type] if draw(st.booleans()) else {}))
                alive[thing] = None
                tags[thing] = set()
            elif draw(st.integers(0, 3)) == 0:
                operations.append(Delete(thing))
                del alive[thing]
                for held in tags.values():
                    held.discard(thing)
                tags[thing] = set()
            elif thing.entity_type == "Leaf" and draw(st.booleans()):
                wanted = {each for each in alive if each.entity_type == "Tag" and draw(st.booleans())}
                if changes := _linked(thing, tags[thing], wanted):
                    operations.append(changes)
                tags[thing] = wanted
            else:
                parents = [each for each in alive if each.entity_type != "Tag" and each != thing]
                values: dict[str, Any] = {"name": draw(st.sampled_from(["a", "b", None]))}
                if thing.entity_type != "Tag" and parents and draw(st.booleans()):
                    values["parent"] = draw(st.sampled_from(parents))
                operations.append(Update(thing, values))
        if operations:
            found.append(tuple(operations))
    return found


def _linked(thing: Identity, had: set[Identity], wanted: set[Identity]) -> Update | None:
    added, removed = tuple(sorted(wanted - had)), tuple(sorted(had - wanted))
    if not added and not removed:
        return None
    return Update(thing, added={"tags": added} if added else {}, removed={"tags": removed} if removed else {})


def content(store: Store, connection: Any) -> dict[str, list[str]]:
    """All rows of entities and links, as texts of Python values."""
    return {
        name: sorted(repr(tuple(row)) for row in connection.execute(select(*table.c)))
        for name, table in tables_of(store).items()
    }


def tables_of(store: Store) -> dict[str, Any]:
    links = {link.table.name: link.table for link in store.layout.links.values()}
    return {**dict(store.tables), **links}


@settings(SETTINGS, max_examples=40)
@given(histories())
def test_what_it_had_at_a_position_it_has_as_of_it(history: list[tuple[Operation, ...]]) -> None:
    """All rows, after commits that create, change, link, delete, and create again; equal to the store's past."""
    with Service.open("memory:", DOCUMENT) as service:
        mirror = Mirror(service.store)
        then: dict[int, dict[str, list[str]]] = {}
        for number, operations in enumerate(history):
            service.commit(ChangeSet(f"c{number}", operations), "admin")
            with mirror.reading() as state:
                then[state.position] = content(state.store, state.connection)
        for position, expected in then.items():
            with mirror.past(position) as past:
                assert past is not None
                assert past.position == position
                assert content(past.store, past.connection) == expected
            store = materialised(service.store, position)
            with store.reading() as connection:
                assert content(store, connection) == expected
            store.close()
        with mirror.reading() as state:
            names = state.connection.exec_driver_sql("SELECT table_name FROM duckdb_tables()").scalars().all()
            assert not [name for name in names if name.startswith("_past")]
        mirror.close()


TASKS: dict[str, Any] = {
    "types": {
        "Shot": {"attributes": {"name": {"type": "string"}}},
        "Task": {
            "attributes": {"hours": {"type": "number"}, "shot": {"type": "reference", "target": "Shot"}},
        },
    }
}
HOURS = Aggregate(Select("Task"), (AggregateFunction("sum", Way.of("hours")),), (Level(Way.of("shot.name")),))
COUNT = Aggregate(Select("Task"))


def key(number: int) -> str:
    return str(UUID(int=number))


def committed(service: Service) -> list[int]:
    """Three commits; the positions after them."""
    shots, task = [Identity("Shot", key(number)) for number in (1, 2)], Identity("Task", key(3))
    made = [Create(shot, {"name": f"s{number}"}) for number, shot in enumerate(shots)]
    steps: list[tuple[Operation, ...]] = [
        (*made, Create(task, {"hours": 2.0, "shot": shots[0]})),
        (Update(task, {"hours": 3.0, "shot": shots[1]}), Create(Identity("Task", key(4)), {"hours": 0.5})),
        (Update(shots[1], {"name": "renamed"}), Delete(Identity("Task", key(4)))),
    ]
    return [service.commit(ChangeSet(f"c{number}", step), "admin").position for number, step in enumerate(steps)]


THEN = [[("s0", 2.0)], [("s1", 3.0), (None, 0.5)], [("renamed", 3.0)]]


@pytest.mark.parametrize("kind", ["memory", "file", "postgres"])
@pytest.mark.parametrize("analytics", [True, False])
def test_questions_of_several_positions_are_asked_at_once(kind: str, analytics: bool, tmp_path: Path) -> None:
    """Each has its own answer and position, with a mirror and without."""
    with new_database(kind, tmp_path) as url, Service.open(url, TASKS, analytics=analytics) as service:
        positions = committed(service)
        backend = service.backend("admin")
        answers = backend.ask([Question(HOURS, at=position) for position in positions])
        assert [sorted(answer.rows, key=repr) for answer in answers] == [sorted(rows, key=repr) for rows in THEN]
        assert [answer.position for answer in answers] == positions
        assert [answer.rows for answer in backend.ask([Question(COUNT, at=each) for each in positions])] == [
            [(1,)],
            [(2,)],
            [(1,)],
        ]
        with pytest.raises(Invalid):
            backend.ask([Question(HOURS, at=positions[-1] + 100)])


@pytest.mark.parametrize(("most", "engine"), [(50_000, "duckdb"), (0, "sqlite")])
def test_beyond_a_number_of_changes_the_store_answers(most: int, engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the same numbers."""
    monkeypatch.setattr(past_module, "MOST", most)
    with Service.open("memory:", TASKS, analytics=True) as service:
        first, *_ = committed(service)
        (answer,) = service.backend("admin").ask([Question(HOURS, at=first, explain=True)])
        assert answer.rows == THEN[0]
        assert answer.plan is not None
        assert answer.plan["engine"] == engine


def test_a_restricted_account_sees_of_the_past_what_it_may_see() -> None:
    """The rights of today, on the projects that entities had then; the same with a mirror and without."""
    found = []
    for analytics in (True, False):
        with Service.open("memory:", seed=True, analytics=analytics) as service:
            backend = service.backend("admin")
            projects = [Identity("Project", name) for name in ("open", "hidden")]
            task = Identity("Task", "t")
            made = [Create(each, {"name": each.key}) for each in projects]
            service.commit(
                ChangeSet("a", (*made, Create(task, {"name": "t", "bid": 2.0, "parent": projects[0]}))), "admin"
            )
            first = service.commit(ChangeSet("b", (Update(task, {"bid": 3.0}),)), "admin").position
            last = service.commit(ChangeSet("c", (Update(task, {"parent": projects[1]}),)), "admin").position
            service.accounts.add("anna", "guest")
            backend.call("grants.add", {"account": "anna", "role": "reader", "project": "open"})
            asked = Aggregate(
                Select("Task"), (AggregateFunction("sum", Way.of("bid")),), (Level(Way.of("project.name")),)
            )
            answers = service.backend("anna").ask([Question(asked, at=first), Question(asked, at=last)])
            found.append([answer.rows for answer in answers])
    assert found[0] == found[1] == [[("open", 3.0)], []]
