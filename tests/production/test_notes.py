"""Notes are one new row: nothing that is there already is fetched or sent."""

from __future__ import annotations

import json

import pytest

from callsheet import Session
from callsheet.dialects.ftrack.client.dialect import FtrackDialect
from callsheet.errors import UsageError
from callsheet.server.service import Service
from callsheet.session.connection import ServerConnection, over
from dialects.embedded import Direct
from production.making import again, make_task, make_user, make_version


def test_a_note_about_a_task(session: Session) -> None:
    """A note is by the session's user, shows in the task's notes at once, and is there for others after a commit."""
    task = make_task(session)
    note = task.create_note("Too dark")
    assert note.state == "created"
    assert note in task["notes"]
    session.commit()
    found = again(session, task)["notes"]
    assert [each["content"] for each in found] == ["Too dark"]
    assert found[0]["author"]["username"] == "admin"


def test_a_note_about_a_version(session: Session) -> None:
    """Everything that has notes takes one."""
    version = make_version(session)
    version.create_note("Final")
    session.commit()
    assert [each["content"] for each in again(session, version)["notes"]] == ["Final"]


def test_a_note_by_somebody_to_somebody(session: Session) -> None:
    """Authors and recipients are as told; nobody is a recipient twice."""
    task, author, recipient = make_task(session), make_user(session), make_user(session)
    note = task.create_note("Look", author=author, recipients=[recipient, recipient])
    session.commit()
    found = again(session, note)
    assert found["author"]["id"] == author["id"]
    far = (
        "recipient"
        if "Recipient" in session.types and "recipient" in session.types["Recipient"]._type.names
        else "resource"
    )
    assert recipient["id"] in [each[far]["id"] for each in found["recipients"]]


def test_a_reply(session: Session) -> None:
    """An answer is a note that names the one it answers."""
    note = make_task(session).create_note("Too dark")
    reply = note.create_reply("Brighter now")
    session.commit()
    assert [each["id"] for each in again(session, note)["replies"]] == [reply["id"]]


def test_labels(either: Session) -> None:
    """A note is filed under labels."""
    task = make_task(either)
    one, two = (either.create("NoteLabel", {"name": f"{name}-{task['id'][-12:]}"}) for name in ("internal", "client"))
    note = task.create_note("Too dark", labels=[one, two])
    either.commit()
    found = again(either, note)
    if "labels" in found:
        told = {label["id"] for label in found["labels"]}
    else:
        told = {link["label"]["id"] for link in found["note_label_links"]}
    assert told == {one["id"], two["id"]}


def test_a_category_is_one_label(vendor: Session) -> None:
    """The older name still works; both at once are refused, and nothing is recorded then."""
    task = make_task(vendor)
    label = vendor.query("NoteLabel").first()
    note = task.create_note("Too dark", category=label)
    vendor.commit()
    assert [link["label"]["id"] for link in again(vendor, note)["note_label_links"]] == [label["id"]]
    with pytest.raises(UsageError, match="labels or a category"):
        task.create_note("Too dark", category=label, labels=[label])
    assert vendor.pending == ()


def test_notes_that_are_there_are_not_sent_again(vendor: Session, wire: Direct) -> None:
    """The hundredth note costs what the first does: one create, no query of the others."""
    task = make_task(vendor)
    user = vendor.query("User where username is admin").one()
    for number in range(3):
        task.create_note(str(number), author=user)
    vendor.commit()
    wire.sent.clear()
    task.create_note("next", author=user)
    vendor.commit()
    (request,) = wire.sent
    operations = json.loads(request.content)
    assert [(each["action"], each["entity_type"]) for each in operations] == [("create", "Note")]
    assert len(again(vendor, task)["notes"]) == 4


def test_a_note_that_is_taken_back(session: Session) -> None:
    """Rolled back, a note is out of the collection too."""
    task = make_task(session)
    task.create_note("Too dark")
    session.rollback()
    assert list(task["notes"]) == []


@pytest.mark.parametrize("place", ["in this process", "ftrack"])
def test_a_note_of_a_renamed_user_is_that_users(place: str, request: pytest.FixtureRequest) -> None:
    """The account keeps its name, the user has another one; the note shows the new one at once and on the server."""
    administrator: Session = request.getfixturevalue("preset" if place == "in this process" else "vendor")
    service: Service = request.getfixturevalue("preset_service" if place == "in this process" else "vendor_service")
    service.accounts.add("renata", "user")
    task = make_task(administrator)
    user = administrator.create("User", {"username": "renata"})
    administrator.commit()
    user["username"] = "renata.berg"
    administrator.commit()
    if place == "in this process":
        opened = Session(connection=over(service.backend("renata")))
    else:
        opened = Session(connection=ServerConnection(FtrackDialect(), Direct(service, "renata"), None, user="renata"))
    with opened as session:
        note = session.get("Task", task["id"]).create_note("Too dark")
        session.commit()
        assert again(session, note)["author"]["username"] == "renata.berg"
