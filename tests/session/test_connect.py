"""`callsheet.connect`: as whom, with what known, and what an administrator, a user and a stranger get."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

import callsheet
from callsheet.errors import CapabilityError, Forbidden, Unauthorised, UsageError

PASSWORD = "a long walk home"


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    quick = {"password_bytes": 8 * 2**10, "password_passes": 1}
    with callsheet.serve(seed=True, limits=quick) as found:
        with callsheet.connect(found.url, authentication=callsheet.ApiKey(found.admin_key)) as admin:
            for name, role in (("admin", ""), ("user", "user"), ("reader", "reader")):
                if role:
                    admin.call("users.add", name=name, role=role)
                admin.call("users.password", name=name, password=PASSWORD)
        yield found


def connected(server: Any, name: str, **options: Any) -> callsheet.Session:
    return callsheet.connect(server.url, authentication=callsheet.BasicAuthentication(name, PASSWORD), **options)


def test_an_administrator_does_all(server: Any) -> None:
    """The example of an administrator: a table of another session is found, and gets a row."""
    with callsheet.Session(server.url, api_user="admin", api_key=server.admin_key) as secure_session:
        secure_session.create_table("Example", {"Id": "string"})
    with connected(server, "admin") as admin_session:
        assert admin_session.capabilities.tier == "local"
        table = admin_session.tables["Example"]
        table += ("foo",)
        assert [row["Id"] for row in table.head().stream()] == ["foo"]


def test_a_user_reads_and_writes_by_its_rights(server: Any) -> None:
    """Where others refuse everything to who is no administrator, a user's rights hold, and no more."""
    with connected(server, "user") as session:
        assert session.capabilities.tier == "no security management"
        assert "Shot" in [table.name for table in session.tables]
        session.create("Project", {"name": "tide"})
        session.commit()
        with pytest.raises(CapabilityError) as found:
            session.connect_to_external_database("sqlite:///none.db")
        assert found.value.failed == ("role",)


def test_a_reader_is_refused_before_a_request(server: Any) -> None:
    """Reading tables and cubes is allowed; what changes something is denied at once."""
    with connected(server, "reader") as session:
        assert session.capabilities.tier == "read-only"
        assert session.query("Status").all()
        requests = session.statistics.requests
        with pytest.raises(CapabilityError, match="ask an administrator for a role"):
            session.create_table("Mine", {"Id": "string"})
        session.create("Project", {"name": "reef"})
        with pytest.raises(CapabilityError):
            session.commit()
        assert session.statistics.requests == requests
        session.known_capabilities = None
        with pytest.raises((Forbidden, callsheet.CommitError)):
            session.commit()


def test_what_is_required_and_denied_gives_no_session(server: Any) -> None:
    """Early, and with the names; the login has ended then, too."""
    with pytest.raises(CapabilityError, match=r"`security\.manage`"):
        connected(server, "user", require=["tables.create", "security.manage"])
    with pytest.raises(UsageError, match="there is no capability 'tables'"):
        connected(server, "user", require=["tables"])
    with connected(server, "user", require={"tables.create", "entities.create.Shot"}) as session:
        assert session.capabilities["tables.create"]


def test_wrong_credentials_and_options_are_named(server: Any) -> None:
    """Which argument is wrong is said; no secret is shown."""
    with pytest.raises(Unauthorised) as found:
        callsheet.connect(server.url, authentication=callsheet.BasicAuthentication("user", "wrong secret"))
    assert "wrong secret" not in str(found.value)
    with pytest.raises(Unauthorised):
        callsheet.connect(server.url, authentication=callsheet.ApiKey("cs_nothing"))
    with pytest.raises(UsageError, match="`authentication` is a BasicAuthentication"):
        callsheet.connect(server.url, authentication=("user", PASSWORD))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="say the same"):
        callsheet.connect(server.url, certificate_authority="a.pem", verify=False)
    assert "secret" not in repr(callsheet.ApiKey("secret", "anna"))


def test_another_host_is_not_taken_for_this_one(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who can read the server's file is on its host."""
    from callsheet.core import capabilities

    monkeypatch.setattr(capabilities, "LARGEST", 3)
    with connected(server, "admin") as session:
        assert session.capabilities.tier == "remote"


def test_strangers_learn_as_little_as_needed(server: Any) -> None:
    """The versions of the wire, and that one must log in: no product version, no names."""
    import httpx

    assert httpx.get(f"{server.url}/versions/rest").json() == {"oldest": 1, "newest": 1}
    assert httpx.get(f"{server.url}/capabilities").json() == {"login": True}
    wrong = httpx.get(f"{server.url}/capabilities", headers={"authorization": "Bearer cs_nothing"})
    assert wrong.status_code == 401
    said = httpx.get(f"{server.url}/capabilities", headers={"authorization": f"Bearer {server.admin_key}"}).json()
    assert said["account"] == "admin"
    assert "Shot" in said["rights"]["create"]


def test_a_server_of_another_wire_is_refused_at_once(respx_mock: Any) -> None:
    """By one request, with both versions in the text."""
    respx_mock.get("http://127.0.0.1:9/versions/rest").respond(json={"oldest": 3, "newest": 4})
    with pytest.raises(CapabilityError, match=r"versions 3 to 4 of the wire, and this release version 1"):
        callsheet.connect("http://127.0.0.1:9", authentication=callsheet.ApiKey("cs_key"))
    assert len(respx_mock.calls) == 1


async def _connected(server: Any) -> tuple[str, bool]:
    given = callsheet.BasicAuthentication("user", PASSWORD)
    async with await callsheet.connect_async(server.url, authentication=given, require=["tables.create"]) as session:
        return (await session.capabilities).tier, session.closed


def test_it_is_awaited_too(server: Any) -> None:
    """With the same arguments."""
    import asyncio

    assert asyncio.run(_connected(server)) == ("no security management", False)
