"""`Session.start`: a server of one's own, its session, and the accounts that its administrator makes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import callsheet
from callsheet import BasicAuthentication, Session, SessionConfig
from callsheet.errors import CapabilityError, Forbidden, StateError, Unauthorised, UsageError

PASSWORD = "a long walk home"
QUICK = {"limits": {"password_bytes": 8 * 2**10, "password_passes": 1}}


@pytest.fixture(scope="module")
def secure_session() -> Iterator[Any]:
    with Session.start(SessionConfig(options=QUICK)) as session:
        session.security.basic_authentication.credentials.update({"user": PASSWORD, "admin": PASSWORD})
        session.security.individual_roles.update({"user": {"user"}, "admin": {"user", "admin"}})
        yield session


def test_an_administrator_connects_to_a_started_session(secure_session: Any) -> None:
    """The example of the product that these names come from, as written but for names."""
    _ = secure_session.create_table("Example", types={"Id": "string"})
    with callsheet.connect(secure_session.url, authentication=BasicAuthentication("admin", PASSWORD)) as admin_session:
        table = admin_session.tables["Example"]
        table += ("foo",)
        assert [row["Id"] for row in table.head().stream()] == ["foo"]


def test_a_user_reads_tables_where_that_product_refuses(secure_session: Any) -> None:
    """By the rights of the account; the rest is refused by a `CapabilityError`, before a request."""
    with callsheet.connect(secure_session.url, authentication=BasicAuthentication("user", PASSWORD)) as user_session:
        assert "Task" in [table.name for table in user_session.tables]
        with pytest.raises(CapabilityError, match=r"`security\.manage`"):
            user_session.security.accounts()


def test_a_started_session_knows_its_server(secure_session: Any) -> None:
    """What belongs to the process that started it; its forks do not own it."""
    assert secure_session.ready
    assert secure_session.url.endswith(f":{secure_session.port}")
    assert secure_session.logs_path.exists()
    assert isinstance(secure_session.logs(tail=5), list)
    assert secure_session.capabilities["server.wait"]
    with pytest.raises(UsageError, match="number of lines"):
        secure_session.logs(tail=-1)
    with secure_session.fork() as fork:
        assert fork.query("User").all() is not None
        with pytest.raises(StateError, match="belongs to the session that started it"):
            _ = fork.port
    assert secure_session.ready


def test_a_new_session_of_a_name_closes_the_older_one() -> None:
    """In one process there is one of a name."""
    first = Session.start(SessionConfig(name="rehearsal", options=QUICK))
    with Session.start(SessionConfig(name="rehearsal", options=QUICK)) as second:
        assert not first.ready
        assert second.ready
        assert second.name == "rehearsal"
    first.close()
    assert not second.ready


def test_roles_are_replaced_as_a_whole(secure_session: Any) -> None:
    """And what is wrong is named; an account that is taken away is disabled."""
    security = secure_session.security
    security.set_password("vera", PASSWORD, role="reader")
    assert security.individual_roles["vera"] == {"reader"}
    security.individual_roles["vera"] = {"user", "reader"}
    assert security.individual_roles["vera"] == {"user", "reader"}
    security.individual_roles["vera"] = ["reader"]
    assert security.accounts()["vera"] == {"reader"}
    with pytest.raises(UsageError, match="there is no role `producer`; known are admin"):
        security.individual_roles["vera"] = {"producer"}
    with pytest.raises(UsageError, match="needs a role"):
        security.set_roles("vera", [])
    with pytest.raises(KeyError):
        security.individual_roles["nobody"]
    credentials = security.basic_authentication.credentials
    assert "vera" in credentials
    assert not credentials["vera"].reveal()
    del credentials["vera"]
    with pytest.raises(Unauthorised):
        callsheet.connect(secure_session.url, authentication=BasicAuthentication("vera", PASSWORD))
    with pytest.raises(KeyError):
        del credentials["nobody"]
    assert PASSWORD not in repr(credentials) + repr(security)


def test_only_administrators_change_accounts(secure_session: Any) -> None:
    """The server decides, also where the capabilities are not known."""
    with callsheet.connect(secure_session.url, authentication=BasicAuthentication("user", PASSWORD)) as session:
        session.known_capabilities = None
        with pytest.raises(Forbidden):
            session.security.set_roles("user", {"admin"})


def test_what_cannot_be_started_is_said(tmp_path: Path) -> None:
    """An option that is none, one that is a field, a database that has its administrator already."""
    with pytest.raises(UsageError, match=r"arguments of callsheet\.serve"):
        Session.start(SessionConfig(options={"prot": 1}))
    with pytest.raises(UsageError, match="`port` is a field"):
        Session.start(SessionConfig(options={"port": 1}))
    database = f"sqlite:///{(tmp_path / 'show.db').as_posix()}"
    with Session.start(SessionConfig(database=database)) as session:
        key = session.call("users.key", name="admin")["key"]
    with pytest.raises(UsageError, match="has an administrator already"):
        Session.start(SessionConfig(database=database))
    with Session.start(SessionConfig(database=database, options={"admin_key": key})) as again:
        assert again.ready


async def _awaited() -> tuple[str, dict[str, set[str]], bool]:
    async with await callsheet.AsyncSession.start(SessionConfig(options=QUICK)) as session:
        await session.security.set_password("anna", PASSWORD)
        await session.security.set_roles("anna", {"admin"})
        given = BasicAuthentication("anna", PASSWORD)
        async with await callsheet.connect_async(session.url, authentication=given) as other:
            tier = (await other.capabilities).tier
        accounts = await session.security.accounts()
    return tier, accounts, session.ready


def test_all_of_it_is_awaited_too() -> None:
    """With the same names."""
    import asyncio

    tier, accounts, ready = asyncio.run(_awaited())
    assert (tier, accounts["anna"], ready) == ("local", {"admin"}, False)
