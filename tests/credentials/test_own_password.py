"""A person changes the password of the own account; a server that is down has defined answers."""

from __future__ import annotations

import traceback
from typing import Any

import httpx
import pytest
from fake_logins import PASSWORD, URL, LoginDesk

import callsheet
from callsheet import Session
from callsheet.errors import Forbidden, Invalid, TransportError, Unauthorised, Unavailable, UsageError
from callsheet.secret import Secret

CHOSEN = "far over the hills 7"


@pytest.fixture
def ben(place: Any) -> str:
    """An account of a test's own."""
    with Session(place.url, "admin", place.key) as session:
        if all(each["name"] != "ben" for each in session.call("users.list")):
            session.call("users.add", name="ben", role="user")
        session.call("users.password", name="ben", password=PASSWORD)
    return "ben"


def test_a_password_is_changed_and_the_login_goes_on(place: Any, ben: str) -> None:
    """The account's other logins end, the old password is wrong from then on, and the new one is right."""
    with (
        callsheet.login_with_password(place.url, ben, PASSWORD) as session,
        callsheet.login_with_password(place.url, ben, PASSWORD) as other,
    ):
        assert session.change_password(PASSWORD, Secret(CHOSEN)) is None
        assert session.logged_in()
        assert not other.logged_in()
        with pytest.raises(Unauthorised, match="the name or the password is wrong"):
            callsheet.login_with_password(place.url, ben, PASSWORD)
        callsheet.login_with_password(place.url, ben, CHOSEN).close()


def test_a_wrong_or_a_weak_password_changes_nothing(place: Any, ben: str) -> None:
    """A wrong one is sent once, and the login is not taken for ended; no text is in the traceback."""
    with callsheet.login_with_password(place.url, ben, PASSWORD) as session:
        token = session.access_token
        with pytest.raises(Forbidden, match="the old password is wrong; nothing was changed") as refused:
            session.change_password("not the one 55", CHOSEN)
        shown = "".join(traceback.TracebackException.from_exception(refused.value, capture_locals=True).format())
        inside = shown[shown.index("change_password(") :] if "blocking.py" in shown else shown
        assert "blocking.py" in shown
        assert "CHOSEN" in shown
        assert CHOSEN not in inside.partition("blocking.py")[2]
        with pytest.raises(Invalid):
            session.change_password(PASSWORD, "short")
        with pytest.raises(UsageError, match="is a text, not int"):
            session.change_password(PASSWORD, 5)  # type: ignore[arg-type]
        assert session.access_token == token
        assert session.logged_in()


@pytest.mark.anyio
async def test_it_is_awaited(place: Any, ben: str) -> None:
    async with await callsheet.login_with_password_async(place.url, ben, PASSWORD) as session:
        await session.change_password(PASSWORD, CHOSEN)
        assert await session.logged_in()


def test_where_there_are_no_passwords_it_says_so() -> None:
    """In this process, and on servers whose language has no logins; such a session takes no login either."""
    with Session("memory:") as session, pytest.raises(UsageError, match="have no logins; give `api_user` and"):
        session.change_password("a", "b")
    with pytest.raises(UsageError, match=r"`ftrack` have no logins; give `api_user` and `api_key`"):
        callsheet.login(URL, "anna", dialect="ftrack", ask=lambda prompt: pytest.fail("nothing is asked"))


@pytest.mark.parametrize(
    "answer", [httpx.ConnectError("nobody"), httpx.Response(502, text="<html>"), httpx.Response(503)]
)
def test_a_server_that_is_down(desk: LoginDesk, answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """`current_user` is None and `logged_in` False, with the reason in the log, before and after opening.

    Who was found before is kept. What needs the server raises.
    """
    caplog.set_level("INFO", "callsheet")
    session = callsheet.login_with_password(URL, "anna", PASSWORD, retries=0)
    unopened = Session(URL, "anna", "a key", retries=0, schema_cache=False)
    desk.down = answer
    for each in (session, unopened):
        assert each.current_user is None
        assert each.logged_in() is False
    assert any(message.startswith("not logged in: ") for message in caplog.messages)
    assert any(message.startswith("the current user is not known: ") for message in caplog.messages)
    for talks in (lambda: session.ping(1), lambda: session.user, lambda: session.query("Project").all()):
        with pytest.raises((TransportError, Unavailable)):
            talks()
    desk.down = None
    assert session.logged_in() is True
    found = session._account_user = session.create("User", {"username": "x"})
    desk.down = answer
    assert session.current_user is found
    assert session.logged_in() is False
    session.close()
    unopened.close()
