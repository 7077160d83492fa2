"""What an attacker tries: guesses, floods, stolen and forged tokens, and finding out who has an account."""

from __future__ import annotations

import base64
import hmac
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from databases import postgres_database
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from login_desk import ADMIN, PASSWORD, Desk, Limits, open_desk
from sqlalchemy import select, update

from callsheet.errors import Unauthorised
from callsheet.server.access import login_attempts, passwords
from callsheet.server.access.authentication import REMEMBERED_SECONDS
from callsheet.server.access.login_secret import LoginKeys, LoginSecret

WRONG = "not the password"


@pytest.fixture
def desk() -> Iterator[Desk]:
    with open_desk() as opened:
        yield opened


# Stolen refresh tokens


def test_a_stolen_refresh_token_ends_the_login(desk: Desk) -> None:
    """The thief is first: when the owner refreshes, both are out, and it is in the audit."""
    owner = desk.tokens(device="the laptop")
    thief = desk.refresh(owner["refresh_token"], "the thief's request").json()
    assert desk.me(thief["access_token"]).status_code == 200
    assert desk.refresh(owner["refresh_token"], "the owner's request").status_code == 401
    for tokens in (owner, thief):
        assert desk.me(tokens["access_token"]).status_code == 401
        assert desk.refresh(tokens["refresh_token"], "more").status_code == 401
    said = "a refresh token was used again; the login on the laptop has ended"
    assert ("anna", "login.refresh", said) in desk.audit()


def test_a_thief_that_is_late_ends_the_login(desk: Desk) -> None:
    """The owner is first: an old token of whatever age ends the login, too. Other logins go on."""
    other = desk.tokens()
    first = desk.tokens()
    second = desk.refresh(first["refresh_token"], "r1").json()
    third = desk.refresh(second["refresh_token"], "r2").json()
    assert desk.refresh(first["refresh_token"], "r1").status_code == 401
    assert desk.me(third["access_token"]).status_code == 401
    assert desk.me(other["access_token"]).status_code == 200


def test_nobody_ends_a_login_by_its_name(desk: Desk) -> None:
    """The id of a login is no secret: a token that was made up for it is refused, and ends nothing."""
    tokens = desk.tokens()
    made_up = f"cr_{tokens['session_id']}_{'0' * 32}_{'0' * 64}"
    assert desk.refresh(made_up, "r").status_code == 401
    assert desk.post("/v1/logout", {"refresh_token": made_up}).status_code == 401
    assert desk.me(tokens["access_token"]).status_code == 200


# Lost replies


def test_a_login_survives_a_lost_reply(desk: Desk) -> None:
    """The same request gets the same tokens; the time that is left is counted from now."""
    tokens = desk.tokens()
    lost = desk.refresh(tokens["refresh_token"], "r1").json()
    desk.clock.move(seconds=100)
    again = desk.refresh(tokens["refresh_token"], "r1").json()
    left = {"expires_in": 800, "refresh_expires_in": lost["refresh_expires_in"] - 100}
    assert again == {**lost, **left}
    assert desk.refresh(again["refresh_token"], "r2").status_code == 200


def test_a_reply_can_be_had_again_for_as_long_as_it_is_worth_something(desk: Desk) -> None:
    """Until its access token has expired; then the token counts as used again."""
    tokens = desk.tokens()
    desk.refresh(tokens["refresh_token"], "r1")
    desk.clock.move(seconds=900)
    assert desk.refresh(tokens["refresh_token"], "r1").status_code == 401


def at_once(*requests: Any) -> list[Any]:
    barrier = threading.Barrier(len(requests))

    def call(request: Any) -> Any:
        barrier.wait()
        return request()

    with ThreadPoolExecutor(len(requests)) as pool:
        return list(pool.map(call, requests))


def test_logins_of_several_servers() -> None:
    """Of one database: a token of one is accepted by the other, until its login ends at either of them."""
    with postgres_database() as url, open_desk(url) as one, open_desk(url) as two:
        tokens = one.tokens()
        assert two.me(tokens["access_token"]).status_code == 200
        second = two.refresh(tokens["refresh_token"], "r1").json()
        assert one.refresh(tokens["refresh_token"], "r1").json() == second
        assert one.me(second["access_token"]).status_code == 200
        assert two.post("/v1/logout", {}, second["access_token"]).status_code == 204
        assert two.me(second["access_token"]).status_code == 401
        time.sleep(REMEMBERED_SECONDS)
        assert one.me(second["access_token"]).status_code == 401


def test_two_servers_refresh_at_once() -> None:
    """The row is locked: one request that goes to both gets one answer, and a second use ends the login."""
    with postgres_database() as url, open_desk(url) as one, open_desk(url) as two:
        desks, token = (one, two), one.tokens()["refresh_token"]
        answers = at_once(*[lambda desk=desk: desk.service.logins.refresh(token, "r1") for desk in desks])
        assert answers[0].refresh_token == answers[1].refresh_token
        token = answers[0].refresh_token

        def refresh(desk: Desk, request: str) -> bool:
            try:
                desk.service.logins.refresh(token, request)
            except Unauthorised:
                return False
            return True

        won = at_once(*[lambda desk=desk, name=name: refresh(desk, name) for desk, name in zip(desks, "ab")])
        assert sorted(won) == [False, True]
        assert {login.reason for login in one.service.logins.of("anna")} == {"a refresh token was used again"}


def test_one_refresh_sent_twice_at_once(desk: Desk) -> None:
    """A client that repeats its request before the first is answered gets one answer."""
    tokens = desk.tokens()
    logins = desk.service.logins
    answers = at_once(*[lambda: logins.refresh(tokens["refresh_token"], "r1")] * 4)
    assert len({(answer.access_token, answer.refresh_token) for answer in answers}) == 1
    assert desk.refresh(answers[0].refresh_token, "r2").status_code == 200


def test_two_refreshes_at_once(desk: Desk) -> None:
    """One wins, the other uses a used token: so the login ends, whichever it was."""
    tokens = desk.tokens()
    logins = desk.service.logins

    def refresh(request: str) -> Any:
        try:
            return logins.refresh(tokens["refresh_token"], request)
        except Exception as error:
            return type(error).__name__

    answers = at_once(lambda: refresh("r1"), lambda: refresh("r2"))
    assert sum(answer == "Unauthorised" for answer in answers) == 1
    (won,) = (answer for answer in answers if answer != "Unauthorised")
    assert desk.me(won.access_token).status_code == 401


# Times


def test_an_access_token_expires(desk: Desk) -> None:
    """To the second, also where it was recognised the moment before."""
    token = desk.tokens()["access_token"]
    desk.clock.move(seconds=899)
    assert desk.me(token).status_code == 200
    desk.clock.move(seconds=1)
    assert desk.me(token).status_code == 401


def test_an_idle_login_ends(desk: Desk) -> None:
    tokens = desk.tokens()
    desk.clock.move(days=29)
    tokens = desk.refresh(tokens["refresh_token"], "r1").json()
    desk.clock.move(days=30)
    assert desk.refresh(tokens["refresh_token"], "r2").status_code == 401
    assert desk.service.logins.of("anna")[0].reason == "it expired"


def test_a_busy_login_ends(desk: Desk) -> None:
    """After ninety days, however often it was refreshed."""
    tokens = desk.tokens()
    for day in range(4):
        desk.clock.move(days=20)
        tokens = desk.refresh(tokens["refresh_token"], f"r{day}").json()
    assert tokens["refresh_expires_in"] == 10 * 24 * 3600
    desk.clock.move(days=10)
    assert desk.refresh(tokens["refresh_token"], "last").status_code == 401


def test_a_login_that_ends_soon_gives_no_longer_tokens() -> None:
    with open_desk(login_most_days=0.005) as desk:
        assert desk.tokens()["expires_in"] == 432


def test_old_logins_are_deleted(tmp_path: Any) -> None:
    """When the server starts; and an account has a hundred at most."""
    url = f"sqlite:///{tmp_path}/data.db"
    with open_desk(url) as desk:
        logins = [desk.service.logins.login("anna", PASSWORD) for _ in range(103)]
        kept = {login.id for login in desk.service.logins.of("anna")}
        assert len(kept) == 100
        assert logins[-1].session_id in kept
    with open_desk(url) as desk:
        assert len(desk.service.logins.of("anna")) == 100
        desk.clock.move(days=91)
        desk.service.store.write(desk.service.logins.drop_old)
        assert desk.service.logins.of("anna") == []


# Guessing


def attempt(desk: Desk, name: str, password: str = WRONG, address: str = "10.0.0.1") -> int:
    return int(desk.login(name, password, address=address).status_code)


@pytest.fixture
def seconds(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that attempts are counted by."""
    now = [0.0]
    original = login_attempts.LoginAttempts.__init__

    def by_hand(attempts: Any, limits: Limits, _: Any) -> None:
        original(attempts, limits, lambda: now[0])

    monkeypatch.setattr(login_attempts.LoginAttempts, "__init__", by_hand)
    return now


def test_an_address_tries_only_so_often(seconds: list[float]) -> None:
    """Whatever names it tries; then it waits, also with the right password, and is let in again."""
    with open_desk(address_logins=5) as desk:
        assert [attempt(desk, f"user{number}") for number in range(7)] == [401] * 5 + [429] * 2
        refused = desk.login("anna", PASSWORD, address="10.0.0.1")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "30")
        assert "too many wrong passwords from your address" in refused.text
        assert attempt(desk, "anna", PASSWORD, "10.0.0.2") == 200
        seconds[0] += 30
        assert attempt(desk, "anna", PASSWORD) == 200
        assert [attempt(desk, "anna"), attempt(desk, "anna")] == [401, 429]


def test_an_account_is_tried_only_so_often(seconds: list[float]) -> None:
    """From however many addresses; it recovers with time."""
    with open_desk(account_logins=5) as desk:
        tried = [attempt(desk, "anna", address=f"10.0.{number}.1") for number in range(7)]
        assert tried == [401] * 5 + [429] * 2
        assert attempt(desk, "ben", address="10.0.9.1") == 401
        seconds[0] += 30
        assert attempt(desk, "anna", PASSWORD, "10.0.8.1") == 200


def test_an_attacker_locks_nobody_out(seconds: list[float]) -> None:
    """Where the account has logged in before, it does so still; its tokens and keys are not affected."""
    with open_desk(account_logins=3, address_logins=3) as desk:
        tokens = desk.tokens(address="192.0.2.7")
        for number in range(20):
            attempt(desk, "anna", address=f"10.0.{number}.1")
        assert attempt(desk, "anna", address="10.1.0.1") == 429
        assert attempt(desk, "anna", PASSWORD, "192.0.2.7") == 200
        for _ in range(5):
            attempt(desk, "anna", address="192.0.2.7")
        assert attempt(desk, "anna", PASSWORD, "192.0.2.7") == 429
        for bearer in (tokens["access_token"], desk.keys["anna"], ADMIN):
            assert desk.me(bearer).status_code == 200
        assert desk.refresh(tokens["refresh_token"], "r").status_code == 200


def test_a_network_counts_as_one_address(seconds: list[float]) -> None:
    """A client has all addresses of an IPv6 network."""
    with open_desk(address_logins=3) as desk:
        tried = [attempt(desk, f"user{number}", address=f"2001:db8::{number:x}") for number in range(1, 6)]
        assert tried == [401] * 3 + [429] * 2


def test_many_attempts_at_once_are_all_counted(seconds: list[float]) -> None:
    """None passes because the others were not refused yet."""
    with open_desk(address_logins=5) as desk:
        logins = desk.service.logins

        def guess() -> str:
            try:
                logins.login("anna", WRONG, address="10.0.0.1")
            except Exception as error:
                return type(error).__name__
            return "in"

        assert Counter(at_once(*[guess] * 16)) == {"Unauthorised": 5, "TooManyAttempts": 11}


def test_right_passwords_are_not_counted(seconds: list[float]) -> None:
    with open_desk(address_logins=2, account_logins=2) as desk:
        assert {attempt(desk, "anna", PASSWORD) for _ in range(10)} == {200}


def test_a_password_change_is_guarded_as_a_login_is(seconds: list[float]) -> None:
    """A stolen token does not find out the password by trying."""
    with open_desk(account_logins=3) as desk:
        token = desk.tokens()["access_token"]
        body = {"old": WRONG, "new": "far over the hills"}
        tried = [desk.post("/v1/password", body, token).status_code for _ in range(5)]
        assert tried == [403] * 3 + [429] * 2


def test_codes_are_not_guessed(seconds: list[float]) -> None:
    with open_desk(address_logins=3) as desk:
        body = {"code": f"ci_{'0' * 12}_{'0' * 64}", "password": PASSWORD}
        tried = [desk.post("/v1/invitations/accept", body).status_code for _ in range(5)]
        assert tried == [401] * 3 + [429] * 2


# Who has an account


class Counted:
    """How many hashes are compared and made, with which parameters."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import argon2

        self.seen: list[tuple[str, str]] = []
        self.at_once = self.most = 0
        self._lock = threading.Lock()
        for name in ("verify", "hash"):
            monkeypatch.setattr(argon2.PasswordHasher, name, self._counting(name, getattr(argon2.PasswordHasher, name)))

    def _counting(self, name: str, original: Any) -> Any:
        def counting(hasher: Any, *given: Any) -> Any:
            with self._lock:
                self.at_once += 1
                self.most = max(self.most, self.at_once)
            try:
                self.seen.append((name, given[0].rpartition("$")[0].rpartition("$")[0] if name == "verify" else ""))
                return original(hasher, *given)
            finally:
                with self._lock:
                    self.at_once -= 1

        return counting


def test_nobody_finds_out_who_has_an_account(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown, without a password, disabled, wrong: the same answer, by the same work, and as many writes."""
    desk.service.accounts.add("carl")
    desk.service.logins.set_password("carl", PASSWORD)
    desk.service.accounts.disable("carl")
    counted, told = Counted(monkeypatch), []
    cases = [("nobody", WRONG), ("ben", WRONG), ("carl", PASSWORD), ("anna", WRONG), ("anna", "x" * 2_000), ("", "")]
    cases += [("n" * 300, WRONG), ("anna", ""), ("anna", "line\nbreak"), ("anna\x00", WRONG)]
    for number, (name, password) in enumerate(cases):
        counted.seen.clear()
        before = len(desk.audit())
        response = desk.login(name, password, address=f"10.0.{number}.1")
        told.append((response.status_code, response.content, tuple(counted.seen), len(desk.audit()) - before))
    work = (("verify", "$argon2id$v=19$m=8,t=1,p=1"),)
    text = b'{"error":{"kind":"unauthorised","message":"the name or the password is wrong"}}'
    assert told == [(401, text, work, 1)] * len(cases)


def test_the_audit_has_failures_of_accounts_only(desk: Desk) -> None:
    """A name that nobody has may be a password."""
    desk.login("my secret password", WRONG)
    desk.login("anna", WRONG)
    refused = "the name or the password is wrong"
    assert desk.audit() == [("", "login", refused), ("anna", "login", refused)]


def test_what_a_login_leaves_in_the_audit(desk: Desk) -> None:
    token = desk.tokens(device="the laptop")["access_token"]
    desk.post("/v1/password", {"old": PASSWORD, "new": "far over the hills"}, token)
    desk.post("/v1/logout", {}, token)
    assert desk.audit() == [
        ("anna", "login", "logged in on the laptop"),
        ("anna", "password", "changed the password"),
        ("anna", "logout", "logged out"),
    ]


def test_what_administrators_do_for_people_is_in_the_audit(desk: Desk) -> None:
    """Who let whom in, or out; and a key that somebody makes with a token that may be stolen."""
    for action, more in (("invite", {}), ("password", {"password": PASSWORD}), ("key", {}), ("sign_out", {})):
        assert desk.post(f"/v1/call/users.{action}", {"name": "anna", **more}, ADMIN).status_code == 200
    token = desk.tokens()["access_token"]
    desk.post("/v1/call/own.key", {}, token)
    notes = [(note.account, note.action, note.reason, note.address) for note in desk.service.audit.list()]
    assert notes == [
        ("admin", "users.invite", "invited `anna`", "testclient"),
        ("admin", "users.password", "set the password of `anna`", "testclient"),
        ("admin", "users.key", "made another key for `anna`", "testclient"),
        ("admin", "users.sign_out", "ended all logins of `anna`", "testclient"),
        ("anna", "login", "logged in", "testclient"),
        ("anna", "own.key", "made another key", "testclient"),
    ]


# Memory and time


def test_few_hashes_are_computed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred logins together take the memory of two hashes, and all are answered."""
    with open_desk(password_hashes=2, password_bytes=2**20, address_logins=200, account_logins=200) as desk:
        counted = Counted(monkeypatch)
        answers = at_once(*[lambda: desk.service.logins.login("anna", PASSWORD)] * 100)
        assert len({answer.session_id for answer in answers}) == 100
        assert (len(counted.seen), counted.most) == (100, 2)


def test_a_password_is_hashed_anew_when_hashes_cost_more(tmp_path: Any) -> None:
    """At its next use; and not when they cost less."""
    url = f"sqlite:///{tmp_path}/data.db"

    def stored(desk: Desk) -> str:
        table = desk.service.store.table("_password")
        with desk.service.store.reading() as connection:
            return str(connection.execute(select(table.c.hash)).scalar())

    with open_desk(url) as desk:
        first = stored(desk)
        assert first.startswith("$argon2id$v=19$m=8,t=1,p=1$")
    with open_desk(url, password_passes=3) as desk:
        attempt(desk, "anna")
        assert stored(desk) == first
        desk.tokens()
        second = stored(desk)
        assert second.startswith("$argon2id$v=19$m=8,t=3,p=1$")
    with open_desk(url) as desk:
        desk.tokens()
        assert stored(desk) == second


def test_the_settings_are_what_is_recommended() -> None:
    """19 MiB, two passes, one lane."""
    with open_desk(password_bytes=19 * 2**20, password_passes=2) as desk:
        table = desk.service.store.table("_password")
        with desk.service.store.reading() as connection:
            text = str(connection.execute(select(table.c.hash)).scalar())
        assert text.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("short", "at least 10 characters"),
        ("x" * 1_025, "at most 1,024 bytes"),
        ("é" * 513, "at most 1,024 bytes"),
        ("with a\nline break", "control characters"),
        ("half a pair \ud800", "control characters"),
        ("password123", "first that are tried"),
        ("1234567890", "first that are tried"),
        ("Carl Berggren", "first that are tried"),
    ],
)
def test_what_is_no_password(desk: Desk, password: str, said: str) -> None:
    """The message says why, and does not repeat it."""
    desk.service.accounts.add("carl berggren")
    with pytest.raises(passwords.Invalid, match=said) as caught:
        desk.service.logins.set_password("carl berggren", password)
    assert password not in str(caught.value)


def test_passwords_of_all_keyboards(desk: Desk) -> None:
    """An accent may be typed as one sign or two, a space as any space; else a password is taken as it is."""
    desk.service.logins.set_password("anna", "caf\u00e9 au\u00a0lait 🥐 ÅÄÖ")
    assert attempt(desk, "anna", "cafe\u0301 au lait 🥐 ÅÄÖ") == 200
    assert attempt(desk, "anna", "café au lait 🥐 åäö") == 401


def test_bodies_of_strangers_are_small(desk: Desk) -> None:
    """Also those that are compressed; and a body that cannot be read says where, not what."""
    import gzip

    assert desk.login("anna", "x" * 20_000).status_code == 413
    packed = gzip.compress(json.dumps({"name": "anna", "password": "x" * 10**6}).encode())
    assert len(packed) < 16 * 2**10
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    assert desk.client.post("/v1/login", content=packed, headers=headers).status_code == 413
    assert desk.client.post("/v1/login", content=b"a=b", headers={"content-type": "text/plain"}).status_code == 415
    for body in ({"name": "anna"}, {"name": "anna", "password": 7}, {"name": "a", "password": "b", "rights": "all"}):
        response = desk.post("/v1/login", body)
        assert response.status_code == 422
        assert "cannot be read" in response.text
    assert desk.client.get("/v1/login").status_code == 405


def test_strangers_have_a_part_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Logins beyond it are refused at once, while accounts are answered."""
    with open_desk(login_requests=2, requests=4) as desk:
        entered, free = threading.Semaphore(0), threading.Event()
        original = desk.service.logins.login

        def waiting(*given: Any) -> Any:
            entered.release()
            free.wait(20)
            return original(*given)

        monkeypatch.setattr(desk.service.logins, "login", waiting)
        with ThreadPoolExecutor(2) as pool:
            logins = [pool.submit(desk.login) for _ in range(2)]
            for _ in logins:
                assert entered.acquire(timeout=20)
            refused = desk.login()
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
            assert desk.me(ADMIN).status_code == 200
            free.set()
            assert [login.result().status_code for login in logins] == [200, 200]
        assert desk.login().status_code == 200


# Forged access tokens


def keys_of(desk: Desk) -> LoginKeys:
    return LoginSecret(desk.service.store).made()


def claims(desk: Desk) -> dict[str, Any]:
    """What a good token says."""
    token = desk.tokens()["access_token"]
    return dict(jwt.decode(token, OctKey.import_key(keys_of(desk).access), algorithms=["HS256"]).claims)


def text(data: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(data).encode()).decode().rstrip("=")


def made(header: dict[str, Any], said: dict[str, Any], key: bytes, digest: str = "sha256") -> str:
    """A token as anybody can make it, who has a key."""
    signed = f"{text(header)}.{text(said)}"
    signature = base64.urlsafe_b64encode(hmac.digest(key, signed.encode(), digest)).decode().rstrip("=")
    return f"{signed}.{signature}"


def test_a_token_made_as_the_server_makes_it(desk: Desk) -> None:
    """The test of the tests below: it is accepted, and says nothing about rights."""
    said = claims(desk)
    assert set(said) == {"iss", "aud", "sub", "sid", "iat", "exp", "jti"}
    assert desk.me(made({"alg": "HS256"}, said, keys_of(desk).access)).status_code == 200


def test_tokens_with_other_algorithms(desk: Desk) -> None:
    """None, another one with the same key, and signatures that take the header at its word."""
    said, key = claims(desk), keys_of(desk).access
    own = RSAKey.generate_key(2048)
    signed = f"{text({'alg': 'none'})}.{text(said)}."
    forged = [
        signed,
        signed + "AAAA",
        f"{text({'alg': 'HS256'})}.{text(said)}.",
        made({"alg": "none"}, said, key),
        made({"alg": "HS512"}, said, key, "sha512"),
        made({"alg": "HS256", "crit": ["b64"], "b64": False}, said, key),
        made({"alg": ["HS256"]}, said, key),
        jwt.encode({"alg": "RS256", "jwk": own.as_dict(private=False)}, said, own),
        made({"alg": "HS256", "kid": "../../dev/null", "jku": "http://localhost/k"}, said, b""),
    ]
    for token in forged:
        assert desk.me(token).status_code == 401, token


def test_tokens_of_other_keys(desk: Desk) -> None:
    """An empty one, another database's, and the one that refresh tokens are made with."""
    said = claims(desk)
    with open_desk() as other:
        foreign = other.tokens()["access_token"]
        keys = [b"", b"\0" * 32, keys_of(other).access, keys_of(desk).refresh]
    assert desk.me(foreign).status_code == 401
    for key in keys:
        assert desk.me(made({"alg": "HS256"}, said, key)).status_code == 401


def test_tokens_that_say_something_else(desk: Desk) -> None:
    """Another audience, issuer, account, login or time, or none of them; signed with the right key."""
    said, key = claims(desk), keys_of(desk).access
    now = int(desk.clock.now.timestamp())
    others: dict[str, list[Any]] = {
        "iss": ["somebody", "", None],
        "aud": ["callsheet:" + "0" * 32, "", [], None],
        "sub": ["admin", "ben", "nobody", "", 7, None],
        "sid": ["0" * 32, "", 7, None],
        "exp": [now, now - 1, "9999999999", True and "x", None],
        "iat": [now + 3600, "yesterday", None],
        "jti": [7, None],
    }
    for name, values in others.items():
        for value in values:
            assert desk.me(made({"alg": "HS256"}, {**said, name: value}, key)).status_code == 401, (name, value)
        without = {each: value for each, value in said.items() if each != name}
        assert desk.me(made({"alg": "HS256"}, without, key)).status_code == 401, name
    assert desk.me(made({"alg": "HS256"}, {**said, "nbf": now + 60}, key)).status_code == 401


def test_a_token_that_was_changed(desk: Desk) -> None:
    """Any part of it, by one sign; and what is no token at all."""
    token = desk.tokens()["access_token"]
    for at in range(0, len(token), 7):
        changed = token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :]
        if changed.rpartition(".")[2] != token.rpartition(".")[2] or at < token.rindex("."):
            assert desk.me(changed).status_code == 401, at
    for odd in ("eyJ.eyJ.x", "eyJhbGciOiJIUzI1NiJ9..", token + ".x", token[:-5], "e" * 10_000):
        assert desk.me(odd).status_code in (401, 429)


def test_wrong_tokens_keep_nobody_out(desk: Desk) -> None:
    """However many come from an address: the good ones from there are accepted."""
    token = desk.tokens()["access_token"]
    for number in range(60):
        assert desk.me(f"{token[:-4]}{number:04d}").status_code in (401, 429)
    desk.service.accounts.changed()
    assert desk.me(token).status_code == 200
    assert desk.me(desk.keys["anna"]).status_code == 200


def test_a_login_is_gone_with_its_row(desk: Desk) -> None:
    """Whoever restores a backup does not bring back what is not in it; and a token alone says nothing."""
    token = desk.tokens()["access_token"]
    table = desk.service.store.table("_login")
    desk.service.store.write(lambda connection: connection.execute(table.delete()))
    desk.service.accounts.changed()
    assert desk.me(token).status_code == 401


# Logging out, and passwords


def test_a_password_change_ends_the_other_logins(desk: Desk) -> None:
    here, there = desk.tokens(), desk.tokens()
    body = {"old": PASSWORD, "new": "far over the hills"}
    assert desk.post("/v1/password", body, here["access_token"]).status_code == 204
    assert desk.me(here["access_token"]).status_code == 200
    assert desk.me(there["access_token"]).status_code == 401
    assert desk.login(password=PASSWORD).status_code == 401
    assert desk.login(password="far over the hills").status_code == 200


def test_a_key_does_not_set_a_password(desk: Desk) -> None:
    """Whoever has the key of an account without a password does not get in for good by it."""
    response = desk.post("/v1/password", {"old": "", "new": "far over the hills"}, desk.keys["ben"])
    assert response.status_code == 422
    assert "ask an administrator for an invitation" in response.text


def test_a_key_cannot_log_out(desk: Desk) -> None:
    """But it ends the logins of its account."""
    token = desk.tokens()["access_token"]
    assert desk.post("/v1/logout", {}, desk.keys["anna"]).status_code == 422
    assert desk.me(token).status_code == 200
    assert desk.post("/v1/logout", {"everywhere": True}, desk.keys["anna"]).status_code == 204
    assert desk.me(token).status_code == 401
    assert desk.post("/v1/logout", {}).status_code == 422


def test_old_credentials_keep_nobody_from_logging_in(desk: Desk) -> None:
    """A client that sends a token which is over, beside a password or a refresh token."""
    tokens = desk.tokens()
    desk.clock.move(seconds=900)
    old = tokens["access_token"]
    assert desk.post("/v1/login", {"name": "anna", "password": PASSWORD}, old).status_code == 200
    body = {"refresh_token": tokens["refresh_token"], "request": "r1"}
    assert desk.post("/v1/login/refresh", body, old).status_code == 200


def test_logging_out_twice_is_fine(desk: Desk) -> None:
    """With the refresh token, whether it was used or not."""
    first = desk.tokens()
    second = desk.refresh(first["refresh_token"], "r1").json()
    for tokens in (first, second, second):
        assert desk.post("/v1/logout", {"refresh_token": tokens["refresh_token"]}).status_code == 204
    assert desk.me(second["access_token"]).status_code == 401
    assert desk.service.logins.of("anna")[0].reason == "logged out"


def test_a_disabled_account_does_not_refresh(desk: Desk) -> None:
    """It is let in again when it is enabled, as with its key."""
    tokens = desk.tokens()
    desk.service.accounts.disable("anna")
    assert desk.refresh(tokens["refresh_token"], "r").status_code == 401
    desk.service.accounts.enable("anna")
    assert desk.refresh(tokens["refresh_token"], "r").status_code == 200


def test_a_database_that_was_copied_back(desk: Desk) -> None:
    """A login whose row says that it is over is over, whatever its tokens say."""
    tokens = desk.tokens()
    table = desk.service.store.table("_login")
    past = desk.clock.now - timedelta(seconds=1)
    desk.service.store.write(lambda connection: connection.execute(update(table).values(expires=past)))
    desk.service.accounts.changed()
    assert desk.me(tokens["access_token"]).status_code == 401
    assert desk.refresh(tokens["refresh_token"], "r").status_code == 401
