"""No password and no token is in a repr, a log, an error or a traceback, even one that shows locals."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import respx
from fake_logins import PASSWORD, URL, LoginDesk
from rich.console import Console
from rich.traceback import Traceback

import callsheet
from callsheet import Session
from callsheet.errors import CallsheetError
from callsheet.secret import Secret

TOKENS = {
    "access_token": "the-access-of-this-test",
    "expires_in": 600,
    "refresh_token": "the-refresh-of-this-test",
    "refresh_expires_in": 86400,
    "account": "anna",
}
HIDDEN = (PASSWORD, "the-access-of-this-test", "the-refresh-of-this-test")


def shown(action: Callable[[], Any]) -> str:
    """The traceback of what an action raises, with all locals but those of the test itself."""
    try:
        action()
    except CallsheetError as error:
        trace = error.__traceback__
        # The frames of the test have the password: it is theirs.
        while trace is not None and "/callsheet/" not in trace.tb_frame.f_code.co_filename.replace("\\", "/"):
            trace = trace.tb_next
        assert trace is not None
        console = Console(file=io.StringIO(), width=300)
        console.print(Traceback.from_exception(type(error), error, trace, show_locals=True, locals_max_string=10_000))
        return console.file.getvalue() + str(error) + repr(error)  # type: ignore[attr-defined]
    raise AssertionError("nothing was raised")


ANSWERS = {
    "refused": httpx.Response(401, json={"error": {"kind": "unauthorised", "message": "wrong"}}),
    "crowded": httpx.Response(
        429, json={"error": {"kind": "unavailable", "message": "x"}}, headers={"retry-after": "9"}
    ),
    "broken": httpx.Response(500, content=b"broken"),
    "not the whole answer": httpx.Response(200, json=TOKENS),
    "no JSON": httpx.Response(200, content=b"the-access-of-this-test", headers={"content-type": "text/html"}),
    "odd numbers": httpx.Response(200, json={**TOKENS, "session_id": "s", "expires_in": "soon"}),
    "lost": httpx.ReadError("lost"),
    "no connection": httpx.ConnectError("refused"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_a_failed_login_shows_nothing(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the server answers, and if it does not."""
    with respx.mock() as router, caplog.at_level(logging.DEBUG):
        router.post(f"{URL}/v1/login").mock(
            **{"side_effect" if isinstance(answer, Exception) else "return_value": answer}
        )
        text = shown(lambda: callsheet.login_with_password(URL, "anna", PASSWORD, retries=0, verbose=True))
    assert "login" in text
    for secret in HIDDEN:
        assert secret not in text
        assert secret not in caplog.text


def test_wrong_arguments_show_nothing(desk: LoginDesk) -> None:
    """The password is among them."""
    for wrong in (("anna", "x", PASSWORD), (PASSWORD,)):
        assert PASSWORD not in shown(lambda wrong=wrong: callsheet.login_with_password(URL, *wrong))


def test_a_failed_renewal_shows_nothing(desk: LoginDesk, caplog: pytest.LogCaptureFixture) -> None:
    """Nor does a failed request after it, nor what a verbose session logs."""
    with caplog.at_level(logging.DEBUG), callsheet.login_with_password(URL, "anna", PASSWORD, verbose=True) as session:
        tokens = session._login.tokens
        desk.families[0].ended = True
        desk.expire()
        text = shown(lambda: session.query("Project").all())
    for secret in (PASSWORD, tokens.access.reveal(), tokens.refresh.reveal()):
        assert secret not in text
        assert secret not in caplog.text


def test_reprs_show_nothing(desk: LoginDesk) -> None:
    """Of the session, its connection, its transport, its login and its tokens."""
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session:
        tokens = session._login.tokens
        things = [session, session._connection, session.api_client, session._login, tokens, session.fork()]
        text = " ".join(map(repr, things))
        for secret in (PASSWORD, tokens.access.reveal(), tokens.refresh.reveal()):
            assert secret not in text
        assert "anna" in text


def test_a_wrong_passphrase_is_not_shown(desk: LoginDesk) -> None:
    """Nor the login that it does not open."""
    with callsheet.login_with_password(URL, "anna", PASSWORD) as session:
        token = session.access_token or ""
        text = session.serialize(include_token=True, passphrase="a phrase that opens")
    found = shown(lambda: Session.deserialize(text, passphrase="another phrase"))
    assert "another phrase" not in found
    assert token not in found


def test_a_secret_is_not_pickled() -> None:
    """Its text is read by `reveal` alone."""
    import pickle

    with pytest.raises(TypeError, match="a secret is not pickled"):
        pickle.dumps(Secret("x"))
    assert repr([Secret("x")]) == "[Secret(…)]"
