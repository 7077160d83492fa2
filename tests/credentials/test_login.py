"""A name and a password become a session, which stays logged in."""

from __future__ import annotations

import threading
import time

import httpx
import pytest
import respx
from attrs import evolve
from fake_logins import PASSWORD, URL, LoginDesk

import callsheet
from callsheet.errors import Disconnected, Unauthorised, Unavailable, UsageError


def test_a_session_is_open_after_login_with_password(desk: LoginDesk) -> None:
    """It needs two requests, the login and the description, and the password is sent once."""
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session:
        assert desk.paths == {"/v1/login": 1, "/v1/description": 1}
        session.create("Project", {"name": "sintel"})
        session.commit()
        assert session.query("Project").one()["name"] == "sintel"
    assert [PASSWORD in request.content.decode() for request in desk.seen].count(True) == 1
    assert "authorization" not in desk.seen[0].headers


def test_a_wrong_password_is_sent_once(desk: LoginDesk) -> None:
    """The error names the account and the server; nothing is tried again, so no account is locked by one mistake."""
    with pytest.raises(Unauthorised, match=r"anna cannot log in to https://callsheet.test: the name or the password"):
        callsheet.login_with_password(URL, "anna", "wrong")
    assert desk.paths == {"/v1/login": 1}


def test_a_password_has_four_places_before_the_prompt(desk: LoginDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument is first, then the variable, then the callback."""
    asked = []

    def ask(prompt: str) -> str:
        asked.append(prompt)
        return PASSWORD

    callsheet.login(URL, "anna", ask=ask).close()
    assert asked == ["Enter your password: "]
    monkeypatch.setenv("CALLSHEET_PASSWORD", PASSWORD)
    callsheet.login(URL, "anna", ask=ask).close()
    assert len(asked) == 1
    monkeypatch.setenv("CALLSHEET_PASSWORD", "wrong")
    callsheet.login(URL, "anna", password=PASSWORD, ask=ask).close()
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((URL,), r"`login\(url, user\)`"),
        ((URL, "a", "b"), r"`login\(url, user\)`"),
        ((URL, " "), "`user` is a text that is not empty"),
        (("anna", URL), "the address comes first"),
        (("memory:", "anna"), "is no server to log in to"),
    ],
)
def test_wrong_arguments_of_a_login(arguments: tuple[str, ...], text: str, desk: LoginDesk) -> None:
    """The error says how to call it; nothing is sent."""
    with pytest.raises(UsageError, match=text):
        callsheet.login(*arguments, password=PASSWORD)
    assert desk.seen == []


def test_an_empty_password_is_not_sent(desk: LoginDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It cannot be right, and would count as a failed attempt."""
    monkeypatch.setenv("CALLSHEET_PASSWORD", "")
    with pytest.raises(UsageError, match="the password is empty: CALLSHEET_PASSWORD; nothing was sent"):
        callsheet.login(URL, "anna")
    assert desk.seen == []


def test_tokens_that_expire_soon_are_renewed_with_the_next_request(desk: LoginDesk) -> None:
    """Both are under way at once: the server answers the renewal when it has the request. One renewal is enough."""
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session:
        login = session._connection.login
        old = login.access
        login.tokens = evolve(login.tokens, expires=time.time() + 30)
        desk.renews_after = "/v1/select"
        session.query("Project").all()
        assert login.access != old
        session.query("Project").all()
    assert desk.paths["/v1/login/refresh"] == 1
    selects = [request.headers["authorization"] for request in desk.seen if request.url.path == "/v1/select"]
    assert selects[0] == f"Bearer {old.reveal()}"
    assert selects[1] == f"Bearer {login.access.reveal()}"


def test_an_expired_token_is_renewed_before_the_request(desk: LoginDesk) -> None:
    """Threads that notice it together renew it once, and a commit is done once."""
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session:
        forks = [session.fork() for _ in range(8)]
        login = session._connection.login
        login.tokens = evolve(login.tokens, expires=time.time() - 1)
        desk.expire()
        begin = threading.Barrier(8)

        def work(fork: callsheet.Session, number: int) -> None:
            begin.wait()
            fork.create("Project", {"name": f"p{number}"})
            fork.commit()

        threads = [threading.Thread(target=work, args=(fork, number)) for number, fork in enumerate(forks)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(project["name"] for project in session.query("Project")) == [f"p{n}" for n in range(8)]
    assert desk.paths["/v1/login/refresh"] == 1


def test_a_commit_that_finds_its_token_expired_is_done_once(desk: LoginDesk) -> None:
    """The server refuses the token, which has had no effect; the token is renewed, and the commit sent again."""
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session:
        session.create("Project", {"name": "sintel"})
        desk.expire()
        session.commit()
        assert [project["name"] for project in session.query("Project")] == ["sintel"]
    commits = [request.url.path for request in desk.seen if request.url.path.startswith("/v1/commits/")]
    assert len(commits) == 2
    assert len(set(commits)) == 1
    assert desk.paths["/v1/login/refresh"] == 1


def test_a_lost_answer_to_a_renewal_does_not_end_the_login(desk: LoginDesk) -> None:
    """The same token is sent again with the same request id, and gets the same answer."""
    with callsheet.login_with_password(URL, "anna", PASSWORD, retries=0) as session:
        desk.expire()
        desk.lose = 1
        with pytest.raises(Disconnected):
            session.query("Project").all()
        assert session.query("Project").all() == []
    assert not desk.families[0].ended
    bodies = [request.content for request in desk.seen if request.url.path == "/v1/login/refresh"]
    assert len(bodies) == 2
    assert len(set(bodies)) == 1


def test_a_login_that_the_server_ended_says_how_to_go_on(desk: LoginDesk) -> None:
    """The request is refused with the reason and the cure."""
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session:
        desk.families[0].ended = True
        desk.expire()
        with pytest.raises(Unauthorised, match=r"the login of anna has ended \(there is no such login\); log in again"):
            session.query("Project").all()


def test_a_server_that_is_away_does_not_end_a_valid_login(desk: LoginDesk) -> None:
    """A renewal in advance that fails is tried again later; requests go on with the valid token."""
    with callsheet.login_with_password(URL, "anna", PASSWORD, retries=0) as session:
        login = session._connection.login
        login.tokens = evolve(login.tokens, expires=time.time() + 30)
        desk.lose = 1
        assert session.query("Project").all() == []
        assert session.query("Project").all() == []
    assert desk.paths["/v1/login/refresh"] == 1


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])
async def test_tasks_renew_an_expired_token_once(desk: LoginDesk, anyio_backend: str) -> None:
    """Under asyncio and under trio; the login function is awaited."""
    import anyio

    async def ask(prompt: str) -> str:
        await anyio.sleep(0)
        return PASSWORD

    session = await callsheet.login_async(URL, "anna", ask=ask)
    async with session:
        forks = [session.fork() for _ in range(8)]
        desk.expire()
        async with anyio.create_task_group() as group:
            for fork in forks:
                group.start_soon(fork.query("Project").all)
    assert desk.paths["/v1/login/refresh"] == 1


@pytest.mark.anyio
async def test_a_task_renews_in_advance_with_its_request(desk: LoginDesk) -> None:
    """As a blocking session does."""
    session = await callsheet.login_with_password_async(URL, "anna", PASSWORD)
    async with session:
        login = session._connection.login
        old = login.access
        login.tokens = evolve(login.tokens, expires=time.time() + 30)
        await session.query("Project").all()
        assert login.access != old
    assert desk.paths["/v1/login/refresh"] == 1


def test_too_many_attempts_are_not_repeated(desk: LoginDesk) -> None:
    """The error says when a person may try again; Callsheet neither waits nor repeats a password by itself."""
    desk.crowded = True
    with pytest.raises(Unavailable, match=r"^too many attempts; try again in 60 s$") as refused:
        callsheet.login_with_password(URL, "anna", "wrong")
    assert desk.paths == {"/v1/login": 1}
    assert refused.value.retry_after == 60


def test_a_proxy_that_limits_requests_says_when_to_try_again() -> None:
    """Its answer is not the server's; the time to wait is in the message, once."""
    with respx.mock() as router:
        answer = httpx.Response(429, text="slow down", headers={"retry-after": "17"})
        router.post(f"{URL}/v1/login").mock(return_value=answer)
        with pytest.raises(Unavailable, match=r"^refused on the way .*slow down; try again in 17 s$") as refused:
            callsheet.login_with_password(URL, "anna", PASSWORD)
    assert refused.value.retry_after == 17
