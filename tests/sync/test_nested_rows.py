"""Rows within rows: one row with a list of children plans the children's type too, keyed through their parent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from callsheet import Children, Column, RowMapping, Session, external
from callsheet.errors import UsageError

pytestmark = pytest.mark.usefixtures("size")

SHOWS = [
    {"Seq": "sq1", "shots": [{"Shot": "sh010", "In": "1001"}, {"Shot": "sh020", "In": "1009"}]},
    {"Seq": "sq2", "shots": [{"Shot": "sh010", "In": "1001", "tasks": [{"t": "anim"}, {"t": "light"}]}]},
    {"Seq": "sq3", "shots": None},
    {"Seq": "sq4"},
]
TASKS = Children("Task", "name", {"t": "name"})
SHOTS = Children("Shot", "name", RowMapping({"Shot": "name", "In": "fstart"}, children={"tasks": TASKS}))
MAPPING = RowMapping({"Seq": "name"}, constants={"parent.name": "sintel"}, children={"shots": SHOTS})
KEY = ("parent.name", "name")


def planned(session: Session, rows: Any, **options: Any) -> Any:
    return session.plan("Sequence", rows, KEY, MAPPING, **options)


def names(session: Session, text: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(record.values())[1:] for record in session.fork().query(text).records())


def test_children_are_planned_with_their_parents(show: Session) -> None:
    """In one plan and one commit, of any depth; children of one name below two parents are two."""
    plan = planned(show, SHOWS)
    assert [step.entity_type for step in plan.steps] == ["Sequence", "Shot", "Task"]
    done = plan.apply()
    assert (done.created, len(done.commits)) == (8, 1)
    assert names(show, "select parent.parent.name, parent.name, name, fstart from Shot") == [
        ("sintel", "sq1", "sh010", 1001),
        ("sintel", "sq1", "sh020", 1009),
        ("sintel", "sq2", "sh010", 1001),
    ]
    assert names(show, "select parent.parent.name, parent.name, name from Task") == [
        ("sq2", "sh010", "anim"), ("sq2", "sh010", "light"),
    ]  # fmt: skip
    assert planned(show, SHOWS).is_empty


def test_a_child_that_changes_is_one_change(show: Session) -> None:
    """The others are as they were."""
    planned(show, SHOWS).apply()
    changed = [{"Seq": "sq1", "shots": [{"Shot": "sh010", "In": "1002"}, {"Shot": "sh020", "In": "1009"}]}]
    assert str(planned(show, changed)).splitlines()[1:3] == [
        "Shot: 0 created, 1 changed, 1 unchanged", "  ~ sintel / sq1 / sh010  fstart: 1001 → 1002",
    ]  # fmt: skip


def test_what_is_wrong_with_a_child_is_named(show: Session) -> None:
    """By its number among the children; a child of a refused parent is refused, too."""
    rows = [
        {"Seq": "", "shots": [{"Shot": "a", "In": "1"}]},
        {"Seq": "sq1", "shots": [{"Shot": "b", "In": "soon"}]},
    ]
    assert list(map(str, planned(show, rows).refused)) == [
        "row 1, Seq: is empty, and it is part of the key",
        "row 1, parent.name: is empty, and it is part of the key",
        "row 2, In: 'soon' is not a number",
    ]
    with pytest.raises(UsageError, match="row 1, shots: children are a list of rows, not 'x'"):
        planned(show, [{"Seq": "sq1", "shots": "x"}])
    with pytest.raises(UsageError, match="children of 'shots' are `Children"):
        show.plan("Sequence", [], KEY, RowMapping({"Seq": "name"}, children={"shots": "Shot"}))  # type: ignore[dict-item]


def test_a_key_of_the_parent_is_read_as_the_parent_reads_it(show: Session) -> None:
    """With its options, from a template or a function, and a single child without a list."""
    columns: dict[str, str | Column] = {"Seq": Column("name", values={"one": "sq1"})}
    child = {"shots": Children("Shot", "name", {"n": "name"})}
    functions = {"parent.name": lambda row: row["Show"].lower()}
    mapping = RowMapping(columns, functions=functions, children=child)
    plan = show.plan("Sequence", [{"Show": "SINTEL", "Seq": "one", "shots": {"n": "a"}}], KEY, mapping)
    assert [each.key for each in plan.created] == [("sintel", "sq1", "a")]
    templates = {"name": "s{Seq}", "parent.name": "{Show}"}
    made = show.plan("Sequence", [{"Show": "spring", "Seq": "q1", "shots": [{"n": "a"}]}], KEY,
                     RowMapping(templates=templates, children=child))  # fmt: skip
    assert [each.key for each in made.created] == [("spring", "sq1", "a")]


def test_children_find_a_parent_of_another_system(show: Session) -> None:
    """Both have ids of that system, and the parent is created in the same plan."""
    shots = Children("Shot", external("tracker", column="id"), {"n": "name"})
    mapping = RowMapping({"n": "name"}, constants={"parent.name": "sintel"}, children={"shots": shots})
    rows = [{"id": "s1", "n": "sq9", "shots": [{"id": "h1", "n": "a"}, {"id": "h2", "n": "b"}]}]
    key = external("tracker", column="id")
    assert show.plan("Sequence", rows, key, mapping).apply().created == 3
    assert names(show, "select parent.name, name from Shot") == [("sq9", "a"), ("sq9", "b")]
    assert show.fork().plan("Sequence", rows, key, mapping).is_empty


def test_people_are_assigned_by_name(show: Session) -> None:
    """Rows of a type between two others, from a list of names; those who are assigned already stay as they are."""
    for name in ("ann", "bob"):
        show.create("User", {"username": name, "name": name})
    show.commit()
    people = Children("Assignment", "resource.name", {"who": "resource.name"}, parent="context")
    mapping = RowMapping({"t": "name"}, constants={"parent.name": "sintel"}, children={"people": people})
    rows = [{"t": "anim", "people": ["ann"]}, {"t": "light", "people": ["ann", "bob"]}]
    assert show.plan("Task", rows, KEY, mapping).apply().created == 5
    rows[0]["people"] = ["ann", "bob"]
    again = show.fork().plan("Task", rows, KEY, mapping)
    assert [each.key for each in again.created] == [("sintel", "anim", "bob")]
    again.apply()
    assert names(show, "select context.name, resource.name from Assignment") == [
        ("anim", "ann"), ("anim", "bob"), ("light", "ann"), ("light", "bob"),
    ]  # fmt: skip
    unknown = show.fork().plan("Task", [{"t": "anim", "people": ["zoe"]}], KEY, mapping)
    assert [each.reason.partition(" '")[0] for each in unknown.refused] == ["no Resource has the name"]


def test_a_sync_file_has_children(show: Session, tmp_path: Path) -> None:
    """As tables below the step."""
    (tmp_path / "a.jsonl").write_text('{"Seq": "sq1", "shots": [{"Shot": "sh010"}]}\n')
    (tmp_path / "a.toml").write_text(
        '[[sync]]\ntype = "Sequence"\nrows = "a.jsonl"\nkey = ["parent.name", "name"]\ncolumns = { Seq = "name" }\n'
        'constants = { "parent.name" = "sintel" }\n'
        '[sync.children.shots]\ntype = "Shot"\nkey = "name"\ncolumns = { Shot = "name" }\n'
    )
    plan = show.plan_file(tmp_path / "a.toml")
    assert [(step.entity_type, len(step.created)) for step in plan.steps] == [("Sequence", 0), ("Shot", 1)]
