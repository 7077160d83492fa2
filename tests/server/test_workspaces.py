"""Workspaces are added, used and dropped while a server runs, and each keeps what is its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import callsheet
from callsheet import AsyncSession, Session
from callsheet.errors import (
    CallsheetError,
    Closed,
    CommitError,
    Forbidden,
    Invalid,
    NotFound,
    StorageError,
    Unauthorised,
    UsageError,
)
from callsheet.events.topics import DISCONNECTED
from callsheet.server.archive.dumping import dump
from callsheet.server.archive.loading import load
from callsheet.server.process import Server
from callsheet.server.service import Service
from callsheet.server.store.store import Store
from callsheet.storage.finding import url as url_of
from server.databases import postgres_database

KEY = "the key of these tests"
TINY: dict[str, Any] = {
    "name": "tiny",
    "types": {"Dot": {"attributes": {"name": {"type": "string"}, "size": {"type": "integer"}}}},
}
OTHER: dict[str, Any] = {"name": "other", "types": {"Star": {"attributes": {"name": {"type": "string"}}}}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("served")
    with callsheet.serve("production", f"sqlite:///{folder}/show.db", admin_key=KEY) as running:
        yield running


@pytest.fixture
def main(server: Server) -> Iterator[Session]:
    with Session(server.url, "admin", KEY) as session:
        yield session


def added(main: Session, name: str, schema: Any = "production") -> Session:
    """A session of the administrator of a new workspace."""
    key = main.call("workspaces.add", name=name, schema=schema)["key"]
    return Session(main._connection.server, "admin", key, workspace=name)


def test_equal_ids_in_two_workspaces_are_two_things(main: Session) -> None:
    """Entities, commit ids, accounts, roles, history, audit, queues and events of one are not in the other."""
    with added(main, "left") as left, added(main, "right") as right:
        for session, title in ((left, "Left"), (right, "Right")):
            session.create("Project", {"id": "same-key", "name": "p", "full_name": title})
            session.commit()
        assert [session.get("Project", "same-key")["full_name"] for session in (left, right)] == ["Left", "Right"]
        left.get("Project", "same-key")["full_name"] = "Changed"
        left.commit()
        right.refresh(right.get("Project", "same-key"))
        assert right.get("Project", "same-key")["full_name"] == "Right"
        left.call("users.add", name="anna", role="reader")
        left.call("roles.add", name="lead", rules=["read:*"])
        assert [each["name"] for each in right.call("users.list")] == ["admin"]
        assert right.call("roles.list") == [each for each in right.call("roles.list") if each["name"] != "lead"]
        assert len(list(left.history(left.get("Project", "same-key")))) == 2
        assert len(list(right.history(right.get("Project", "same-key")))) == 1
        claim = {"handler": "roll-up", "expression": "topic=*", "worker": "w"}
        left.call("handlers.claim", **claim)
        assert [each["handler"] for each in left.call("handlers.status")] == ["roll-up"]
        assert right.call("handlers.status") == []
    assert main.get("Project", "same-key") is None


def test_events_of_a_workspace_stay_in_it(main: Session) -> None:
    """A subscriber in one workspace receives its own events only; the stream has the prefix of the workspace."""
    with added(main, "loud") as loud, added(main, "quiet") as quiet:
        received: dict[str, list[str]] = {"loud": [], "quiet": []}
        for session in (loud, quiet):
            names = received[session.workspace]
            session.event_hub.subscribe("topic=ping", lambda event, names=names: names.append(event.data["from"]))
            session.event_hub.connect()
        for session in (loud, quiet):
            session.event_hub.publish(callsheet.Event("ping", {"from": session.workspace}))
        for session in (loud, quiet):
            for _ in range(100):
                session.event_hub.wait(0.1)
                if received[session.workspace]:
                    break
        assert received == {"loud": ["loud"], "quiet": ["quiet"]}


def test_a_position_of_a_longer_log_is_refused(main: Session) -> None:
    """A reader that resumes in the wrong workspace, behind the end of its log, gets an error and no events."""
    with added(main, "long", TINY) as long, added(main, "short", TINY) as short:
        for number in range(5):
            long.create("Dot", {"name": str(number)})
            long.commit()
        statuses = []
        for session in (long, short):
            key = session.call("own.key")["key"]
            url, headers = f"{session._connection.server}/v1/events", {"authorization": f"Bearer {key}"}
            with httpx.stream("GET", url, params={"after": "5.0"}, headers=headers) as answer:
                statuses.append(answer.status_code)
    assert statuses == [200, 422]


def test_cached_schemas_are_kept_apart(main: Session, tmp_path: Path) -> None:
    """Two workspaces with one cache folder have a schema each, also when the folder is filled already."""
    keys = {
        name: main.call("workspaces.add", name=name, schema=document)["key"]
        for name, document in (("dots", TINY), ("stars", OTHER))
    }
    for _ in range(2):
        for name, expected in (("dots", "Dot"), ("stars", "Star")):
            url = main._connection.server
            with Session(url, "admin", keys[name], workspace=name, schema_cache=tmp_path) as session:
                assert list(session.types) == [expected]
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_a_journal_is_resumed_where_it_was_written(main: Session, tmp_path: Path) -> None:
    """A commit whose answer was lost in one workspace is not sent to another one with the same journal."""
    path = tmp_path / "journal"
    with added(main, "near", TINY) as near, added(main, "far", TINY) as far:
        url, keys = main._connection.server, {}
        for session in (near, far):
            keys[session.workspace] = session.call("users.add", name="ben")["key"]
        with Session(url, "ben", keys["near"], workspace="near", journal=path) as writer:
            writer.create("Dot", {"name": "lost"})
            send = writer._connection.transport.send

            def lose(request: Any) -> Any:
                if "/commits/" in request.path:
                    raise callsheet.errors.Disconnected("cut off")
                return send(request)

            writer._connection.transport.send = lose
            with pytest.raises(CommitError, match="cut off"):
                writer.commit()
        with Session(url, "ben", keys["far"], workspace="far", journal=path) as other:
            assert other.resume() == []
            other.create("Dot", {"name": "mine"})
            other.commit()
            assert [dot["name"] for dot in other.query("Dot").all()] == ["mine"]
        with Session(url, "ben", keys["near"], workspace="near", journal=path) as again:
            assert [each.outcome for each in again.resume()] == ["finished now"]
            assert [dot["name"] for dot in again.query("Dot").all()] == ["lost"]


def test_files_go_to_their_workspace(main: Session, tmp_path: Path) -> None:
    """An uploaded file is found by sessions of its workspace, by both dialects, and by no other."""
    with added(main, "with-files") as session, added(main, "without-files") as other:
        source = tmp_path / "a.txt"
        source.write_text("contents", encoding="utf-8")
        component = session.create_component(source, location="server")
        session.commit()
        address = session.run(url_of(session, "server", component))
        assert address.startswith(f"{main._connection.server}/workspaces/with-files/")
        assert httpx.get(address).text == "contents"
        assert httpx.get(address.replace("/with-files/", "/without-files/")).status_code == 403
        assert httpx.get(address.replace("/workspaces/with-files", "")).status_code == 403
        assert other.query("FileComponent").all() == []
        with pytest.raises(NotFound):
            other.run(other._connection.dialect.read_file(component.id, 0, 8))


def test_dropping_ends_sessions_and_streams(main: Session) -> None:
    """A listening session learns that it is over, and its next request says why."""
    with added(main, "short-lived", TINY) as session:
        reasons: list[str] = []
        session.event_hub.subscribe(f"topic={DISCONNECTED}", lambda event: reasons.append(event.data["reason"]))
        session.event_hub.connect()
        main.call("workspaces.drop", name="short-lived", data="delete")
        with pytest.raises(Unauthorised, match="in this workspace, if the server has one of this name"):
            session.query("Dot").all()
        for _ in range(200):
            session.event_hub.wait(0.1)
            if any("in this workspace" in reason for reason in reasons):
                break
        assert "in this workspace, if the server has one of this name" in reasons[-1]
    assert "short-lived" not in [each["name"] for each in main.call("workspaces.list")]
    with added(main, "short-lived", TINY) as again:
        assert again.query("Dot").all() == []


def test_only_administrators_of_the_default_workspace_manage_workspaces(main: Session) -> None:
    with added(main, "managed", TINY) as managed:
        for action, arguments in (
            ("workspaces.list", {}),
            ("workspaces.add", {"name": "x"}),
            ("workspaces.drop", {"name": "managed", "data": "keep"}),
        ):
            with pytest.raises(Forbidden, match="`managed` manages no others; connect to the server's default one"):
                managed.call(action, **arguments)
    key = main.call("users.add", name="carla")["key"]
    with (
        Session(main._connection.server, "carla", key) as carla,
        pytest.raises(Forbidden, match=r"`carla` may not do workspaces\.list"),
    ):
        carla.call("workspaces.list")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "default"}, "there is a workspace `default` already"),
        ({"name": "a/b/c"}, "a workspace has one or two parts"),
        ({"name": "../up"}, "a workspace has one or two parts"),
        ({"name": "x", "schema": "/etc/passwd"}, "a schema is sent as a document, or as the name of a preset"),
        ({"name": "x", "schema": {"extends": "/etc/x.toml", "types": {}}}, "a schema is sent as a document"),
        (
            {"name": "x", "schema": {"types": {"Dot": {"attributes": {"a": {"type": "intger"}}}}}},
            "did you mean `integer`",
        ),
        ({"name": "x", "description": "d" * 3000}, "at most 2,000 characters"),
        ({"name": "x", "address": "sqlite:////tmp/x.db"}, "unexpected keyword argument 'address'"),
    ],
)
def test_what_cannot_be_added_is_refused(main: Session, arguments: dict[str, Any], message: str) -> None:
    """Wrong names, taken ones, and schemas that would be read from the server's disk; nothing is left of them."""
    before = main.call("workspaces.list")
    with pytest.raises(Invalid, match=message):
        main.call("workspaces.add", **arguments)
    assert main.call("workspaces.list") == before


def test_a_taken_name_is_refused_in_any_case(main: Session) -> None:
    added(main, "Taken", TINY).close()
    with pytest.raises(Invalid, match="there is a workspace `Taken` already"):
        main.call("workspaces.add", name="taken", schema=TINY)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"name": "nowhere", "data": "keep"}, NotFound, "there is no workspace `nowhere`"),
        ({"name": "default", "data": "delete"}, NotFound, "there is no workspace `default`"),
        ({"name": "x", "data": "perhaps"}, Invalid, "`keep` or `delete`"),
    ],
)
def test_what_cannot_be_dropped_is_refused(
    main: Session, arguments: dict[str, Any], kind: type[CallsheetError], message: str
) -> None:
    with pytest.raises(kind, match=message):
        main.call("workspaces.drop", **arguments)


def test_forks_and_asynchronous_sessions_stay_in_their_workspace(main: Session) -> None:
    """The two-part name is the data view and the system, whichever way it is given."""
    key = main.call("workspaces.add", name="holidays/uk", schema=TINY)["key"]
    url = main._connection.server
    with Session(url, "admin", key, data_view="holidays", system="uk") as session:
        session.create("Dot", {"name": "here"})
        session.commit()
        assert (session.workspace, session.data_view, session.system) == ("holidays/uk", "holidays", "uk")
        fork = session.fork()
        assert fork.workspace == "holidays/uk"
        assert fork.query("Dot").one()["name"] == "here"
        with session.at(1) as past:
            assert past.workspace == "holidays/uk"
    with Session(f"{url}/workspaces/holidays~uk", "admin", key) as session:
        assert session.workspace == "holidays/uk"

    async def names() -> list[str]:
        async with AsyncSession(url, "admin", key, workspace="holidays/uk") as session:
            assert session.workspace == "holidays/uk"
            return [dot["name"] for dot in await session.query("Dot").all()]

    assert asyncio.run(names()) == ["here"]
    assert (main.workspace, main.data_view, main.system) == ("default", "default", "")


def test_an_embedded_session_opens_a_workspace(tmp_path: Path) -> None:
    """A database is opened in this process, and the main one is not kept locked."""
    url = f"sqlite:///{tmp_path}/show.db"
    with Session(url, schema=TINY) as main:
        main.call("workspaces.add", name="lab", schema=OTHER)
    with Session(url, workspace="lab") as lab:
        lab.open()
        with Session(url) as main, pytest.raises(StorageError, match="is in use by another process"):
            main.call("workspaces.drop", name="lab", data="delete")
    with Session(url, workspace="lab") as lab, Session(url) as main:
        assert (list(lab.types), list(main.types)) == (["Star"], ["Dot"])
        assert lab._connection.server.endswith("show.db?workspace=lab")
        with pytest.raises(StorageError, match="is in use by another process"):
            Session(url, workspace="lab").open()
    with Session(f"{url}?workspace=lab") as lab:
        assert lab.workspace == "lab"
    with pytest.raises(NotFound, match="there is no workspace `lob`; did you mean `lab`"):
        Session(url, workspace="lob").open()
    with pytest.raises(StorageError, match=r"there is no database .*typo\.db"):
        Session(f"sqlite:///{tmp_path}/typo.db", workspace="lab").open()
    assert not (tmp_path / "typo.db").exists()
    with pytest.raises(UsageError, match="a new database in memory has no workspaces"):
        Session("memory:", workspace="lab").open()


def test_data_that_are_kept_can_be_added_again(tmp_path: Path) -> None:
    """A database that the operator names is used as it is, with its accounts, and is never deleted."""
    url = f"sqlite:///{tmp_path}/show.db"
    with Service.open(url, TINY) as main:
        assert main.workspaces is not None
        first = main.workspaces.add("lab", OTHER)
        lab = main.workspaces.service("lab")
        assert lab is not None
        identity = lab.store.id
        where = main.workspaces.drop("lab", "keep")
        assert main.workspaces.service("lab") is None
        assert where == first.address
        again = main.workspaces.add("lab-again", address=where)
        assert again.key is None
        found = main.workspaces.service("lab-again")
        assert found is not None
        assert found.store.id == identity
        assert found.accounts.authenticate("admin", str(first.key)) == "admin"
        with pytest.raises(Invalid, match="was not made by this server, so it deletes no data"):
            main.workspaces.drop("lab-again", "delete")
        with pytest.raises(UsageError, match="may hold no password"):
            main.workspaces.add("far", address="postgresql+psycopg://ann:secret@db/far")
        with pytest.raises(UsageError, match="sqlite:///FILE or postgresql"):
            main.workspaces.add("far", address="mysql://db/far")


def test_files_are_beside_the_named_folder(tmp_path: Path) -> None:
    """If the main database's files have a folder of their own, those of workspaces are next to it."""
    with Service.open(f"sqlite:///{tmp_path}/show.db", TINY, files=tmp_path / "disk" / "files") as main:
        assert main.workspaces is not None
        main.workspaces.add("lab", "production")
        lab = main.workspaces.service("lab")
        assert lab is not None
        lab.backend("admin").files.write("k", 0, b"abc")
        folders = list((tmp_path / "disk" / "files-workspaces").iterdir())
        assert [folder.name.partition("-")[0] for folder in folders] == ["lab"]
        main.workspaces.drop("lab", "delete")
        assert not folders[0].exists()


def test_requests_during_a_drop_end_in_order(main: Session) -> None:
    """Sessions that write while their workspace is dropped get an error of Callsheet's, and no traceback."""
    with added(main, "busy", TINY) as session:
        key = session.call("users.add", name="ben")["key"]
        failures: list[BaseException] = []

        def write() -> None:
            with Session(main._connection.server, "ben", key, workspace="busy", retries=0) as own:
                try:
                    for number in range(2_000):
                        own.create("Dot", {"name": str(number)})
                        own.commit()
                except Exception as error:
                    failures.append(error)

        threads = [threading.Thread(target=write) for _ in range(3)]
        for thread in threads:
            thread.start()
        while not session.query("Dot").count():
            pass
        main.call("workspaces.drop", name="busy", data="delete")
        for thread in threads:
            thread.join()
    assert len(failures) == 3
    assert all(isinstance(each, CallsheetError) and "internal error" not in str(each) for each in failures), failures


def test_a_workspace_is_dumped_and_loaded_by_its_name(tmp_path: Path) -> None:
    """Its archive has its own rows, and the archive of the main database has none of the workspaces."""
    from click.testing import CliRunner

    from callsheet.cli.commands import callsheet as commands

    url = f"sqlite:///{tmp_path}/show.db"
    with Session(url, schema=TINY) as main:
        main.call("workspaces.add", name="lab", schema=OTHER)
    with Session(url, workspace="lab") as lab:
        lab.create("Star", {"name": "Vega"})
        lab.commit()
    archive = str(tmp_path / "lab.zip")
    done = CliRunner().invoke(commands, ["dump", archive, "--database", url, "--workspace", "lab"])
    assert done.exit_code == 0, done.output
    load(f"sqlite:///{tmp_path}/copy.db", Path(archive))
    with Session(f"sqlite:///{tmp_path}/copy.db") as copy:
        assert [star["name"] for star in copy.query("Star").all()] == ["Vega"]
    store = Store.open(url)
    manifest = dump(store, tmp_path / "main.zip")
    store.close()
    assert "_workspace" not in [table.name for table in manifest.tables]


def test_workspaces_of_postgres_are_schemas_of_one_database() -> None:
    """They share a database, and neither tables nor rows; dropping deletes the schema."""
    with postgres_database() as url:
        with Service.open(url, TINY) as main:
            assert main.workspaces is not None
            main.workspaces.add("lab/one", OTHER)
            with pytest.raises(Invalid, match="already"):
                main.workspaces.add("lab/one", OTHER)
            lab = main.workspaces.service("lab/one")
            assert lab is not None
            assert list(lab.store.schema.types) == ["Star"]
            assert [each.name for each in main.accounts.list()] == ["admin"]
            with Service.open(url) as second:
                assert second.workspaces is not None
                assert [each.name for each in second.workspaces.list()] == ["lab/one"]
                other = second.workspaces.service("lab/one")
                assert other is not None
                main.workspaces.drop("lab/one", "delete")
                assert [each.name for each in second.workspaces.list()] == []
                assert second.workspaces.service("lab/one") is None
                with pytest.raises(Closed):
                    other.accounts.list()
            with main.store.reading() as connection:
                found = connection.exec_driver_sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'workspace%%'")
                assert found.all() == []
        with Session(url, schema=TINY) as session:
            session.call("workspaces.add", name="lab", schema=OTHER)
        with Session(url, workspace="lab") as lab_session:
            assert list(lab_session.types) == ["Star"]
