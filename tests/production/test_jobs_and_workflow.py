"""Jobs tell how far they are; project schemas tell which statuses and types apply."""

from __future__ import annotations

import pytest

from callsheet import Session
from callsheet.errors import SchemaError, UsageError
from production.making import again, make_user


def test_a_job_tells_how_far_it_is(either: Session) -> None:
    """Progress, words and data are there for others after a commit; data that was there stays."""
    job = either.create("Job", {"user": make_user(either), "data": {"shots": ["sh010", "sh020"]}})
    job.start("Rendering")
    either.commit()
    job.report(0.5, frame=1050)
    either.commit()
    found = again(either, job)
    state = found["state"] if "state" in found else found["status"]
    assert state == "running"
    assert list(found["data"]["shots"]) == ["sh010", "sh020"]
    assert found["data"]["frame"] == 1050
    told = found if "progress" in found else found["data"]
    assert told["progress"] == 0.5
    assert told["description"] == "Rendering"


@pytest.mark.parametrize(("end", "state"), [("finish", "done"), ("fail", "failed")])
def test_a_job_ends(either: Session, end: str, state: str) -> None:
    """A job is done, or failed, with the last words said."""
    job = either.create("Job", {"user": make_user(either)})
    getattr(job, end)("The end")
    either.commit()
    found = again(either, job)
    assert (found["state"] if "state" in found else found["status"]) == state
    assert (found["description"] if "description" in found else found["data"]["description"]) == "The end"


@pytest.mark.parametrize("progress", [-0.1, 1.1, float("nan")])
def test_progress_is_from_nothing_to_all(either: Session, progress: float) -> None:
    """Anything else is refused, and nothing recorded."""
    job = either.create("Job", {"user": make_user(either)})
    either.commit()
    with pytest.raises(UsageError, match="from 0 to 1"):
        job.report(progress)
    assert either.pending == ()


def test_job_files_are_rows(vendor: Session) -> None:
    """What a job made is attached by a row between both."""
    job = vendor.create("Job", {"user": make_user(vendor)})
    component = vendor.create("FileComponent", {"name": "log", "file_type": ".txt"})
    vendor.create("JobComponent", {"job": job, "component": component})
    vendor.commit()
    assert [each["component"]["id"] for each in again(vendor, job)["job_components"]] == [component["id"]]


def test_statuses_of_tasks_and_versions(vendor: Session) -> None:
    """Each workflow has its own, in their order."""
    schema = vendor.query("ProjectSchema").one()
    statuses = [status["name"] for status in schema.get_statuses("Task")]
    assert statuses[:3] == ["Not started", "Ready to start", "In progress"]
    assert len(statuses) == 9
    versions = [status["name"] for status in schema.get_statuses("AssetVersion")]
    assert versions == ["Pending review", "Change requested", "Approved", "Omitted"]


def test_statuses_and_types_by_object_type(vendor: Session) -> None:
    """Everything else goes by the list of its object type."""
    schema = vendor.query("ProjectSchema").one()
    assert [status["name"] for status in schema.get_statuses("Shot")] == [
        "Not started",
        "In progress",
        "On hold",
        "Completed",
        "Omitted",
    ]
    assert [kind["name"] for kind in schema.get_types("AssetBuild")] == ["Character", "Prop", "Environment", "Vehicle"]
    assert [kind["name"] for kind in schema.get_types("Task")][:3] == ["Generic", "Modeling", "Rigging"]


def test_a_workflow_for_one_type_stands_first(vendor: Session) -> None:
    """An override gives tasks of its type other statuses; tasks of other types keep the general ones."""
    schema = vendor.query("ProjectSchema").one()
    animation, layout = (vendor.query(f'Type where name is "{name}"').one() for name in ("Animation", "Layout"))
    approved = vendor.query("Status where name is Approved").one()
    workflow = vendor.create("WorkflowSchema", {"name": "Short"})
    vendor.create("WorkflowSchemaStatus", {"workflow_schema": workflow, "status": approved})
    override = {"project_schema": schema, "type": animation, "workflow_schema": workflow}
    vendor.create("ProjectSchemaOverride", override)
    vendor.commit()
    assert schema.get_statuses("Task", animation["id"]) == [approved]
    assert schema.get_statuses("Task", animation) == [approved]
    assert len(schema.get_statuses("Task", layout["id"])) == 9


def test_statuses_of_the_preset(preset: Session) -> None:
    """Rows for one type stand before the general ones."""
    schema = preset.create("ProjectSchema", {"name": "small"})
    ready, done = preset.query("Status limit 2").all()
    kind = preset.query("Type").first()
    for sort, (status, of) in enumerate([(ready, None), (done, None), (done, kind)]):
        row = {"project_schema": schema, "entity_type": "Task", "status": status, "type": of, "sort": sort}
        preset.create("SchemaStatus", row)
    preset.create("SchemaType", {"project_schema": schema, "entity_type": "Task", "type": kind})
    preset.commit()
    assert schema.get_statuses("Task") == [ready, done]
    assert schema.get_statuses("Task", kind) == [done]
    assert schema.get_types("Task") == [kind]
    preset.delete(schema)
    preset.commit()


def test_what_has_no_status(vendor: Session) -> None:
    """Types without a status, and types that are none, are told apart."""
    schema = vendor.query("ProjectSchema").one()
    with pytest.raises(UsageError, match="Timelog has no status"):
        schema.get_statuses("Timelog")
    with pytest.raises(SchemaError, match="did you mean `Task`"):
        schema.get_statuses("Taks")
    with pytest.raises(UsageError, match="no type"):
        schema.get_types("AssetVersion")


def test_task_templates(vendor: Session) -> None:
    """The templates of a schema tell the types of the tasks to make."""
    schema = vendor.query("ProjectSchema").one()
    (template,) = schema["task_templates"]
    assert {item["task_type"]["name"] for item in template["items"]} == {
        "Layout",
        "Animation",
        "Lighting",
        "Compositing",
    }
