"""Secrets are in no log, repr, address, error or traceback: a whole session of activity, and all it left behind."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

import callsheet
from callsheet import config
from callsheet.errors import CallsheetError, StorageError
from callsheet.server.access.accounts import SECRET, Accounts
from callsheet.server.child import Ready, ServerSettings
from callsheet.server.service import Service
from callsheet.server.store.store import Store

ADMIN = "the-admin-key-Zq3xVw8L"
WRONG = "a-wrong-key-Hk29Pzt7"
PASSWORD = "database-password-Jm4QdR6c"
OWN_PASSWORD, WRONG_PASSWORD, CHOSEN_PASSWORD = "own-password-Bx71", "wrong-password-Rt52", "chosen-password-Uv93"
WEAK_PASSWORD = "weakPw7"
SLIPPED = "key-in-the-user-field-Tn8bYs5f"


class Heard:
    """Everything that was said, to be searched for secrets at the end."""

    def __init__(self) -> None:
        self.parts: dict[str, str] = {}

    def note(self, what: str, told: object) -> None:
        self.parts[f"{len(self.parts)} {what}"] = told if isinstance(told, str) else repr(told)

    def refusal(self, what: str, function: Callable[[], Any]) -> None:
        """Note an error in all its forms: text, repr, facts, and the traceback with whatever caused it."""
        try:
            function()
        except Exception as error:
            self.note(what, error)
            self.note(what, "".join(traceback.TracebackException.from_exception(error).format()))
            self.note(what, vars(error))
        else:
            raise AssertionError(f"{what} was not refused")

    def holding(self, secret: str) -> list[str]:
        return [what for what, told in self.parts.items() if secret in told]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """Listens to all logging, at its most talkative."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    found = Heard()
    try:
        yield found
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def work(heard: Heard, url: str, folder: Path) -> list[str]:
    """What people do with a server, right and wrong; the keys that were made."""
    journal, cache = folder / "journal.db", folder / "cache"
    options: dict[str, Any] = {"journal": journal, "schema_cache": cache}
    with callsheet.Session(url, api_user="admin", api_key=ADMIN, **options) as session:
        heard.note("session", session)
        made = [session.call("users.add", name=name)["key"] for name in ("anna", "ben")]
        made.append(session.call("users.key", name="ben")["key"])
        session.create("Project", {"name": "sintel"})
        session.commit()
        heard.note("statistics", session.statistics)
        for name in ("core", "connection", "_connection", "transport", "_core"):
            heard.note(name, getattr(session, name, None))
        heard.note("all", {name: repr(getattr(session, name, None)) for name in dir(session) if name[0] != "_"})
        heard.note("accounts", session.call("users.list"))
        heard.refusal("bad query", lambda: session.query("Task where nmae is x").all())
        heard.refusal("bad call", lambda: session.call("users.key", name="nobody"))
        heard.refusal("bad argument", lambda: session.call("users.add", name="carl", rol="x"))
        heard.note("audit", session.call("audit.list"))
    with callsheet.Session(url, api_user="anna", api_key=made[0]) as session:
        heard.refusal("forbidden", lambda: session.call("users.list"))
    for user, key in (("admin", WRONG), (SLIPPED, ADMIN), ("anna", made[1]), ("anna", made[0][:-1] + "x")):
        with closing(callsheet.Session(url, api_user=user, api_key=key, schema_cache=False)) as refused:
            heard.refusal("not let in", refused.open)
            heard.note("refused", refused)
    return made


def logins(heard: Heard, url: str) -> list[str]:
    """What people and attackers do with passwords; all that should be in no place afterwards."""
    with callsheet.Session(url, api_user="admin", api_key=ADMIN) as session:
        session.call("users.password", name="anna", password=OWN_PASSWORD)
        code = session.call("users.invite", name="ben")["code"]
        heard.refusal("weak", lambda: session.call("users.password", name="anna", password=WEAK_PASSWORD))
    secrets = [OWN_PASSWORD, WRONG_PASSWORD, CHOSEN_PASSWORD, code, WEAK_PASSWORD]

    with httpx.Client(base_url=url) as client:

        def post(path: str, status: int, bearer: str = "", **body: Any) -> dict[str, Any]:
            response = client.post(path, json=body, headers={"authorization": f"Bearer {bearer}"} if bearer else {})
            assert response.status_code == status, response.text
            if status == 200:
                secrets.extend((response.json()["access_token"], response.json()["refresh_token"]))
                return dict(response.json())
            heard.note(path, response.text)
            return {}

        made = post("/v1/login", 200, name="anna", password=OWN_PASSWORD, device="a laptop")
        post("/v1/login", 401, name="anna", password=WRONG_PASSWORD)
        post("/v1/login", 401, name=OWN_PASSWORD, password=WRONG_PASSWORD)
        post("/v1/login", 422, name="anna", password=OWN_PASSWORD, passwort=WRONG_PASSWORD)
        post("/v1/call/own.user", 401, bearer=made["access_token"] + "x")
        post("/v1/password", 403, made["access_token"], old=WRONG_PASSWORD, new=CHOSEN_PASSWORD)
        post("/v1/password", 422, made["access_token"], old=OWN_PASSWORD, new=WEAK_PASSWORD)
        post("/v1/invitations/accept", 200, code=code, password=CHOSEN_PASSWORD)
        post("/v1/invitations/accept", 401, code=code, password=CHOSEN_PASSWORD)
        post("/v1/login/refresh", 200, refresh_token=made["refresh_token"], request="r1")
        post("/v1/login/refresh", 401, refresh_token=made["refresh_token"], request="r2")
        post("/v1/logout", 401, made["access_token"])
        with closing(callsheet.Session(url, api_key=made["access_token"], schema_cache=False)) as refused:
            heard.refusal("a token that is over", refused.open)
    return secrets


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_session_of_activity(heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's log at DEBUG, its database, the client's journal and cache, every repr and error: no secret."""
    monkeypatch.setenv("CALLSHEET_LOG_LEVEL", "DEBUG")
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    folder = tmp_path / "all"
    folder.mkdir()
    try:
        with callsheet.serve(
            admin_key=ADMIN, database=f"sqlite:///{folder}/data.db", logs_path=folder / "server.log"
        ) as server:
            heard.note("server", server)
            heard.note("facts", {key: value for key, value in vars(server).items() if key != "admin_key"})
            arguments = Path(f"/proc/{server.process_id}/cmdline")
            heard.note("command line", arguments.read_bytes().decode() if arguments.exists() else "")
            made = work(heard, server.url, folder)
            of_logins = logins(heard, server.url)
            running = files(folder)
            url = f"sqlite:///{folder}/data.db"
            heard.refusal("another server", lambda: callsheet.serve(admin_key=ADMIN, database=url))
    finally:
        logging.getLogger().removeHandler(handler)
    heard.note("logging", stream.getvalue())
    assert "DEBUG" in running[str(folder / "server.log")].decode()
    assert {"data.db", "journal.db", "server.log"} <= {Path(name).name for name in running}
    secrets = [ADMIN, WRONG, *made, *(key.split("_")[2] for key in made), *of_logins]
    for secret in secrets:
        assert heard.holding(secret) == []
        assert [name for name, content in {**running, **files(folder)}.items() if secret.encode() in content] == []
    assert [what for what in heard.holding(SLIPPED) if "audit" in what] == []
    assert [name for name, content in running.items() if SLIPPED.encode() in content] == []


def test_a_crash_inside(heard: Heard, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An error nobody foresaw is logged with its traceback, in which there is no key, and told as a reference."""
    from test_guard import Call, answer, with_header

    from callsheet.server.web.application import application

    caplog.set_level(logging.DEBUG)
    with Service.open("memory:", {"types": {"Dot": {}}}, admin_key=ADMIN) as service:

        def crash(user: str, address: str = "") -> Any:
            raise ZeroDivisionError(f"for {user}")

        service.backend = crash  # type: ignore[method-assign]
        request = with_header(b"authorization", f"Bearer {ADMIN}".encode(), path="/v1/call/x")
        got = answer(application(service), request)
        assert got.status == 500
        assert set(got.error["details"]) == {"reference"}
        assert "ZeroDivisionError" in caplog.text
        wrong = answer(application(service), with_header(b"authorization", f"Bearer {WRONG}".encode()))
        assert wrong.status == 401
        heard.note("log", caplog.text)
        heard.note("answers", f"{got!r} {wrong!r} {Call()!r}")
        for what in (service, service.accounts, service.audit, service.roles, service.store):
            heard.note("service", what)
    assert heard.holding(ADMIN) == heard.holding(WRONG) == []


def test_the_servers_own_secret(tmp_path: Path) -> None:
    """What keys are hashed with is in no repr, and in no answer of the server."""
    with Service.open("memory:", {"types": {"Dot": {}}}) as service:
        accounts: Accounts = service.accounts
        accounts.authenticate(None, service.new_admin_key or "")
        with service.store.reading() as connection:
            secret = {row.name: row.value for row in connection.execute(service.store.table("_meta").select())}[SECRET]
        admin = service.backend("admin")
        told = [repr(admin.call(name, {})) for name in ("users.list", "roles.list", "grants.list", "audit.list")]
        told += [repr(service), repr(accounts), repr(admin), repr(admin.describe())]
        assert not any(secret in each or service.new_admin_key in each for each in told)  # type: ignore[operator]


def test_settings_tell_nothing(heard: Heard) -> None:
    """Neither the client's, nor those that go to the server's process, nor what comes back."""
    url = f"postgresql+psycopg://ann:{PASSWORD}@127.0.0.1:1/none"
    heard.note("client", config.resolve("https://example.org", "ann", ADMIN, False, {}))
    heard.note("database", config.resolve(url, "ann", ADMIN, False, {}))
    heard.note("child", ServerSettings({}, url, "127.0.0.1", 0, ADMIN, None, None, None, False))
    heard.note("ready", [Ready(80, ADMIN), Ready(0, None, "StorageError", "no")])
    heard.note("shown", config.shown(url))
    heard.refusal("no such scheme", lambda: Store.open(f"mysql://ann:{PASSWORD}@127.0.0.1/none", {}))
    heard.refusal("no session", lambda: callsheet.Session(f"mysql://ann:{PASSWORD}@127.0.0.1/none"))
    heard.refusal("password in the address", lambda: callsheet.Session(f"https://ann:{PASSWORD}@h", api_key=ADMIN))
    assert heard.holding(ADMIN) == heard.holding(PASSWORD) == []


def test_a_database_that_does_not_answer(heard: Heard) -> None:
    """The password in its URL is in no error, no cause of one, and not in what a server says of its failure."""
    pytest.importorskip("psycopg")
    url = f"postgresql+psycopg://ann:{PASSWORD}@127.0.0.1:1/none"
    with pytest.raises((StorageError, CallsheetError)):
        Store.open(url, {})
    heard.refusal("store", lambda: Store.open(url, {"types": {"Dot": {}}}))
    heard.refusal("server", lambda: callsheet.serve(database=url, admin_key=ADMIN))
    assert heard.holding(PASSWORD) == heard.holding(ADMIN) == []


def test_the_search_finds_what_is_there(heard: Heard) -> None:
    """The test of the test: a secret in a message, a cause, a fact of an error is found."""

    def leak() -> None:
        try:
            raise KeyError(WRONG)
        except KeyError as error:
            raise StorageError("no") from error

    heard.refusal("leak", leak)
    assert len(heard.holding(WRONG)) == 1
