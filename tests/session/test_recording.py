"""What a session records, what it would send, and what it forgets."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from callsheet import NOT_SET, Create, Delete, Identity, SchemaError, StateError, Update
from callsheet.errors import Detached, UnknownAttribute


def test_a_create_and_its_updates_are_one_create(callsheet_session: Any) -> None:
    """The log has everything done; the change set one operation for each entity."""
    session = callsheet_session
    project = session.create("Project", {"name": "sintel", "full_name": "Sintel"})
    shot = session.create("Shot", {"name": "010", "parent": project})
    shot["description"] = "Opening"
    shot.fstart = 1001
    assert [type(operation) for operation in session.recorded_operations] == [Create, Create, Update, Update]
    assert session.pending == (
        Create(Identity("Project", project.id), {"full_name": "Sintel", "name": "sintel"}),
        Create(
            Identity("Shot", shot.id),
            {"description": "Opening", "fstart": 1001, "name": "010", "parent": project.identity},
        ),
    )
    assert session.created == [project, shot]
    session.commit()
    assert (session.pending, session.recorded_operations, session.created) == ((), [], [])
    assert shot["description"] == "Opening"


def test_setting_an_equal_value_records_nothing(show: Any) -> None:
    """Neither the same string nor the same reference is a change."""
    task = show.query("Task").first()
    task["name"], task["status"], task["bid"] = task["name"], task["status"], 2.0
    assert show.recorded_operations == []
    assert task.state == "clean"


def test_a_value_taken_back_is_no_change(show: Any) -> None:
    """The log tells both steps; there is nothing to send and the entity is clean."""
    task = show.query("Task where name is anim").first()
    task["name"] = "other"
    assert (task.state, show.modified) == ("modified", [task])
    task["name"] = "anim"
    assert len(show.recorded_operations) == 2
    assert (show.pending, task.state, show.modified) == ((), "clean", [])
    assert show.commit() is None


def test_a_commit_of_nothing_sends_nothing(show: Any) -> None:
    """No request is made."""
    show.statistics.reset()
    assert show.commit() is None
    assert show.statistics.requests == 0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("nmae", "x", "did you mean `name`"),
        ("name", 3, "takes a string, not int"),
        ("bid", "long", "takes a number, not str"),
        ("fstart", 1.5, "takes an integer, not float"),
        ("fstart", True, "takes an integer, not bool"),
        ("fstart", 2**63, "64 bits"),
        ("bid", float("inf"), "finite"),
        ("due_date", "2026-1-1", "takes a datetime.date, not str"),
        ("due_date", datetime(2026, 1, 1, tzinfo=UTC), "takes a datetime.date, not datetime"),
        ("description", "a\x00b", "U+0000"),
        ("description", "\ud800", "surrogate"),
        ("status", "Done", "takes an entity of type Status"),
        ("created_at", datetime(2026, 1, 1, tzinfo=UTC), "computed by the server"),
        ("id", "x", "primary key"),
    ],
)
def test_a_wrong_name_or_value_is_refused_at_once(show: Any, name: str, value: Any, message: str) -> None:
    """The error names the attribute and the cure; nothing is recorded, in create and in assignment alike."""
    shot = show.query("Shot").first()
    with pytest.raises(SchemaError, match=message.replace("+", r"\+")):
        shot[name] = value
    if name != "id":
        with pytest.raises(SchemaError, match=message.replace("+", r"\+")):
            show.create("Shot", {"name": "x", "parent": shot["parent"], name: value})
    assert show.recorded_operations == []


def test_an_unknown_type_names_the_nearest(show: Any) -> None:
    """So does the mapping of types."""
    with pytest.raises(SchemaError, match="did you mean `Shot`"):
        show.create("Shoot", {})
    with pytest.raises(SchemaError, match="did you mean `Project`"):
        show.types["project"]


def test_an_unknown_attribute_is_an_attribute_error_and_a_key_error(show: Any) -> None:
    """So that ``hasattr`` and ``except KeyError`` do what one expects."""
    task = show.query("Task").first()
    assert not hasattr(task, "nmae")
    with pytest.raises(KeyError):
        task["nmae"]
    with pytest.raises(UnknownAttribute, match="did you mean `name`"):
        task.nmae = "x"


def test_an_immutable_attribute_is_set_by_create_only(show: Any) -> None:
    """Also before the commit it can be repaired; afterwards not."""
    project = show.query("Project").one()
    asset = show.create("Asset", {"name": "comp", "parent": project})
    version = show.create("AssetVersion", {"asset": asset})
    show.commit()
    with pytest.raises(SchemaError, match="immutable"):
        version["asset"] = None
    assert show.pending == ()


def test_rollback_takes_everything_back(show: Any) -> None:
    """Values are as before, created entities are detached, deleted ones are back."""
    task = show.query("Task where name is anim").first()
    status, parent = task["status"], task["parent"]
    other = show.query("Shot where name is sh23").one()
    new = show.create("Task", {"name": "new", "parent": other})
    doomed = show.query("Task where name is light").first()
    show.delete(doomed)
    task["name"], task["status"], task["parent"] = "x", None, other
    task["metadata"]["note"] = "n"
    show.rollback()
    assert (task["name"], task["status"], task["parent"], dict(task["metadata"])) == ("anim", status, parent, {})
    assert (doomed.state, doomed["name"]) == ("clean", "light")
    assert new.state == "detached"
    with pytest.raises(Detached, match="no longer part of the session"):
        new["name"]
    assert new not in list(other["children"])
    assert (show.pending, show.created, show.modified, show.deleted) == ((), [], [], [])


def test_a_deleted_entity_leaves_collections_and_says_so(show: Any) -> None:
    """At once it is out of collections; after the commit it is detached, and so is what went with it."""
    shot = show.query("Shot where name is sh11").one()
    sequence = shot["parent"]
    tasks = list(shot["children"])
    assert shot in list(sequence["children"])
    show.delete(shot)
    assert (shot.state, show.deleted) == ("deleted", [shot])
    assert shot not in list(sequence["children"])
    with pytest.raises(StateError, match="to be deleted"):
        shot["name"] = "x"
    result = show.commit()
    assert shot.state == "detached"
    with pytest.raises(Detached):
        shot["name"]
    assert sorted(result.deleted) == sorted(task.identity for task in tasks)
    assert {task.state for task in tasks} == {"detached"}
    assert len(sequence["children"]) == 2
    assert show.get("Shot", shot.id) is None


def test_born_and_dead_is_never_sent(show: Any) -> None:
    """The entity is detached and nothing was said to the server."""
    note = show.create("Note", {"content": "never mind"})
    show.delete(note)
    assert show.pending == ()
    show.statistics.reset()
    assert show.commit() is None
    assert (show.statistics.requests, note.state, show.deleted) == (0, "detached", [])


def test_recording_can_be_switched_off(show: Any) -> None:
    """What is set meanwhile counts as known from the server."""
    task = show.query("Task").first()
    with show.operation_recording(False):
        task["name"] = "told elsewhere"
    assert (task["name"], task.state, show.pending) == ("told elsewhere", "clean", ())


def test_a_reference_and_its_foreign_key_agree(show: Any) -> None:
    """Whichever is read or written, before and after the commit."""
    task = show.query("Task").first()
    done = show.query("Status where name is Done").one()
    ready = show.query("Status where name is Ready").one()
    task["status"] = done
    assert task["status_id"] == done.id
    task["status_id"] = ready.id
    assert task["status"] is ready
    task.status_id = None
    assert task["status"] is None
    assert task["status_id"] is None
    task["status_id"] = done.id
    show.commit()
    assert show.fork().get("Task", task.id)["status"]["name"] == "Done"


def test_a_foreign_key_of_something_not_loaded_gives_a_ghost_that_loads(show: Any) -> None:
    """The concrete type of a polymorphic parent becomes known with its values."""
    shot_id = next(show.query("select id from Shot where name is sh12").records())["id"]
    task = show.create("Task", {"name": "comp", "parent_id": shot_id})
    assert task["parent_id"] == shot_id
    show.commit()
    assert task["parent"]["name"] == "sh12"
    assert isinstance(task["parent"], show.types["Shot"])


def test_references_may_form_a_cycle(callsheet_session: Any) -> None:
    """Two created in the same commit refer to each other."""
    session = callsheet_session
    project = session.create("Project", {"name": "p"})
    asset = session.create("Asset", {"name": "a", "parent": project})
    one, two = (session.create("AssetVersion", {"asset": asset}) for _ in range(2))
    one["uses_versions"].append(two)
    two["uses_versions"].append(one)
    note = session.create("Note", {"content": "first"})
    reply = session.create("Note", {"content": "second", "in_reply_to": note})
    session.commit()
    fresh = session.fork()
    assert fresh.get("AssetVersion", one.id)["uses_versions"][0].id == two.id
    assert fresh.get("AssetVersion", two.id)["used_in_versions"][0].id == one.id
    assert fresh.get("Note", reply.id)["in_reply_to"]["content"] == "first"


def test_unique_values_can_be_swapped(show: Any) -> None:
    """Two siblings exchange names in one commit."""
    one, two = show.query("Shot where name in (sh11, sh12) order by name").all()
    one["name"], two["name"] = "sh12", "sh11"
    show.commit()
    fresh = show.fork()
    assert (fresh.get("Shot", one.id)["name"], fresh.get("Shot", two.id)["name"]) == ("sh12", "sh11")


def test_values_of_every_kind_survive_the_round_trip(show: Any) -> None:
    """What is committed is what another session reads, to the type."""
    values: dict[str, Any] = {
        "name": 'quote " and \\ and ünïcödé \U0001f3ac',
        "due_date": date(2026, 2, 28),
        "bid": 1.5,
        "sort": -0.25,
        "fend": 2**62,
        "description": "",
    }
    sequence = show.query("Sequence").first()
    shot = show.create("Shot", {**values, "parent": sequence})
    event = show.create("Location", {"name": "here", "accessor": {"a": [1, 2.5, None, True, {"b": "c"}]}})
    version_time = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
    asset = show.create("Asset", {"name": "a", "parent": shot})
    version = show.create("AssetVersion", {"asset": asset, "date": version_time, "is_published": False})
    show.commit()
    fresh = show.fork()
    read = fresh.get("Shot", shot.id)
    assert {name: read[name] for name in values} == values
    assert [type(read[name]) for name in values] == [str, date, float, float, int, str]
    assert fresh.get("Location", event.id)["accessor"] == {"a": [1, 2.5, None, True, {"b": "c"}]}
    assert fresh.get("AssetVersion", version.id)["date"] == version_time
    assert fresh.get("AssetVersion", version.id)["is_published"] is False
    assert fresh.get("AssetVersion", version.id)["version"] == 1


def test_json_cannot_be_changed_in_place(show: Any) -> None:
    """A change that could not be recorded is refused; an assigned copy is recorded."""
    place = show.create("Location", {"name": "here", "accessor": {"root": "/a"}})
    show.commit()
    with pytest.raises(SchemaError, match="assign a changed copy"):
        place["accessor"]["root"] = "/b"
    place["accessor"] = {**place["accessor"], "root": "/b"}
    show.commit()
    assert show.fork().get("Location", place.id)["accessor"] == {"root": "/b"}


def test_mapping_items_are_set_and_removed_one_by_one(show: Any) -> None:
    """Setting needs no load and leaves other items alone; two writers do not overwrite each other."""
    shot = show.query("select name from Shot where name is sh11").one()
    other = show.fork().get("Shot", shot.id)
    other["metadata"]["theirs"] = "1"
    other._core.commit()
    show.statistics.reset()
    shot["metadata"]["ours"] = "2"
    assert show.statistics.requests == 0
    assert show.pending[0].values == {"metadata.ours": "2"}
    show.commit()
    assert dict(shot["metadata"]) == {"ours": "2", "theirs": "1"}
    del shot["metadata"]["theirs"]
    show.commit()
    assert dict(show.fork().get("Shot", shot.id)["metadata"]) == {"ours": "2"}
    shot["metadata"] = {"new": "3"}
    show.commit()
    assert dict(show.fork().get("Shot", shot.id)["metadata"]) == {"new": "3"}
    with pytest.raises(KeyError):
        shot["metadata"]["missing"]


def test_custom_attributes_can_be_added_at_run_time(show: Any) -> None:
    """Once configured they are read, written, checked and queried like any other."""
    show.create(
        "CustomAttributeConfiguration",
        {"key": "difficulty", "entity_type": "Shot", "data_type": "integer", "default": 1},
    )
    show.commit()
    show.reload_schema()
    shot = show.query("Shot where name is sh11").one()
    assert shot["custom_attributes"]["difficulty"] == 1
    shot["custom_attributes"]["difficulty"] = 5
    with pytest.raises(SchemaError, match="takes an integer"):
        shot["custom_attributes"]["difficulty"] = "hard"
    with pytest.raises(SchemaError, match="did you mean `difficulty`"):
        shot["custom_attributes"]["dificulty"] = 5
    show.commit()
    assert [s["name"] for s in show.query("Shot where custom_attributes.difficulty > 3")] == ["sh11"]
    assert show.query("Shot where custom_attributes.difficulty is 1").count() == 5


def test_not_set_is_false_and_is_not_none(show: Any) -> None:
    """It says that no value is known."""
    task = show.query("select name from Task").first()
    assert task.peek("bid") is NOT_SET
    with show.auto_populating(False):
        assert task["bid"] is NOT_SET
        assert not task["bid"]
    assert repr(NOT_SET) == "NOT_SET"


def test_operations_print_without_their_entities(show: Any) -> None:
    """They hold identities, so nothing is fetched to show them."""
    task = show.query("Task").first()
    task["bid"] = 8.0
    show.delete(show.query("Note").first() or show.query("Task where name is light").first())
    show.statistics.reset()
    update, delete = show.pending
    assert (update.identity, update.values, update.before) == (task.identity, {"bid": 8.0}, {"bid": 2.0})
    assert isinstance(delete, Delete)
    assert "bid" in repr(update)
    assert show.statistics.requests == 0


def test_behaviours_extend_a_type_and_its_subtypes(show: Any) -> None:
    """Also types already in use; an attribute cannot be hidden by one."""

    class Framed:
        def frames(self: Any) -> int:
            return int(self["fend"] - self["fstart"] + 1)

        def __repr__(self) -> str:
            return f"framed {super().__repr__()}"

    class Hiding:
        def name(self) -> str:
            return ""

    shot = show.query("Shot where name is sh11").one()
    show.types.extend("Context", Framed)
    shot.fend = 1010
    assert shot.frames() == 10
    assert repr(shot).startswith("framed <Shot 'sh11'")
    with pytest.raises(SchemaError, match="would hide the attribute"):
        show.types.extend("Shot", Hiding)


def test_ten_thousand_operations_go_in_one_commit(callsheet_session: Any) -> None:
    """More than one request may hold is staged in parts and still one transaction."""
    session = callsheet_session
    project = session.create("Project", {"name": "big"})
    for number in range(10_000):
        session.create("Folder", {"name": f"f{number:05}", "parent": project})
    result = session.commit()
    assert (session.statistics.by_verb["stage"], session.statistics.by_verb["commit"]) == (3, 1)
    assert session.query("Folder").count() == 10_000
    assert len(result.versions) == 10_001
