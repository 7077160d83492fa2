"""Scripts for the vendor's client run on `callsheet.compat.ftrack_api`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

import callsheet
import callsheet.compat.ftrack_api as ftrack_api
from studios import KEY, served_vendor_studio


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A served studio with the vendor's schema."""
    with served_vendor_studio(tmp_path_factory.mktemp("studio")) as server:
        yield server.url


@pytest.fixture
def session(address: str) -> Iterator[Any]:
    """A session, opened as scripts do."""
    with ftrack_api.Session(address, KEY, "admin", schema_cache_path=False) as session:
        yield session


def test_a_session_is_what_plugins_guard_for(session: Any) -> None:
    """``isinstance`` holds for both names, and the session is open."""
    assert isinstance(session, ftrack_api.Session)
    assert isinstance(session, ftrack_api.session.Session)
    assert isinstance(session, callsheet.Session)
    assert session.server_information["version"] == "dev"
    assert session.server_information.get("storage_scenario", "none") != ""
    assert (session.api_user, session.api_key, session.closed) == ("admin", KEY, False)
    task = session.query("Task").first()
    assert isinstance(task, ftrack_api.entity.base.Entity)
    assert {schema["id"] for schema in session.schemas} >= {"Task", "Shot", "AssetVersion"}


def test_the_environment_names_the_server(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the vendor's variables; without them it is a ``TypeError``, as there."""
    for name, value in {"FTRACK_SERVER": address, "FTRACK_API_KEY": KEY, "FTRACK_API_USER": "admin"}.items():
        monkeypatch.setenv(name, value)
    ftrack_api.Session(schema_cache_path=False).close()
    monkeypatch.delenv("FTRACK_API_KEY")
    with pytest.raises(TypeError, match="api_key"):
        ftrack_api.Session()
    monkeypatch.delenv("FTRACK_SERVER")
    with pytest.raises(TypeError, match="server_url"):
        ftrack_api.Session()


def test_everything_that_scripts_pass_is_taken(address: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is not used is said; what is of the wrong kind is a ``TypeError``."""
    given: dict[str, Any] = {
        "auto_populate": False,
        "plugin_paths": [],
        "cache": lambda session: None,
        "auto_connect_event_hub": False,
        "schema_cache_path": str(tmp_path),
        "plugin_arguments": {"a": 1},
        "timeout": 20,
        "cookies": {"crumb": "1"},
        "headers": {"X-Studio": "north"},
        "strict_api": True,
    }
    with ftrack_api.Session(server_url=address, api_key=KEY, api_user="admin", **given) as session:
        assert session.auto_populate is False
        assert session.request_timeout == 20
        assert session.query("Project").first() is not None
        sent = session._connection.transport._settings.headers
        assert (sent[b"x-studio"], sent[b"cookie"]) == (b"north", b"crumb=1")
    assert "`cache` is not used" in caplog.text
    assert list(tmp_path.iterdir())
    for name, wrong in (("cookies", ["a"]), ("headers", "a"), ("strict_api", 1)):
        with pytest.raises(TypeError, match=name):
            ftrack_api.Session(address, KEY, "admin", **{name: wrong})


def test_the_hub_is_connected_on_request(address: str) -> None:
    """With ``auto_connect_event_hub`` it is when the constructor returns; events are mappings that can be changed."""
    with ftrack_api.Session(address, KEY, "admin", auto_connect_event_hub=True, schema_cache_path=False) as session:
        hub = session.event_hub
        assert hub.connected
        heard: list[Any] = []
        hub.subscribe("topic=studio.done", heard.append)
        hub.publish(ftrack_api.event.base.Event(topic="studio.done", data={"take": 3}))
        for _ in range(100):
            if heard:
                break
            hub.wait(0.1)
        (event,) = heard
        assert event["data"] == {"take": 3}
        assert event["source"]["user"]["username"] == "admin"
        event["data"] = {}
        assert event.data == {}
        with pytest.raises(ftrack_api.exception.EventHubConnectionError):
            hub.connect()
        hub.disconnect()
        assert hub.subscribers == ()
        with pytest.raises(ftrack_api.exception.EventHubConnectionError):
            hub.wait(0)
        with pytest.raises(ftrack_api.exception.NotFoundError):
            hub.unsubscribe("nobody")


def test_operations_are_pushed(session: Any) -> None:
    """Creates, updates and deletes of entities that were never fetched are pending, and sent with the commit."""
    operation = ftrack_api.operation
    project = session.query("Project").first()
    key = "0d4c1c5e-0a63-4fd9-a1f4-d6d2b1b7a001"
    data = {"name": "pushed", "parent_id": project["id"]}
    session.recorded_operations.push(operation.CreateEntityOperation("Folder", {"id": key}, data))
    unset = ftrack_api.symbol.NOT_SET
    session.recorded_operations.push(operation.UpdateEntityOperation("Folder", {"id": key}, "description", unset, "x"))
    assert len(session.recorded_operations) == 2
    assert next(type(each) for each in session.recorded_operations) is operation.CreateEntityOperation
    session.commit()
    assert len(session.recorded_operations) == 0
    fork = session.fork()
    assert fork.get("Folder", key)["description"] == "x"
    fork.recorded_operations.push(operation.DeleteEntityOperation("Folder", {"id": key}))
    fork.commit()
    assert session.fork().get("Folder", key) is None


def test_values_of_custom_attributes_are_pushed_by_their_rows(session: Any) -> None:
    """As add-ons do, with the key of the configuration and of the entity."""
    configuration = session.query("CustomAttributeConfiguration where key is fstart").first()
    shot = session.query("Shot").first()
    row = {"configuration_id": configuration["id"], "entity_id": shot["id"]}
    session.recorded_operations.push(
        ftrack_api.operation.UpdateEntityOperation(
            "ContextCustomAttributeValue", row, "value", ftrack_api.symbol.NOT_SET, 1234
        )
    )
    session.commit()
    assert session.fork().get("Shot", shot["id"])["custom_attributes"]["fstart"] == 1234


def test_a_stack_of_operations_becomes_pending(session: Any) -> None:
    """Unless other operations are pending, which would be lost."""
    task = session.query("Task").first()
    stack = ftrack_api.operation.Operations()
    stack.push(ftrack_api.operation.UpdateEntityOperation("Task", {"id": task["id"]}, "bid", None, 7200.0))
    session.recorded_operations = stack
    assert task["bid"] == 7200.0
    with pytest.raises(ftrack_api.exception.OperationError):
        session.recorded_operations = stack
    session.recorded_operations.clear()
    assert list(session.recorded_operations) == []


def test_errors_have_both_names(session: Any) -> None:
    """A script catches the vendor's, new code ours."""
    with pytest.raises(ftrack_api.exception.NoResultFoundError):
        session.query('Task where name is "none has this"').one()
    with pytest.raises(callsheet.errors.MultipleResults):
        session.query("Task").one()
    with pytest.raises(ftrack_api.exception.ServerError, match="Server reported error"):
        session.call([{"action": "nothing of the kind"}])
    with pytest.raises(ftrack_api.exception.UnrecognisedEntityTypeError):
        session.create("Tsk", {})
    with pytest.raises(KeyError):
        session.query("Task").first()["nmae"]
    session.create("Task", {"name": "refused", "parent_id": "00000000-0000-0000-0000-000000000000"})
    with pytest.raises(ftrack_api.exception.ServerError):
        session.commit()
    session.rollback()
    error = ftrack_api.exception.Error("braces {of} any kind", details={"a": 1})
    assert (str(error), error.details) == ("braces {of} any kind", {"a": 1})
    session.close()
    with pytest.raises(ftrack_api.exception.ConnectionClosedError):
        session.query("Task")


def test_calls_hold_live_entities_and_times(session: Any) -> None:
    """Several operations in one request; what the results tell of entities is merged."""
    task = session.query("Task").first()
    said, rows, counted = session.call(
        [
            {"action": "query_server_information"},
            {"action": "query", "expression": f"select name, created_at from Task where id is {task['id']}"},
            {"action": "query", "expression": "select count(id) from Task group by project_id"},
        ]
    )
    assert said["version"] == "dev"
    assert rows["data"] == [task]
    assert isinstance(task["created_at"], datetime)
    assert counted["data"][0]["count_id"] == 18
    (updated,) = session.call(
        [{"action": "update", "entity_type": "Task", "entity_key": [task["id"]], "entity_data": {"bid": 60.0}}]
    )
    assert updated["data"] is task
    assert session.call("query_server_information")["version"] == "dev"


def test_naive_times_are_in_utc(session: Any) -> None:
    """So are dates, their midnight; set, created, and in items."""
    task = session.query("Task").first()
    task["start_date"] = datetime(2026, 1, 31, 18, 30)
    assert task["start_date"] == datetime(2026, 1, 31, 18, 30, tzinfo=UTC)
    task.update({"start_date": date(2026, 2, 1), "description": "both"}, bid=1.0)
    assert (task["start_date"], task["bid"]) == (datetime(2026, 2, 1, tzinfo=UTC), 1.0)
    made = session.create("Task", {"name": "naive", "parent": task["parent"], "end_date": datetime(2026, 3, 1)})
    assert made["end_date"] == datetime(2026, 3, 1, tzinfo=UTC)
    session.rollback()


def test_entities_have_what_scripts_ask_of_them(session: Any) -> None:
    """Attributes by name and kind, states, keys, and references as the wire has them."""
    attribute = ftrack_api.attribute
    task = session.query("select name from Task").first()
    assert "status_id" in set(task.attributes.keys())
    assert isinstance(task.attributes.get("status"), attribute.ReferenceAttribute)
    assert isinstance(session.types["Task"].attributes.get("notes"), attribute.CollectionAttribute)
    assert task.attributes.get("status").is_set(task) is False
    assert task.primary_key_attributes == ["id"]
    inspection, symbol = ftrack_api.inspection, ftrack_api.symbol
    assert inspection.state(task) is symbol.NOT_SET
    before = task["name"]
    task["name"] = "renamed"
    assert inspection.states([task]) == [symbol.MODIFIED]
    assert task.attributes.get("name").get_remote_value(task) == before
    assert task.attributes.get("name").get_local_value(task) == "renamed"
    assert inspection.identity(task) == ("Task", [task["id"]])
    assert session.entity_reference(task) == {"__entity_type__": "Task", "id": task["id"]}
    session.rollback()
    assert session.get("Task", [task["id"]]) is task
    assert "name: " in ftrack_api.formatter.format(task)


def test_what_commits_there_commits_here(session: Any) -> None:
    """``ensure`` and timers; names that a type has not are passed over by ``create``."""
    project = session.query("Project").first()
    session.ensure("Folder", {"name": "ensured", "parent": project}, ["name", "parent"])
    assert not session.pending
    made = session.create("Folder", {"name": "lenient", "parent": project, "no_such_name": 1})
    assert made["name"] == "lenient"
    session.rollback()
    user = session.query("User where username is mara").one()
    user.start_timer(session.query("Task").first(), comment="roto")
    assert not session.pending
    with pytest.raises(ftrack_api.exception.NotUniqueError):
        user.start_timer()
    assert user.stop_timer()["comment"] == "roto"
    assert not session.pending
    with pytest.raises(ftrack_api.exception.NoResultFoundError):
        user.stop_timer()


def test_a_location_is_configured_on_its_entity(session: Any, tmp_path: Path) -> None:
    """Accessor, structure and priority, in any order; thumbnails have an address."""
    location = session.create("Location", {"name": "studio.compat"})
    session.commit()
    location.priority = 3
    location.structure = ftrack_api.structure.standard.StandardStructure()
    location.accessor = ftrack_api.accessor.disk.DiskAccessor(prefix=str(tmp_path))
    place = session.locations["studio.compat"]
    assert (place.priority, place.accessor) == (3, location_accessor := place.accessor)
    assert isinstance(location_accessor, ftrack_api.accessor.disk.DiskAccessor)
    server = session.get("Location", ftrack_api.symbol.SERVER_LOCATION_ID)
    (tmp_path / "frame.png").write_bytes(b"a picture")
    component = session.create_component(tmp_path / "frame.png", location="server")
    address = server.get_thumbnail_url(component, size=300)
    assert address.startswith(f"{session.server_url}/component/thumbnail?id={component['id']}&size=300")
    with pytest.raises(ftrack_api.exception.AccessorUnsupportedOperationError):
        location.get_thumbnail_url(component)


def test_plugins_are_registered_when_the_session_is_made(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And their guard for the session's class holds."""
    (tmp_path / "plugin.py").write_text(
        "import callsheet.compat.ftrack_api as ftrack_api\n"
        "def register(session, **kw):\n"
        "    if not isinstance(session, ftrack_api.session.Session):\n"
        "        return\n"
        "    print('Plugin registered')\n"
    )
    ftrack_api.Session(address, KEY, "admin", plugin_paths=[tmp_path], schema_cache_path=False).close()
    assert capsys.readouterr().out == "Plugin registered\n"


def test_what_is_absent_says_so() -> None:
    """It can be imported and derived from, and not made."""
    for kind in (ftrack_api.cache.FileCache, ftrack_api.structure.base.Structure, ftrack_api.entity.factory.Factory):
        derived = type("Derived", (kind,), {})
        with pytest.raises(ftrack_api.NotOffered, match=f"{kind.__name__} is not offered here: "):
            derived("argument")


def test_libraries_find_the_modules_under_the_old_name(tmp_path: Path) -> None:
    """After `stand_in`; where the vendor's own client was imported before, that is an ``ImportError``."""
    script = (
        "import callsheet.compat.ftrack_api as compat\n"
        "compat.stand_in(); compat.stand_in()\n"
        "import ftrack_api, ftrack_api.event.hub\n"
        "from ftrack_api.structure.standard import StandardStructure\n"
        "assert ftrack_api is compat and ftrack_api.event.hub is compat.event.hub\n"
        "import sys, types; sys.modules['other'] = types.ModuleType('other'); sys.modules['other'].__file__ = 'x.py'\n"
        "try:\n    compat.stand_in('other')\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=tmp_path)
    assert (done.stdout, done.stderr) == (
        "the module other was imported before, from x.py; call `stand_in()` first\n",
        "",
    )
