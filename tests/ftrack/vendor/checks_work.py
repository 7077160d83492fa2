"""The production's daily work through the vendor's client: notes, time, reviews, jobs, roles."""

import arrow
import ftrack_api


def check_notes(place):
    """Notes on anything, with replies, recipients, labels and todos."""
    session = place.session
    version = place.version()
    user, other = session.query("User").all()[:2]
    label = session.query("NoteLabel").first()
    for entity in (version["task"], version, version["task"]["project"]):
        note = entity.create_note("Please check", user, recipients=[other], labels=[label])
        session.commit()
        reply = note.create_reply("Done", other)
        session.commit()
        found = place.fresh().get("Note", note["id"])
        assert found["content"] == "Please check"
        assert found["author"]["id"] == user["id"]
        assert [each["id"] for each in found["replies"]] == [reply["id"]]
        assert {each["resource_id"] for each in found["recipients"]} == {user["id"], other["id"]}
        assert [each["label"]["id"] for each in found["note_label_links"]] == [label["id"]]
        assert found["category"]["id"] == label["id"]
        assert found["date"] is not None
        held = place.fresh().get(entity.entity_type, entity["id"])
        assert [each["id"] for each in held["notes"]] == [note["id"]]
        assert (
            place.fresh()
            .query(f'{entity.entity_type} where id is {entity["id"]} and notes any (content like "%check%")')
            .one()
        )
    second = version.create_note("Second", user)
    session.commit()
    assert len(place.fresh().get("AssetVersion", version["id"])["notes"]) == 2
    session.delete(second)
    session.commit()
    assert len(place.fresh().get("AssetVersion", version["id"])["notes"]) == 1


def check_assignments(place):
    """People are assigned, and allocated."""
    session = place.session
    task = place.task()
    user = session.query("User where username is jonas").one()
    session.create("Appointment", {"context": task, "resource": user, "type": "assignment"})
    session.create(
        "Appointment", {"context": task["project"], "resource": session.query("Group").first(), "type": "allocation"}
    )
    session.commit()
    fresh = place.fresh()
    assert [each["resource"]["username"] for each in fresh.get("Task", task["id"])["assignments"]] == ["jonas"]
    assert [each["resource"].entity_type for each in fresh.get("Project", task["project_id"])["allocations"]] == [
        "Group"
    ]
    assert task["id"] in [each["context"]["id"] for each in fresh.get("User", user["id"])["assignments"]]


def check_timers(place):
    """One timer runs for a user; stopping it logs the time."""
    session = place.session
    user = session.query("User where username is ines").one()
    task = place.task()
    timer = user.start_timer(task, name="work", comment="c")
    try:
        user.start_timer(task)
    except ftrack_api.exception.NotUniqueError:
        session.rollback()
    else:
        raise AssertionError("two timers run")
    assert timer["start"] is not None
    timelog = user.stop_timer()
    assert timelog["context"]["id"] == task["id"]
    assert timelog["comment"] == "c"
    assert session.query(f'Timer where user_id = "{user["id"]}"').first() is None
    timelog["duration"] = 3600
    session.commit()
    found = place.fresh().get("Task", task["id"])
    assert found["time_logged"] == 3600
    assert found["bid_time_logged_difference"] == -3600
    assert [each["id"] for each in found["timelogs"]] == [timelog["id"]]


def check_links_between_entities(place):
    """Dependencies of tasks, and versions used in others."""
    session = place.session
    one, other = place.task(), place.task()
    session.create("TypedContextLink", {"from": one, "to": other})
    session.commit()
    fresh = place.fresh()
    assert [each["from"]["id"] for each in fresh.get("Task", other["id"])["incoming_links"]] == [one["id"]]
    assert [each["to"]["id"] for each in fresh.get("Task", one["id"])["outgoing_links"]] == [other["id"]]
    assert fresh.query(f"Task where incoming_links any (from_id is {one['id']})").one()["id"] == other["id"]
    version, used = place.version(), place.version()
    version["uses_versions"].append(used)
    session.commit()
    fresh = place.fresh()
    assert [each["id"] for each in fresh.get("AssetVersion", version["id"])["uses_versions"]] == [used["id"]]
    assert [each["id"] for each in fresh.get("AssetVersion", used["id"])["used_in_versions"]] == [version["id"]]
    version["uses_versions"].remove(used)
    session.commit()
    assert list(place.fresh().get("AssetVersion", version["id"])["uses_versions"]) == []


def check_status_changes(place):
    """The server keeps a row for every change of a status."""
    task = place.task()
    for name in ("In progress", "Completed"):
        task["status"] = place.session.query(f'Status where name is "{name}"').one()
        place.session.commit()
    found = place.fresh().get("Task", task["id"])
    changes = {(each["from_status"]["name"], each["status"]["name"]) for each in found["status_changes"]}
    assert changes == {("Not started", "In progress"), ("In progress", "Completed")}
    change = found["status_changes"][0]
    assert change["parent"]["id"] == task["id"]
    assert change["user"]["username"] == "admin"


def check_review_sessions(place):
    """A review with objects, invitees and their verdicts."""
    session = place.session
    version = place.version()
    review = session.create("ReviewSession", {"name": "r", "project": version["task"]["project"], "description": ""})
    invitee = session.create(
        "ReviewSessionInvitee", {"name": "Client", "email": "c@example.com", "review_session": review}
    )
    item = session.create(
        "ReviewSessionObject",
        {"name": "shot", "version": "v1", "review_session": review, "asset_version": version, "sort_order": 1},
    )
    session.commit()
    session.create(
        "ReviewSessionObjectStatus", {"review_session_object": item, "invitee": invitee, "status": "approved"}
    )
    item.create_note("fine", session.query("User").first())
    session.commit()
    found = place.fresh().get("ReviewSession", review["id"])
    assert found["review_session_objects"][0]["asset_version"]["id"] == version["id"]
    assert found["review_session_objects"][0]["statuses"][0]["status"] == "approved"
    assert found["review_session_objects"][0]["notes"][0]["content"] == "fine"
    assert found["review_session_invitees"][0]["email"] == "c@example.com"
    assert session.call([{"action": "send_review_session_invite", "review_session_invitee_id": invitee["id"]}]) == [
        {"sent": True}
    ]
    session.send_review_session_invites([invitee])


def check_jobs(place):
    """Jobs with data and a status."""
    job = place.session.create(
        "Job", {"user": place.session.query("User").first(), "status": "running", "data": '{"description": "x"}'}
    )
    place.session.commit()
    job["status"] = "done"
    place.session.commit()
    found = place.fresh().get("Job", job["id"])
    assert found["status"] == "done"
    assert found["type"] == "api_job"
    assert found["created_at"] is not None


def check_delayed_jobs(place):
    """A delayed job comes back as an entity."""
    job = place.session.call([{"action": "delayed_job", "job_type": "SYNC_USERS_LDAP"}])[0]["data"]
    assert job.entity_type == "Job"
    assert job["status"] == "done"


def check_invitations(place):
    """Users can be invited; nobody cannot."""
    user = place.session.query("User").first()
    user.send_invite()
    place.session.send_user_invites([user])
    place.refused(lambda: place.session.call([{"action": "send_user_invite", "user_id": "nobody"}]), "NotFoundError")


def check_security_roles(place):
    """Roles are given and taken by actions."""
    session = place.session
    user = session.query("User where username is tomas").one()
    role = session.query("SecurityRole where name is 'Project manager'").one()
    told = {"user_id": user["id"], "role_id": role["id"]}
    session.call([{"action": "add_user_security_role", **told}])

    def roles():
        return [each["security_role"]["name"] for each in place.fresh().get("User", user["id"])["user_security_roles"]]

    assert "Project manager" in roles()
    project = place.project()
    session.call([{"action": "grant_user_security_role_project", **told, "project_id": project["id"]}])
    assert place.fresh().query(f"UserSecurityRoleProject where project_id is {project['id']}").one()
    session.call([{"action": "revoke_user_security_role_project", **told, "project_id": project["id"]}])
    session.call([{"action": "remove_user_security_role", **told}])
    assert "Project manager" not in roles()


def check_calendar_events(place):
    """Events with their people."""
    session = place.session
    told = {
        "name": "Holiday",
        "start": arrow.get("2024-01-01"),
        "end": arrow.get("2024-01-05"),
        "type": session.query("Type").first(),
    }
    event = session.create("CalendarEvent", told)
    session.create("CalendarEventResource", {"calendar_event": event, "resource": session.query("User").first()})
    session.commit()
    found = place.fresh().get("CalendarEvent", event["id"])
    assert len(found["calendar_event_resources"]) == 1
    assert found["start"] == arrow.get("2024-01-01")


def check_workflows_are_made(place):
    """A workflow with statuses, types and overrides."""
    session = place.session
    status = session.query("Status where name is Approved").one()
    workflow = session.create("WorkflowSchema", {"name": place.name()})
    session.create("WorkflowSchemaStatus", {"workflow_schema_id": workflow["id"], "status_id": status["id"]})
    session.commit()
    assert [each["name"] for each in place.fresh().get("WorkflowSchema", workflow["id"])["statuses"]] == ["Approved"]
    schema = session.create(
        "ProjectSchema",
        {"name": place.name(), "task_workflow_schema": workflow, "asset_version_workflow_schema": workflow},
    )
    kind = session.query("Type where name is FX").one()
    other = session.create("WorkflowSchema", {"name": place.name()})
    other["statuses"].append(session.query("Status where name is Omitted").one())
    session.create(
        "ProjectSchemaOverride", {"project_schema_id": schema["id"], "type_id": kind["id"], "workflow_schema": other}
    )
    session.commit()
    found = place.fresh().get("ProjectSchema", schema["id"])
    assert [each["name"] for each in found.get_statuses("Task")] == ["Approved"]
    assert [each["name"] for each in found.get_statuses("Task", kind["id"])] == ["Omitted"]


def check_reset_of_an_api_key(place):
    """A user's key is made anew; the old one stops working."""
    from callsheet_keys import other_key, other_user

    session = place.fresh(api_user=other_user, api_key=other_key)
    user = session.query(f"User where username is {other_user}").one()
    key = user.reset_api_key()
    assert place.fresh(api_user=other_user, api_key=key).query("Status").first()
    place.refused(lambda: session.query("Status").first(), "InvalidCredentialsError")


def check_widgets(place):
    """Addresses of widgets are told, and answer."""
    import requests

    url = place.session.get_widget_url("info", entity=place.task(), theme="dark")
    assert requests.get(url).status_code == 200
    try:
        place.session.get_widget_url("nothing")
    except ftrack_api.exception.ServerError:
        return
    raise AssertionError("there is no such widget")
