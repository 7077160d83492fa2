"""Logging in: a name and a password become tokens, which let the account in wherever a key does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from login_desk import ADMIN, PASSWORD, Desk, open_desk


@pytest.fixture
def desk() -> Iterator[Desk]:
    with open_desk() as opened:
        yield opened


def test_a_password_becomes_tokens(desk: Desk) -> None:
    """The answer says who, for how long, and is not kept by caches."""
    response = desk.login(device="the laptop")
    answer = response.json()
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert set(answer) == {
        "access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in", "session_id", "account",
    }  # fmt: skip
    assert (answer["token_type"], answer["account"]) == ("Bearer", "anna")
    assert (answer["expires_in"], answer["refresh_expires_in"]) == (900, 30 * 24 * 3600)
    (login,) = desk.service.logins.of("anna")
    assert (login.id, login.device, login.address) == (answer["session_id"], "the laptop", "testclient")


def test_an_access_token_says_who_calls(desk: Desk) -> None:
    """`/v1/me` answers to tokens and to keys."""
    answer = desk.tokens()
    said = desk.me(answer["access_token"]).json()
    assert (said["account"], said["administrator"], said["roles"]) == ("anna", False, ["user"])
    assert (said["session_id"], said["expires_at"]) == (answer["session_id"], "2026-05-01T12:15:00Z")
    assert (said["workspace"], said["server"]["name"], said["user"]) == ("default", "callsheet", None)
    of_key = desk.me(ADMIN).json()
    assert (of_key["account"], of_key["administrator"], of_key["roles"]) == ("admin", True, ["admin"])
    assert (of_key["session_id"], of_key["expires_at"]) == (None, None)
    assert desk.client.get("/v1/me").status_code == 401


def test_a_refresh_token_is_used_once(desk: Desk) -> None:
    """It becomes new tokens of the same login."""
    first = desk.tokens()
    second = desk.refresh(first["refresh_token"], "r1").json()
    assert second["session_id"] == first["session_id"]
    assert second["refresh_token"] != first["refresh_token"]
    assert desk.me(second["access_token"]).json()["account"] == "anna"
    assert desk.refresh(second["refresh_token"], "r2").status_code == 200


def test_a_wrong_password_is_refused(desk: Desk) -> None:
    response = desk.login(password=PASSWORD + "!")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == "Bearer"
    assert response.json()["error"]["message"] == "the name or the password is wrong"
