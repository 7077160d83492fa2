"""What the vendor's session does beside queries and single writes: its states, its caches, its plugins."""

import datetime
import os
import tempfile

import ftrack_api
import ftrack_api.cache
import ftrack_api.operation
from ftrack_api.inspection import state
from ftrack_api.symbol import DELETED, NOT_SET


def _raises(exception, function):
    try:
        function()
    except exception as error:
        return error
    raise AssertionError(f"no {exception.__name__}")


def check_ensure_finds_by_every_kind_of_value(place):
    """Texts, numbers, truths, moments and nothing identify; what differs is updated, what is equal is not."""
    session = place.session
    project = place.project()
    told = {
        "name": place.name("quo'ted"),
        "parent_id": project["id"],
        "bid": 7200.0,
        "description": None,
        "end_date": datetime.datetime(2026, 3, 4, 5, 6, 7),
    }
    first = session.ensure("Task", told, ["name", "parent_id", "bid", "description", "end_date"])
    for keys in (["name", "parent_id"], ["name", "bid"], ["name", "description"], ["name", "end_date"], list(told)):
        assert place.fresh().ensure("Task", told, keys)["id"] == first["id"], keys
    found = place.fresh().ensure("Task", {**told, "description": "now", "bid": 3600.0}, ["name"])
    assert found["id"] == first["id"]
    fresh = place.fresh().get("Task", first["id"])
    assert (fresh["description"], fresh["bid"]) == ("now", 3600.0)
    flag = {"name": place.name("kind"), "is_billable": False, "color": "#000000"}
    kind = session.ensure("Type", flag, ["name", "is_billable"])
    assert place.fresh().ensure("Type", flag, ["name", "is_billable"])["id"] == kind["id"]


def check_ensure_refuses(place):
    """Nothing to go by, a key that has no value, and several that fit."""
    session = place.fresh()
    project = place.project(session)
    for _ in range(2):
        session.create("AssetVersionList", {"name": "twice", "owner": session.query("User").first(), "project": project,
                                            "category": session.query("ListCategory").first()})  # fmt: skip
        session.commit()
    many = ftrack_api.exception.MultipleResultsFoundError
    told = {"project_id": project["id"], "name": "new"}
    _raises(ValueError, lambda: session.ensure("AssetVersionList", {}))
    _raises(KeyError, lambda: session.ensure("AssetVersionList", told, ["category_id"]))
    _raises(many, lambda: session.ensure("AssetVersionList", told, ["project_id"]))


def check_populate_takes_one_or_a_result(place):
    """One entity, a tuple, a result; what was set here stays; what is new is left out."""
    tasks = [place.task() for _ in range(2)]
    session = place.fresh()
    with session.auto_populating(False):
        one = session.query(f"select id from Task where id is {tasks[0]['id']}").one()
        assert one["name"] is NOT_SET
        session.populate(one, "name, parent.name")
        assert one["name"] == tasks[0]["name"]
        one["description"] = "mine"
        new = session.create("Task", {"name": "new", "parent": one["parent"]})
        session.populate((one, new), "description, status.name, assignments.resource.first_name")
        assert one["description"] == "mine"
        assert one["status"]["name"] == "Not started"
        assert list(one["assignments"]) == []
        keys = ", ".join(task["id"] for task in tasks)
        result = session.query(f"select id from Task where id in ({keys})")
        session.populate(result, "parent.parent[Project].full_name")
        assert {each["parent"]["parent"]["full_name"] for each in result} == {"A project"}
    session.rollback()


def check_states_and_deleting(place):
    """What is created, modified, deleted is told before the commit, and nothing afterwards."""
    session = place.fresh()
    task, gone = place.task(session), place.task(session)
    made = session.create("Folder", {"name": place.name(), "parent": task["project"]})
    task["description"] = "changed"
    session.delete(gone)
    assert [each["id"] for each in session.created] == [made["id"]]
    assert [each["id"] for each in session.modified] == [task["id"]]
    assert [each["id"] for each in session.deleted] == [gone["id"]]
    assert state(gone) is DELETED
    session.commit()
    assert (session.created, session.modified, session.deleted) == ([], [], [])
    fresh = place.fresh()
    assert fresh.get("Task", gone["id"]) is None
    assert fresh.get("Folder", made["id"])["name"] == made["name"]


def check_operations_of_ones_own(place):
    """Operations pushed by hand are sent like any other; what is not recorded is not sent."""
    session = place.fresh()
    task = place.task(session)
    with session.operation_recording(False):
        task["description"] = "unheard"
    session.recorded_operations.push(
        ftrack_api.operation.UpdateEntityOperation("Task", {"id": task["id"]}, "name", task["name"], "by hand")
    )
    session.commit()
    found = place.fresh().get("Task", task["id"])
    assert (found["name"], found["description"]) == ("by hand", None)


def check_values_are_reverted(place):
    """``del`` and ``clear`` take back what was set."""
    session = place.fresh()
    task = place.task(session)
    name = task["name"]
    task["name"] = "other"
    del task["name"]
    assert task["name"] == name
    session.commit()
    assert place.fresh().get("Task", task["id"])["name"] == name


def check_every_value_is_read(place):
    """``values`` and ``items`` fetch all that a task has, relations and all."""
    session = place.fresh()
    found = dict(session.get("Task", place.task()["id"]).items())
    assert found["status"]["name"] == "Not started"
    assert list(found["notes"]) == []
    assert NOT_SET not in [each for each in found.values() if isinstance(each, (str, int, float))]


def check_sessions_are_encoded_and_cached(place):
    """Entities are encoded by each strategy, decoded again, and come back from a cache in a file."""
    task = place.task()
    path = os.path.join(tempfile.mkdtemp(), "cache")

    def cache(session):
        return ftrack_api.cache.SerialisedCache(
            ftrack_api.cache.FileCache(path),
            encode=lambda value: session.encode(value, "persisted_only"),
            decode=session.decode,
        )

    first = place.fresh(cache=cache)
    found = first.get("Task", task["id"])
    assert found["name"] == task["name"]
    first.merge(found)
    for strategy in ("all", "set_only", "modified_only", "persisted_only"):
        told = first.decode(first.encode(found, strategy))
        assert told["id"] == task["id"], strategy
    first.close()
    second = place.fresh(cache=cache)
    assert second.get("Task", task["id"])["name"] == task["name"]


def check_reset_and_closing(place):
    """A session forgets what was pending, and says that it is closed."""
    with place.fresh() as session:
        task = place.task(session)
        task["name"] = "never"
        session.reset()
        assert not session.recorded_operations
        assert session.get("Task", task["id"])["name"] != "never"
    assert session.closed
    _raises(ftrack_api.exception.ConnectionClosedError, lambda: session.query("Task").first())


_PLUGIN = '''
import ftrack_api.entity.factory


class Named:
    """A method for every task."""

    def shout(self):
        return self["name"].upper()


def construct(event):
    schema = event["data"]["schema"]
    if schema["id"] == "Task":
        factory = ftrack_api.entity.factory.StandardFactory()
        return factory.create(schema, bases=[Named, ftrack_api.entity.base.Entity])


def register(session, **options):
    if not isinstance(session, ftrack_api.Session):
        return
    session.told = options
    session.event_hub.subscribe("topic=ftrack.api.session.construct-entity-type", construct)
    session.event_hub.subscribe(
        "topic=ftrack.api.session.configure-location",
        lambda event: setattr(session, "configured", event["data"]["session"] is session),
    )
'''


def check_plugins(place):
    """A plugin gives types methods and hears of the session's beginning."""
    folder = tempfile.mkdtemp()
    with open(os.path.join(folder, "named.py"), "w") as file:
        file.write(_PLUGIN)
    session = place.fresh(plugin_paths=[folder], plugin_arguments={"answer": 42})
    assert session.configured
    assert session.told == {"answer": 42}
    task = place.task(session)
    assert task.shout() == task["name"].upper()


def check_schemas_are_cached_in_a_folder(place):
    """The second session asks for the schema no more, since the server's hash is that of the file."""
    folder = tempfile.mkdtemp()
    first = place.fresh(schema_cache_path=folder)
    path = os.path.join(folder, "ftrack_api_schema_cache.json")
    assert os.path.exists(path)
    before = os.stat(path).st_mtime_ns
    second = place.fresh(schema_cache_path=folder)
    assert len(second.schemas) == len(first.schemas)
    assert os.stat(path).st_mtime_ns == before


def check_callers_of_old(place):
    """A user of no name here is refused, and addresses may end with a slash."""
    place.refused(lambda: place.fresh(api_user="no such user"), "InvalidCredentialsError")
    session = ftrack_api.Session(place.url + "/", place.key, place.user, schema_cache_path=False)
    try:
        assert session.query("Status").first() is not None
        assert session.server_information["schema_hash"]
    finally:
        session.close()
