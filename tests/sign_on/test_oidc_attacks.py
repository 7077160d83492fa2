"""What is sent by somebody other than the provider, or by a provider that lies, signs nobody on; each has a reason."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from forging_provider import ForgingProvider, running_forger
from joserfc.jwk import RSAKey
from openid_desk import SERVER, OpenIdDesk, Person, TestProvider, open_openid_desk, parameter

CALLBACK = f"{SERVER}/explorer/x/oidc/callback"
KEY = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})


@pytest.fixture(scope="module")
def forger() -> Iterator[ForgingProvider]:
    with running_forger() as found:
        found.key = KEY
        yield found


@pytest.fixture(scope="module")
def shared(forger: ForgingProvider) -> Iterator[OpenIdDesk]:
    """A server for attacks that change nothing."""
    with open_openid_desk(TestProvider(forger.issuer)) as opened:
        yield opened


@pytest.fixture(autouse=True)
def honest(forger: ForgingProvider) -> None:
    """The provider forgets what the test before made of it."""
    forger.answers.clear()
    forger.metadata.clear()
    forger.published = None
    forger.requests.clear()


@pytest.fixture
def desk(forger: ForgingProvider) -> Iterator[OpenIdDesk]:
    with open_openid_desk(TestProvider(forger.issuer)) as opened:
        yield opened


def back(person: Person, forger: ForgingProvider, **claims: Any) -> Any:
    """The server's answer to a person who comes back with a code, for which the provider gives a token."""
    location = person.begin()
    forger.gives(forger.signed(forger.claims(**{"nonce": parameter(location, "nonce"), **claims})))
    return answered(person, state=parameter(location, "state"), code="c")


def answered(person: Person, **parameters: str) -> Any:
    return person.server.get(CALLBACK, params=parameters)


def refused(response: Any, reason: str, status: int = 401) -> None:
    """The answer is a page with this reason, and no login."""
    assert (response.status_code, reason in response.text) == (status, True), response.text
    assert "callsheet=cw_" not in response.headers.get("set-cookie", "")


def test_an_honest_answer_signs_on(desk: OpenIdDesk, forger: ForgingProvider) -> None:
    """The same way that all attacks below take; the verifier of the challenge is sent with the code."""
    anna = desk.person()
    assert back(anna, forger).status_code == 302
    assert anna.page().json()["account"] == "anna"
    sent = dict(forger.requests)["/token"]
    assert sent["code"] == ["c"]
    assert len(sent["code_verifier"][0]) >= 43
    assert sent["redirect_uri"] == [CALLBACK]


def test_a_state_of_nobody_is_refused(desk: OpenIdDesk, forger: ForgingProvider) -> None:
    """Without any cookie, and with the cookie of another sign-on."""
    anna = desk.person()
    refused(answered(anna, state="0" * 32, code="c"), "not begun in this browser")
    location = anna.begin()
    refused(answered(anna, state=parameter(location, "state")[:-1] + "x", code="c"), "not begun in this browser")
    refused(answered(anna, code="c"), "not begun in this browser")
    assert "/token" not in dict(forger.requests)


def test_an_answer_to_an_attackers_sign_on_signs_no_victim_on(desk: OpenIdDesk, forger: ForgingProvider) -> None:
    """Login CSRF: the attacker's link, opened by a victim who has no cookie of it, or a cookie of an own sign-on."""
    eve, anna = desk.person("eve"), desk.person()
    location = eve.begin()
    anna.begin()
    forger.gives(forger.signed(forger.claims(parameter(location, "nonce"), sub="eve", preferred_username="eve")))
    refused(answered(anna, state=parameter(location, "state"), code="c"), "not begun in this browser")


def test_a_renamed_cookie_does_not_pass_for_that_of_another_state(desk: OpenIdDesk, forger: ForgingProvider) -> None:
    """The state is inside of the seal; a changed seal is refused, and one that is too old."""
    from callsheet.server.sign_on.oidc import cookie_name

    anna = desk.person()
    anna.begin()
    value = next(each.value for each in anna.server.cookies.jar if each.name.startswith("callsheet_sign_on_"))
    for cookie, reason in ((value, "another sign-on"), ((value or "")[:-8] + "AAAAAAA=", "not made by this server")):
        anna.server.cookies.clear()
        headers = {"cookie": f"{cookie_name('f' * 32)}={cookie}"}
        refused(anna.server.get(CALLBACK, params={"state": "f" * 32, "code": "c"}, headers=headers), reason)


def test_an_answer_counts_once(desk: OpenIdDesk, forger: ForgingProvider) -> None:
    """Code replay: the same address with the same cookie, a second time."""
    anna = desk.person()
    location = anna.begin()
    forger.gives(forger.signed(forger.claims(parameter(location, "nonce"))))
    state = parameter(location, "state")
    assert answered(anna, state=state, code="c").status_code == 302
    refused(answered(anna, state=state, code="c"), "is finished")
    assert len([path for path, _ in forger.requests if path == "/token"]) == 1


def test_a_code_that_the_provider_refuses_is_refused(desk: OpenIdDesk, forger: ForgingProvider) -> None:
    """With the provider's word for it, if it is one."""
    for error, reason in (("invalid_grant", "invalid_grant"), ("<script>", "status 400"), (7, "status 400")):
        anna = desk.person()
        location = anna.begin()
        forger.answers["/token"] = (400, {"error": error})
        refused(answered(anna, state=parameter(location, "state"), code="c"), reason)


def test_the_answer_of_another_provider_is_refused(desk: OpenIdDesk, forger: ForgingProvider) -> None:
    """Mix-up: a wrong `iss`, and none where the provider promises one."""
    anna = desk.person()
    state = parameter(anna.begin(), "state")
    refused(answered(anna, state=state, code="c", iss="https://evil.example"), "another provider")
    forger.metadata["authorization_response_iss_parameter_supported"] = True
    with open_openid_desk(TestProvider(forger.issuer)) as strict:
        ben = strict.person("ben")
        refused(answered(ben, state=parameter(ben.begin(), "state"), code="c"), "another provider")


def test_a_provider_says_what_went_wrong(desk: OpenIdDesk, forger: ForgingProvider) -> None:
    """An error of the provider is shown by its name; other text of the address is not."""
    anna = desk.person()
    for error, reason in (("access_denied", "access_denied"), ("<b>", "an error without a name")):
        refused(answered(anna, state=parameter(anna.begin(), "state"), error=error, error_description="<i>"), reason)


def test_a_parameter_twice_is_refused(desk: OpenIdDesk, forger: ForgingProvider) -> None:
    """What one part of the way reads as the first, another may read as the last."""
    anna = desk.person()
    state = parameter(anna.begin(), "state")
    refused(anna.server.get(f"{CALLBACK}?state={state}&code=a&code=b"), "twice")


WRONG_CLAIMS: list[tuple[dict[str, Any], str]] = [
    ({"nonce": "another"}, "nonce"),
    ({"nonce": None}, "nonce"),
    ({"aud": "another client"}, "aud"),
    ({"aud": None}, "aud"),
    ({"aud": ["callsheet", "another"]}, "azp"),
    ({"aud": ["callsheet", "another"], "azp": "another"}, "azp"),
    ({"azp": "another"}, "azp"),
    ({"iss": "https://evil.example"}, "iss"),
    ({"exp": 1_000}, "for this sign-on: e"),
    ({"exp": None}, "exp"),
    ({"exp": "tomorrow"}, "exp"),
    ({"iat": None}, "iat"),
    ({"iat": 4_000_000_000}, "iat"),
    ({"nbf": 4_000_000_000}, "nbf"),
    ({"sub": None}, "sub"),
    ({"sub": 7}, "sub"),
    ({"sub": "x" * 300}, "sub"),
    ({"at_hash": "AAAA"}, "at_hash"),
]


@pytest.mark.parametrize(("claims", "reason"), WRONG_CLAIMS, ids=[f"{case[0]}"[:40] for case in WRONG_CLAIMS])
def test_a_token_of_another_sign_on_is_refused(
    shared: OpenIdDesk, forger: ForgingProvider, claims: dict[str, Any], reason: str
) -> None:
    """The claim that is wrong is named."""
    refused(back(shared.person(), forger, **claims), reason)


def unsigned(forger: ForgingProvider, claims: dict[str, Any]) -> str:
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').rstrip(b"=").decode()
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return f"{header}.{body}."


def with_own_key(forger: ForgingProvider, claims: dict[str, Any]) -> str:
    from joserfc import jwt

    key = RSAKey.generate_key(2048, {"kid": "one"})
    header = {"alg": "RS256", "kid": "one", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, claims, key, algorithms=["RS256"])


FORGED: dict[str, tuple[Callable[[ForgingProvider, dict[str, Any]], Any], str]] = {
    "no signature": (unsigned, "cannot be read"),
    "an empty signature": (lambda forger, claims: unsigned(forger, claims) + "AA", "signed by &#x27;none"),
    "a secret that is the public key": (lambda forger, claims: forger.signed_by_its_public_key(claims), "HS256"),
    "an algorithm that is not allowed": (lambda forger, claims: forger.signed(claims, alg="RS384"), "RS384"),
    "a key of its own in its header": (with_own_key, "signature of the token is wrong"),
    "an unknown key": (lambda forger, claims: forger.signed(claims, kid="two"), "key that the provider does not have"),
    "an id of a key that is no text": (lambda forger, claims: "eyJhbGciOiJSUzI1NiIsImtpZCI6N30.e30.AA", "cannot be"),
    "no token": (lambda forger, claims: None, "cannot be read"),
    "a number": (lambda forger, claims: 7, "cannot be read"),
    "a text": (lambda forger, claims: "a.b", "cannot be read"),
    "something endless": (lambda forger, claims: "a." * 10_000, "cannot be read"),
    "a header that is no object": (lambda forger, claims: "W10.e30.AA", "signed by None"),
}


@pytest.mark.parametrize("name", FORGED)
def test_a_forged_token_is_refused(shared: OpenIdDesk, forger: ForgingProvider, name: str) -> None:
    """Whatever its header says of algorithms and keys."""
    made, reason = FORGED[name]
    anna = shared.person()
    location = anna.begin()
    forger.gives(made(forger, forger.claims(parameter(location, "nonce"))))
    refused(answered(anna, state=parameter(location, "state"), code="c"), reason)


def test_a_published_secret_is_no_key(desk: OpenIdDesk, forger: ForgingProvider) -> None:
    """A list of public keys with a shared secret in it lets nobody sign by that."""
    forger.published = [{"kty": "oct", "kid": "one", "k": "c2VjcmV0"}, {"kty": "RSA"}, 7]
    refused(back(desk.person(), forger), "key that the provider does not have")


@pytest.mark.parametrize(
    "answer", [(200, []), (200, b"<html>"), (200, {}), (302, {}), (404, b""), (200, {"id_token": 1})]
)
def test_an_answer_without_tokens_is_refused(shared: OpenIdDesk, forger: ForgingProvider, answer: Any) -> None:
    """Never by an internal error."""
    anna = shared.person()
    location = anna.begin()
    forger.answers["/token"] = answer
    response = answered(anna, state=parameter(location, "state"), code="c")
    assert response.status_code == 401
    assert "the provider" in response.text


def test_a_provider_that_fails_is_away(desk: OpenIdDesk, forger: ForgingProvider) -> None:
    """503: the person did nothing wrong, and the server neither."""
    anna = desk.person()
    location = anna.begin()
    forger.answers["/token"] = (500, b"")
    refused(answered(anna, state=parameter(location, "state"), code="c"), "answers 500", 503)


def test_user_information_of_somebody_else_is_refused(forger: ForgingProvider) -> None:
    """Token substitution: the user information has to be of the subject of the ID token."""
    forger.metadata["userinfo_endpoint"] = f"{forger.issuer}/me"
    forger.answers["/me"] = (200, {"sub": "boss", "groups": ["pipeline"]})
    try:
        with open_openid_desk(TestProvider(forger.issuer)) as desk:
            refused(back(desk.person(), forger), "somebody else")
    finally:
        forger.metadata.clear()


def test_endpoints_without_encryption_are_not_used(forger: ForgingProvider) -> None:
    """A provider whose metadata name another place by HTTP is away."""
    forger.metadata["token_endpoint"] = "http://login.example.org/token"
    try:
        with open_openid_desk(TestProvider(forger.issuer)) as desk:
            response = desk.person().server.get("/explorer/x/oidc/begin")
            assert response.status_code == 503
            assert "https://" in response.text
    finally:
        forger.metadata.clear()


@pytest.mark.parametrize(
    "groups",
    [["admin"], ["Pipeline"], ["pipeline "], "pipeline,artists", ["artists,pipeline"], [["pipeline"]], {"pipeline": 1}],
)
def test_a_groups_name_is_no_role(shared: OpenIdDesk, forger: ForgingProvider, groups: Any) -> None:
    """Escalation by group names: only what the settings map, letter by letter, gives a role; the others none."""
    refused(back(shared.person(), forger, groups=groups), "has a role here", 403)


def test_a_name_of_the_provider_takes_no_account_over(desk: OpenIdDesk, forger: ForgingProvider) -> None:
    """Neither the administrator's, nor anybody's who is here already, nor one that differs by its case."""
    desk.service.accounts.add("ben")
    for name in ("admin", "ben"):
        refused(back(desk.person(), forger, sub=f"x-{name}", preferred_username=name), f"users link {name}", 403)
    refused(back(desk.person(), forger, sub="x", preferred_username="Admin"), "in its case only", 403)
    for name in ("", " anna", "an\nna", "x" * 256, None, 7, ["admin"]):
        answer = back(desk.person(), forger, sub="x", preferred_username=name)
        assert answer.status_code == 403, name


def test_link_existing_links_no_administrator(forger: ForgingProvider) -> None:
    """The setting is for artists' accounts: one with rights over others is linked by hand."""
    with open_openid_desk(TestProvider(forger.issuer), link_existing=True) as desk:
        desk.service.accounts.add("ben")
        desk.service.accounts.add("td")
        desk.service.roles.grant("td", "admin")
        for name in ("admin", "td"):
            refused(back(desk.person(), forger, sub=f"x-{name}", preferred_username=name), "users link", 403)
        assert back(desk.person(), forger, sub="x-ben", preferred_username="ben").status_code == 302
        # And once it is somebody's, it is nobody else's.
        refused(back(desk.person(), forger, sub="y-ben", preferred_username="ben"), "users link", 403)


def test_an_unverified_address_is_no_name(forger: ForgingProvider) -> None:
    """Where accounts are named by e-mail, anybody may claim any address at some providers."""
    with open_openid_desk(TestProvider(forger.issuer), name_claim="email") as desk:
        mine = {"email": "anna@example.org"}
        refused(back(desk.person(), forger, **mine), "has not verified", 403)
        refused(back(desk.person(), forger, **mine, email_verified="true"), "has not verified", 403)
        assert back(desk.person(), forger, **mine, email_verified=True).status_code == 302


@pytest.mark.parametrize(
    "to",
    [
        "https://evil.example/",
        "//evil.example/explorer/",
        "/\\evil.example",
        "explorer/..//evil.example",
        "explorer//evil.example",
        "explorer/../x",
        "explorer/x/oidc/begin",
        "javascript:alert(1)",
        "explorer/\r\nset-cookie: a=b",
        "v1/me",
        "explorer/" + "a" * 3_000,
    ],
)
def test_nobody_is_sent_elsewhere(shared: OpenIdDesk, forger: ForgingProvider, to: str) -> None:
    """Open redirect: after signing on, a browser is on a page of the explorer."""
    anna = shared.person()
    location = anna.begin(to)
    forger.gives(forger.signed(forger.claims(parameter(location, "nonce"))))
    assert answered(anna, state=parameter(location, "state"), code="c").headers["location"] == "/explorer/"


def test_a_host_that_a_request_invents_is_not_sent_to_the_provider(desk: OpenIdDesk) -> None:
    """Without the setting `public_url`, only a server on this machine knows its address."""
    response = desk.person().server.get("/explorer/x/oidc/begin", headers={"host": "evil.example"})
    assert response.status_code == 422
    assert "public_url" in response.text


def test_a_login_is_a_new_one(desk: OpenIdDesk, forger: ForgingProvider) -> None:
    """Session fixation: a cookie that an attacker placed is neither used nor raised to the person's rights."""
    desk.service.accounts.add("eve")
    planted = desk.service.logins.browsers.begin("eve", "", "")
    anna = desk.person()
    anna.server.cookies.set("callsheet", planted.cookie, domain="127.0.0.1", path="/")
    answer = back(anna, forger)
    given = answer.headers["set-cookie"].partition(";")[0].partition("=")[2]
    assert given.startswith("cw_")
    assert given != planted.cookie
    eve = desk.person("eve")
    assert eve.server.get("/v1/me", headers={"cookie": f"callsheet={planted.cookie}"}).json()["account"] == "eve"
    assert eve.server.get("/v1/me", headers={"cookie": f"callsheet={given}"}).json()["account"] == "anna"


def test_a_signed_on_browser_writes_with_its_token_only(desk: OpenIdDesk, forger: ForgingProvider) -> None:
    """CSRF: the cookie alone, which other sites' forms send, changes nothing."""
    anna = desk.person()
    back(anna, forger)
    assert anna.server.delete("/explorer/x/session").status_code == 401
    assert anna.server.post("/v1/select", json={"entity_type": "Project"}).status_code == 401
    assert anna.page().status_code == 200


def test_the_cookie_of_a_sign_on_is_kept_from_scripts(desk: OpenIdDesk) -> None:
    """It is sent to the two addresses of the sign-on only, and over HTTPS where there is HTTPS."""
    plain = desk.person().server.get("/explorer/x/oidc/begin").headers["set-cookie"]
    assert "; Path=/explorer/x/oidc/; HttpOnly; SameSite=Lax; Max-Age=600" in plain
    secret = plain.partition("=")[2].partition(";")[0]
    assert "verifier" not in base64.urlsafe_b64decode(secret + "==").decode("latin-1")
