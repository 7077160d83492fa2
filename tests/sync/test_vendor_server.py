"""A server of another vendor is brought rows as any other: it fills in what it requires, and its keys have parts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from callsheet import Session, SessionSide, Sync, TypePair
from callsheet.errors import UsageError
from dialects.embedded import Direct, session_over
from studios import vendor_studio

SEQUENCES = {"n": "name", "p": "parent.name"}


@pytest.fixture
def studio() -> Iterator[Session]:
    """A session that speaks ftrack's dialect."""
    with vendor_studio("memory:") as service, session_over(Direct(service)) as session:
        yield session


def project(session: Session) -> Any:
    rows = [{"name": "pilot", "full_name": "Pilot", "project_schema": session.query("ProjectSchema").all()[0]["name"]}]
    session.plan("Project", rows, "name").apply()
    assert session.plan("Project", rows, "name").is_empty
    return session.query('Project where name is "pilot"').one()


def test_what_the_server_fills_in_is_not_asked_for(studio: Session) -> None:
    """A project gets its status, a sequence its type, although the schema requires both."""
    assert project(studio)["status"] == "active"
    rows = [{"n": name, "p": "pilot"} for name in ("sq1", "sq2")]
    assert studio.plan("Sequence", rows, ("parent.name", "name"), SEQUENCES).apply().created == 2
    assert studio.plan("Sequence", rows, ("parent.name", "name"), SEQUENCES).is_empty


def test_a_key_of_several_parts_is_that_of_the_row(studio: Session) -> None:
    """All its parts are needed for a new entity; one that is there is found by any of them."""
    row = {"parent_id": project(studio).identity.key, "key": "lens", "value": "35mm", "parent_type": "Project"}
    key = ("parent_id", "key")
    (added,) = studio.plan("Metadata", [row], key).created
    assert added.identity.key == (row["parent_id"], "lens")
    studio.plan("Metadata", [row], key).apply()
    assert studio.plan("Metadata", [row], key).is_empty
    (changed,) = studio.plan("Metadata", [{"key": "lens", "value": "50mm"}], "key").changed
    assert changed.identity.key == (row["parent_id"], "lens")
    with pytest.raises(UsageError, match=r"a new Metadata has the key \(parent_id, key\): rows need a value"):
        studio.plan("Metadata", [{"key": "iris", "value": "2.8"}], "key")


def test_a_server_without_history_has_no_runs(studio: Session) -> None:
    """It says so."""
    with pytest.raises(UsageError, match="keeps no history"):
        studio.sync_runs()
    with pytest.raises(UsageError, match="keeps no history"):
        studio.undo_sync("x")


def test_a_vendor_server_is_a_side_of_a_two_way_sync(studio: Session) -> None:
    """It keeps no history, so it is read whole; made, edited and deleted rows go both ways."""
    pilot = project(studio)
    scope = {"Project": 'name is "pilot"', "Sequence": 'project.name is "pilot"'}
    attributes = ["name", "parent", "description"]
    mapping = [
        TypePair("Project", "Project", ["name"], adopt=["name"], creates="none"),
        TypePair("Sequence", "Sequence", attributes, adopt=["parent", "name"], delete="delete", max_deleted=0.5),
    ]
    with Session("memory:") as ours:
        ours.create("Sequence", {"name": "sq1", "parent": ours.create("Project", {"name": "pilot"})})
        ours.commit()
        sync = Sync(ours, SessionSide(studio, "studio", scope), mapping)
        assert sync.plan().apply().refused == ()
        theirs = studio.query('Sequence where project.name is "pilot"').one()
        theirs["description"] = "theirs"
        studio.create("Sequence", {"name": "sq2", "parent": pilot})
        studio.commit()
        assert sync.plan().apply().refused == ()
        found = ours.fork().query("select name, description from Sequence")
        assert {each["name"]: each["description"] for each in found} == {"sq1": "theirs", "sq2": None}
        assert sync.plan().is_empty
        studio.delete(theirs)
        studio.commit()
        assert [(each.kind, each.label) for each in sync.plan().left] == [("delete", "sq1")]
        sync.plan().apply()
        assert [each["name"] for each in ours.fork().query("Sequence")] == ["sq2"]
