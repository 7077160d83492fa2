"""The graph of relations: the tree in it, all ways between two tables, and errors where several could be meant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callsheet import Session
from callsheet.analytics.relations import TableGraph
from callsheet.errors import SchemaError, UsageError
from callsheet.model.schema import Schema


def reference(target: str, **more: Any) -> dict[str, Any]:
    return {"type": "reference", "target": target, **more}


def schema(**types: dict[str, Any]) -> Schema:
    return Schema({"types": {name: {"attributes": attributes} for name, attributes in types.items()}})


def texts(routes: list[Any]) -> list[str]:
    return [str(route) for route in routes]


def test_the_ways_between_two_tables(holidays: Any) -> None:
    """The shortest first; a way back is followed through the collection."""
    people, bookings = holidays.tables["People"], holidays.tables["Bookings"]
    assert texts(bookings.paths_to(people)) == ["Bookings > person", "Bookings > boAgen"]
    assert texts(people.paths_to("Bookings")) == ["People > bookings", "People > sold"]
    assert texts(people.paths_to(people)) == ["People"]
    assert texts(holidays.tables["Content"].paths_to("Responses"))[0] == "Content > communication > responses"
    assert people.paths_to(bookings)[0].many
    assert not bookings.paths_to(people)[0].many


def test_a_reference_without_a_collection_is_followed_back() -> None:
    """The way is named by the type that refers."""
    relations = TableGraph(schema(Shot={"name": {}}, Note={"about": reference("Shot")}))
    assert texts(relations.routes("Shot", "Note")) == ["Shot > Note.about"]
    assert texts(relations.routes("Note", "Shot")) == ["Note > about"]


def test_several_shortest_ways_are_an_error_that_names_them() -> None:
    """No parent is known here; `through` chooses."""
    relations = TableGraph(
        schema(Person={"name": {}}, Task={"maker": reference("Person"), "judge": reference("Person")})
    )
    with pytest.raises(UsageError) as caught:
        relations.route("Task", "Person")
    assert "there are 2 ways from Task to Person: `Task > maker`; `Task > judge`" in str(caught.value)
    assert str(relations.route("Task", "Person", "judge")) == "Task > judge"
    assert str(relations.route("Person", "Task", "judge")) == "Person > Task.judge"
    assert str(relations.route("Task", "Person", "Task > maker")) == "Task > maker"
    with pytest.raises(UsageError, match="no way from Task to Person goes through `juge`; did you mean `judge`"):
        relations.route("Task", "Person", "juge")
    with pytest.raises(UsageError, match="does not lead from Task to Person"):
        relations.route("Task", "Person", relations.route("Person", "Task", "judge"))


def test_tables_that_are_not_related_say_so() -> None:
    """There is no way at all."""
    relations = TableGraph(schema(One={"name": {}}, Two={"name": {}}))
    with pytest.raises(UsageError, match="One and Two are not related"):
        relations.route("One", "Two")
    assert relations.routes("One", "Two") == []


def test_the_parent_is_stated_or_found_by_a_rule() -> None:
    """`belongs_to`, else the reference `parent`, else the only one that takes the entity along when it is deleted."""
    document = {
        "types": {
            "A": {},
            "Stated": {
                "belongs_to": "other",
                "attributes": {
                    "other": reference("A"),
                    "parent": reference("A"),
                    "own": reference("A", on_delete="cascade"),
                },
            },
            "Named": {"attributes": {"parent": reference("A"), "own": reference("A", on_delete="cascade")}},
            "Owned": {"attributes": {"own": reference("A", on_delete="cascade"), "other": reference("A")}},
            "Twice": {
                "attributes": {"own": reference("A", on_delete="cascade"), "x": reference("A", on_delete="cascade")}
            },
            "Free": {"attributes": {"other": reference("A")}},
        }
    }
    parents = TableGraph(Schema(document)).parents
    found = {name: link.attribute if link else None for name, link in parents.items()}
    assert found == {"A": None, "Stated": "other", "Named": "parent", "Owned": "own", "Twice": None, "Free": None}


def test_a_folder_in_a_folder_is_no_parent_of_itself() -> None:
    """A reference to the own family leads nowhere in the tree, and loops end."""
    relations = TableGraph(schema(Folder={"parent": reference("Folder")}))
    assert relations.parents == {"Folder": None}
    loop = TableGraph(schema(A={"parent": reference("B")}, B={"parent": reference("A")}))
    assert loop.ancestors("A") == ["B"]
    assert loop.descendants("A") == ["B"]
    with pytest.raises(SchemaError, match="name one under `master`"):
        loop.master  # noqa: B018


def test_a_way_to_a_type_below_is_a_cast() -> None:
    """Tasks of a context that is a shot."""
    document = {
        "types": {
            "Context": {
                "abstract": True,
                "attributes": {"tasks": {"type": "collection", "target": "Task", "inverse": "parent"}},
            },
            "Shot": {"extends": "Context"},
            "Task": {"attributes": {"parent": reference("Context", inverse="tasks")}},
        }
    }
    relations = TableGraph(Schema(document))
    assert texts(relations.routes("Task", "Shot")) == ["Task > parent[Shot]"]
    assert texts(relations.routes("Shot", "Task")) == ["Shot > tasks"]


@pytest.mark.parametrize(("preset", "master"), [("production", "Project"), ("lab", "Plan")])
def test_the_presets_have_a_master(preset: str, master: str) -> None:
    """The root that most belongs to; the laboratory, where several could be meant, states it."""
    with Session("memory:", schema=preset) as session:
        assert session.master_table.name == master
        assert session.schema.document.get("master", master) == master
        assert (preset == "lab") == ("master" in session.schema.document)
        assert len(session.tables) == len(session.schema.types)
        for table in session.tables:
            assert table not in table.ancestors


NAMES = "ABCDE"


@settings(max_examples=100, deadline=None)
@given(
    edges=st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=7),
    ends=st.tuples(*[st.sampled_from(NAMES)] * 2),
)
def test_every_way_is_found_and_is_one(edges: list[tuple[str, str]], ends: tuple[str, str]) -> None:
    """As brute force finds them on random graphs: links fit together, no type twice, shortest first, none missing."""
    types: dict[str, dict[str, Any]] = {name: {} for name in NAMES}
    for number, (source, target) in enumerate(edges):
        types[source][f"r{number}"] = reference(target)
    found = TableGraph(schema(**types)).routes(*ends)
    assert [len(route.links) for route in found] == sorted(len(route.links) for route in found)
    assert sorted(map(str, found)) == sorted(brute(edges, *ends))


def brute(edges: list[tuple[str, str]], start: str, end: str) -> list[str]:
    """All ways by depth first search; each reference leads in both directions."""
    if start == end:
        return [start]
    links = [(a, b, f"r{n}") for n, (a, b) in enumerate(edges)]
    links += [(b, a, f"{a}.r{n}") for n, (a, b) in enumerate(edges)]

    def walk(here: str, seen: set[str], text: str) -> list[str]:
        ways: list[str] = []
        for source, target, name in links:
            if source == here and target not in seen:
                longer = f"{text} > {name}"
                ways += [longer] if target == end else walk(target, {*seen, target}, longer)
        return ways

    return walk(start, {start}, start)
