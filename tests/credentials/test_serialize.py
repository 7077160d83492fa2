"""A session becomes a text and a session again: without secrets, unless they are encrypted."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from fake_logins import PASSWORD, URL, LoginDesk

import callsheet
from callsheet import AsyncSession, Session
from callsheet.credentials.profiles import Profile, Profiles
from callsheet.errors import ConflictError, SchemaError, StateError, UsageError

PASSPHRASE = "a phrase that opens"


def test_a_text_has_no_secret(desk: LoginDesk) -> None:
    """Address, account, language, name and schema hash; with it and a key, a session works again."""
    with callsheet.login_with_password(URL, "anna", PASSWORD, name="mine") as session:
        text = session.serialize()
        secrets = [session.access_token or "", session._login.tokens.refresh.reveal(), PASSWORD]
        plain = json.loads(text)
        assert plain == {
            "callsheet": 1,
            "url": URL,
            "user": "anna",
            "dialect": "native",
            "profile": "",
            "name": "mine",
            "schema": session.schema.hash,
        }
        assert not any(secret in text for secret in secrets)
    with pytest.raises(UsageError, match="no API key is given"):
        Session.deserialize(text)
    assert Session.deserialize(text, api_key="cs_key").url == URL


def test_a_login_is_included_under_a_passphrase(desk: LoginDesk) -> None:
    """The restored session is logged in, without a request for that; nobody reads it without the passphrase."""
    session = callsheet.login_with_password(URL, "anna", PASSWORD)
    text = session.serialize(include_token=True, passphrase=PASSPHRASE)
    token = session.access_token or ""
    assert token not in text
    assert PASSPHRASE not in text
    desk.seen.clear()
    with Session.deserialize(text, passphrase=PASSPHRASE) as restored:
        assert restored.access_token == token
        assert restored.query("Project").all() == []
    assert desk.paths == {"/v1/description": 1, "/v1/select": 1}
    with pytest.raises(UsageError, match="give the passphrase"):
        Session.deserialize(text)
    with pytest.raises(UsageError, match="the passphrase is wrong, or the serialised login is damaged"):
        Session.deserialize(text, passphrase="another phrase")
    session.close()


@pytest.mark.parametrize("passphrase", [None, "", "short"])
def test_a_login_needs_a_passphrase(desk: LoginDesk, passphrase: Any) -> None:
    """A short one is refused."""
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session:
        with pytest.raises(UsageError, match="needs a `passphrase` of at least 8 characters"):
            session.serialize(include_token=True, passphrase=passphrase)
        with pytest.raises(UsageError, match="give `include_token=True` too"):
            session.serialize(passphrase=PASSPHRASE)


def test_a_key_is_never_included(tmp_path: Path) -> None:
    """Nor is there a login to include."""
    session = Session(URL, api_key="cs_a_key_of_the_test")
    assert "cs_a_key_of_the_test" not in session.serialize()
    with pytest.raises(UsageError, match="this session has no login to include"):
        session.serialize(include_token=True, passphrase=PASSPHRASE)
    session.close()


def test_a_profile_is_named(desk: LoginDesk) -> None:
    """The restored session uses it; if it belongs to another server now, that is refused."""
    profiles = Profiles()
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session:
        tokens = session._login.tokens
    profiles.keep(Profile("studio", URL, "anna"), tokens)
    text = Session(profile="studio").serialize()
    assert json.loads(text)["profile"] == "studio"
    with Session.deserialize(text) as restored:
        assert restored.query("Project").all() == []
    profiles.keep(Profile("studio", "https://elsewhere.test", "anna"), tokens)
    with pytest.raises(UsageError, match=r"profile `studio` is a login to https://elsewhere.test now, not to"):
        Session.deserialize(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it is not JSON"),
        ("not json", "it is not JSON"),
        ("[]", "this text is no serialised session"),
        ('{"base_url": "https://x", "access_token": "t"}', "this text is no serialised session"),
        ('{"callsheet": 2, "url": "https://x"}', r"another version of Callsheet \(format 2; this one reads 1\)"),
        ('{"callsheet": 1}', "`url` is missing or no text"),
        ('{"callsheet": 1, "url": "https://x", "user": 3}', "`user` is missing or no text"),
        ('{"callsheet": 1, "url": "https://x", "pending": [{"is": "x"}]}', "its pending work cannot be read"),
        (b"{}", "a serialised session is a text, not bytes"),
    ],
)
@pytest.mark.parametrize("kind", [Session, AsyncSession])
def test_other_texts_are_refused(kind: Any, text: Any, message: str) -> None:
    """Each with what is wrong; a text of another program's session too."""
    with pytest.raises(UsageError, match=message):
        kind.deserialize(text)


def test_a_hostile_login_costs_no_time(desk: LoginDesk) -> None:
    """A count of rounds that would take for ever is not begun."""
    import base64

    head = base64.urlsafe_b64encode(b'{"alg":"PBES2-HS512+A256KW","enc":"A256GCM","p2c":99999999999,"p2s":"AAAA"}')
    text = json.dumps({"callsheet": 1, "url": URL, "login": f"{head.decode().rstrip('=')}.a.b.c.d"})
    with pytest.raises(UsageError, match="the passphrase is wrong, or the serialised login is damaged"):
        Session.deserialize(text, passphrase=PASSPHRASE)


@pytest.fixture
def database(tmp_path: Path) -> str:
    """A database with a project and three tasks."""
    url = f"sqlite:///{(tmp_path / 'show.db').as_posix()}"
    with Session(url, seed=True) as session:
        project = session.create("Project", {"name": "sintel"})
        for name in ("a", "b", "c"):
            session.create("Task", {"name": name, "parent": project, "bid": 1.0})
        session.commit()
    return url


def pending_text(url: str) -> str:
    """A session with one of each kind of pending change, as a text."""
    with Session(url) as session:
        project = session.query("Project").one()
        a, b, c = session.query("Task order by name").all()
        a["name"] = "A"
        a["metadata"]["colour"] = "red"
        session.delete(b)
        session.increment(c, "bid", 2.5)
        shot = session.create("Shot", {"name": "sh010", "parent": project})
        session.create("Task", {"name": "d", "parent": shot})
        return session.serialize(pending=True)


def test_pending_work_is_restored(database: str) -> None:
    """Creates, updates, items, increments and deletes; they are pending again, and one commit does them."""
    text = pending_text(database)
    with Session.deserialize(text) as session:
        assert len(session.created) == 2
        assert len(session.modified) == 2
        assert len(session.deleted) == 1
        session.commit()
    with Session(database) as session:
        tasks = {task["name"]: task for task in session.query("Task")}
        assert sorted(tasks) == ["A", "c", "d"]
        assert tasks["A"]["metadata"]["colour"] == "red"
        assert tasks["c"]["bid"] == 3.5
        assert tasks["d"]["parent"]["name"] == "sh010"


def test_pending_work_on_changed_values_is_a_conflict(database: str) -> None:
    """As in a commit: raised by default, and decided by the option; the session is not open without it."""
    text = pending_text(database)
    with Session(database) as session:
        session.query('Task where name is "a"').one()["name"] = "theirs"
        session.commit()
    restored = Session.deserialize(text)
    for _ in range(2):
        with pytest.raises(ConflictError, match="changed on the server meanwhile are Task name"):
            restored.query("Task").all()
    restored.close()
    with Session.deserialize(text, conflicts="theirs") as session:
        assert session.query('Task where name is "theirs"').one()["name"] == "theirs"
        assert len(session.deleted) == 1
    with Session.deserialize(text, conflicts="ours") as session:
        assert session.query('Task where name is "theirs"').one()["name"] == "A"


def test_pending_work_on_something_deleted_says_so(database: str) -> None:
    """Nothing is restored then."""
    text = pending_text(database)
    with Session(database) as session:
        session.delete(session.query('Task where name is "c"').one())
        session.commit()
    with (
        pytest.raises(StateError, match="the pending work cannot be restored: the server does not have Task"),
        Session.deserialize(text) as session,
    ):
        pass


def test_another_schema_is_logged(database: str, caplog: pytest.LogCaptureFixture) -> None:
    """The session opens; pending work that the schema does not allow any more is a `SchemaError`."""
    plain = json.loads(pending_text(database))
    plain["schema"] = "of yesterday"
    with caplog.at_level(logging.WARNING, "callsheet"), Session.deserialize(json.dumps(plain)) as session:
        assert len(session.created) == 2
    assert "the schema has changed since this session was serialised" in caplog.text
    plain["pending"][0]["values"] = {"no_such_attribute": 1}
    with pytest.raises(SchemaError, match="no_such_attribute"), Session.deserialize(json.dumps(plain)):
        pass


def test_a_session_in_memory_cannot_come_back() -> None:
    """Its database ends with it."""
    with Session("memory:") as session, pytest.raises(UsageError, match="a database in memory ends with its session"):
        session.serialize()


@pytest.mark.anyio
async def test_an_async_session_is_restored_too(database: str) -> None:
    """From the same text."""
    async with AsyncSession.deserialize(pending_text(database)) as session:
        assert len(session.created) == 2
        await session.commit()
    with Session(database) as session:
        assert session.query("Task").count() == 3
