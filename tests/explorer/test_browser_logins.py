"""A browser signs in by password or by a code, acts by its cookie and token, and is signed out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from page_desk import PASSWORD, PageDesk, open_page_desk
from starlette.testclient import TestClient

SESSION, ABOUT = "/explorer/x/session", "/explorer/x/page"
COUNT = {"select": {"entity_type": "Project"}, "functions": [["count", None]]}


@pytest.fixture
def desk() -> Iterator[PageDesk]:
    with open_page_desk() as opened:
        yield opened


def test_a_browser_signs_in_by_a_password(desk: PageDesk) -> None:
    """Its cookie is kept from scripts and from requests of other sites; the page learns who it acts for."""
    browser = desk.browser()
    answer = browser.post(SESSION, json={"name": "anna", "password": PASSWORD, "device": "Firefox on Linux"})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("callsheet=cw_")
    assert cookie.endswith("; Path=/; Max-Age=604800; HttpOnly; SameSite=Lax")
    about = browser.get(ABOUT).json()
    assert about["account"] == "anna"
    assert about["token"] == answer.json()["token"]
    assert [login.device for login in desk.service.logins.of("anna")] == ["Firefox on Linux"]


def test_a_cookie_over_https_is_sent_over_https_only(desk: PageDesk) -> None:
    """And one of a workspace to its pages only."""
    answer = desk.browser("https://testserver").post(SESSION, json={"name": "anna", "password": PASSWORD})
    assert answer.headers["set-cookie"].endswith("; SameSite=Lax; Secure")


@pytest.mark.parametrize("body", [{"name": "anna", "password": "wrong"}, {"name": "nobody", "password": PASSWORD}])
def test_a_wrong_password_sets_no_cookie(desk: PageDesk, body: dict[str, str]) -> None:
    """The same text for an unknown name, and neither is in it."""
    answer = desk.browser().post(SESSION, json=body)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert answer.json()["error"]["message"] == "the name or the password is wrong"


def test_a_code_signs_in_once(desk: PageDesk) -> None:
    """A second time it is refused, and so is another code."""
    code = desk.code()
    browser = desk.browser()
    assert browser.post(SESSION, json={"code": code}).json()["account"] == "anna"
    assert browser.get(ABOUT).status_code == 200
    for wrong in (code, "cc_" + "0" * 64, "cc_", code[:-1] + "g"):
        answer = desk.browser().post(SESSION, json={"code": wrong})
        assert answer.status_code == 401, wrong
        assert wrong not in answer.text


def test_a_code_is_good_for_half_a_minute(desk: PageDesk) -> None:
    """Then nobody is signed in by it, and its login is no login."""
    code, late = desk.code(), desk.code()
    desk.clock.move(seconds=29)
    assert desk.browser().post(SESSION, json={"code": code}).status_code == 200
    desk.clock.move(seconds=2)
    assert desk.browser().post(SESSION, json={"code": late}).status_code == 401


def test_codes_that_nobody_used_do_not_pile_up(desk: PageDesk) -> None:
    """The next one takes those away that are too old, and no login of a person makes room for them."""
    desk.signed_in()
    for _ in range(5):
        desk.code()
        desk.clock.move(seconds=31)
    desk.code()
    assert len(desk.service.logins.of("anna")) == 2


def test_a_cookie_reads_and_a_token_writes(desk: PageDesk) -> None:
    """A form of another site sends the cookie, and cannot send the token."""
    browser, token = desk.signed_in()
    assert browser.get("/v1/me").json()["account"] == "anna"
    missing = browser.post("/v1/aggregate", json=COUNT)
    assert missing.status_code == 401
    assert "x-callsheet-token" in missing.json()["error"]["message"]
    assert browser.post("/v1/aggregate", json=COUNT, headers={"x-callsheet-token": "0" * 32}).status_code == 401
    assert browser.post("/v1/aggregate", json=COUNT, headers={"x-callsheet-token": token}).json()["rows"] == [[0]]


def test_a_token_is_of_one_login(desk: PageDesk) -> None:
    """That of another browser of the same account is refused."""
    (browser, _), (_, other) = desk.signed_in(), desk.signed_in()
    assert browser.post("/v1/aggregate", json=COUNT, headers={"x-callsheet-token": other}).status_code == 401


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_no_form_of_another_site_signs_in(desk: PageDesk, kind: str) -> None:
    """Other sites send only these kinds of bodies without being asked first."""
    body = b'{"name":"anna","password":"' + PASSWORD.encode() + b'"}'
    answer = desk.browser().post(SESSION, content=body, headers={"content-type": kind})
    assert answer.status_code == 415
    assert "set-cookie" not in answer.headers


def test_a_browser_signs_out(desk: PageDesk) -> None:
    """The cookie is taken away, and a copy of it is worth nothing."""
    browser, token = desk.signed_in()
    copy = browser.cookies["callsheet"]
    answer = browser.delete(SESSION, headers={"x-callsheet-token": token})
    assert answer.status_code == 200
    assert answer.headers["set-cookie"].startswith("callsheet=; Path=/; Max-Age=0;")
    assert desk.browser().get(ABOUT, headers={"cookie": f"callsheet={copy}"}).status_code == 401


def test_signing_out_everywhere_ends_other_browsers_and_logins(desk: PageDesk) -> None:
    """A login of a session in Python, too."""
    (browser, token), (other, _) = desk.signed_in(), desk.signed_in()
    tokens = desk.browser().post("/v1/login", json={"name": "anna", "password": PASSWORD}).json()
    assert browser.delete(f"{SESSION}?everywhere=1", headers={"x-callsheet-token": token}).status_code == 200
    assert other.get(ABOUT).status_code == 401
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    assert desk.browser().get("/v1/me", headers=bearer).status_code == 401


def change_password(desk: PageDesk) -> None:
    desk.service.backend("admin").call("users.password", {"name": "anna", "password": "far over the hills"})


def disable(desk: PageDesk) -> None:
    desk.service.accounts.disable("anna")


def end(desk: PageDesk) -> None:
    assert desk.service.backend("admin").call("users.sign_out", {"name": "anna"}) == 1


def wait_idle(desk: PageDesk) -> None:
    desk.clock.move(hours=12)


@pytest.mark.parametrize("ending", [change_password, disable, end, wait_idle])
def test_a_login_of_a_browser_ends(desk: PageDesk, ending: Callable[[PageDesk], None]) -> None:
    """At the next request, though the last one was a moment ago."""
    browser, _ = desk.signed_in()
    assert browser.get(ABOUT).status_code == 200
    ending(desk)
    answer = browser.get(ABOUT)
    assert answer.status_code == 401
    assert answer.json()["error"]["message"] == "you are signed out; sign in again"


def test_use_keeps_a_login_up_to_a_week(desk: PageDesk) -> None:
    """Each use counts anew towards the idle hours; after a week the password is wanted again."""
    browser, _ = desk.signed_in()
    for _ in range(16):
        desk.clock.move(hours=10)
        # What was looked up within the last second is used again, and the clock of the test moves faster.
        desk.service.accounts.changed()
        assert browser.get(ABOUT).status_code == 200
    desk.clock.move(hours=10)
    assert browser.get(ABOUT).status_code == 401


def test_a_browser_is_not_signed_in_for_longer_than_the_key(desk: PageDesk) -> None:
    """Else a key that expires would be worth more than it says."""
    from datetime import timedelta

    desk.service.accounts.add("ben", expires=desk.clock.now + timedelta(hours=1))
    browser = desk.browser()
    assert browser.post(SESSION, json={"code": desk.code("ben")}).status_code == 200
    desk.clock.move(minutes=59)
    assert browser.get(ABOUT).status_code == 200
    desk.clock.move(minutes=2)
    assert browser.get(ABOUT).status_code == 401


def forged(cookie: str) -> str:
    return cookie[:-1] + ("0" if cookie[-1] != "0" else "1")


@pytest.mark.parametrize(
    "made", [forged, str.upper, lambda cookie: cookie + "0", lambda _: "cw_", lambda _: "a" * 5_000]
)
def test_no_other_cookie_is_accepted(desk: PageDesk, made: Callable[[str], str]) -> None:
    """Each is a 401, and none ends the real login."""
    browser, _ = desk.signed_in()
    cookie = made(browser.cookies["callsheet"])
    assert desk.browser().get(ABOUT, headers={"cookie": f"callsheet={cookie}"}).status_code == 401
    assert browser.get(ABOUT).status_code == 200


def test_wrong_passwords_are_counted_with_those_of_sessions(desk: PageDesk) -> None:
    """So a page is no second way to try them."""
    browser = desk.browser()
    answers = [browser.post(SESSION, json={"name": "anna", "password": f"guess {n}"}).status_code for n in range(25)]
    assert set(answers) == {401, 429}
    assert browser.post("/v1/login", json={"name": "anna", "password": PASSWORD}).status_code == 429


@pytest.mark.parametrize(
    "body",
    [{}, {"name": "anna", "code": "cc_1"}, {"name": 3}, {"nam": "anna"}, [], "anna", None],
)
def test_a_request_that_is_none_is_refused(desk: PageDesk, body: Any) -> None:
    """With a reason that shows nothing of a password."""
    answer = desk.browser().post(SESSION, json=body)
    assert answer.status_code == 422
    assert "error" in answer.json()


def test_a_workspace_has_logins_of_its_own(desk: PageDesk) -> None:
    """The cookie of one workspace is none in another."""
    desk.service.backend("admin").call("workspaces.add", {"name": "other"})
    browser, _ = desk.signed_in()
    cookie = {"cookie": f"callsheet={browser.cookies['callsheet']}"}
    assert TestClient(desk.app).get("/workspaces/other/explorer/x/page", headers=cookie).status_code == 401
