"""What the vendor's server sees to by itself, and this one too: seen through the vendor's names."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

import callsheet.compat.ftrack_api as ftrack_api
from callsheet import ConflictError, Session
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet, Create, Delete, Operation, Update
from callsheet.model.query import Condition, Select
from callsheet.model.record import Identity, new_key
from callsheet.production.queries import is_
from callsheet.server.access.confidential import deciding_types
from callsheet.server.files.uploads import FileStore
from callsheet.server.service import Service
from recorded import schema_list
from studios import KEY, served_vendor_studio, vendor_studio

exception = ftrack_api.exception


@pytest.fixture(scope="module")
def address(list_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A served studio, one for each list of schemas."""
    with served_vendor_studio(tmp_path_factory.mktemp("rules"), schema_list(list_name)) as server:
        yield server.url


@pytest.fixture
def session(address: str) -> Iterator[Any]:
    """A session of the administrator."""
    with ftrack_api.Session(address, KEY, "admin", schema_cache_path=False) as session:
        yield session


def raw(session: Any, text: str) -> list[Any]:
    """What the server answers to this text."""
    (told,) = session.call([{"action": "query", "expression": text}])
    return list(told["data"])


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ('ObjectType where name is "task"', 1),
        ('ObjectType where name is_not "TASK"', 6),
        ('User where username in ("ADMIN", "Mara", "nobody")', 2),
        ('User where username not_in ("ADMIN", "Mara")', 3),
        ("Task where parent.name is SH0010 and type.name is 'anIMation'", 2),
        ('Task where name is "anim%"', 0),
        ('Task where name is "anima_ion"', 0),
        ("Task where description is None", 18),
    ],
)
def test_texts_are_compared_in_any_case(session: Any, text: str, count: int) -> None:
    """Wildcards of patterns are plain characters in a comparison; keys are compared as they are."""
    assert len(raw(session, text)) == count
    key = session.query("Task").first()["id"]
    assert len(raw(session, f'Task where id is "{key}"')) == 1
    assert raw(session, f'Task where id is "{key.upper()}"') == [] or key == key.upper()


def test_text_is_compared_as_it_is_on_our_own_wire() -> None:
    """Ignoring case belongs to the vendor's language, not to the store."""
    from callsheet.testing import session_on

    with vendor_studio() as service, session_on(service, "admin") as native:
        assert native.query('ObjectType where name is "task"').all() == []
        assert len(native.query('ObjectType where name is "Task"').all()) == 1


def test_a_user_made_over_the_wire_gets_a_key(session: Any, address: str) -> None:
    """From an administrator, who makes the account so; with it the user can work."""
    user = session.create("User", {"username": "made.over.the.wire"})
    session.commit()
    first = session.reset_remote("api_key", user)["api_key"]
    with ftrack_api.Session(address, first, "made.over.the.wire", schema_cache_path=False) as own:
        assert own.query("User where username is made.over.the.wire").one()["id"] == user["id"]
        other = own.query("User where username is mara").one()
        with pytest.raises(exception.ServerError):
            own.reset_remote("api_key", other)
    assert session.reset_remote("api_key", user)["api_key"] != first


def test_one_of_several_versions_is_the_latest(session: Any) -> None:
    """Of those made in one commit, in whatever order, and after the latest has gone; the others say False."""
    shot, task = session.query("Shot").first(), session.query("Task").first()
    asset = session.create("Asset", {"name": "several", "parent": shot, "type": session.query("AssetType").first()})
    versions = {
        number: session.create("AssetVersion", {"asset": asset, "task": task, "version": number})
        for number in (2, 3, 1)
    }
    session.commit()
    text = f"select version, is_latest_version from AssetVersion where asset_id is {asset['id']} order by version"
    told = [(each["version"], each["is_latest_version"]) for each in session.fork().query(text)]
    assert told == [(1, False), (2, False), (3, True)]
    assert {number: each["is_latest_version"] for number, each in versions.items()} == {1: False, 2: False, 3: True}
    session.delete(versions[3])
    session.commit()
    told = [(each["version"], each["is_latest_version"]) for each in session.fork().query(text)]
    assert told == [(1, False), (2, True)]


def test_rows_and_items_of_a_list_are_the_same(session: Any) -> None:
    """An item makes a row and a row an item; so does leaving, from either side."""
    project, shots = session.query("Project").first(), session.query("Shot").all()
    category = session.query("ListCategory").first()
    made = session.create("TypedContextList", {"name": "one store", "project": project, "category": category})
    made["items"].append(shots[0])
    session.commit()

    def rows() -> list[str]:
        found = session.fork().query(f"select entity_id from ListObject where list_id is {made['id']}")
        return sorted(row["entity_id"] for row in found)

    def items() -> list[str]:
        return sorted(each["id"] for each in session.fork().get("TypedContextList", made["id"])["items"])

    assert rows() == items() == [shots[0]["id"]]
    row = session.create("ListObject", {"list_id": made["id"], "entity_id": shots[1]["id"]})
    session.commit()
    assert rows() == items() == sorted([shots[0]["id"], shots[1]["id"]])
    session.delete(row)
    session.commit()
    assert rows() == items() == [shots[0]["id"]]
    again = session.fork()
    again.get("TypedContextList", made["id"])["items"].remove(again.get("Shot", shots[0]["id"]))
    again.commit()
    assert rows() == items() == []


def test_nothing_is_part_of_nothing(session: Any) -> None:
    """A task without a parent, an asset without one and a version without an asset are refused, with the operation."""
    for kind, data in (("Task", {"name": "lost"}), ("Shot", {"name": "lost"}), ("Asset", {"name": "lost"})):
        session.create(kind, data)
        with pytest.raises(exception.ServerError, match=f"{kind} needs parent"):
            session.commit()
        session.rollback()
    session.create("AssetVersion", {"comment": "lost"})
    with pytest.raises(exception.ServerError, match="AssetVersion needs asset"):
        session.commit()
    session.rollback()
    task = session.query("Task").first()
    operation = {"action": "update", "entity_type": "Task", "entity_key": [task["id"]]}
    with pytest.raises(exception.ServerError, match="Task needs parent"):
        session.call([{**operation, "entity_data": {"parent_id": None}}])


def test_a_parent_may_be_said_later_in_the_batch(session: Any) -> None:
    """As clients do that set the children of the parent."""
    project = session.query("Project").first()
    key = "5f0f6f5e-54f8-4f0e-9a37-0f8f4f0e9a37"
    known = [{"__entity_type__": each.entity_type, "id": each["id"]} for each in project["children"]]
    children = [*known, {"__entity_type__": "Folder", "id": key}]
    session.call(
        [
            {"action": "create", "entity_type": "Folder", "entity_key": [key], "entity_data": {"name": "late"}},
            {
                "action": "update",
                "entity_type": "Project",
                "entity_key": [project["id"]],
                "entity_data": {"children": children},
            },
        ]
    )
    assert session.fork().get("Folder", key)["parent"]["id"] == project["id"]


def test_a_job_that_is_over_has_an_end(session: Any) -> None:
    """It is the time when its status became done or failed, unless somebody says another."""
    user = session.query("User").first()
    job = session.create("Job", {"user": user, "status": "running"})
    session.commit()
    assert session.fork().get("Job", job["id"])["finished_at"] is None
    job["status"] = "failed"
    session.commit()
    assert session.fork().get("Job", job["id"])["finished_at"] is not None
    ended = session.create("Job", {"user": user, "status": "done"})
    session.commit()
    assert session.fork().get("Job", ended["id"])["finished_at"] is not None


def test_media_that_nobody_encodes_are_not_done(session: Any, tmp_path: Path) -> None:
    """The job has failed, and says why."""
    (tmp_path / "cut.mov").write_bytes(b"a film")
    job = session.encode_media(str(tmp_path / "cut.mov"))
    assert job["status"] == "failed"
    assert "encodes no media" in job["data"]["description"]
    assert job["finished_at"] is not None


def test_a_schema_has_a_type_whichever_name_was_used(session: Any) -> None:
    """So project schemas have statuses for it."""
    project_schema = session.create("ProjectSchema", {"name": "by object type"})
    kind = session.query("ObjectType where name is Shot").one()
    schema = session.create("Schema", {"project_schema": project_schema, "object_type_id": kind["id"]})
    status = session.query("Status").first()
    session.create("SchemaStatus", {"schema_id": schema["id"], "status_id": status["id"]})
    session.commit()
    again = session.fork()
    assert again.get("Schema", schema["id"])["type_id"] == kind["id"]
    found = again.get("ProjectSchema", project_schema["id"]).get_statuses("Shot")
    assert [each["id"] for each in found] == [status["id"]]


def test_thumbnails_are_as_small_as_asked(tmp_path: Path) -> None:
    """At most so many pixels; smaller pictures, and what is no picture, stay as they are."""
    pictures = pytest.importorskip("PIL.Image")
    files = FileStore(lambda: tmp_path)
    kept = files.path("a")
    kept.parent.mkdir(parents=True, exist_ok=True)
    pictures.new("RGB", (400, 100), "red").save(kept, "PNG")
    content, kind = files.image("a", 50)
    assert isinstance(content, bytes)
    assert (kind, pictures.open(io.BytesIO(content)).size) == ("image/png", (50, 13))
    assert files.image("a", 400)[0] == kept
    assert files.image("a")[0] == kept
    kept.write_bytes(b"\x89PNG, but no more")
    assert files.image("a", 50)[0] == kept


@pytest.mark.parametrize("through", ["allocation", "assignment", "group"])
def test_a_private_project_is_seen_by_those_who_are_allocated(through: str, list_name: str) -> None:
    """By an appointment on the project, of the user or of a group; nobody else sees it, and no longer than that."""
    with vendor_studio("memory:", schema_list(list_name)) as service:
        service.accounts.add("mara", "user")
        project = _only(service, "Project")
        person = _only(service, "User", is_("username", "mara"))
        commit(service, Update(project, {"is_private": True}))
        assert _seen(service) == 0
        resource, rows = person, []
        if through == "group":
            resource = Identity("Group", "crew")
            member = Identity("Membership", "in-crew")
            rows = [Create(resource, {"name": "crew"}), Create(member, {"group": resource, "user": person})]
        appointment = Identity("Appointment", "seat")
        kind = "assignment" if through == "assignment" else "allocation"
        commit(service, *rows, Create(appointment, {"context": project, "resource": resource, "type": kind}))
        assert _seen(service) == 1
        commit(service, Delete(appointment))
        assert _seen(service) == 0


def test_a_task_that_changes_is_no_question_of_membership(list_name: str) -> None:
    """What accounts may see is computed anew for projects, people and appointments only."""
    with vendor_studio("memory:", schema_list(list_name)) as service:
        deciding = deciding_types(service.store.schema)
    assert {"Project", "Appointment", "Membership", "User", "Group"} <= deciding
    assert deciding.isdisjoint({"Task", "Shot", "Folder"})


def commit(service: Service, *operations: Operation) -> None:
    service.commit(ChangeSet(new_key(), operations), "admin")


def _only(service: Service, kind: str, where: Condition | None = None) -> Identity:
    page = service.backend("admin").select(Select(kind, (), where), 2)
    ((key, *_),) = (row for block in page.records[: page.roots] for row in block.rows)
    return Identity(kind, key)


def _seen(service: Service) -> int:
    return int(service.backend("mara").aggregate(Aggregate(Select("Project"), (("count", None),)))[0][0])


def test_a_number_written_on_a_base_that_is_gone_is_a_conflict(address: str) -> None:
    """Two sessions of ours read the same and count on: the second is refused and counts on what is there then."""
    with _ours(address) as one, _ours(address) as other:
        name = one.query("Task").first()["id"]
        first, second = one.get("Task", name), other.get("Task", name)
        first["bid"] = 5.0
        one.commit()
        other.refresh(second)
        first["bid"] += 1
        second["bid"] += 1
        one.commit()
        with pytest.raises(ConflictError, match="was changed by"):
            other.commit()
        other.refresh(second, keep="remote")
        second["bid"] += 1
        other.commit()
        one.refresh(first)
        assert first["bid"] == 7.0
        second["bid"] = 1.0
        first["bid"] = 2.0
        one.commit()
        other.commit(conflicts="ours")
        one.refresh(first)
        assert first["bid"] == 1.0


def test_two_who_count_on_the_vendors_wire_lose_nothing(address: str) -> None:
    """Each counts twenty times on one number, and again where somebody else was first."""
    with _ours(address) as session:
        task = session.query("Task").first()["id"]
        session.get("Task", task)["bid"] = 0.0
        session.commit()

    def count() -> None:
        with _ours(address) as session:
            for _ in range(20):
                _count_on(session, session.get("Task", task))

    threads = [Thread(target=count) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    with _ours(address) as session:
        assert session.get("Task", task)["bid"] == 40.0


def _ours(address: str) -> Session:
    return Session(address, "admin", KEY, dialect="ftrack", schema_cache=False, plugin_paths=False)


def _count_on(session: Session, task: Any) -> None:
    for _ in range(200):
        session.refresh(task)
        task["bid"] += 1
        try:
            session.commit()
        except ConflictError:
            session.rollback()
        else:
            return
    raise AssertionError("it is in conflict for ever")
