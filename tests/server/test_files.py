"""Uploaded files: they outlive the server, belong to their components, and are read by nobody else on the machine."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from databases import new_database, postgres_database

import callsheet
from callsheet.errors import Forbidden, Invalid, NotFound, ServerError
from callsheet.model.operation import ChangeSet, Create, Delete
from callsheet.model.record import Identity
from callsheet.server.files.addresses import PUT, READ, ROTATION, SignedAddresses
from callsheet.server.service import Service
from callsheet.server.store.store import Store
from callsheet.transport.journal import Journal

ADMIN = "the key of the administrator"
CONTENT = b"a picture of Sintel"


@pytest.fixture(autouse=True)
def data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own."""
    folder = tmp_path / "data"
    monkeypatch.setenv("XDG_DATA_HOME", str(folder))
    monkeypatch.setenv("LOCALAPPDATA", str(folder))
    return folder


@pytest.fixture(params=["file", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A new database of each kind that keeps."""
    with new_database(request.param, tmp_path) as url:
        yield url


def upload(backend: Any, key: str, content: bytes = CONTENT) -> None:
    """Put a file to a component's key."""
    backend.files.write(key, 0, content)
    backend.files.finish(key, len(content), hashlib.sha256(content).hexdigest())


@contextmanager
def serving(database: str, **options: Any) -> Iterator[Any]:
    """A session of the administrator with a server process."""
    with (
        callsheet.serve(database=database, admin_key=ADMIN) as server,
        callsheet.Session(server.url, "admin", ADMIN, **options) as session,
    ):
        yield session


def create(service: Service, *operations: Create, user: str = "admin") -> None:
    service.backend(user).commit(ChangeSet(os.urandom(8).hex(), operations))


def component(service: Service, project: str, key: str) -> None:
    """A project's asset with a version and a component."""
    create(
        service,
        Create(Identity("Project", project), {"name": project}),
        Create(Identity("Asset", f"{key}-a"), {"name": key, "parent": Identity("Project", project)}),
        Create(Identity("AssetVersion", f"{key}-v"), {"asset": Identity("Asset", f"{key}-a")}),
        Create(Identity("FileComponent", key), {"name": "m", "version": Identity("AssetVersion", f"{key}-v")}),
    )


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Service]:
    """Two projects with a component each; ``vendor`` works in ``open`` and does not see ``closed``."""
    with Service.open(f"sqlite:///{tmp_path / 's.db'}", admin_key=ADMIN) as service:
        component(service, "open", "seen")
        component(service, "closed", "hidden")
        service.accounts.add("vendor", "guest")
        service.roles.grant("vendor", "user", "open")
        yield service


# Where they are


def test_files_outlive_the_server(database: str) -> None:
    """A file that was uploaded before a restart is there after it, without any folder being named."""
    with Service.open(database, admin_key=ADMIN) as service:
        component(service, "sintel", "picture")
        upload(service.backend("admin"), "picture")
    with Service.open(database) as service:
        assert service.backend("admin").files.read("picture", 0, 100) == CONTENT


def test_files_of_a_server_process_outlive_it(database: str, tmp_path: Path) -> None:
    """The same through two servers, one after the other, and a client."""
    path = tmp_path / "a.png"
    path.write_bytes(CONTENT)
    with serving(database) as session:
        key = session.create_component(str(path), {"name": "m"}, "server").id
    with serving(database) as session:
        url = session.location("server").get_url(session.get("Component", key))
        assert httpx.get(url).content == CONTENT


def test_a_default_that_others_would_not_find_is_refused(data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server elsewhere takes no uploads to a folder of its own when files of the database are in another."""
    with postgres_database() as database:
        with Service.open(database) as service:
            component(service, "sintel", "picture")
            upload(service.backend("admin"), "picture")
        monkeypatch.setenv("XDG_DATA_HOME", str(data_folder / "other"))
        with Service.open(database) as service, pytest.raises(Invalid, match=r"another server.*--files FOLDER"):
            upload(service.backend("admin"), "second")
        with Service.open(database, files=data_folder / "named") as service:
            upload(service.backend("admin"), "second")


def test_without_any_folder_uploads_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the folder cannot be made, the message says what to do."""
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    told = r"cannot keep uploaded files in .*--files FOLDER"
    with postgres_database() as database, Service.open(database) as service, pytest.raises(Invalid, match=told):
        upload(service.backend("admin"), "picture")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_what_is_made_is_its_owners(tmp_path: Path) -> None:
    """Database, journal, uploads and log are 0600, their folders 0700, also where the umask would let all read."""
    before = os.umask(0)
    try:
        folder = tmp_path / "made"
        database = f"sqlite:///{(tmp_path / 'show.db').as_posix()}"
        with callsheet.serve(database=database, admin_key=ADMIN, logs_path=folder / "logs" / "server.log") as server:
            (tmp_path / "a.png").write_bytes(CONTENT)
            (tmp_path / "a.png").chmod(0o600)
            with callsheet.Session(
                server.url, "admin", ADMIN, journal=tmp_path / "j.db", schema_cache=folder
            ) as session:
                session.create_component(str(tmp_path / "a.png"), {"name": "m"}, "server")
            made = [path for path in tmp_path.rglob("*") if path != tmp_path / "data"]
            names = {path.name for path in made}
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made}
        with Service.open(database) as service:
            service.backup(tmp_path / "backup.db")
        modes["backup.db"] = stat.S_IMODE((tmp_path / "backup.db").stat().st_mode)
    finally:
        os.umask(before)
    assert {"show.db", "show.db-wal", "show.db.lock", "show-files", "j.db", "server.log", "logs"} <= names
    wrong = {name: oct(mode) for name, mode in modes.items() if mode & 0o077}
    assert wrong == {}


# Addresses


def params(address: str) -> dict[str, str]:
    return dict(parse_qsl(address.partition("?")[2]))


def test_an_address_outlives_the_process_and_is_known_to_a_second_server(database: str) -> None:
    """What one server signed, another one of the same database takes, after the first is gone."""
    with Service.open(database, admin_key=ADMIN) as service:
        component(service, "sintel", "picture")
        upload(service.backend("admin"), "picture")
        told = params(service.backend("admin").files.address("picture"))
    with Service.open(database) as service:
        assert service.addresses.account(READ, told) == "admin"


def test_two_servers_at_once_know_each_others_addresses() -> None:
    """Also of a secret that the other one made later."""
    now = [datetime(2026, 5, 1, tzinfo=UTC)]
    with (
        postgres_database() as database,
        Service.open(database, clock=lambda: now[0]) as first,
        Service.open(database, clock=lambda: now[0]) as second,
    ):
        assert second.addresses.account(PUT, first.addresses.sign(PUT, "anna", "a")) == "anna"
        now[0] += ROTATION
        second.addresses.renew()
        assert first.addresses.account(PUT, second.addresses.sign(PUT, "anna", "a")) == "anna"
        assert second.addresses.account(PUT, first.addresses.sign(PUT, "anna", "a")) == "anna"


@pytest.fixture
def addresses() -> Iterator[tuple[SignedAddresses, list[datetime]]]:
    """Addresses, and the time."""
    now = [datetime(2026, 5, 1, tzinfo=UTC)]
    store = Store.open("memory:", {"types": {"Dot": {}}})
    yield SignedAddresses(store, lambda: now[0]), now
    store.close()


@pytest.mark.parametrize(
    "change", [{"id": "b"}, {"user": "ben"}, {"part": "4"}, {"until": "1999999999"}, {"part": "³"}, {"signature": ""}]
)
def test_an_address_is_bound(addresses: tuple[SignedAddresses, list[datetime]], change: dict[str, str]) -> None:
    """To its account, its component, its part, and its time."""
    signed, _ = addresses
    told = signed.sign(PUT, "anna", "a", 3)
    assert signed.account(PUT, told) == "anna"
    with pytest.raises(Forbidden, match="damaged"):
        signed.account(PUT, {**told, **change})
    with pytest.raises(Forbidden, match="damaged"):
        signed.account(READ, told)


def test_addresses_end(addresses: tuple[SignedAddresses, list[datetime]]) -> None:
    """After some hours."""
    signed, now = addresses
    told = signed.sign(PUT, "anna", "a")
    now[0] += timedelta(hours=7)
    with pytest.raises(Forbidden, match="has expired"):
        signed.account(PUT, told)


def test_a_secret_is_replaced_with_an_overlap(addresses: tuple[SignedAddresses, list[datetime]]) -> None:
    """An address made just before another secret is good for its time; a secret goes when no address needs it."""
    signed, now = addresses
    signed.renew()
    first = signed._known[0]
    now[0] += ROTATION - timedelta(hours=1)
    told = signed.sign(PUT, "anna", "a")
    now[0] += timedelta(hours=1)
    signed.keep()
    assert len(signed._known) == 2
    assert signed.account(PUT, told) == "anna"
    now[0] += ROTATION
    signed.keep()
    assert first not in signed._known
    with pytest.raises(Forbidden, match="damaged"):
        signed.account(PUT, told)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """A server with the two projects, and an administrator's session."""
    database = f"sqlite:///{(tmp_path / 's.db').as_posix()}"
    with Service.open(database, admin_key=ADMIN) as service:
        component(service, "open", "seen")
        component(service, "closed", "hidden")
        service.accounts.add("vendor", "guest", ADMIN + "2")
        service.roles.grant("vendor", "user", "open")
    with callsheet.serve(database=database) as server, callsheet.Session(server.url, "admin", ADMIN) as session:
        yield server.url, session


def addresses_of(url: str) -> tuple[str, str]:
    """Addresses that the vendor got: to put the seen component's file to, and to read it from."""
    headers = {"ftrack-user": "vendor", "ftrack-api-key": ADMIN + "2"}
    asked = [
        {"action": "get_upload_metadata", "component_id": "seen", "file_name": "a", "file_size": 3},
        {"action": "generate_signed_url", "component_id": "seen"},
    ]
    put, read = httpx.post(f"{url}/api", json=asked, headers=headers).json()
    return put["url"], read["url"]


def end_account(session: Any) -> None:
    session.call("users.disable", name="vendor")


def end_grant(session: Any) -> None:
    session.call("grants.remove", account="vendor", role="user", project="open")


@pytest.mark.parametrize("end", [end_account, end_grant])
def test_an_address_ends_with_the_right(served: tuple[str, Any], end: Any) -> None:
    """An address to put or read a file does nothing once its account is disabled, or has lost its grant."""
    url, session = served
    put, read = addresses_of(url)
    assert httpx.put(put, content=b"one").status_code == 200
    assert httpx.get(read).content == b"one"
    end(session)
    assert httpx.put(put, content=b"two").status_code in (401, 403)
    assert httpx.get(read).status_code in (401, 403, 404)
    assert content_of(url, "seen").content == b"one"


def test_an_upload_under_way_ends_with_the_right(served: tuple[str, Any]) -> None:
    """Whether it may be written is looked at again when all of it has come."""
    url, session = served
    put, _ = addresses_of(url)

    def slowly() -> Iterator[bytes]:
        yield b"a" * 100_000
        end_account(session)
        yield b"b"

    assert httpx.put(put, content=slowly()).status_code in (401, 403)
    assert content_of(url, "seen").status_code == 404


def content_of(url: str, key: str) -> httpx.Response:
    """The answer to the administrator who reads a file."""
    headers = {"ftrack-user": "admin", "ftrack-api-key": ADMIN}
    return httpx.get(f"{url}/component/get?id={key}", headers=headers)


# Whose they are


def told(function: Any) -> tuple[str, str]:
    """What an account is told: the kind of the answer, and its text without the key it named itself."""
    try:
        return "fine", repr(function())
    except ServerError as error:
        return type(error).__name__, str(error)


VERBS: dict[str, Any] = {
    "state": lambda files, key: files.state(key),
    "read": lambda files, key: files.read(key, 0, 10),
    "find": lambda files, key: files.find(key),
    "image": lambda files, key: files.image(key),
    "write": lambda files, key: files.write(key, 0, b"evil"),
    "finish nothing": lambda files, key: files.finish(key, 4, "0"),
    "remove": lambda files, key: files.remove(key),
    "address": lambda files, key: files.address(key),
    "reading address": lambda files, key: files.reading_address(key),
    "upload address": lambda files, key: len(files.upload_addresses(key)),
    "join": lambda files, key: files.join(key, files.new_upload(key, 1), [1]),
}


@pytest.mark.parametrize("with_file", [True, False])
@pytest.mark.parametrize("verb", VERBS)
def test_a_component_out_of_sight_is_as_one_that_is_not_there(studio: Service, verb: str, with_file: bool) -> None:
    """Every verb says the same of both, whether there is a file or not, and leaves the file as it was."""
    admin, vendor = studio.backend("admin"), studio.backend("vendor")
    if with_file:
        upload(admin, "hidden")
    admin.files.write("hidden", 0, b"half") if not with_file else None
    assert told(lambda: VERBS[verb](vendor.files, "hidden")) == told(lambda: VERBS[verb](vendor.files, "nowhere"))
    if with_file:
        assert admin.files.read("hidden", 0, 100) == CONTENT
    else:
        assert admin.files.state("hidden").received == 4


def test_nothing_is_planted(studio: Service) -> None:
    """What a stranger uploads for a component out of its sight is never that component's file."""
    admin, vendor = studio.backend("admin"), studio.backend("vendor")
    upload(vendor, "hidden", b"evil")
    assert vendor.files.read("hidden", 0, 10) == b"evil"
    assert admin.files.state("hidden").size is None
    with pytest.raises(NotFound):
        admin.files.read("hidden", 0, 10)
    upload(admin, "hidden")
    vendor.files.remove("hidden")
    assert admin.files.read("hidden", 0, 100) == CONTENT


def test_uploads_are_each_accounts_own(studio: Service) -> None:
    """Nobody appends to what another one is uploading, nor takes it away."""
    admin, vendor = studio.backend("admin"), studio.backend("vendor")
    admin.files.write("later", 0, b"one")
    assert vendor.files.state("later").received == 0
    vendor.files.write("later", 0, b"evil!")
    vendor.files.remove("later")
    assert admin.files.write("later", 3, b"two") == 6


@pytest.mark.parametrize("reader", ["admin", "vendor"])
def test_a_file_uploaded_first_becomes_the_components(studio: Service, reader: str) -> None:
    """As clients do it: the file goes up, then the component is committed; from then on it is everybody's to read."""
    upload(studio.backend("vendor"), "new")
    version = {"name": "m", "version": Identity("AssetVersion", "seen-v")}
    create(studio, Create(Identity("FileComponent", "new"), version), user="vendor")
    assert studio.backend(reader).files.read("new", 0, 100) == CONTENT
    assert studio.backend("admin").files.state("new").size == len(CONTENT)


def test_a_waiting_file_is_not_taken_from_one_who_may_not(studio: Service) -> None:
    """Of two who uploaded for a key, the one that may change the component counts; the disabled one never."""
    studio.accounts.add("gone", "user")
    upload(studio.backend("gone"), "new", b"of one who is gone")
    upload(studio.backend("vendor"), "new")
    studio.accounts.disable("gone")
    version = {"name": "m", "version": Identity("AssetVersion", "seen-v")}
    create(studio, Create(Identity("FileComponent", "new"), version), user="vendor")
    assert studio.backend("admin").files.read("new", 0, 100) == CONTENT


def test_a_seen_file_needs_its_rights(studio: Service) -> None:
    """A reader of the project reads, and is refused to write or remove."""
    studio.accounts.add("looker", "guest")
    studio.roles.grant("looker", "reader", "open")
    upload(studio.backend("vendor"), "seen")
    looker = studio.backend("looker")
    assert looker.files.read("seen", 0, 100) == CONTENT
    for verb in ("write", "remove", "upload address"):
        with pytest.raises(Forbidden):
            VERBS[verb](looker.files, "seen")


def test_a_file_of_a_deleted_component_is_nobodys_to_fill(studio: Service) -> None:
    """A key whose component is gone waits like one that never was."""
    upload(studio.backend("vendor"), "seen")
    studio.backend("vendor").commit(ChangeSet("gone", (Delete(Identity("FileComponent", "seen")),)))
    with pytest.raises(NotFound):
        studio.backend("vendor").files.read("seen", 0, 10)


@pytest.mark.parametrize("path", ["/v1/files/{}", "/v1/files/{}/data?offset=0&size=9", "/v1/files/{}/address"])
def test_the_native_wire_tells_neither(served: tuple[str, Any], path: str) -> None:
    """Status and body are the same for a component out of sight and one that is not there."""
    url, _ = served
    upload_over(url, "hidden")
    headers = {"authorization": f"Bearer {ADMIN}2"}
    for method in ("GET", "DELETE") if path.endswith("{}") else ("GET",):
        hidden = httpx.request(method, url + path.format("hidden"), headers=headers)
        absent = httpx.request(method, url + path.format("absent"), headers=headers)
        assert (hidden.status_code, hidden.content) == (absent.status_code, absent.content)


@pytest.mark.parametrize("path", ["get", "thumbnail", "remove"])
def test_the_vendors_addresses_tell_neither(served: tuple[str, Any], path: str) -> None:
    """The same on the addresses of ftrack's clients; and the file is still there."""
    url, _ = served
    upload_over(url, "hidden")
    headers = {"ftrack-user": "vendor", "ftrack-api-key": ADMIN + "2"}
    hidden, absent = (httpx.get(f"{url}/component/{path}?id={key}", headers=headers) for key in ("hidden", "absent"))
    assert (hidden.status_code, hidden.content) == (absent.status_code, absent.content)
    assert content_of(url, "hidden").content == CONTENT


@pytest.mark.parametrize(
    "asked",
    [
        {"action": "get_upload_metadata", "file_name": "a", "file_size": 3},
        {"action": "get_upload_metadata", "file_name": "a", "file_size": 3, "parts": 2},
        {"action": "complete_multipart_upload", "upload_id": "x", "parts": [{"part_number": 1, "e_tag": "x"}]},
        {"action": "generate_signed_url"},
    ],
    ids=["put", "parts", "complete", "read"],
)
def test_the_vendors_actions_tell_neither(served: tuple[str, Any], asked: dict[str, Any]) -> None:
    """The same for the actions that take a component's key, but for what is signed."""
    url, _ = served
    upload_over(url, "hidden")
    headers = {"ftrack-user": "vendor", "ftrack-api-key": ADMIN + "2"}
    answers = [httpx.post(f"{url}/api", json=[{**asked, "component_id": key}], headers=headers) for key in KEYS]
    assert len({answer.status_code for answer in answers}) == 1
    shapes = [[sorted(each) for each in answer.json() if isinstance(each, dict)] for answer in answers]
    assert shapes[0] == shapes[1]


KEYS = ("hidden", "absent")


def upload_over(url: str, key: str) -> None:
    """Put a file to a component's key over the native wire."""
    headers = {"authorization": f"Bearer {ADMIN}", "content-type": "application/octet-stream"}
    told = {"offset": "0", "checksum": hashlib.sha256(CONTENT).hexdigest()}
    httpx.put(f"{url}/v1/files/{key}/data", params=told, content=CONTENT, headers=headers).raise_for_status()
    finish = {"size": len(CONTENT), "checksum": told["checksum"]}
    headers["content-type"] = "application/json"
    httpx.post(f"{url}/v1/files/{key}/finish", json=finish, headers=headers).raise_for_status()


def test_the_journal_is_its_owners_alone(tmp_path: Path) -> None:
    """Also one that is opened alone."""
    journal = Journal(tmp_path / "j.db")
    journal.entries()
    journal.close()
    assert stat.S_IMODE((tmp_path / "j.db").stat().st_mode) == 0o600 or os.name == "nt"


# What nobody finished


def ages(service: Service, key: str, days: float) -> None:
    """Let what was uploaded for a component have its last change so long ago."""
    digest, then = hashlib.sha256(key.encode()).hexdigest(), datetime.now(UTC).timestamp() - days * 86_400
    for path in service.files.path(key).parent.glob(f"{digest}*"):
        os.utime(path, (then, then))


def states(service: Service) -> list[tuple[str, str, int]]:
    """Whose uploads are unfinished, and how much there is of each."""
    found = service.backend("admin").call("uploads.list", {})
    return [(each["account"], each["state"], each["size"]) for each in found]


def test_uploads_that_never_became_a_component_are_removed(studio: Service) -> None:
    """Half uploaded or whole, eight days after their last byte, by the next upload; younger ones are kept."""
    admin = studio.backend("admin")
    upload(admin, "never")
    admin.files.write("half", 0, b"half")
    assert sorted(states(studio)) == [("admin", "incomplete", 4), ("admin", "pending", len(CONTENT))]
    ages(studio, "never", 7.9)
    ages(studio, "half", 7.9)
    studio.abandoned._checked = None
    upload(admin, "seen")
    assert len(states(studio)) == 2
    ages(studio, "never", 8.1)
    ages(studio, "half", 8.1)
    upload(admin, "hidden")
    assert len(states(studio)) == 2, "it looks once a day"
    studio.abandoned._checked -= timedelta(days=1)  # type: ignore[operator]
    upload(admin, "seen")
    assert states(studio) == []
    assert admin.files.state("never").size is None
    assert admin.files.read("seen", 0, 100) == CONTENT


def test_an_upload_whose_component_exists_is_never_removed(studio: Service) -> None:
    """However old: it becomes the component's file when somebody asks for it."""
    upload(studio.backend("vendor"), "late")
    ages(studio, "late", 400)
    version = Identity("AssetVersion", "seen-v")
    create(studio, Create(Identity("FileComponent", "late"), {"name": "m", "version": version}))
    assert studio.backend("admin").call("uploads.remove", {}) == []
    assert studio.backend("vendor").files.read("late", 0, 100) == CONTENT


def test_what_stays_of_others_is_removed_once_the_component_has_its_file(studio: Service) -> None:
    """An upload that can become nothing any more is old as any other."""
    upload(studio.backend("vendor"), "hidden", b"planted")
    upload(studio.backend("admin"), "hidden")
    ages(studio, "hidden", 9)
    (gone,) = studio.backend("admin").call("uploads.remove", {})
    assert (gone["account"], gone["size"]) == ("vendor", 7)
    assert studio.backend("admin").files.read("hidden", 0, 100) == CONTENT


def test_only_administrators_see_and_remove_unfinished_uploads(studio: Service) -> None:
    """And not what may be under way, a day long."""
    for action in ("uploads.list", "uploads.remove"):
        with pytest.raises(Forbidden):
            studio.backend("vendor").call(action, {})
    with pytest.raises(Invalid, match="younger than 1 day may still be running"):
        studio.backend("admin").call("uploads.remove", {"days": 0.5})
    upload(studio.backend("admin"), "never")
    ages(studio, "never", 2)
    assert len(studio.backend("admin").call("uploads.remove", {"days": 1})) == 1
