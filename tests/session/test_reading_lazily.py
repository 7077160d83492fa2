"""Lazy reads: fetched once, for all peers; and seen in the statistics."""

from __future__ import annotations

import gc
from typing import Any

import pytest

from callsheet.errors import NotLoaded, StateError


def test_a_query_gives_the_entity_that_is_known_already(show: Any) -> None:
    """One live entity per identity, whatever it was found by; local changes stay."""
    task = show.query("Task").first()
    task["name"] = "local"
    again = show.query(f'Task where id is "{task.id}"').one()
    assert again is task
    assert show.get("Task", task.id) is task
    assert show.get("Context", task.id) is task
    assert task["name"] == "local"


def test_queries_see_only_what_is_committed(show: Any) -> None:
    """Until the commit the server does not know."""
    show.create("Tag", {"name": "Unheard of"})
    assert show.query('Tag where name is "Unheard of"').count() == 0
    show.commit()
    assert len(show.query('Tag where name is "Unheard of"')) == 1


def test_an_unloaded_attribute_is_fetched_for_all_peers(show: Any) -> None:
    """A loop over the tasks costs one request for the attribute, not one for each."""
    tasks = show.query("select name from Task").all()
    show.statistics.reset()
    assert [task["bid"] for task in tasks] == [2.0] * 12
    assert show.statistics.requests == 1


def test_a_reference_of_all_is_fetched_at_once(show: Any) -> None:
    """Reading through two references costs one request for each step."""
    tasks = show.query("Task").all()
    show.statistics.reset()
    names = {task["parent"]["parent"]["name"] for task in tasks}
    assert names == {"sq1", "sq2"}
    assert show.statistics.requests == 2


def test_a_loop_of_a_thousand_entities_touching_a_reference_costs_three_requests(callsheet_session: Any) -> None:
    """One or two pages, one load."""
    session = callsheet_session
    project = session.create("Project", {"name": "p"})
    for number in range(1_000):
        folder = session.create("Folder", {"name": f"f{number}", "parent": project})
        session.create("Note", {"content": "n", "parent": folder})
    session.commit()
    fresh = session.fork()
    names = [note["parent"]["name"] for note in fresh.query("Note")]
    assert len(set(names)) == 1_000
    assert fresh.statistics.requests <= 3


def test_later_pages_bring_along_what_was_loaded_lazily(show: Any) -> None:
    """What a loop touched on the first page comes with the second."""
    names = [task["parent"]["name"] for task in show.query("Task", page_size=3)]
    assert len(names) == 12
    assert show.statistics.by_verb["select"] == 5


def test_collections_are_fetched_for_all_peers(show: Any) -> None:
    """The members of each sequence, in one request; then their names, in another."""
    sequences = show.query("Sequence order by name").all()
    show.statistics.reset()
    children = [[shot["name"] for shot in sequence["children"]] for sequence in sequences]
    assert [sorted(names) for names in children] == [["sh11", "sh12", "sh13"], ["sh21", "sh22", "sh23"]]
    assert show.statistics.requests == 2


def test_projections_bring_everything_with_the_query(show: Any) -> None:
    """Nothing is fetched afterwards."""
    tasks = show.query("select name, status.name, parent.parent.name, parent.children.name from Task").all()
    show.statistics.reset()
    for task in tasks:
        assert task["parent"]["parent"]["name"].startswith("sq")
        assert [child["name"] for child in task["parent"]["children"]] == ["anim", "light"]
        assert task["status"]["name"] in ("Done", "Ready")
    assert show.statistics.requests == 0


def test_populate_takes_mixed_types_and_asks_only_for_what_is_missing(show: Any) -> None:
    """One request for each type; none when all is there."""
    mixed = [*show.query("select id from Shot"), *show.query("select id from Task")]
    show.statistics.reset()
    show.populate(mixed, "name, parent.name, status.name")
    assert show.statistics.requests == 2
    assert all(entity["parent"]["name"] for entity in mixed)
    show.populate(mixed, "name, parent.name, status.name")
    assert show.statistics.requests == 2


def test_populate_names_what_a_type_lacks(show: Any) -> None:
    """Rather than asking for it."""
    with pytest.raises(LookupError, match="did you mean `name`"):
        show.populate(show.query("Shot").all(), "nmae")


def test_strict_reading_names_the_projection(show: Any) -> None:
    """The error says what would have brought the value along."""
    tasks = show.query("select name, parent from Task").all()
    with show.auto_populating("strict"):
        with pytest.raises(NotLoaded, match=r"`bid`"):
            tasks[0]["bid"]
        with pytest.raises(NotLoaded, match=r"`parent\.name`"):
            tasks[0]["parent"]["name"]


def test_one_by_one_is_a_choice(show: Any) -> None:
    """With the policy "one", peers are left alone."""
    tasks = show.query("select name from Task").all()
    show.statistics.reset()
    with show.auto_populating("one"):
        assert {task["bid"] for task in tasks[:3]} == {2.0}
    assert show.statistics.requests == 3


def test_items_fetch_all_that_is_missing_at_once(show: Any) -> None:
    """An entity reads like a mapping."""
    task = show.query("select name from Task").first()
    show.statistics.reset()
    values = dict(task.items())
    assert values["name"] == task["name"]
    assert show.statistics.requests <= 1
    assert "status" in task
    assert "nmae" not in task
    assert task.get("nmae", 7) == 7


def test_collections_take_changes_without_being_loaded(show: Any) -> None:
    """They travel as added and removed members; two writers add beside each other."""
    one = show.query("select id from Shot where name is sh11").one()
    tag = show.create("Tag", {"name": "night"})
    other_session = show.fork()
    other = other_session.get("Shot", one.id)
    other["tags"].append(other_session.create("Tag", {"name": "rain"}))
    other_session.commit()
    show.statistics.reset()
    one["tags"].append(tag)
    assert show.statistics.requests == 0
    show.commit()
    assert sorted(tag["name"] for tag in one["tags"]) == ["night", "rain"]
    one["tags"].remove(tag)
    show.commit()
    assert [tag["name"] for tag in show.fork().get("Shot", one.id)["tags"]] == ["rain"]


def test_adding_and_removing_a_member_is_no_change(show: Any) -> None:
    """Where the membership is known, taking it back leaves nothing."""
    shot = show.query("Shot where name is sh11").one()
    tag = show.create("Tag", {"name": "night"})
    show.commit()
    assert list(shot["tags"]) == []
    shot["tags"].append(tag)
    assert list(tag["contexts"]) == [shot]
    shot["tags"].remove(tag)
    assert (show.pending, shot.state) == ((), "clean")


def test_moving_a_child_moves_it_between_collections(show: Any) -> None:
    """At once, on both sides, also when they were loaded before."""
    one, two = show.query("Sequence order by name").all()
    shot = one["children"][0]
    assert shot not in two["children"]
    shot["parent"] = two
    assert shot in two["children"]
    assert shot not in one["children"]
    show.commit()
    assert (len(one["children"]), len(two["children"])) == (2, 4)
    one["children"].append(shot)
    show.rollback()
    assert (len(one["children"]), len(two["children"])) == (2, 4)


def test_a_required_parent_is_not_simply_left(show: Any) -> None:
    """The error says what to do instead."""
    from callsheet import SchemaError

    one = show.query("Sequence").first()
    with pytest.raises(SchemaError, match="give it another parent, or delete it"):
        one["children"].remove(one["children"][0])


def test_the_identity_map_lets_go(show: Any) -> None:
    """What nobody holds is freed once as many others have arrived."""
    small = type(show)(connection=show._connection, window=2)
    small._owns_connection = False
    for task in small.query("Task"):
        assert task["name"]
    del task
    gc.collect()
    assert len([entity for entity in small.identities if entity.entity_type == "Task"]) <= 2


def test_statistics_know_the_line_that_caused_a_request(show: Any) -> None:
    """So that users can find their loops."""
    tasks = show.query("select name from Task").all()
    with show.statistics.tracing():
        tasks[0]["bid"]
    ((site, count),) = show.statistics.call_sites.items()
    assert "test_reading_lazily.py" in site
    assert count == 1


def test_entities_of_another_session_are_refused(show: Any) -> None:
    """Mixing two units of work is an error, not a surprise."""
    other = show.fork()
    foreign = other.query("Status").first()
    task = show.query("Task").first()
    with pytest.raises(StateError, match="belongs to another session"):
        task["status"] = foreign


def test_an_entity_deleted_elsewhere_says_so_when_it_is_read(show: Any) -> None:
    """Rather than asking again and again."""
    from callsheet.errors import Detached

    task = show.query("select name from Task").first()
    other = show.fork()
    other.delete(other.get("Task", task.id))
    other.commit()
    with pytest.raises(Detached):
        task["bid"]


def test_refresh_fetches_what_is_known_again(show: Any) -> None:
    """Local changes stay, or go, as asked."""
    task = show.query("Task").first()
    other = show.fork()
    theirs = other.get("Task", task.id)
    theirs["bid"], theirs["description"] = 9.0, "theirs"
    other.commit()
    task["bid"] = 5.0
    show.refresh(task)
    assert (task["bid"], task["description"], task.state) == (5.0, "theirs", "modified")
    assert show.pending[0].before == {"bid": 9.0}
    show.refresh(task, keep="remote")
    assert (task["bid"], task.state, show.pending) == (9.0, "clean", ())


def test_ensure_finds_or_creates_and_commits_nothing(show: Any) -> None:
    """What is found is brought up to date; what is not becomes pending."""
    found = show.ensure("Status", {"name": "Done", "color": "#00ff00"}, ["name"])
    new = show.ensure("Tag", {"name": 'New "one"'}, ["name"])
    assert [operation.identity for operation in show.pending] == [found.identity, new.identity]
    show.commit()
    assert show.ensure("Tag", {"name": 'New "one"'}, ["name"]) is new
    assert show.pending == ()
