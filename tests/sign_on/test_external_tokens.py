"""Tokens of an external issuer are accepted where an API key is, if issuer, audience, time and signature are right."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from attrs import define
from forging_provider import ForgingProvider, running_forger
from login_desk import Clock
from starlette.testclient import TestClient

from callsheet.errors import UsageError
from callsheet.server.service import Service
from callsheet.server.sign_on.settings import read_sign_on
from callsheet.server.sign_on.signing_on import sign_on_by
from callsheet.server.web.application import application


@define
class TokenDesk:
    """A server that accepts the tokens of an issuer."""

    service: Service
    client: TestClient
    clock: Clock

    def me(self, token: str, **headers: str) -> Any:
        return self.client.get("/v1/me", headers={"authorization": f"Bearer {token}", **headers})

    def later(self, **by: float) -> None:
        self.clock.move(**by)
        self.service.accounts.changed()


@pytest.fixture(scope="module")
def forger() -> Iterator[ForgingProvider]:
    with running_forger() as found:
        yield found


@pytest.fixture
def desk(forger: ForgingProvider) -> Iterator[TokenDesk]:
    from datetime import UTC, datetime

    clock = Clock(datetime.now(UTC))
    with Service.open(
        "memory:", {"types": {"Dot": {}}}, admin_key="the key of the administrator", clock=clock
    ) as found:
        jwt = {"issuer": forger.issuer, "audience": "callsheet", "roles": {"artists": "user", "pipeline": "admin"}}
        sign_on_by(found, {"jwt": jwt})
        with TestClient(application(found, found.limits)) as client:
            yield TokenDesk(found, client, clock)


def test_a_token_of_the_issuer_calls(desk: TokenDesk, forger: ForgingProvider) -> None:
    """As an account that is made for it; the API key of another account works as before."""
    answer = desk.me(forger.signed(forger.claims()))
    assert answer.status_code == 200, answer.text
    assert (answer.json()["account"], answer.json()["roles"]) == ("u1", ["guest", "user"])
    assert desk.me("the key of the administrator").json()["account"] == "admin"


def test_a_token_ends_when_it_expires(desk: TokenDesk, forger: ForgingProvider) -> None:
    """Also in the second in which it is remembered, but for the leeway of clocks."""
    token = forger.signed(forger.claims(exp=int(time.time()) + 60))
    assert desk.me(token).status_code == 200
    desk.later(seconds=95)
    answer = desk.me(token)
    assert answer.status_code == 401
    assert "not valid here" in answer.text


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": "another server"},
        {"aud": None},
        {"exp": 1_000},
        {"exp": None},
        {"exp": "never"},
        {"iat": None},
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"sub": 7},
        {"sub": " "},
        {"groups": ["admin"]},
        {"groups": None},
        {"exp": float("1e300")},
    ],
    ids=str,
)
def test_a_wrong_token_is_refused(desk: TokenDesk, forger: ForgingProvider, claims: dict[str, Any]) -> None:
    """By 401, with a reason; no account is made."""
    answer = desk.me(forger.signed(forger.claims(**claims)))
    assert answer.status_code == 401, answer.text
    assert [each.name for each in desk.service.accounts.list()] == ["admin"]


def test_a_forged_token_calls_nobody(desk: TokenDesk, forger: ForgingProvider) -> None:
    """A public key is no secret, an algorithm is not the token's choice, and another issuer's token is no key here."""
    claims = forger.claims()
    for token in (
        forger.signed_by_its_public_key(claims),
        forger.signed(claims, alg="RS384"),
        forger.signed(claims, kid="two"),
        forger.signed(claims, typ="logout+jwt"),
        forger.signed({**claims, "iss": "https://evil.example"}),
        forger.signed(claims)[:-8] + "AAAAAAAA",
    ):
        assert desk.me(token).status_code == 401, token


def test_an_older_token_gives_no_rights_back(desk: TokenDesk, forger: ForgingProvider) -> None:
    """The newest token of a person says what it may do, also if an older one is presented again."""
    now = int(time.time())
    strong = forger.signed(forger.claims(iat=now - 20, groups=["pipeline"]))
    weak = forger.signed(forger.claims(iat=now - 10, groups=["artists"]))
    assert desk.me(strong).json()["administrator"] is True
    assert desk.me(weak).json()["administrator"] is False
    assert desk.me(strong).json()["administrator"] is False


def test_a_token_takes_no_account_over(desk: TokenDesk, forger: ForgingProvider) -> None:
    """A subject that is called like the administrator is not the administrator."""
    answer = desk.me(forger.signed(forger.claims(sub="admin")))
    assert answer.status_code == 401
    assert "users link admin jwt" in answer.text


def test_a_token_is_of_the_user_who_is_named(desk: TokenDesk, forger: ForgingProvider) -> None:
    """A client that names its user, and sends the token of another one, is refused."""
    assert desk.me(forger.signed(forger.claims()), **{"x-callsheet-user": "ben"}).status_code == 401


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"algorithms": ["HS256"]}, "HS256 is none of them"),
        ({"algorithms": []}, "lists some of"),
        ({"issuer": "http://login.example.org"}, "starts with https://"),
        ({"issuer": "login"}, "is an address"),
        ({"audience": ""}, "`jwt.audience` is missing"),
        ({"audiense": "x"}, "did you mean `audience`?"),
        ({"leeway_seconds": -1}, "not negative"),
        ({"roles": ["a"]}, "a table of groups"),
        ({"create": "perhaps"}, "true or false"),
    ],
)
def test_wrong_settings_are_named(changes: dict[str, Any], reason: str) -> None:
    """With the setting's place."""
    right = {"issuer": "https://login.example.org", "audience": "callsheet"}
    with pytest.raises(UsageError, match=reason.replace("?", r"\?")):
        read_sign_on({"jwt": {**right, **changes}})


def test_a_role_that_does_not_exist_stops_the_start() -> None:
    """Before anybody signs on and has no role."""
    jwt = {"issuer": "https://login.example.org", "audience": "callsheet", "roles": {"artists": "painter"}}
    with (
        Service.open("memory:", {"types": {"Dot": {}}}) as service,
        pytest.raises(UsageError, match="there is no role `painter`"),
    ):
        sign_on_by(service, {"jwt": jwt})
