"""What the vendor's client writes, and what it sees afterwards."""

import datetime

import arrow
import ftrack_api
from ftrack_api.inspection import identity, state
from ftrack_api.symbol import CREATED, MODIFIED, NOT_SET


def check_create_tells_what_the_server_added(place):
    """After a commit the server's defaults are there without another request."""
    task = place.task()
    with place.session.auto_populating(False):
        assert task["context_type"] == "task"
        assert task["project_id"] == task["parent"]["project_id"]
        assert [step["type"] for step in task["link"]] == ["Project", "TypedContext", "TypedContext"]
        assert task["bid"] == 0
        assert task["sort"] == 0
        assert task["status_id"]
        assert task["type_id"]
        assert task["priority_id"]
        assert task["created_at"] is not NOT_SET
    assert task["status"]["name"] == "Not started"


def check_update_scalars(place):
    """Scalars of every kind are kept."""
    task = place.task()
    task["description"] = 'öü "quoted" {braces} \\ end'
    task["bid"] = 3.25
    task["start_date"] = arrow.get("2024-01-02T10:00:00+02:00")
    task["end_date"] = datetime.datetime(2024, 1, 3, 12, 30, 15, 999)
    place.session.commit()
    assert task["end_date"] == arrow.get("2024-01-03T12:30:15.000999")
    found = place.fresh().get("Task", task["id"])
    assert found["description"] == 'öü "quoted" {braces} \\ end'
    assert found["bid"] == 3.25
    assert found["start_date"] == arrow.get("2024-01-02T08:00:00")
    assert found["end_date"] == arrow.get("2024-01-03T12:30:15")


def check_references_and_their_keys(place):
    """Setting a reference sets the key, and the other way round; None clears both."""
    task = place.task()
    status = place.session.query("Status where name is Completed").one()
    task["status"] = status
    place.session.commit()
    assert task["status_id"] == status["id"]
    other = place.session.query("Status where name is Approved").one()
    task["status_id"] = other["id"]
    place.session.commit()
    assert task["status"]["id"] == other["id"]
    version = place.version()
    version["task"] = None
    place.session.commit()
    assert version["task_id"] is None
    assert place.fresh().get("AssetVersion", version["id"])["task"] is None


def check_delete(place):
    """What is deleted is gone, with all that was below it."""
    version = place.version()
    project_id = version["task"]["project_id"]
    task_id, asset_id = version["task_id"], version["asset_id"]
    note = version["task"].create_note("hello", place.session.query("User").first())
    component = version.create_component("/tmp/none.txt", location=None)
    place.session.commit()
    place.session.delete(place.session.get("Project", project_id))
    place.session.commit()
    session = place.fresh()
    kept = (("Task", task_id), ("Asset", asset_id), ("AssetVersion", version["id"]), ("Note", note["id"]))
    assert [session.get(*each) for each in kept] == [None] * 4
    assert session.get("FileComponent", component["id"]) is None


def check_reparent(place):
    """Moving a shot to another project takes its tasks along."""
    task = place.task()
    other = place.project()
    task["parent"]["parent"] = other
    place.session.commit()
    found = place.fresh().get("Task", task["id"])
    assert found["project_id"] == other["id"]
    assert found["link"][0]["id"] == other["id"]


def check_one_to_many_lists_are_replaced(place):
    """A list of children is the whole list: who is missing loses the parent."""
    session = place.session
    sequence = session.create("Sequence", {"name": place.name(), "parent": place.project()})
    first = session.create("Shot", {"name": place.name(), "parent": sequence})
    second = session.create("Shot", {"name": place.name(), "parent": sequence})
    session.commit()
    other = session.create("Sequence", {"name": place.name(), "parent": sequence["parent"]})
    other["children"].append(first)
    session.commit()
    found = place.fresh().get("Sequence", sequence["id"])
    assert [each["id"] for each in found["children"]] == [second["id"]]
    assert place.fresh().get("Shot", first["id"])["parent_id"] == other["id"]


def check_many_to_many_lists(place):
    """Scopes and items of lists: members join and leave."""
    session = place.session
    task = place.task()
    scope, other = (session.create("Scope", {"name": place.name("scope")}) for _ in range(2))
    session.commit()
    task["scopes"].append(scope)
    task["scopes"].append(other)
    session.commit()
    assert {each["id"] for each in place.fresh().get("Task", task["id"])["scopes"]} == {scope["id"], other["id"]}
    task["scopes"].remove(scope)
    session.commit()
    found = place.fresh().query(f"Task where id is {task['id']} and scopes any (id is {other['id']})").one()
    assert [each["id"] for each in found["scopes"]] == [other["id"]]


def check_lists(place):
    """Lists of versions and of contexts."""
    session = place.session
    version = place.version()
    category = session.query("ListCategory where name is Dailies").one()
    made = session.create(
        "AssetVersionList",
        {
            "name": place.name(),
            "project": version["task"]["project"],
            "category": category,
            "owner": session.query("User").first(),
        },
    )
    made["items"].append(version)
    session.commit()
    found = place.fresh().get("AssetVersion", version["id"])
    assert [each["name"] for each in found["lists"]] == [made["name"]]
    contexts = session.create(
        "TypedContextList", {"name": place.name(), "project": version["task"]["project"], "category": category}
    )
    contexts["items"].append(version["task"])
    session.commit()
    assert place.fresh().get("TypedContextList", contexts["id"])["items"][0]["id"] == version["task_id"]
    made["items"].remove(version)
    session.commit()
    assert list(place.fresh().get("AssetVersionList", made["id"])["items"]) == []


def check_deferred_references(place):
    """A batch may refer to what it creates later, and fill in later what is required."""
    session = place.fresh()
    scope = session.create("Scope", {})
    task = place.task(session)
    scope["name"] = place.name("late")
    session.commit()
    assert place.fresh().get("Scope", scope["id"])["name"] == scope["name"]
    first, second = "11111111-aaaa-4aaa-8aaa-" + place.name("x")[-4:].zfill(12), None
    second = first.replace("aaaa", "bbbb", 1)
    answer = session.call(
        [
            {
                "action": "create",
                "entity_type": "Task",
                "entity_key": [first],
                "entity_data": {"__entity_type__": "Task", "id": first, "name": "a", "parent_id": second},
            },
            {
                "action": "create",
                "entity_type": "Shot",
                "entity_key": [second],
                "entity_data": {"__entity_type__": "Shot", "id": second, "name": "b", "parent_id": task["project_id"]},
            },
        ]
    )
    assert [each["action"] for each in answer] == ["create", "create"]
    assert place.fresh().get("Task", first)["parent"]["name"] == "b"


def check_later_operations_see_earlier_ones(place):
    """A query in the middle of a batch sees what was written before it."""
    project = place.project()
    key = "22222222-aaaa-4aaa-8aaa-" + place.name("x")[-4:].zfill(12)
    answer = place.session.call(
        [
            {
                "action": "create",
                "entity_type": "Folder",
                "entity_key": [key],
                "entity_data": {"__entity_type__": "Folder", "id": key, "name": "f", "parent_id": project["id"]},
            },
            {"action": "query", "expression": f"select name from Folder where id is {key}"},
            {
                "action": "update",
                "entity_type": "Folder",
                "entity_key": key,
                "entity_data": {"__entity_type__": "Folder", "name": "g"},
            },
            {"action": "query", "expression": f"select name from Folder where id is {key}"},
        ]
    )
    assert [answer[1]["data"][0]["name"], answer[3]["data"][0]["name"]] == ["f", "g"]


def check_a_batch_is_all_or_nothing(place):
    """One operation that fails undoes all of them."""
    project = place.project()
    key = "33333333-aaaa-4aaa-8aaa-" + place.name("x")[-4:].zfill(12)
    batch = [
        {
            "action": "create",
            "entity_type": "Folder",
            "entity_key": [key],
            "entity_data": {"__entity_type__": "Folder", "id": key, "name": "f", "parent_id": project["id"]},
        },
        {"action": "query", "expression": f"select name from Folder where id is {key}"},
        {"action": "delete", "entity_type": "Task", "entity_key": ["not-there"]},
    ]
    place.refused(lambda: place.session.call(batch), "NotFoundError")
    assert place.fresh().get("Folder", key) is None


def check_versions_count_up(place):
    """Versions get numbers; the latest is known as such, also when it is deleted."""
    session = place.session
    first = place.version()
    second = session.create("AssetVersion", {"asset": first["asset"], "task": first["task"]})
    third = session.create("AssetVersion", {"asset": first["asset"], "version": 7})
    session.commit()
    assert [first["version"], second["version"], third["version"]] == [1, 2, 7]
    fresh = place.fresh()
    latest = fresh.query(f"AssetVersion where asset_id is {first['asset_id']} and is_latest_version is True").one()
    assert latest["id"] == third["id"]
    assert latest["asset"]["latest_version"]["id"] == third["id"]
    session.delete(third)
    session.commit()
    assert place.fresh().get("Asset", first["asset_id"])["latest_version"]["id"] == second["id"]
    assert place.fresh().get("AssetVersion", second["id"])["is_latest_version"] is True
    assert second["user"]["username"] == "admin"
    assert second["date"] is not None
    assert second["is_published"] is True


def check_rollback(place):
    """What was not committed is forgotten."""
    session = place.fresh()
    task = place.task(session)
    task["name"] = "other"
    created = session.create("Folder", {"name": "never", "parent": task["project"]})
    assert state(created) is CREATED
    assert state(task) is MODIFIED
    session.rollback()
    assert task["name"] != "other"
    assert not session.recorded_operations
    assert place.fresh().get("Folder", created["id"]) is None


def check_ensure(place):
    """`ensure` creates once, then finds and updates."""
    session = place.session
    project = place.project()
    told = {
        "name": place.name("ensured"),
        "parent_id": project["id"],
        "description": "x",
        "start_date": datetime.datetime(2024, 1, 2),
    }
    keys = ["name", "parent_id", "start_date"]
    first = session.ensure("Task", told, keys)
    second = place.fresh().ensure("Task", {**told, "description": "y"}, keys)
    assert first["id"] == second["id"]
    assert place.fresh().get("Task", first["id"])["description"] == "y"
    flagged = {"name": None, "is_billable": False, "color": "#123456"}
    assert identity(session.ensure("Type", {**flagged, "name": "odd"})) == identity(
        session.ensure("Type", {**flagged, "name": "odd"})
    )


def check_duplicate_key_is_refused(place):
    """An id that exists cannot be created again."""
    task = place.task()
    batch = [
        {
            "action": "create",
            "entity_type": "Task",
            "entity_key": [task["id"]],
            "entity_data": {"__entity_type__": "Task", "id": task["id"], "name": "x", "parent_id": task["parent_id"]},
        }
    ]
    place.refused(lambda: place.session.call(batch), "IntegrityError")
    batch = [
        {"action": "create", "entity_type": "User", "entity_data": {"__entity_type__": "User", "username": "mara"}}
    ]
    place.refused(lambda: place.session.call(batch), "IntegrityError")


def check_missing_rows_are_refused(place):
    """What is not there can be neither changed nor deleted."""
    for action in ("update", "delete"):
        told = {
            "action": action,
            "entity_type": "Task",
            "entity_key": ["nothing"],
            "entity_data": {"__entity_type__": "Task", "name": "x"},
        }
        place.refused(lambda told=told: place.session.call([told]), "NotFoundError")


def check_wrong_values_are_refused(place):
    """Values of another type, references to nothing, attributes that are not there; no braces in the text."""
    task = place.task()

    def update(**data):
        return [
            {
                "action": "update",
                "entity_type": "Task",
                "entity_key": [task["id"]],
                "entity_data": {"__entity_type__": "Task", **data},
            }
        ]

    for data in (
        {"bid": "much"},
        {"bid": [1]},
        {"name": {"a": 1}},
        {"status_id": "nothing"},
        {"nme": "x"},
        {"start_date": "soon"},
        {"status": {"__entity_type__": "Task", "id": task["id"]}},
        {"name": "a\u0000b"},
    ):
        text = place.refused(lambda data=data: place.session.call(update(**data)), "ValidationError")
        assert "{" not in text


def check_five_thousand_operations(place):
    """A large commit is one request."""
    session = place.fresh()
    project = place.project(session)
    with session.auto_populating(False):
        for number in range(5000):
            session.create("Folder", {"name": f"{number:05d}", "parent_id": project["id"]})
        session.commit()
    answer = place.session.call(
        [
            {
                "action": "query",
                "expression": f"select count(id) from Folder where project_id is {project['id']} group by project_id",
            }
        ]
    )
    assert answer[0]["data"][0]["count_id"] == 5000


def check_aliased_types(place):
    """Labels and categories of notes are the same rows under two names."""
    session = place.session
    label = session.create("NoteLabel", {"name": place.name("label"), "color": "#ffffff"})
    session.commit()
    fresh = place.fresh()
    assert fresh.get("NoteCategory", label["id"])["name"] == label["name"]
    assert fresh.query(f"NoteLabel where id is {label['id']}").one().entity_type == "NoteLabel"


def check_abstract_component(place):
    """A component created by its abstract type keeps that name on its way back."""
    key = "44444444-aaaa-4aaa-8aaa-" + place.name("x")[-4:].zfill(12)
    session = place.session
    component = session.create("Component", {"id": key, "name": "x", "system_type": "file"})
    session.commit()
    assert component["name"] == "x"
    assert place.fresh().query(f"Component where id is {key}").one().entity_type == "FileComponent"


def check_create_every_type(place):
    """Every type whose required attributes can be filled can be created, read and deleted."""
    session = place.fresh()
    project = place.project(session)
    user = session.query("User").first()
    for name, values in {
        "Disk": {"name": "d", "unix": "/mnt", "windows": "Z:"},
        "ListCategory": {"name": "c"},
        "ManagerType": {"name": "m"},
        "Setting": {"name": place.name("s"), "group": "g", "value": "v"},
        "CalendarEvent": {
            "name": "e",
            "start": arrow.now(),
            "end": arrow.now(),
            "project": project,
            "type": session.query("Type").first(),
        },
        "Dashboard": {"name": "d"},
        "ReviewSession": {"name": "r", "project": project, "description": "d"},
        "Job": {"user": user, "status": "running", "data": '{"description": "x"}'},
        "Group": {"name": "g", "local": True},
        "Milestone": {"name": "m", "parent": project},
        "Episode": {"name": "e", "parent": project},
        "AssetBuild": {"name": "a", "parent": project},
        "Folder": {"name": "f", "parent": project},
        "UserApplicationState": {"user_id": user["id"], "key": place.name("k"), "value": "v"},
        "EntitySetting": {
            "parent_id": project["id"],
            "parent_type": "Project",
            "group": "g",
            "name": "n",
            "value": "v",
        },
        "Manager": {"context": project, "user": user, "type": session.query("ManagerType").first()},
    }.items():
        made = session.create(name, values)
        session.commit()
        key = list(ftrack_api.inspection.primary_key(made).values())
        assert place.fresh().get(name, key if len(key) > 1 else key[0]) is not None, name
        session.delete(made)
        session.commit()
        assert place.fresh().get(name, key if len(key) > 1 else key[0]) is None, name
