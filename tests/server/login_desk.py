"""A server with accounts that log in, its clock, and short ways to send what clients send."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from attrs import define, field
from starlette.testclient import TestClient
from studio import DOCUMENT, START

from callsheet.server.limits import Limits, limits_of
from callsheet.server.service import Service
from callsheet.server.web.application import application

ADMIN, PASSWORD = "the key of the administrator", "a long walk home"
QUICK: Mapping[str, float] = {"password_bytes": 8 * 2**10, "password_passes": 1}


@define
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@define
class Desk:
    """A server and one client of it. ``anna`` has a password and a key, ``ben`` a key only."""

    service: Service
    client: TestClient
    clock: Clock
    keys: dict[str, str] = field(factory=dict)

    def post(self, path: str, body: Any, bearer: str = "", address: str = "") -> Any:
        headers = {"authorization": f"Bearer {bearer}"} if bearer else {}
        if address:
            self.client._transport.client = (address, 50_000)  # type: ignore[attr-defined]
        return self.client.post(path, json=body, headers=headers)

    def login(self, name: str = "anna", password: str = PASSWORD, address: str = "", **more: Any) -> Any:
        return self.post("/v1/login", {"name": name, "password": password, **more}, address=address)

    def tokens(self, name: str = "anna", **more: Any) -> dict[str, Any]:
        response = self.login(name, **more)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def refresh(self, token: str, request: str) -> Any:
        return self.post("/v1/login/refresh", {"refresh_token": token, "request": request})

    def me(self, bearer: str) -> Any:
        return self.client.get("/v1/me", headers={"authorization": f"Bearer {bearer}"})

    def audit(self) -> list[tuple[str, str, str]]:
        return [(note.account, note.action, note.reason) for note in self.service.audit.list()]


@contextmanager
def open_desk(url: str = "memory:", document: Mapping[str, Any] = DOCUMENT, **limits: float) -> Iterator[Desk]:
    """A desk whose passwords are hashed quickly."""
    clock, chosen = Clock(), limits_of({**QUICK, **limits})
    with Service.open(url, document, admin_key=ADMIN, clock=clock, limits=chosen) as service:
        desk = Desk(service, TestClient(application(service, chosen)), clock)
        if service.store.created:
            desk.keys = {name: service.accounts.add(name) for name in ("anna", "ben")}
            service.logins.set_password("anna", PASSWORD)
        with desk.client:
            yield desk


__all__ = ["ADMIN", "PASSWORD", "Clock", "Desk", "Limits", "open_desk"]
