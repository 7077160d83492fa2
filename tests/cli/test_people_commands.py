"""``callsheet users`` for people: their passwords, invitations and logins."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from click.testing import Result

import callsheet
from callsheet.server.process import Server

Invoke = Callable[..., Result]
PASSWORD = "a long walk home"


def login(server: Server, name: str, password: str = PASSWORD) -> dict[str, Any]:
    body = {"name": name, "password": password, "device": "a laptop"}
    response = httpx.post(f"{server.url}/v1/login", json=body)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def test_a_person_is_added(invoke: Invoke, server: Server) -> None:
    """The account has a User with these names, and standard output the key alone."""
    added = invoke("users", "add", "hanna", "--first-name", "Hanna", "--email", "hanna@example.org")
    with callsheet.Session(server.url, api_key=added.stdout.strip()) as session:
        user = session.query("User where username is hanna").one()
        assert (user["first_name"], user["last_name"], user["email"]) == ("Hanna", None, "hanna@example.org")


def test_a_password_and_logins(invoke: Invoke, server: Server) -> None:
    """Set from standard input; the logins are listed, and ended."""
    invoke("users", "add", "carl")
    result = invoke("users", "password", "carl", "--stdin", input=f"{PASSWORD}\nmore\n")
    assert result.output == "carl has a new password.\n"
    token = login(server, "carl")["access_token"]
    (row,) = [line for line in invoke("users", "sessions", "carl").output.splitlines() if "127.0.0.1" in line]
    assert "a laptop" in row
    assert "valid" in row
    assert invoke("users", "sign-out", "carl").output == "1 login of carl ended.\n"
    assert invoke("users", "sign-out", "carl").output == "0 logins of carl ended.\n"
    assert "signed out by an administrator" in invoke("users", "sessions", "carl").output
    headers = {"authorization": f"Bearer {token}"}
    assert httpx.get(f"{server.url}/v1/me", headers=headers).status_code == 401


def test_a_password_that_is_refused(invoke: Invoke) -> None:
    """The reason is said, not the password; and nothing is read from what is no terminal."""
    invoke("users", "add", "dora")
    weak = invoke("users", "password", "dora", "--stdin", input="shortPw1\n")
    assert weak.exit_code == 1
    assert "at least 10 characters" in weak.output
    assert "shortPw1" not in weak.output
    piped = invoke("users", "password", "dora", input=f"{PASSWORD}\n{PASSWORD}\n")
    assert piped.exit_code == 2
    assert "there is no terminal to type a password in; use --stdin" in " ".join(piped.output.split())
    assert "there is no account `nobody`" in invoke("users", "password", "nobody", "--stdin", input=PASSWORD).output


def invitation(invoke: Invoke, name: str) -> str:
    """The code alone is on standard output."""
    assert invoke("users", "add", name).exit_code == 0
    return invoke("users", "invite", name, "--days", "1").stdout.strip()


def test_an_invitation_is_accepted(invoke: Invoke, server: Server) -> None:
    """A person chooses a password, and logs in with it afterwards; nothing stays logged in until then."""
    code = invitation(invoke, "emil")
    said = invoke("accept", server.url, "--stdin", input=f"{code}\n{PASSWORD}\n")
    assert said.output == f"You have a password now. Log in: callsheet login {server.url} --user emil\n"
    assert "valid" not in invoke("users", "sessions", "emil").output
    assert login(server, "emil")["account"] == "emil"
    again = invoke("accept", server.url, "--stdin", input=f"{code}\n{PASSWORD}\n")
    assert again.exit_code == 1
    assert "log in with your password, or ask for another invitation" in again.output


def test_an_invitation_is_typed_in_a_terminal(invoke: Invoke, server: Server) -> None:
    piped = invoke("accept", server.url, input=PASSWORD)
    assert piped.exit_code == 2
    assert "there is no terminal to type in; use --stdin" in " ".join(piped.output.split())


def test_an_invitation_is_accepted_by_code(invoke: Invoke, server: Server) -> None:
    """The session is the account's, and open; a password that is refused leaves the invitation as it is."""
    code = invitation(invoke, "ida")
    with pytest.raises(callsheet.ServerError, match="at least 10 characters"):
        callsheet.accept_invitation(server.url, code, "short")
    with callsheet.accept_invitation(server.url, code, PASSWORD) as session:
        assert session.api_user == "ida"
        assert session.query("User where username is ida").one()["username"] == "ida"


def test_an_invitation_is_accepted_and_awaited(invoke: Invoke, server: Server) -> None:
    code = invitation(invoke, "jan")

    async def accept() -> str:
        session = await callsheet.accept_invitation_async(server.url, code, PASSWORD)
        async with session:
            return session.api_user

    assert asyncio.run(accept()) == "jan"


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_password_is_typed_unseen(invoke: Invoke, server: Server) -> None:
    """In a real terminal, twice."""
    import pty

    invoke("users", "add", "fritz")
    environment = {**os.environ, "CALLSHEET_SERVER": server.url, "CALLSHEET_API_KEY": "a key for tests"}
    process, ours = pty.fork()
    if process == 0:
        program = [sys.executable, "-c", "from callsheet.cli import main; main()", "users", "password", "fritz"]
        os.execve(sys.executable, program, environment)
    shown = b""
    for prompt in (b"Password: ", b"confirmation: "):
        while not shown.endswith(prompt):
            shown += os.read(ours, 1_000)
        os.write(ours, PASSWORD.encode() + b"\n")
    try:
        while piece := os.read(ours, 1_000):
            shown += piece
    except OSError:
        pass  # The other end was closed.
    os.close(ours)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert b"fritz has a new password." in shown
    assert PASSWORD.encode() not in shown
    assert login(server, "fritz")["account"] == "fritz"
