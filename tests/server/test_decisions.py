"""What decides where files go, or who somebody is, is an administrator's to decide."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callsheet.errors import CallsheetError, Forbidden, Invalid
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.record import Identity
from callsheet.server.schemas.document import load_schema_document
from callsheet.server.schemas.marks import MARKS, marked
from callsheet.server.service import Service
from callsheet.server.writing.decisions import is_below
from recorded import LISTS, schema_list

PROJECT, ANNA, MALLORY = Identity("Project", "p"), Identity("User", "u-anna"), Identity("User", "u-mallory")
COMPONENT, UNMANAGED, DISK = Identity("FileComponent", "c"), Identity("Location", "un"), Identity("Location", "disk")
TIMELOG, JOB = Identity("Timelog", "t"), Identity("Job", "j")
SETTING, ROW = Identity("Setting", "storage"), Identity("ComponentLocation", "row")


@pytest.fixture
def service() -> Iterator[Service]:
    """The production preset with two users of the role ``user``, a component and two locations."""
    with Service.open("memory:", "production") as opened:
        for name in ("anna", "mallory"):
            opened.accounts.add(name, "user")
        commit(
            opened,
            "admin",
            Create(ANNA, {"username": "anna"}),
            Create(MALLORY, {"username": "mallory"}),
            Create(PROJECT, {"name": "sintel"}),
            Create(Identity("Disk", "d"), {"name": "d", "linux": "/mnt/show", "windows": "S:\\show"}),
            Create(UNMANAGED, {"name": "unmanaged"}),
            Create(DISK, {"name": "studio", "accessor": {"type": "disk", "prefix": "/mnt/show"}}),
            Create(SETTING, {"group": "storage", "name": "scenario", "value": "/mnt/show"}),
            Create(COMPONENT, {"name": "m"}),
            Create(TIMELOG, {"user": ANNA, "context": PROJECT, "duration": 60.0}),
            Create(JOB, {"user": ANNA}),
        )
        yield opened


NUMBER = [0]


def commit(service: Service, user: str, *operations: Operation) -> None:
    NUMBER[0] += 1
    service.backend(user).commit(ChangeSet(f"c{NUMBER[0]}", operations))


def value(service: Service, identity: Identity, name: str) -> Any:
    root = service.store.schema.types[identity.entity_type].root
    table = service.store.tables[root]
    with service.store.reading() as connection:
        return connection.execute(table.select().where(table.c.id == identity.key)).mappings().one()[name]


DECISIONS: dict[str, Operation] = {
    "setting": Update(SETTING, {"value": "/home/mallory"}),
    "new setting": Create(Identity("Setting", "s2"), {"group": "storage", "name": "x", "value": "/home/mallory"}),
    "no setting": Delete(SETTING),
    "accessor": Update(DISK, {"accessor": {"type": "disk", "prefix": "/home/mallory"}}),
    "structure": Update(DISK, {"structure": {"type": "standard"}}),
    "no accessor": Update(DISK, {"accessor": None}),
    "new location": Create(Identity("Location", "l"), {"name": "l", "accessor": {"type": "disk", "prefix": "/x"}}),
    "disk": Update(Identity("Disk", "d"), {"linux": "/home/mallory"}),
    "another's name": Update(MALLORY, {"username": "boss"}),
    "a colleague's name": Update(ANNA, {"username": "anna2"}),
    "a new user": Create(Identity("User", "u"), {"username": "boss"}),
    "private": Update(PROJECT, {"is_private": True}),
    "a private project": Create(Identity("Project", "q"), {"name": "q", "is_private": True}),
    "author": Create(Identity("Note", "n"), {"content": "x", "parent": PROJECT, "author": ANNA}),
    "a location's name": Update(DISK, {"name": "archive"}),
    "a location's priority": Update(DISK, {"priority": 1}),
    "a location in use": Update(DISK, {"is_active": False}),
    "a project's disk": Update(PROJECT, {"disk": Identity("Disk", "d")}),
    "whose time it was": Update(TIMELOG, {"user": MALLORY}),
    "a colleague's time": Create(Identity("Timelog", "t2"), {"user": ANNA, "context": PROJECT}),
    "a colleague's timer": Create(Identity("Timer", "t3"), {"user": ANNA}),
    "root": Update(PROJECT, {"root": "../../home/mallory"}),
    "role": Create(Identity("SecurityRole", "r"), {"name": "r"}),
}


@pytest.mark.parametrize("what", DECISIONS)
def test_the_role_user_decides_nothing_of_it(service: Service, what: str) -> None:
    """It is refused, and an administrator may."""
    with pytest.raises(Forbidden):
        commit(service, "mallory", DECISIONS[what])
    commit(service, "admin", DECISIONS[what])


PATHS = {
    "/home/anna/.ssh/id_rsa": False,
    "/mnt/show/../../etc/passwd": False,
    "/mnt/showcase/a.exr": False,
    "../anna/a.exr": False,
    "show/../../a.exr": False,
    "C:\\Users\\anna\\a.txt": False,
    "S:\\show\\..\\a": False,
    "\\\\server\\share\\a": False,
    "..\\a": False,
    "file:///etc/passwd": False,
    "s3://bucket/a": False,
    "~/a": False,
    "a\x1b": False,
    "/mnt/show": False,
    "/mnt/show/a.exr": True,
    "S:\\show\\a.exr": True,
    "sintel/sq010/a.exr": True,
    "c": True,
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("location", [UNMANAGED, DISK], ids=["unmanaged", "disk"])
def test_a_path_stays_where_administrators_said(service: Service, path: str, location: Identity) -> None:
    """In any location: relative, or in a folder of a disk; when it is made and when it is changed."""
    row = {"component": COMPONENT, "location": location}
    made = Create(ROW, {**row, "resource_identifier": path})
    if PATHS[path]:
        commit(service, "mallory", made)
        return
    with pytest.raises(Forbidden, match="outside the folders that administrators named"):
        commit(service, "mallory", made)
    commit(service, "mallory", Create(ROW, {**row, "resource_identifier": "fine"}))
    with pytest.raises(Forbidden):
        commit(service, "mallory", Update(ROW, {"resource_identifier": path}))
    commit(service, "admin", Update(ROW, {"resource_identifier": path}))


def test_a_folder_of_a_root_is_no_folder() -> None:
    """A disk without a mount point, or one that is the whole machine, allows what it says and no more."""
    assert not is_below("/a", ["", "."])
    assert is_below("/a", ["/"])
    assert not is_below("/", ["/"])


def test_what_stays_the_same_is_nobodys_decision(service: Service) -> None:
    """A value that is there already, or that the server would give, may be sent."""
    commit(service, "mallory", Update(ANNA, {"username": "anna", "email": "anna@example.org"}))
    commit(service, "mallory", Create(Identity("Project", "q"), {"name": "q", "is_private": False}))
    commit(service, "mallory", Create(Identity("Location", "l"), {"name": "l", "accessor": None}))
    commit(service, "mallory", Create(Identity("Note", "n"), {"content": "x", "parent": PROJECT, "author": MALLORY}))


def test_who_makes_it_may_say_what_only_administrators_change(service: Service) -> None:
    """A location's name and priority, a project's disk; one's own time, or that of nobody named."""
    location, project = Identity("Location", "l"), Identity("Project", "q")
    commit(service, "mallory", Create(location, {"name": "mine", "priority": 40}))
    commit(service, "mallory", Create(project, {"name": "q", "disk": Identity("Disk", "d")}))
    with pytest.raises(Forbidden):
        commit(service, "mallory", Update(location, {"priority": 1}))
    commit(service, "mallory", Create(Identity("Timelog", "t4"), {"context": project}))
    assert value(service, Identity("Timelog", "t4"), "user") == MALLORY.key


def test_a_job_stays_the_user_s_that_it_was_made_for(service: Service) -> None:
    """A service makes jobs for others; nobody gives one to somebody else."""
    commit(service, "mallory", Create(Identity("Job", "j2"), {"user": ANNA}))
    for user in ("mallory", "admin"):
        with pytest.raises(Invalid):
            commit(service, user, Update(JOB, {"user": MALLORY}))


def test_an_author_is_the_account(service: Service) -> None:
    """Where none is given, and it is not changed by others afterwards."""
    note = Identity("Note", "n")
    commit(service, "mallory", Create(note, {"content": "x", "parent": PROJECT}))
    assert value(service, note, "author") == MALLORY.key
    with pytest.raises(Forbidden):
        commit(service, "anna", Update(note, {"author": ANNA}))
    assert value(service, PROJECT, "created_by") is None


def test_a_role_may_be_given_the_right_to_decide(service: Service) -> None:
    """By the verb ``decide``; a rule that names an administrative type allows its entities to be written, as before."""
    service.roles.add("wrangler", ["read:*", "update,decide:Location", "create,update:Setting"])
    service.accounts.add("wim", "wrangler")
    commit(service, "wim", DECISIONS["accessor"])
    commit(service, "wim", DECISIONS["setting"])
    with pytest.raises(Forbidden):
        commit(service, "wim", DECISIONS["disk"])
    service.roles.add("everything", ["read,create,update,delete:*"])
    service.accounts.add("eve", "everything")
    with pytest.raises(Forbidden):
        commit(service, "eve", DECISIONS["role"])


def unmarked(document: Any) -> Any:
    """A document as earlier versions made it."""
    if isinstance(document, dict):
        bare = {name: unmarked(each) for name, each in document.items() if name not in MARKS}
        return {name: each for name, each in bare.items() if each != "{user}"}
    return [unmarked(each) for each in document] if isinstance(document, list) else document


@pytest.mark.parametrize("name", ["production", "lab", *LISTS])
def test_a_database_of_before_gets_the_marks(name: str) -> None:
    """Whatever it was made from; a schema of one's own is left alone."""
    document = load_schema_document(name if name in ("production", "lab") else schema_list(name))
    before = {**document, "types": unmarked(document["types"])}
    assert before != document
    assert marked(before) == document
    assert marked(document) is document
    own = {"name": "own", "types": {"User": {"attributes": {"username": {"type": "string"}}}}}
    assert marked(own) == own


def test_a_database_of_before_is_protected(tmp_path: Path) -> None:
    """Opened by this version, what decides is an administrator's."""
    url = f"sqlite:///{(tmp_path / 'old.db').as_posix()}"
    document = load_schema_document("production")
    with Service.open(url, {**document, "types": unmarked(document["types"])}) as service:
        service.accounts.add("mallory", "user")
        commit(service, "mallory", Create(DISK, {"name": "l", "accessor": {"type": "disk", "prefix": "/x"}}))
    with Service.open(url) as service, pytest.raises(Forbidden):
        commit(service, "mallory", DECISIONS["accessor"])


# Who somebody is


def authors(service: Service, user: str, key: str) -> tuple[Any, Any]:
    """Who an account's new note and component are said to be of."""
    note, component = Identity("Note", f"n-{key}"), Identity("FileComponent", f"c-{key}")
    commit(service, user, Create(note, {"content": "x", "parent": PROJECT}), Create(component, {"name": key}))
    return value(service, note, "author"), value(service, component, "created_by")


def test_a_user_who_is_renamed_stays_the_author(service: Service) -> None:
    """Notes, files and stamps of the account are the same user's before and after, and show the new name."""
    assert authors(service, "anna", "1") == ("u-anna", "u-anna")
    commit(service, "admin", Update(ANNA, {"username": "anna.berg"}))
    assert authors(service, "anna", "2") == ("u-anna", "u-anna")
    commit(service, "admin", Update(ANNA, {"username": "berg"}))
    assert authors(service, "anna", "3") == ("u-anna", "u-anna")
    assert value(service, ANNA, "username") == "berg"


def test_nobody_becomes_the_author_by_taking_a_name_that_became_free(service: Service) -> None:
    """The account stands for its own user, also beside a new one that has the account's name."""
    commit(service, "admin", Update(ANNA, {"username": "anna.berg"}))
    commit(service, "admin", Create(Identity("User", "other"), {"username": "anna"}))
    assert authors(service, "anna", "1") == ("u-anna", "u-anna")
    note = Create(Identity("Note", "n"), {"content": "x", "parent": PROJECT, "author": Identity("User", "other")})
    with pytest.raises(Forbidden):
        commit(service, "anna", note)


def test_a_user_who_is_deleted_leaves_the_name_to_the_next(service: Service) -> None:
    """As before: an account whose user is gone stands for the one with its name, or for none."""
    commit(service, "admin", Update(ANNA, {"username": "anna.berg"}))
    commit(service, "admin", Delete(TIMELOG), Delete(ANNA))
    assert authors(service, "anna", "1") == (None, None)
    commit(service, "admin", Create(Identity("User", "other"), {"username": "anna"}))
    assert authors(service, "anna", "2") == ("other", "other")


def test_a_renamed_member_sees_the_private_project(service: Service) -> None:
    """Membership follows the user, not the name."""
    commit(
        service,
        "admin",
        Create(Identity("Allocation", "al"), {"project": PROJECT, "resource": ANNA}),
        Update(PROJECT, {"is_private": True}),
    )
    commit(service, "admin", Update(ANNA, {"username": "anna.berg"}))
    commit(service, "anna", Update(PROJECT, {"description": "seen"}))
    with pytest.raises(CallsheetError):
        commit(service, "mallory", Update(PROJECT, {"description": "x"}))
