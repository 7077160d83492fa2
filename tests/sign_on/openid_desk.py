"""A certified OpenID provider on this machine, a server that trusts it, and a browser without a screen between them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
import pytest
from attrs import define, field
from starlette.testclient import TestClient

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))

from login_desk import Clock

from callsheet.explorer.routes import explorer_routes
from callsheet.server.service import Service
from callsheet.server.sign_on.settings import read_sign_on
from callsheet.server.sign_on.signing_on import SignOn
from callsheet.server.web.application import application
from callsheet.server.web.connections import served_dialects
from callsheet.server.web.routing import routes_of

__all__ = ["ANNA", "SERVER", "OpenIdDesk", "TestProvider", "open_openid_desk", "running_provider"]

FOLDER = Path(__file__).parent / "provider"
SERVER = "http://127.0.0.1:8765"
"""The address that browsers know the server by; it is answered in this process."""
ANNA = {
    "preferred_username": "anna",
    "given_name": "Anna",
    "family_name": "Berg",
    "email": "anna@example.org",
    "email_verified": True,
    "groups": ["artists"],
}
ROLES = {"artists": "user", "pipeline": "admin"}


@define
class TestProvider:
    """The provider: its address, and how to change its people and keys."""

    __test__ = False

    issuer: str

    def control(self, **said: Any) -> None:
        httpx.post(f"{self.issuer}/control", json=said).raise_for_status()

    def person(self, name: str = "anna", **changes: Any) -> None:
        """Add or change a person."""
        self.control(people={name: {**ANNA, "preferred_username": name, **changes}})


@contextmanager
def running_provider() -> Iterator[TestProvider]:
    node = shutil.which("node")
    if node is None or not (FOLDER / "node_modules" / "oidc-provider").exists():
        pytest.skip("needs Node.js and `npm install` in tests/sign_on/provider")
    process = subprocess.Popen(
        [node, "provider.mjs"], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = next(int(line.split()[1]) for line in process.stdout if line.startswith(b"port "))
        yield TestProvider(f"http://127.0.0.1:{port}")
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()


@define
class Person:
    """Somebody with a browser: it keeps cookies, follows redirects to both sides, and fills in the provider's forms."""

    app: Any
    name: str
    provider: httpx.Client = field(factory=lambda: httpx.Client(follow_redirects=False, verify=False))
    server: TestClient = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.server = TestClient(self.app, base_url=SERVER, follow_redirects=False)

    def get(self, address: str) -> Any:
        """The answer at an address of the server or of the provider."""
        return (self.server if address.startswith(SERVER) else self.provider).get(address)

    def answer_of_provider(self, address: str) -> str:
        """The address that the provider sends this person back to, once the forms are filled in."""
        response = self.provider.get(address)
        for _ in range(12):
            if response.is_redirect:
                address = urljoin(str(response.url), response.headers["location"])
                if address.startswith(SERVER):
                    return address
                response = self.provider.get(address)
            else:
                response = self._filled_in(response)
        raise AssertionError(response.text)

    def at_provider(self, address: str) -> str:
        """The text of the last page at the provider, once the forms are filled in."""
        response = self.provider.get(address)
        for _ in range(12):
            if response.is_redirect:
                response = self.provider.get(urljoin(str(response.url), response.headers["location"]))
            elif "<form" in response.text and "Sign-in Success" not in response.text:
                response = self._filled_in(response)
            else:
                break
        return response.text

    def _filled_in(self, response: httpx.Response) -> httpx.Response:
        form = re.search(r'<form[^>]*action="([^"]+)"[^>]*>(.*?)</form>', response.text, re.S)
        assert form is not None, response.text
        values = dict(re.findall(r'name="([^"]+)"[^>]*value="([^"]*)"', form[2]))
        if 'name="login"' in form[2]:
            values |= {"login": self.name, "password": "any"}
        return self.provider.post(urljoin(str(response.url), unescape(form[1])), data=values)

    def begin(self, to: str = "explorer/") -> str:
        """The address at the provider that the server sends this person to."""
        response = self.server.get("/explorer/x/oidc/begin", params={"to": to})
        assert response.status_code == 302, response.text
        return str(response.headers["location"])

    def signs_on(self, to: str = "explorer/") -> Any:
        """The server's answer when this person comes back."""
        return self.server.get(self.answer_of_provider(self.begin(to)))

    def page(self) -> Any:
        return self.server.get("/explorer/x/page")


@define
class OpenIdDesk:
    """A server that people sign on to by a provider."""

    service: Service
    app: Any
    provider: TestProvider
    clock: Clock
    people: list[Person] = field(factory=list)

    def person(self, name: str = "anna") -> Person:
        found = Person(self.app, name)
        self.people.append(found)
        return found

    def later(self, **by: float) -> None:
        """Let time pass. Callers are looked up again, as they are a second later."""
        self.clock.move(**by)
        self.service.accounts.changed()

    def close(self) -> None:
        for person in self.people:
            person.provider.close()
            person.server.close()


@contextmanager
def open_openid_desk(provider: TestProvider, **settings: Any) -> Iterator[OpenIdDesk]:
    clock = Clock(datetime.now(UTC))
    with Service.open("memory:", admin_key="the key of the administrator", clock=clock) as service:
        desk = openid_desk(service, provider, settings, clock)
        try:
            yield desk
        finally:
            desk.close()


def openid_desk(service: Service, provider: TestProvider, settings: Mapping[str, Any], clock: Clock) -> OpenIdDesk:
    """A desk of an open service."""
    given = {
        "issuer": provider.issuer,
        "client_id": "callsheet",
        "client_secret": "the secret of callsheet",
        "roles": ROLES,
        **settings,
    }
    service.sign_on = SignOn(service, read_sign_on({"oidc": given}))
    app = application(service, service.limits, [explorer_routes(), routes_of(served_dialects())])
    return OpenIdDesk(service, app, provider, clock)


def parameter(address: str, name: str) -> str:
    """A parameter in an address."""
    return parse_qs(urlsplit(address).query)[name][0]
