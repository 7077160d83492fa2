"""What the vendor's client reads from the server."""

import ftrack_api


def check_session_opens_and_knows_all_types(place):
    """A session opens, downloads the schemas, and makes a class for each."""
    from callsheet_keys import schema_hash

    session = place.fresh()
    assert len(session.types) == 116
    assert session.server_information["schema_hash"] == schema_hash


def check_default_projections(place):
    """A query without `select` brings the default projections, so that reading them asks nothing more."""
    task = place.task()
    session = place.fresh()
    found = session.query(f'Task where id is "{task["id"]}"').one()
    with session.auto_populating(False):
        assert found["name"] == task["name"]
        assert found["context_type"] == "task"
        assert found["status_id"] is ftrack_api.symbol.NOT_SET


def check_nested_projections(place):
    """Projections go through references and collections."""
    task = place.task()
    session = place.fresh()
    found = session.query(
        "select name, status.state.short, parent.parent.name, parent.children.name from Task "
        f'where id is "{task["id"]}"'
    ).one()
    with session.auto_populating(False):
        assert found["status"]["state"]["short"] == "NOT_STARTED"
        assert found["parent"]["parent"]["name"] == task["parent"]["parent"]["name"]
        assert [child["name"] for child in found["parent"]["children"]] == [task["name"]]


def check_auto_population(place):
    """What was not fetched is fetched when it is read."""
    task = place.task()
    found = place.fresh().get("Task", task["id"])
    assert found["priority"]["name"] == "None"
    assert found["project"]["full_name"] == "A project"
    assert found["object_type"]["name"] == "Task"
    assert list(found["notes"]) == []


def check_get_returns_none_for_what_is_not_there(place):
    """`get` of an unknown id gives None."""
    assert place.session.get("Task", "no-such-id") is None


def check_get_by_composite_key(place):
    """`get` of a type with two keys takes both, in the schema's order."""
    session = place.fresh()
    row = session.query("WorkflowSchemaStatus").first()
    found = session.get("WorkflowSchemaStatus", [row["workflow_schema_id"], row["status_id"]])
    assert found["status_id"] == row["status_id"]


def check_polymorphic_references_come_as_concrete_types(place):
    """Querying an abstract type gives entities of their own types."""
    task = place.task()
    session = place.fresh()
    found = session.query(f'TypedContext where project_id is "{task["project_id"]}"').all()
    assert sorted(each.entity_type for each in found) == ["Shot", "Task"]
    found = session.query(f'Context where project_id is "{task["project_id"]}"').all()
    assert sorted(each.entity_type for each in found) == ["Project", "Shot", "Task"]
    assert session.query("Resource where id is " + session.query("Group").first()["id"]).one().entity_type == "Group"


def check_order_limit_and_offset(place):
    """Results can be ordered and cut, in either order of the words."""
    project = place.project()
    for name in "cab":
        place.session.create("Folder", {"name": name, "parent": project})
    place.session.commit()
    where = f'Folder where project_id is "{project["id"]}"'

    def names(text):
        return [each["name"] for each in place.session.query(f"{where} {text}")]

    assert names("order by name") == ["a", "b", "c"]
    assert names("order by name descending") == ["c", "b", "a"]
    assert names("order by name limit 1 offset 1") == ["b"]
    assert names("order by name offset 1 limit 5") == ["b", "c"]


def check_pages(place):
    """A result longer than a page comes in several, each row once."""
    project = place.project()
    for number in range(25):
        place.session.create("Folder", {"name": f"{number:02d}", "parent": project})
    place.session.commit()
    found = place.fresh().query(f'Folder where project_id is "{project["id"]}" order by name', page_size=10)
    assert [each["name"] for each in found] == [f"{number:02d}" for number in range(25)]
    assert len(found) == 25


def check_first_one_and_several(place):
    """`first`, `one` and their errors."""
    session = place.session
    assert session.query("Task where name is nothing-like-this").first() is None
    for exception, expression in (
        (ftrack_api.exception.NoResultFoundError, "Task where name is nothing-like-this"),
        (ftrack_api.exception.MultipleResultsFoundError, "Status"),
    ):
        try:
            session.query(expression).one()
        except exception:
            continue
        raise AssertionError(expression)


def check_populate(place):
    """`populate` fetches attributes for many entities in one query."""
    tasks = [place.task() for _ in range(3)]
    session = place.fresh()
    found = [session.get("Task", task["id"]) for task in tasks]
    session.populate(found, "description, status.name, parent.name")
    with session.auto_populating(False):
        assert [task["status"]["name"] for task in found] == ["Not started"] * 3
        assert [task["description"] for task in found] == [None] * 3


def check_populate_by_composite_keys(place):
    """`populate` of rows with two keys."""
    session = place.fresh()
    rows = session.query("WorkflowSchemaStatus").all()[:3]
    session.populate(rows, "workflow_schema_id, status_id")
    assert all(row["status_id"] for row in rows)


def check_conditions(place):
    """Operators, words and their signs, glued or not."""
    task = place.task()
    task["bid"] = 7.5
    place.session.commit()
    parent = task["parent"]["id"]
    for condition in (
        f'name="{task["name"]}"',
        f"name is '{task['name']}'",
        "name like 'task-%'",
        "name not_like 'shot%'",
        "bid > 7",
        "bid>=7.5",
        "bid < 8 and bid <= 7.5",
        "bid is 7.5",
        "bid is_not 8",
        "bid != 8",
        f"name in ('a', \"{task['name']}\", b)",
        "name not_in (a, b)",
        "description is None",
        "status is_not None",
        "not name is x",
        "(name is x or bid > 1) and not (bid > 100)",
        "created_at after 2020-01-01",
        'created_at > "2020-01-01T00:00:00"',
        'created_at before "2100-01-01"',
        f"id is {task['id']}",
        f"parent.id is {parent}",
        f"parent has (id is {parent})",
        "status has ()",
        "not notes any ()",
        "status.state.short is NOT_STARTED",
        f"id in (select id from Task where name is '{task['name']}')",
        f"ancestors any (id is {parent})",
        "parent[Shot] has (name like 'shot%')",
        "project.full_name is 'A project'",
        "priority.name in (None, 'None', Low)",
    ):
        found = place.session.query(f"Task where parent_id is {parent} and {condition}").all()
        assert [each["id"] for each in found] == [task["id"]], condition


def check_conditions_on_people(place):
    """Assignments are asked about by attributes that only users have."""
    session = place.fresh()
    task = place.task(session)
    user = session.query("User where username is mara").one()
    session.create("Appointment", {"context": task, "resource": user, "type": "assignment"})
    session.commit()
    for condition in (
        "assignments any (resource.username is mara)",
        "assignments any (resource.id is " + user["id"] + ")",
        "assignments.resource.username is mara",
        "appointments any (type is assignment)",
        "not allocations any ()",
        "assignments any (resource[User].memberships any (group.name is Artists))",
    ):
        found = session.query(f"Task where id is {task['id']} and {condition}").all()
        assert len(found) == 1, condition
    found = place.fresh().query(f"select assignments.resource.username from Task where id is {task['id']}").one()
    assert [each["resource"]["username"] for each in found["assignments"]] == ["mara"]


def check_large_lists_of_keys(place):
    """Thousands of keys in one list."""
    keys = ",".join(f"{number:08x}-0000-0000-0000-000000000000" for number in range(3000))
    assert place.session.query(f"Task where id in ({keys})").all() == []


def check_group_by(place):
    """Groups and numbers come as plain tables."""
    session = place.fresh(strict_api=True)
    task = place.task(session)
    answer = session.call(
        [
            {
                "action": "query",
                "expression": "select count(id), project_id, status_id from Task "
                f"where project_id is {task['project_id']} group by project_id, status_id",
            }
        ]
    )
    assert answer[0]["data"] == [{"count_id": 1, "project_id": task["project_id"], "status_id": task["status_id"]}]


def check_strict_answers_only_what_was_asked(place):
    """A strict session gets no more than the key and the projections; a lax one the system's, too."""
    task = place.task()
    asked = [{"action": "query", "expression": f"select name from Task where id is {task['id']}"}]
    strict = place.fresh(strict_api=True)
    import requests

    def raw(**headers):
        told = {"ftrack-user": place.user, "ftrack-api-key": place.key, **headers}
        return requests.post(f"{place.url}/api", json=asked, headers=told).json()[0]

    assert set(raw(**{"ftrack-strict-api": "true"})["data"][0]) == {"__entity_type__", "id", "name"}
    lax = {"__entity_type__", "id", "name", "context_type", "project_id", "object_type_id"}
    assert set(raw(**{"ftrack-strict-api": "false"})["data"][0]) == lax
    assert raw()["metadata"] == {"next": {"offset": None}}
    assert strict.query(f"select name from Task where id is {task['id']}").one()["name"] == task["name"]


def check_repetition_is_told_once(place):
    """An entity is told in full once in an answer, unless the client wants it everywhere."""
    import requests

    task = place.task()
    place.session.create("Task", {"name": "other", "parent": task["parent"]})
    place.session.commit()
    body = [
        {
            "action": "query",
            "expression": f"select status.name from Task where parent_id is {task['parent_id']} order by name",
        }
    ]

    def statuses(**headers):
        told = {"ftrack-user": place.user, "ftrack-api-key": place.key, **headers}
        answer = requests.post(f"{place.url}/api", json=body, headers=told).json()
        return [row["status"].get("name") for row in answer[0]["data"]]

    assert statuses() == ["Not started", None]
    assert statuses(**{"ftrack-api-options": "strict:1;denormalize:1"}) == ["Not started", "Not started"]


def check_search(place):
    """`search` finds by words in names."""
    task = place.task()
    answer = place.session.call(
        [
            {
                "action": "search",
                "expression": "select name from Task",
                "entity_type": "Task",
                "terms": [task["name"][:6], task["name"][-4:]],
                "context_id": task["project_id"],
            }
        ]
    )
    assert [each["id"] for each in answer[0]["data"]] == [task["id"]]


def check_link(place):
    """`link` is the way from the project, also of versions."""
    version = place.version()
    found = place.fresh().get("AssetVersion", version["id"])
    assert [step["type"] for step in found["link"]] == ["Project", "TypedContext", "AssetVersion"]
    assert found["link"][-1]["id"] == version["id"]


def check_lineage(place):
    """Ancestors and descendants are read through all levels."""
    task = place.task()
    session = place.fresh()
    found = session.get("Task", task["id"])
    assert [each["id"] for each in found["ancestors"]] == [task["parent_id"]]
    project = session.get("Project", task["project_id"])
    assert {each["id"] for each in project["descendants"]} == {task["id"], task["parent_id"]}
    assert session.query(f"Project where descendants any (id is {task['id']})").one()["id"] == task["project_id"]


def check_project_schema_helper(place):
    """Statuses and types by the project's schema."""
    session = place.fresh()
    schema = session.query("ProjectSchema where name is VFX").one()
    assert "Not started" in [status["name"] for status in schema.get_statuses("Task")]
    assert "Pending review" in [status["name"] for status in schema.get_statuses("AssetVersion")]
    assert "On hold" in [status["name"] for status in schema.get_statuses("Shot")]
    assert "Animation" in [kind["name"] for kind in schema.get_types("Task")]
    assert "Character" in [kind["name"] for kind in schema.get_types("AssetBuild")]
    assert [kind["name"] for kind in schema["object_types"]]
    assert len(schema["task_templates"][0]["items"]) == 4


def check_every_type_can_be_queried(place):
    """No type of the schema is left out: each answers, with every attribute asked for one by one."""
    session = place.fresh()
    for name, made in session.types.items():
        names = ", ".join(attribute.name for attribute in made.attributes)
        session.call([{"action": "query", "expression": f"select {names} from {name} limit 3"}])


def check_formatter(place):
    """The formatter prints an entity with all it has."""
    import ftrack_api.formatter

    text = ftrack_api.formatter.format(place.fresh().get("Task", place.task()["id"]), recursive=False)
    assert "object_type" in text
