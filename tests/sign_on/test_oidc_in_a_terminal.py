"""A person without a browser on the machine signs on by a code, which is entered in any browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner
from openid_desk import OpenIdDesk, Person, TestProvider, open_openid_desk

import callsheet
from callsheet.cli.commands import callsheet as commands


@pytest.fixture
def desk(provider: TestProvider) -> Iterator[OpenIdDesk]:
    provider.person()
    with open_openid_desk(provider) as opened:
        yield opened


def begun(desk: OpenIdDesk) -> dict[str, object]:
    answer = desk.person().server.post("/v1/login/device", json={})
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


def tokens(desk: OpenIdDesk, handle: object) -> httpx.Response:
    answer: httpx.Response = desk.person().server.post("/v1/login/device/tokens", json={"handle": handle})
    return answer


def test_a_code_signs_on_once(desk: OpenIdDesk) -> None:
    """Nothing until it is entered; then tokens, which are those of a login; then never again."""
    found = begun(desk)
    assert tokens(desk, found["handle"]).status_code == 202
    page = desk.person().at_provider(str(found["verification_uri_complete"]))
    assert "Sign-in Success" in page, page
    answer = tokens(desk, found["handle"])
    assert answer.status_code == 200, answer.text
    bearer = {"authorization": f"Bearer {answer.json()['access_token']}"}
    assert desk.person().server.get("/v1/me", headers=bearer).json()["account"] == "anna"
    again = tokens(desk, found["handle"])
    assert again.status_code == 401
    assert "the provider refused" in again.json()["error"]["message"]


@pytest.mark.parametrize("handle", ["", "x", "gAAAAAB" + "x" * 80, 7, None])
def test_a_handle_of_nobody_is_refused(desk: OpenIdDesk, handle: object) -> None:
    """And so is what the server sealed for another purpose: the state of a browser's sign-on."""
    assert tokens(desk, handle).status_code in (401, 422)


def test_a_seal_for_browsers_is_no_handle(desk: OpenIdDesk) -> None:
    """What the server sealed for one purpose is refused for another."""
    anna = desk.person()
    anna.begin()
    state = next(each.value for each in anna.server.cookies.jar if each.name.startswith("callsheet_sign_on_"))
    assert tokens(desk, state).status_code == 401


def test_a_code_that_nobody_enters_ends(desk: OpenIdDesk) -> None:
    """The handle with it."""
    found = begun(desk)
    desk.clock.move(minutes=11)
    answer = tokens(desk, found["handle"])
    assert answer.status_code == 401
    assert "too long" in answer.json()["error"]["message"]


def test_a_server_without_a_provider_says_so(tmp_path: Path) -> None:
    """Its people log in with a password."""
    with callsheet.serve("lab", database=f"sqlite:///{tmp_path / 'a.db'}") as server:
        with pytest.raises(callsheet.ServerError, match="no single sign-on"):
            callsheet.sign_on(server.url)
        assert httpx.get(f"{server.url}/v1/login/ways").json() == {"password": True, "oidc": None}


def test_a_session_and_the_command_sign_on(
    provider: TestProvider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a server process: `callsheet.sign_on`, and `callsheet login --sign-on`, which keeps a profile."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    provider.person()
    oidc = {
        "issuer": provider.issuer,
        "client_id": "callsheet",
        "client_secret": "the secret of callsheet",
        "roles": {"artists": "user"},
    }
    with callsheet.serve(authentication={"oidc": oidc}, database=f"sqlite:///{tmp_path / 'a.db'}") as server:
        shown: list[str] = []

        def show(address: str, code: str) -> None:
            shown.append(code)
            person = Person(None, "anna")
            with person.provider:
                assert "Sign-in Success" in person.at_provider(address)

        with callsheet.sign_on(server.url, show, wait=lambda seconds: None) as session:
            assert session.user.first_name == "Anna"
        assert re.fullmatch(r"\w{4}-\w{4}", shown[0])

        from callsheet.cli.terminal import Terminal

        said: list[str] = []

        def say(self: Terminal, text: str) -> None:
            said.append(text)
            if text.startswith("Open "):
                show(text.split()[1], text.split()[-1])

        monkeypatch.setattr(Terminal, "say", say)
        done = CliRunner().invoke(commands, ["login", server.url, "--sign-on"])
        assert done.exit_code == 0, (done.output, done.exception)
        assert said[-1].startswith(f"You are logged in to {server.url} as anna: profile `default`")
