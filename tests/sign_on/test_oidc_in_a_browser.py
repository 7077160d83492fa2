"""A browser signs on by a certified OpenID provider: its account, its roles, and how long that holds."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from openid_desk import SERVER, OpenIdDesk, TestProvider, open_openid_desk, parameter


@pytest.fixture
def desk(provider: TestProvider) -> Iterator[OpenIdDesk]:
    provider.control(gone=["anna", "ben"])
    with open_openid_desk(provider) as opened:
        yield opened


def test_a_person_signs_on_and_has_an_account_with_the_roles_of_its_groups(desk: OpenIdDesk) -> None:
    """The account is made with its user entity; a group without a role here gives none."""
    desk.provider.person(groups=["artists", "admin", "smokers"])
    anna = desk.person()
    answer = anna.signs_on("explorer/Task/7?view=board")
    assert answer.status_code == 302, answer.text
    assert answer.headers["location"] == "/explorer/Task/7?view=board"
    about = anna.page().json()
    assert (about["account"], about["administrator"], about["roles"]) == ("anna", False, ["guest", "user"])
    assert (about["user"]["first_name"], about["user"]["email"]) == ("Anna", "anna@example.org")


def test_a_person_comes_back_to_the_same_account(desk: OpenIdDesk) -> None:
    """Also after a rename at the provider: the account is found by the subject. The roles are those of now."""
    desk.provider.person()
    assert desk.person().signs_on().status_code == 302
    desk.provider.person(preferred_username="anna.berg", groups=["pipeline"])
    again = desk.person()
    assert again.signs_on().status_code == 302
    about = again.page().json()
    assert (about["account"], about["administrator"]) == ("anna", True)


def test_a_change_of_groups_counts_within_a_minute(desk: OpenIdDesk) -> None:
    """For a browser that is signed in, without signing on again; what was read a moment ago is used."""
    desk.provider.person(groups=["pipeline"])
    anna = desk.person()
    anna.signs_on()
    assert anna.page().json()["administrator"] is True
    desk.provider.person(groups=["artists"])
    desk.later(seconds=30)
    assert anna.page().json()["administrator"] is True
    desk.later(seconds=30)
    assert anna.page().json()["administrator"] is False


def test_a_person_without_a_role_is_out_within_a_minute(desk: OpenIdDesk) -> None:
    """Its browser, and its API key too: a key is no way around the directory."""
    desk.provider.person()
    anna = desk.person()
    anna.signs_on()
    key = desk.service.accounts.new_key("anna")
    bearer = {"authorization": f"Bearer {key}"}
    assert anna.server.get("/v1/me", headers=bearer).status_code == 200
    desk.provider.person(groups=["smokers"])
    desk.later(seconds=60)
    answer = anna.page()
    assert answer.status_code == 401
    assert "no group of `anna`" in answer.json()["error"]["message"]
    anna.server.cookies.clear()
    assert anna.server.get("/v1/me", headers=bearer).status_code == 401
    # Who may sign on again is in again.
    desk.provider.person(groups=["artists"])
    assert anna.signs_on().status_code == 302
    assert anna.page().status_code == 200


def test_a_person_who_left_is_out_within_a_minute(desk: OpenIdDesk) -> None:
    """The provider has the person no more, so its tokens are refused there."""
    desk.provider.person("ben")
    ben = desk.person("ben")
    ben.signs_on()
    desk.provider.control(gone=["ben"])
    desk.later(seconds=60)
    answer = ben.page()
    assert answer.status_code == 401
    assert "no longer vouches for `ben`" in answer.json()["error"]["message"]
    assert [login.reason for login in desk.service.logins.of("ben")] == ["oidc no longer vouches for `ben`"]


def test_connections_that_stay_open_are_read_too(desk: OpenIdDesk) -> None:
    """Nobody requests anything: the server reads by itself, and what it learns changes the generation of accounts."""
    desk.provider.person()
    anna = desk.person()
    anna.signs_on()
    anna.page()
    desk.provider.person(groups=[])
    desk.later(seconds=60)
    before = desk.service.accounts.generation
    desk.service.sign_on.directory.read_all()
    assert desk.service.accounts.generation > before
    assert desk.service.logins.of("anna")[0].ended is not None


def test_tokens_of_the_provider_are_renewed(desk: OpenIdDesk) -> None:
    """An access token is over after an hour; the refresh token, which the provider replaces each time, goes on."""
    desk.provider.person()
    anna = desk.person()
    anna.signs_on()
    for _ in range(3):
        desk.later(hours=2)
        assert anna.page().status_code == 200, anna.page().text
    assert len({each.state for each in desk.service.sign_on._identities.of("anna")}) == 1


def test_new_keys_of_the_provider_are_found(desk: OpenIdDesk) -> None:
    """Key rotation: a token of an unknown key makes the server read the keys again, not more than every ten seconds."""
    desk.provider.person()
    assert desk.person().signs_on().status_code == 302
    desk.provider.control(rotate=True)
    late = desk.person()
    answer = late.signs_on()
    assert answer.status_code == 401
    assert "key that the provider does not have" in answer.text
    desk.later(seconds=11)
    assert late.signs_on().status_code == 302


def test_a_provider_that_is_away_keeps_nobody_out_at_once(desk: OpenIdDesk, provider: TestProvider) -> None:
    """What it last said holds for ten minutes; then the answer is 503, until it is back. Signing on is 503 too."""
    desk.provider.person()
    anna = desk.person()
    anna.signs_on()
    outbound = desk.service.sign_on.oidc._outbound
    place, outbound._client = outbound._client, _Away()
    try:
        desk.later(seconds=60)
        assert anna.page().status_code == 200
        desk.later(minutes=11)
        answer = anna.page()
        assert answer.status_code == 503
        assert "cannot be reached" in answer.json()["error"]["message"]
        assert answer.headers["retry-after"] == "5"
        assert desk.person("ben").server.get("/explorer/x/oidc/begin").status_code in (302, 503)
    finally:
        outbound._client = place
    desk.later(seconds=6)
    assert anna.page().status_code == 200


class _Away:
    """A client whose requests fail, as to a machine that is off."""

    def stream(self, *_: object, **__: object) -> object:
        raise httpx.ConnectError("refused")

    def close(self) -> None:
        """Nothing is open."""


def test_signing_out_names_the_place_where_the_provider_does_so_too(desk: OpenIdDesk) -> None:
    """RP-initiated logout, with the ID token as hint; the provider accepts it and comes back to the page."""
    desk.provider.person()
    anna = desk.person()
    token = anna.signs_on() and anna.page().json()["token"]
    answer = anna.server.delete("/explorer/x/session", headers={"x-callsheet-token": token})
    leave = answer.json()["leave"]
    assert leave.startswith(f"{desk.provider.issuer}/session/end?client_id=callsheet&")
    assert parameter(leave, "post_logout_redirect_uri") == f"{SERVER}/explorer/"
    page = anna.provider.get(leave)
    assert page.status_code == 200, page.text
    assert "Do you want to sign-out" in page.text
    assert anna.page().status_code == 401


def test_an_administrator_links_an_account(desk: OpenIdDesk) -> None:
    """By the command in the refusal; from then on the person is this account. Unlinking takes it back."""
    desk.service.accounts.add("anna")
    desk.provider.person()
    anna = desk.person()
    assert anna.signs_on().status_code == 403
    admin = desk.service.backend("admin")
    subject = f"{desk.provider.issuer}#anna"
    admin.call("users.link", {"name": "anna", "provider": "oidc", "subject": subject})
    assert anna.signs_on().status_code == 302
    assert anna.page().json()["account"] == "anna"
    listed = admin.call("users.identities", {"name": "anna"})
    assert [(each["provider"], each["subject"], each["roles"]) for each in listed] == [("oidc", subject, ["user"])]
    admin.call("users.unlink", {"provider": "oidc", "subject": subject})
    assert admin.call("users.identities", {"name": "anna"}) == []


def test_what_the_page_offers(desk: OpenIdDesk) -> None:
    """Everybody may know by what one signs in, and nothing else."""
    said = desk.person().server.get("/explorer/x/ways").json()
    assert said == {"password": True, "oidc": {"name": "single sign-on"}}
