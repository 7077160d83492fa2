"""A project is copied with all that belongs to it, keys and all, and a copy that was cut short is finished."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from callsheet import Session
from callsheet.batch.cloning import Copied, clone
from callsheet.cli.commands import callsheet as commands
from callsheet.errors import CommitError, Disconnected, NoResult
from callsheet.flow import Request
from callsheet.server.process import serve
from callsheet.server.service import Service
from callsheet.session.connection import over
from dialects.embedded import Direct, session_over
from recorded import schema_list
from studios import KEY, vendor_studio


@pytest.fixture
def studio() -> Iterator[Session]:
    """A session in ftrack's language on a small studio."""
    with vendor_studio() as service, session_over(Direct(service)) as session:
        yield session


@pytest.fixture
def empty() -> Iterator[Direct]:
    """The way to a store with the studio's schema and nothing in it."""
    with Service.open("memory:", schema_list(), essentials=False) as service:
        yield Direct(service)


def told(session: Session, entity_type: str, *paths: str) -> list[tuple[Any, ...]]:
    """The values of all entities of a type, ordered by key."""
    rows = session.fork().query(f"select {', '.join(paths)} from {entity_type}").all()
    read = [tuple(value_at(entity, path) for path in ("id", *paths)) for entity in rows]
    return sorted(read, key=lambda row: str(row[0]))


def value_at(entity: Any, path: str) -> Any:
    for name in path.split("."):
        entity = None if entity is None else entity[name]
    return entity


SAME = {
    "Project": ("name", "full_name", "project_schema.name", "start_date"),
    "Task": ("name", "status.name", "type.name", "priority.name", "parent.name", "bid", "description"),
    "Shot": ("name", "parent.name", "object_type.name"),
    "AssetVersion": ("version", "asset.name", "asset.type.name", "task.name", "status.name", "comment"),
    "Note": ("content", "author.username", "in_reply_to_id", "parent_id"),
    "Timelog": ("duration", "user.username", "context_id"),
    "Appointment": ("context_id", "resource_id", "type"),
    "User": ("username", "first_name"),
    "CustomAttributeConfiguration": ("key", "entity_type", "type.name"),
    "Status": ("name", "state.name"),
}


def test_all_of_a_project_is_copied_and_what_it_refers_to(studio: Session, empty: Direct) -> None:
    """Contexts, versions, notes, times, people, statuses and configurations are in the copy as they were."""
    with session_over(empty) as copy:
        copied = clone(studio, copy, studio.query("Project").one()["name"])
        assert copied.refused == {}
        assert copied.made["Context"] == 28
        for entity_type, paths in SAME.items():
            assert told(copy, entity_type, *paths) == told(studio, entity_type, *paths), entity_type


def test_items_of_mappings_and_members_of_lists_are_copied(studio: Session, empty: Direct) -> None:
    """Metadata, values of custom attributes, and what is on lists."""
    task = studio.query("Task").first()
    task["metadata"]["renderer"] = "arnold"
    tasks = studio.query("Task order by name").all()[:3]
    listed = {
        "name": "for today",
        "owner": studio.query("User").first(),
        "project": studio.query("Project").one(),
        "category": studio.query("ListCategory").first(),
    }
    today = studio.create("TypedContextList", listed)
    today["items"].extend(tasks)
    studio.commit()
    with session_over(empty) as copy:
        clone(studio, copy, studio.query("Project").one()["id"])
        assert copy.get("Task", task["id"])["metadata"]["renderer"] == "arnold"
        held = copy.get("TypedContextList", today["id"])["items"]
        assert {member["id"] for member in held} == {task["id"] for task in tasks}
        shots = {shot["id"]: dict(shot["custom_attributes"]) for shot in studio.query("Shot")}
        assert {shot["id"]: dict(shot["custom_attributes"]) for shot in copy.query("Shot")} == shots


def test_a_copy_cut_short_is_finished_by_running_it_again(studio: Session, empty: Direct) -> None:
    """However often the connection breaks: in the end all is there, and nothing twice."""
    project, runs = studio.query("Project").one()["name"], 0
    whole = told(studio, "Context", "name")
    while True:
        left = 20 * (runs + 1)

        def cut(_: Request) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise Disconnected("the connection broke")

        empty.before = cut
        try:
            with session_over(empty) as copy:
                clone(studio, copy, project)
            break
        except (CommitError, Disconnected):
            runs += 1
            assert runs < 50
    assert runs > 1
    empty.before = lambda request: None
    with session_over(empty) as copy:
        assert told(copy, "Context", "name") == whole
        again = clone(studio, copy, project)
        assert again.made == {}
        assert told(copy, "Note", "content") == told(studio, "Note", "content")


def test_other_projects_stay_behind(studio: Session, empty: Direct) -> None:
    """Only what belongs to the named project is copied."""
    schema = studio.query("ProjectSchema").first()
    other = studio.create("Project", {"name": "other", "full_name": "Other", "project_schema": schema})
    studio.create("Folder", {"name": "elsewhere", "parent": other})
    studio.commit()
    with session_over(empty) as copy:
        clone(studio, copy, studio.query('Project where name is_not "other"').one()["name"])
        assert copy.query('Folder where name is "elsewhere"').all() == []
        assert len(copy.query("Project").all()) == 1


def test_our_own_server_is_copied_too() -> None:
    """The same with the native schema: the tree, the metadata and the statuses."""
    with (
        Service.open("memory:", "production", seed=True) as first,
        Service.open("memory:", "production") as second,
        Session(connection=over(first.backend("admin"))) as source,
        Session(connection=over(second.backend("admin"))) as copy,
    ):
        project = source.create("Project", {"name": "sintel"})
        shot = source.create("Shot", {"name": "010", "parent": project, "metadata": {"lens": "35"}})
        status = source.query("Status").first()
        source.create("Task", {"name": "layout", "parent": shot, "status": status})
        source.create("Project", {"name": "other"})
        source.commit()
        assert clone(source, copy, "sintel").refused == {}
        task = copy.query("Task").one()
        assert (task["parent"]["name"], task["status"]["name"]) == ("010", status["name"])
        assert task["parent"]["metadata"]["lens"] == "35"
        assert [each["name"] for each in copy.query("Project")] == ["sintel"]


def test_one_odd_value_does_not_stop_the_others() -> None:
    """A value that the schema does not allow refuses its own entity, with the reason, and nothing else."""
    with (
        Service.open("memory:", "production", seed=True) as first,
        Service.open("memory:", "production") as second,
        Session(connection=over(first.backend("admin"))) as source,
        Session(connection=over(second.backend("admin"))) as copy,
    ):
        project = source.create("Project", {"name": "sintel"})
        shots = [source.create("Shot", {"name": name, "parent": project}) for name in ("010", "020", "030")]
        source.commit()
        odd = f"UPDATE Context SET description = 'a' || char(0) WHERE id = '{shots[1].id}'"
        first.store.write(lambda connection: connection.exec_driver_sql(odd))
        copied = clone(source.fork(), copy, "sintel")
        ((place, reason),) = copied.refused.items()
        assert place == ("Context", shots[1].id)
        assert "Shot.description" in reason
        assert [each["name"] for each in copy.query("Shot order by name")] == ["010", "030"]


def test_a_project_that_is_not_there_is_named(studio: Session, empty: Direct) -> None:
    """The error says which project was not found."""
    with session_over(empty) as copy, pytest.raises(NoResult, match="no project with the name or key `nowhere`"):
        clone(studio, copy, "nowhere")


def test_what_a_run_did_is_counted() -> None:
    """A new account of a run is empty."""
    assert Copied() == Copied({}, {}, 0, {})


@pytest.mark.parametrize("dialect", ["ftrack", "native"])
def test_the_command_copies_over_the_wire(tmp_path: Path, dialect: str) -> None:
    """``callsheet clone`` makes a database that can be served, and goes on when it is run again.

    A server with an ftrack site's schema can be copied in either language.
    """
    schemas = schema_list()
    database = f"sqlite:///{(tmp_path / 'studio.db').as_posix()}"
    copy = f"sqlite:///{(tmp_path / 'copy.db').as_posix()}"
    with vendor_studio(database):
        pass
    with serve(schemas, database) as server:
        with Session(server.url, "admin", KEY, dialect="ftrack", schema_cache=False) as session:
            name = session.query("Project").one()["name"]
        arguments = ["clone", server.url, "--dialect", dialect, "--user", "admin", "--key", KEY]
        arguments += ["--project", name, "--database", copy]
        first = CliRunner().invoke(commands, arguments)
        again = CliRunner().invoke(commands, arguments)
    assert (first.exit_code, again.exit_code) == (0, 0), first.output + again.output
    assert "0 were there already" in first.output
    assert "0 entities are copied" in again.output
    with Session(copy) as session:
        assert session.query("Project").one()["name"] == name
