"""What the tests of logins share: an environment without a person, and two servers with logins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from fake_logins import PASSWORD, LoginDesk

import callsheet

KEY = "the key of these tests"
QUICK = {"password_bytes": 8 * 2**10, "password_passes": 1, "account_logins": 200, "address_logins": 200}
"""Passwords that are hashed quickly, and may be mistyped often."""


@frozen
class Place:
    """A running server."""

    url: str
    key: str


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No profile, password, display or key of the machine's user is found."""
    for name in ("SERVER", "API_KEY", "API_USER", "PASSWORD", "PROFILE"):
        monkeypatch.delenv(f"CALLSHEET_{name}", raising=False)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CALLSHEET_PROFILES", str(tmp_path / "profiles"))
    monkeypatch.setenv("CALLSHEET_SCHEMA_CACHE", str(tmp_path / "schemas"))


@pytest.fixture
def desk() -> Iterator[LoginDesk]:
    """A server that a test steers, which httpx finds at its address."""
    desk = LoginDesk()
    with desk.mocked():
        yield desk
    desk.service.close()


@pytest.fixture(scope="session")
def place() -> Iterator[Place]:
    """A real server, on which anna has a password."""
    with callsheet.serve("production", admin_key=KEY, limits=QUICK) as server:
        with callsheet.Session(server.url, "admin", KEY) as session:
            session.call("users.add", name="anna", role="user")
            session.call("users.password", name="anna", password=PASSWORD)
            anna: Any = session.query('User where username is "anna"').first()
            if anna is None:
                anna = session.create("User", {"username": "anna"})
            anna["first_name"], anna["last_name"], anna["email"] = "Anna", "Berg", "anna@example.org"
            session.commit()
        yield Place(server.url, KEY)
