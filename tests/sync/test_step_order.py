"""The order in which a file has its steps decides nothing, also where types refer to each other in circles."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callsheet import RowMapping, Session, Sync, TypePair
from callsheet.model.operation import Create
from callsheet.sync.plan_step import PlanStep
from callsheet.sync.planning import plan_steps
from callsheet.sync.step_order import in_order

SCHEMA = """
name = "circles"
[types.Folder]
label = "name"
unique = [["name"]]
[types.Folder.attributes]
name = { type = "string", required = true }
beside = { type = "reference", target = "Folder" }
cover = { type = "reference", target = "Picture" }
[types.Picture]
label = "name"
unique = [["name"]]
[types.Picture.attributes]
name = { type = "string", required = true }
folder = { type = "reference", target = "Folder", required = true }
artist = { type = "reference", target = "Artist" }
[types.Artist]
label = "name"
unique = [["name"]]
[types.Artist.attributes]
name = { type = "string", required = true }
first = { type = "reference", target = "Picture" }
[types.Remark]
label = "text"
[types.Remark.attributes]
text = { type = "string", required = true }
about = { type = "reference", target = "Picture" }
"""
NAMES = st.sampled_from(["a", "b", "c", "d"])
MAYBE = st.sampled_from([None, "a", "b", "c", "d", "nobody"])


def rows_of(**columns: Any) -> Any:
    return st.lists(st.fixed_dictionaries({}, optional=columns), max_size=4).map(
        lambda rows: [{"name": name, **row} for name, row in zip("abcd", rows)]
    )


ROWS = st.fixed_dictionaries(
    {
        "Folder": rows_of(beside=MAYBE, cover=MAYBE),
        "Picture": rows_of(folder=MAYBE, artist=MAYBE),
        "Artist": rows_of(first=MAYBE),
        "Remark": rows_of(about=MAYBE),
    }
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    schema = tmp_path_factory.mktemp("circles") / "circles.toml"
    schema.write_text(SCHEMA)
    with Session("memory:", schema=schema) as session:
        yield session


def emptied(server: Session) -> Session:
    session = server.fork()
    for kind in ("Remark", "Artist", "Picture", "Folder"):
        for entity in session.query(kind).all():
            session.delete(entity)
    if session.pending:
        session.commit()
    return session


def steps_of(rows: dict[str, list[dict[str, Any]]]) -> list[PlanStep]:
    found = []
    for kind, own in rows.items():
        label = "text" if kind == "Remark" else "name"
        columns = {"name": label} | {name: f"{name}.name" for row in own for name in row if name != "name"}
        found.append(PlanStep(kind, own, (label,), RowMapping(columns), on_error="skip"))
    return found


def planned(session: Session, steps: list[PlanStep]) -> Any:
    return session.run(plan_steps(session, steps, "circles"))


def shown(plan: Any) -> dict[str, Any]:
    """A plan without the order of its steps, and of the refusals of one row."""
    steps = {step["type"]: step for step in plan.to_json()["steps"]}
    for step in steps.values():
        step["refused"].sort(key=lambda each: (each["row"], each["column"]))
        step["created"].sort(key=lambda each: each["row"])
    return steps


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS, seed=st.integers(0, 1_000))
def test_the_plan_is_the_same_whatever_the_order(server: Session, size: str, rows: Any, seed: int) -> None:
    """Steps in any order give the same plan, whose operations refer only to what exists; then nothing is left to do."""
    session = emptied(server)
    steps = steps_of(rows)
    plan = planned(session, steps)
    shuffled = random.Random(seed).sample(steps, len(steps))
    other = planned(session, shuffled)
    assert shown(other) == shown(plan)
    made = {each.identity for each in other.operations if isinstance(each, Create)}
    assert made == {each.identity for each in plan.created}
    other.apply()
    assert planned(server.fork(), steps).is_empty
    assert shown(planned(server.fork(), shuffled)) == shown(planned(server.fork(), steps))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_circle_of_types_goes_in_at_once(server: Session, size: str, order: tuple[int, ...]) -> None:
    """A folder has a picture as its cover, the picture an artist, the artist a first picture, in any order of steps."""
    session = emptied(server)
    steps = steps_of(
        {
            "Folder": [{"name": "b", "beside": "a", "cover": "x"}, {"name": "a", "beside": "b", "cover": "x"}],
            "Picture": [{"name": "x", "folder": "b", "artist": "anna"}],
            "Artist": [{"name": "anna", "first": "x"}, {"name": "ben", "first": "y"}],
        }
    )
    plan = planned(session, [steps[place] for place in order])
    assert [str(each) for each in plan.refused] == ["row 2, first: 'y' no Picture has the name 'y'"]
    plan.apply()
    artist = server.fork().query('Artist where name is "anna"').one()
    folder = artist["first"]["folder"]
    assert (folder["name"], folder["beside"]["name"], folder["cover"]["artist"]) == ("b", "a", artist)
    assert folder["beside"]["beside"] == folder


def test_what_refers_to_a_refused_row_is_refused_around_the_circle(server: Session, size: str) -> None:
    """One bad row takes with it what needs it, in every step, and says why; the others go in."""
    session = emptied(server)
    steps = steps_of(
        {
            "Artist": [{"name": "anna", "first": "x"}, {"name": "ben", "first": "z"}],
            "Folder": [{"name": "a", "beside": "nobody"}, {"name": "b", "cover": "z"}],
            "Picture": [{"name": "x", "folder": "a"}, {"name": "z", "folder": "b", "artist": "ben"}],
        }
    )
    plan = planned(session, steps)
    assert sorted(str(each) for each in plan.refused) == [
        "row 1, beside: 'nobody' no Folder has the name 'nobody'; the server has none at all",
        "row 1, first: 'x' is a row that was refused",
        "row 1, folder: 'a' is a row that was refused",
    ]
    assert sorted(each.key for each in plan.created) == [("b",), ("ben",), ("z",)]


def test_a_file_may_name_shots_before_their_sequences(show: Any, tmp_path: Path) -> None:
    """As people write them; the plan has the sequences first."""
    (tmp_path / "shots.csv").write_text("Show,Seq,Shot\nsintel,sq7,sh010\n")
    (tmp_path / "show.toml").write_text(
        """
[[sync]]
type = "Shot"
rows = "shots.csv"
key = ["parent.name", "name"]
columns = { Shot = "name", Seq = "parent.name" }
[[sync]]
type = "Sequence"
rows = "shots.csv"
key = ["parent.name", "name"]
columns = { Seq = "name", Show = "parent.name" }
"""
    )
    plan = show.plan_file(tmp_path / "show.toml")
    assert [step.entity_type for step in plan.steps] == ["Sequence", "Shot"]
    assert plan.apply().created == 2


def test_pairs_of_two_ways_come_in_any_order() -> None:
    """Shots are paired by their sequence, which is paired after them in the mapping."""
    with Session("memory:") as left, Session("memory:") as right:
        for session in (left, right):
            project = session.create("Project", {"name": "sintel"})
            sequence = session.create("Sequence", {"name": "sq1", "parent": project})
            session.create("Shot", {"name": "sh010", "parent": sequence})
            session.commit()
        pairs = [
            TypePair(kind, kind, ["name", *parent], adopt=[*parent, "name"])
            for kind, parent in (("Shot", ["parent"]), ("Sequence", ["parent"]), ("Project", []))
        ]
        plan = Sync(left, right, pairs).plan()
        assert (len(plan.linked), plan.left, plan.right, plan.refused) == (3, (), (), ())
        plan.apply()
        for kind in ("Shot", "Sequence"):
            left.delete(left.query(kind).one())
        left.commit()
        pairs = [evolve(pair, delete="delete", max_deleted=1) for pair in reversed(pairs)]
        done = Sync(left, right, pairs).plan().apply()
        assert [(each.write.kind, each.write.label) for each in done.right] == [("delete", "sh010"), ("delete", "sq1")]
        assert (done.refused, right.fork().query("Sequence").count()) == ((), 0)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=15))
def test_each_group_comes_after_what_it_needs(needed: list[tuple[int, int]]) -> None:
    """Every step is in one group; those of a group reach each other; without needs the order stands."""
    needs = {(one, other) for one, other in needed if one != other}
    groups = in_order(range(7), lambda one, other: (one, other) in needs)
    assert sorted(each for group in groups for each in group) == list(range(7))
    place = {each: number for number, group in enumerate(groups) for each in group}
    assert all(place[other] <= place[one] for one, other in needs)
    reached = {one: {one} for one in range(7)}
    for _ in range(7):
        for one, other in needs:
            reached[one] |= reached[other]
    assert all(
        (place[one] == place[other]) == (one in reached[other] and other in reached[one])
        for one in place
        for other in place
    )
    if not needs:
        assert groups == [[each] for each in range(7)]
