"""Metadata and custom attributes through the vendor's client."""

import json

import arrow


def _configure(place, key, kind, entity_type="task", object_type="Shot", **values):
    session = place.session
    told = {
        "key": key,
        "label": key,
        "type": session.query(f'CustomAttributeType where name is "{kind}"').one(),
        "entity_type": entity_type,
        "config": json.dumps({}),
        **values,
    }
    if object_type:
        told["object_type"] = session.query(f'ObjectType where name is "{object_type}"').one()
    made = session.create("CustomAttributeConfiguration", told)
    session.commit()
    return made


def check_metadata(place):
    """Metadata is a dictionary: set, changed, removed, replaced."""
    task = place.task()
    task["metadata"] = {"a": "1", "b": "2"}
    place.session.commit()
    assert dict(place.fresh().get("Task", task["id"])["metadata"]) == {"a": "1", "b": "2"}
    task["metadata"]["a"] = "x"
    del task["metadata"]["b"]
    task["metadata"]["key with, odd. 'signs'"] = "ä"
    place.session.commit()
    expected = {"a": "x", "key with, odd. 'signs'": "ä"}
    assert dict(task["metadata"]) == expected
    assert dict(place.fresh().get("Task", task["id"])["metadata"]) == expected
    task["metadata"] = {"c": "3"}
    place.session.commit()
    assert dict(place.fresh().get("Task", task["id"])["metadata"]) == {"c": "3"}


def check_metadata_of_other_types(place):
    """Versions, assets, users, components and notes have metadata, too."""
    version = place.version()
    user = place.session.query("User").first()
    for entity in (version, version["asset"], user, version["task"]["project"]):
        entity["metadata"]["note"] = "n"
    place.session.commit()
    fresh = place.fresh()
    for entity in (version, version["asset"], user, version["task"]["project"]):
        assert fresh.get(entity.entity_type, entity["id"])["metadata"]["note"] == "n"


def check_metadata_in_conditions(place):
    """Entities are found by their metadata, and metadata by itself."""
    task = place.task()
    task["metadata"] = {"colour": "red", "size": "10"}
    place.session.commit()
    for condition in (
        'metadata any (key is "colour" and value is "red")',
        "metadata any (key is colour and value like 'r%')",
        "metadata any (key in (colour, other))",
        'not metadata any (key is "missing")',
        "metadata any (key is size and value is 10)",
    ):
        found = place.session.query(f"Task where id is {task['id']} and {condition}").all()
        assert len(found) == 1, condition
    rows = place.fresh().query(f"Metadata where parent_id is {task['id']} order by key").all()
    assert [(row["key"], row["value"], row["parent_type"]) for row in rows] == [
        ("colour", "red", "Task"),
        ("size", "10", "Task"),
    ]
    row = place.fresh().get("Metadata", [task["id"], "size"])
    row["value"] = "11"
    row.session.commit()
    assert place.fresh().get("Task", task["id"])["metadata"]["size"] == "11"


def check_custom_attributes_have_defaults(place):
    """Every attribute that is configured for an entity is there, with its default."""
    task = place.task()
    shot = place.fresh().get("Shot", task["parent_id"])
    assert shot["custom_attributes"]["fstart"] == 1001
    assert shot["custom_attributes"]["is_hero"] is False
    assert shot["custom_attributes"]["departments"] == []
    assert {"fstart", "fend", "is_hero", "delivery", "departments", "resolution"} <= set(
        shot["custom_attributes"].keys()
    )
    found = place.fresh().get("Task", task["id"])
    assert found["custom_attributes"]["difficulty"] == ["medium"]
    assert "fstart" not in found["custom_attributes"]


def check_custom_attributes_are_written(place):
    """Values of every kind are kept; those of new entities as well."""
    task = place.task()
    shot = task["parent"]
    values = {
        "fstart": 1010,
        "is_hero": True,
        "departments": ["simple", "hard"],
        "delivery": arrow.get("2024-05-06"),
        "resolution": "2k",
    }
    for key, value in values.items():
        shot["custom_attributes"][key] = value
    place.session.commit()
    found = place.fresh().get("Shot", shot["id"])
    for key, value in values.items():
        assert found["custom_attributes"][key] == value, key
    project = task["project"]
    project["custom_attributes"]["fps"] = 23.976
    place.session.commit()
    assert place.fresh().get("Project", project["id"])["custom_attributes"]["fps"] == 23.976
    created = place.session.create("Shot", {"name": place.name(), "parent": project})
    created["custom_attributes"]["fstart"] = 5
    place.session.commit()
    assert place.fresh().get("Shot", created["id"])["custom_attributes"]["fstart"] == 5
    version = place.version()
    version["custom_attributes"]["codec"] = "prores"
    version["asset"]["custom_attributes"]["source"] = "plate"
    user = place.session.query("User").first()
    user["custom_attributes"]["nickname"] = "A"
    place.session.commit()
    fresh = place.fresh()
    assert fresh.get("AssetVersion", version["id"])["custom_attributes"]["codec"] == "prores"
    assert fresh.get("Asset", version["asset_id"])["custom_attributes"]["source"] == "plate"
    assert fresh.get("User", user["id"])["custom_attributes"]["nickname"] == "A"


def check_custom_attributes_are_validated(place):
    """A value of another type is refused with the attribute's key and type."""
    shot = place.task()["parent"]
    shot["custom_attributes"]["fstart"] = "many"
    place.refused(place.session.commit, "ValidationError", "fstart", "number")
    place.session.rollback()
    shot["custom_attributes"]["departments"] = ["nothing"]
    place.refused(place.session.commit, "ValidationError", "departments")
    place.session.rollback()


def check_custom_attributes_in_conditions(place):
    """Entities are found by their custom attributes, defaults included."""
    shot = place.task()["parent"]
    shot["custom_attributes"]["fstart"] = 42
    shot["custom_attributes"]["departments"] = ["simple", "hard"]
    place.session.commit()
    for condition in (
        'custom_attributes any (key is "fstart" and value is 42)',
        'custom_attributes any (key is "fstart" and value > 41.5)',
        'custom_attributes any (key is "fend" and value is 1100)',
        'custom_attributes any (key is "departments" and value is "hard")',
        'custom_attributes any (key is "is_hero" and value is False)',
        'custom_attributes any (configuration.key is "fstart" and value < 43)',
        "custom_attributes any (key is fstart)",
        "not custom_attributes any (key is fstart and value is 43)",
        "not custom_attributes any (key is difficulty)",
    ):
        found = place.session.query(f"Shot where id is {shot['id']} and {condition}").all()
        assert len(found) == 1, condition
        found = place.session.query(f"TypedContext where id is {shot['id']} and {condition}").all()
        assert len(found) == 1, condition
    key = place.session.query("CustomAttributeConfiguration where key is fstart").one()["id"]
    rows = (
        place.fresh()
        .query(
            "select value, entity_id, configuration.key from ContextCustomAttributeValue "
            f"where entity_id in ({shot['id']}) and configuration_id in ({key})"
        )
        .all()
    )
    assert [(row["value"], row["configuration"]["key"]) for row in rows] == [(42, "fstart")]


def check_configurations_are_made(place):
    """A new configuration is there at once, for what it is for."""
    key = place.name("made").replace("-", "_")
    _configure(place, key, "text", object_type="Task", default="d")
    session = place.fresh()
    task = place.task()
    found = session.get("Task", task["id"])
    assert found["custom_attributes"][key] == "d"
    found["custom_attributes"][key] = "e"
    session.commit()
    assert place.fresh().get("Task", task["id"])["custom_attributes"][key] == "e"
    assert key not in place.fresh().get("Shot", task["parent_id"])["custom_attributes"]


def check_same_key_twice(place):
    """One key for a project alone and one for all: the project's own comes first."""
    key = place.name("twice").replace("-", "_")
    one, other = place.task(), place.task()
    _configure(place, key, "text", object_type="Task", default="global")
    _configure(place, key, "number", object_type="Task", default=7, project_id=one["project_id"])
    session = place.fresh()
    assert session.get("Task", one["id"])["custom_attributes"][key] == 7
    assert session.get("Task", other["id"])["custom_attributes"][key] == "global"
    session.get("Task", one["id"])["custom_attributes"][key] = 8
    session.commit()
    assert place.fresh().get("Task", one["id"])["custom_attributes"][key] == 8
    assert place.fresh().get("Task", other["id"])["custom_attributes"][key] == "global"


def check_hierarchical(place):
    """A hierarchical attribute is on every level, each with its own value."""
    task = place.task()
    task["project"]["custom_attributes"]["resolution"] = "4k"
    place.session.commit()
    fresh = place.fresh()
    assert fresh.get("Project", task["project_id"])["custom_attributes"]["resolution"] == "4k"
    assert fresh.get("Task", task["id"])["custom_attributes"]["resolution"] is None


def check_custom_attribute_links(place):
    """Links between entities, by a configuration."""
    session = place.session
    task = place.task()
    user = session.query("User").first()
    configuration = session.create(
        "CustomAttributeLinkConfiguration",
        {
            "key": place.name("link"),
            "label": "Supervisor",
            "entity_type": "task",
            "entity_type_to": "user",
            "config": "{}",
            "object_type": task["object_type"],
        },
    )
    session.commit()
    session.create(
        "CustomAttributeLink", {"configuration_id": configuration["id"], "from_id": task["id"], "to_id": user["id"]}
    )
    session.commit()
    found = place.fresh().query(f"CustomAttributeLink where from_id is {task['id']}").one()
    assert found["to_id"] == user["id"]
    key = configuration["key"]
    assert (
        place.fresh()
        .query(f'Task where custom_attribute_links any (configuration.key is "{key}" and to_id is "{user["id"]}")')
        .one()["id"]
        == task["id"]
    )
    assert (
        place.fresh()
        .query(
            f'Task where custom_attribute_links any (configuration.key is "{key}" '
            f'and user.username is "{user["username"]}")'
        )
        .one()["id"]
        == task["id"]
    )
