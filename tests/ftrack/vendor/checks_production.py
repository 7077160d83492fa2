"""The vendor's client on a store with Callsheet's own schema."""

import datetime


def _project(place, session):
    project = session.create("Project", {"name": place.name("project")})
    session.commit()
    return project


def check_session_opens(place):
    """The client makes classes of the native types."""
    assert {"Project", "Shot", "Task", "Status", "Location", "ContextCustomAttributeValue"} <= set(place.session.types)


def check_tree(place):
    """Project, shot and task with parent, status and dates."""
    session = place.session
    project = _project(place, session)
    status = session.query('Status where name is "In progress"').one()
    shot = session.create("Shot", {"name": "010", "parent": project, "fstart": 1001})
    task = session.create(
        "Task", {"name": "comp", "parent": shot, "status": status, "start_date": datetime.date(2026, 1, 5)}
    )
    session.commit()
    assert task["parent"]["name"] == "010"
    assert task["status"]["name"] == "In progress"
    fresh = place.fresh()
    found = fresh.query(
        "select name, status.name, parent.name, parent.parent.name from Task "
        f'where project_id is "{project["id"]}" and status.name is "In progress"'
    ).one()
    assert found["parent"]["parent"]["name"] == project["name"]
    assert found["start_date"].date() == datetime.date(2026, 1, 5)
    assert found["project"]["id"] == project["id"]
    assert [step["name"] for step in found["link"]] == [
        project["name"],
        "010",
        "comp",
    ]
    assert [child["name"] for child in fresh.get("Shot", shot["id"])["children"]] == ["comp"]
    found["name"] = "lighting"
    fresh.commit()
    assert place.fresh().get("Task", task["id"])["name"] == "lighting"
    session.delete(shot)
    session.commit()
    assert place.fresh().get("Task", task["id"]) is None


def check_metadata(place):
    """Metadata as a dictionary."""
    session = place.session
    project = _project(place, session)
    project["metadata"] = {"a": "1"}
    session.commit()
    project["metadata"]["b"] = "2"
    session.commit()
    assert dict(place.fresh().get("Project", project["id"])["metadata"]) == {"a": "1", "b": "2"}
    assert session.query("Project where metadata any (key is b and value is 2)").one()["id"] == project["id"]


def check_collections(place):
    """Lists of members: of one's own, and shared."""
    session = place.session
    project = _project(place, session)
    tag = session.create("Tag", {"name": place.name("tag")})
    shot = session.create("Shot", {"name": "010", "parent": project})
    build = session.create("AssetBuild", {"name": "dragon", "parent": project})
    session.commit()
    shot["tags"].append(tag)
    shot["asset_builds"].append(build)
    session.commit()
    fresh = place.fresh()
    assert [each["id"] for each in fresh.get("Shot", shot["id"])["tags"]] == [tag["id"]]
    assert [each["id"] for each in fresh.get("AssetBuild", build["id"])["shots"]] == [shot["id"]]


def check_versions(place):
    """Versions count up, by the native rule."""
    session = place.session
    project = _project(place, session)
    kind = session.query("AssetType").first()
    asset = session.create("Asset", {"name": "comp", "parent": project, "type": kind})
    first = session.create("AssetVersion", {"asset": asset})
    second = session.create("AssetVersion", {"asset": asset})
    session.commit()
    assert [first["version"], second["version"]] == [1, 2]


def check_custom_attributes(place):
    """A configuration of the native kind, read and written by its key."""
    session = place.session
    session.create(
        "CustomAttributeConfiguration", {"key": "fps", "entity_type": "Shot", "data_type": "number", "default": 24}
    )
    session.commit()
    project = _project(place, session)
    shot = session.create("Shot", {"name": "010", "parent": project})
    session.commit()
    fresh = place.fresh()
    row = fresh.query(f'ContextCustomAttributeValue where entity_id is "{shot["id"]}"').one()
    assert (row["key"], row["value"]) == ("fps", 24)
    row["value"] = 25
    fresh.commit()
    found = place.fresh().query('Shot where custom_attributes any (key is "fps" and value is 25)').one()
    assert found["id"] == shot["id"]


def check_wrong_values(place):
    """The rules of the native schema hold."""
    session = place.session
    project = _project(place, session)
    session.create("Project", {"name": project["name"]})
    place.refused(session.commit, "IntegrityError")
    session.rollback()
