"""Workspaces of a server never see each other: every route of every dialect refuses what belongs to another one."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest
from attrs import frozen

from callsheet.dialects.routes import Route, SocketRoute
from callsheet.model.operation import ChangeSet, Create
from callsheet.model.record import Identity
from callsheet.server.limits import limits_of
from callsheet.server.service import Service
from callsheet.server.web.application import application
from callsheet.server.web.asgi import WORKSPACE, holder
from callsheet.server.web.connections import served_dialects
from callsheet.server.web.routing import routes_of
from callsheet.server.web.shares import Shares

PASSWORD = "four quiet words here"


@frozen
class House:
    """A server with the workspaces ``one`` and ``two``: the keys and access tokens of their administrators."""

    main: Service
    keys: Mapping[str, str]
    tokens: Mapping[str, str]

    def service(self, name: str) -> Service:
        found = self.main if name == "default" else self.main.workspaces.service(name)  # type: ignore[union-attr]
        assert found is not None
        return found

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.requests([(method, path, options)])[0]

    def requests(self, wanted: list[tuple[str, str, dict[str, Any]]], **limits: float) -> list[httpx.Response]:
        """The answers to requests, one after the other, by one application."""

        async def ask() -> list[httpx.Response]:
            app: Any = application(self.main, limits_of(limits))
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
                return [await client.request(method, path, **options) for method, path, options in wanted]

        return asyncio.run(ask())


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with Service.open("memory:", admin_key="the key of default") as main:
        keys, tokens = {"default": "the key of default"}, {}
        assert main.workspaces is not None
        for name in ("one", "two"):
            keys[name] = str(main.workspaces.add(name).key)
        for name in keys:
            service = main if name == "default" else main.workspaces.service(name)
            assert service is not None
            service.logins.set_password("admin", f"{PASSWORD} {name}")
            tokens[name] = service.logins.login("admin", f"{PASSWORD} {name}").access_token
        yield House(main, keys, tokens)


def prefix(name: str) -> str:
    return "" if name == "default" else f"/workspaces/{name}"


def addresses() -> list[tuple[str, str]]:
    """A method and a path for each route that needs credentials."""
    found = []
    for route in routes_of(served_dialects()):
        if isinstance(route, Route) and route.credentials is None:
            continue
        paths = route.handshake if isinstance(route, SocketRoute) else (route.path,)
        methods = getattr(route, "methods", ("GET",)) or ("GET", "POST")
        found += [(method, re.sub(r"\{[^}]*\}", "x", path)) for path in paths for method in methods]
    verbs = ("select", "aggregate", "commits/1", "commits/1/parts/0", "events", "call/commits", "call/audit.list")
    handlers = ("handlers.claim", "handlers.deliveries", "schedules.list", "history", "users.list", "own.key")
    found += [("POST", f"/v1/{verb}") for verb in (*verbs, *(f"call/{each}" for each in handlers))]
    return [*found, ("GET", "/v1/description"), ("GET", "/v1/me"), ("PUT", "/v1/files/x/data"), ("POST", "/api")]


def presented(secret: str) -> dict[str, str]:
    """A secret in every place where a dialect looks for one."""
    return {
        "authorization": f"Bearer {secret}",
        "ftrack-user": "admin",
        "ftrack-api-key": secret,
        "content-type": "application/json",
    }


@pytest.mark.parametrize("kind", ["keys", "tokens"])
def test_every_route_refuses_the_secrets_of_other_workspaces(house: House, kind: str) -> None:
    """A key or an access token opens its own workspace only, whatever the route and the dialect.

    A name of which there is no workspace gets the same answer, byte for byte.
    """
    secrets: Mapping[str, str] = getattr(house, kind)
    routes = addresses()
    assert len({path for _, path in routes}) > 15
    for owner, place in (("one", "two"), ("one", "default"), ("default", "one"), ("two", "one")):
        wanted = []
        for method, path in routes:
            extra = {"params": {"api_user": "admin", "api_key": secrets[owner]}} if "socket.io" in path else {}
            asked: dict[str, Any] = {"headers": presented(secrets[owner]), "content": b"[]", **extra}
            wanted += [(method, prefix(each) + path, asked) for each in (place, "missing")]
        answers = house.requests(wanted, address_attempts=100_000, account_attempts=100_000)
        for (method, path), here, missing in zip(routes, answers[::2], answers[1::2], strict=True):
            assert here.status_code in (200, 401, 403, 404, 405), (method, path, here.text)
            assert here.status_code != 200 or "exception" in here.json(), (method, path, here.text)
            assert secrets[owner] not in here.text
            if place != "default" and owner != "default":
                assert (here.status_code, here.content) == (missing.status_code, missing.content), (method, path)


def test_their_own_secrets_are_accepted(house: House) -> None:
    """The walls have doors: each secret opens its own workspace, and it says which one it is."""
    for secrets in (house.keys, house.tokens):
        for name, secret in secrets.items():
            answer = house.request("GET", f"{prefix(name)}/v1/me", headers=presented(secret))
            assert answer.status_code == 200
            assert answer.json()["workspace"] == name
            description = house.request("GET", f"{prefix(name)}/v1/description", headers=presented(secret)).json()
            assert description["workspace"] == name


def test_nobody_learns_which_workspaces_there_are(house: House) -> None:
    """Without a secret, with a wrong one, by a password: the answers of a workspace and of none are equal."""
    asked: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", "/healthz", {}),
        ("GET", "/v1/description", {}),
        ("GET", "/v1/description", {"headers": presented("cs_not a key")}),
        ("GET", "/v1/description", {"headers": {"authorization": f"Bearer {house.keys['two']}"}}),
        ("POST", "/v1/login", {"json": {"name": "admin", "password": "wrong wrong wrong"}}),
        ("POST", "/v1/login/refresh", {"json": {"refresh_token": "cr_x", "request": "r"}}),
        ("POST", "/api", {"headers": presented("a wrong key"), "content": b"[]"}),
        ("GET", "/component/get?id=x&signature=y&until=1&user=admin&part=0", {}),
        ("GET", "/socket.io/1/?api_user=admin&api_key=x", {}),
        ("GET", "/no/such/address", {}),
    ]
    for method, path, options in asked:
        here, missing = (house.request(method, prefix(name) + path, **options) for name in ("one", "missing"))
        assert (here.status_code, here.content) == (missing.status_code, missing.content), path
        assert dict(here.headers) == dict(missing.headers), path


def test_an_administrator_of_the_server_learns_that_there_is_none(house: House) -> None:
    """Those who may list the workspaces get 404, and the names that there are."""
    answer = house.request("GET", "/workspaces/oen/v1/description", headers=presented(house.keys["default"]))
    assert answer.status_code == 404
    assert "there are default, one, two" in answer.json()["error"]["message"]
    house.main.accounts.add("anna", key="the key of anna")
    for name in ("oen", "one"):
        refused = house.request("GET", f"/workspaces/{name}/v1/description", headers=presented("the key of anna"))
        assert refused.status_code == 401
        assert "Each workspace has accounts of its own" in refused.json()["error"]["message"]


def test_wrong_keys_of_an_address_count_in_all_workspaces_together(house: House) -> None:
    """Nobody multiplies their attempts by the number of workspaces, or of names."""
    wrong = {"headers": {"authorization": "Bearer a wrong key of mine"}}
    names = ("one", "two", "missing", "default", "other")
    answers = house.requests([("GET", f"{prefix(name)}/v1/me", wrong) for name in names], address_attempts=3)
    assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]


def test_wrong_passwords_of_an_address_count_in_all_workspaces_together(house: House) -> None:
    tried = {"json": {"name": "admin", "password": "wrong wrong wrong"}}
    names = ["one", "two", "missing", "default"] * 10
    answers = house.requests([("POST", f"{prefix(name)}/v1/login", tried) for name in names])
    assert {answer.status_code for answer in answers} == {401, 429}
    assert [answer.status_code for answer in answers][-4:] == [429] * 4


def test_a_name_is_one_part_of_the_path(house: House) -> None:
    """``~`` and ``%2F`` stand for the ``/`` of a name; what cannot be a name is none."""
    assert house.main.workspaces is not None
    key = str(house.main.workspaces.add("holidays/uk", {"types": {"Person": {}}}).key)
    for part in ("holidays~uk", "holidays%2Fuk", "holidays%7Euk"):
        answer = house.request("GET", f"/workspaces/{part}/v1/description", headers=presented(key))
        assert answer.json()["workspace"] == "holidays/uk"
    for part in ("holidays/uk", "holidays", "..", "%00", "a" * 300, "holidays~uk~x", ""):
        answer = house.request("GET", f"/workspaces/{part}/v1/description", headers=presented(key))
        assert answer.status_code in (401, 404), part
    main = house.request("GET", "/workspaces/default/v1/description", headers=presented(house.keys["default"]))
    assert main.json()["workspace"] == "default"


def test_addresses_that_a_server_signs_have_the_prefix(house: House) -> None:
    """A signed address leads into its workspace, and is refused by every other one."""
    service = house.service("one")
    service.commit(
        ChangeSet("with a file", (Create(Identity("FileComponent", "part"), {"name": "m", "file_type": ".txt"}),)),
        "admin",
    )
    backend = service.backend("admin")
    backend.files.write("part", 0, b"of one")
    backend.files.finish("part", 6, hashlib.sha256(b"of one").hexdigest())
    address = house.request("GET", "/workspaces/one/v1/files/part/address", headers=presented(house.keys["one"])).json()
    path = address["address"]
    assert path.startswith("/component/get?")
    assert house.request("GET", f"/workspaces/one{path}").content == b"of one"
    for name in ("two", "default", "missing"):
        refused = house.request("GET", prefix(name) + path)
        assert refused.status_code == 403
        assert b"of one" not in refused.content
    asked = [{"action": "get_upload_metadata", "component_id": "part", "file_name": "a", "file_size": 3}]
    answer = house.request("POST", "/workspaces/one/api", headers=presented(house.keys["one"]), json=asked)
    assert answer.json()[0]["url"].startswith("http://server/workspaces/one/")


def test_quotas_are_of_an_account_in_a_workspace(house: House) -> None:
    """Equal names in two workspaces are two accounts: what one uses up is not the other's."""
    shares = Shares(limits_of({"account_requests": 1}))
    with shares.request(holder({WORKSPACE: "one"}, "admin")), shares.request(holder({WORKSPACE: "two"}, "admin")):
        with pytest.raises(Exception, match="`admin` has 1 requests under way"):
            shares.request(holder({WORKSPACE: "one"}, "admin"))
        # The server's own limits are of all together.
        assert shares.requests.total() == 2
