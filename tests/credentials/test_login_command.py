"""``callsheet login``, ``logout``, ``whoami`` and ``profiles``; and every other command with ``--profile``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from click.testing import CliRunner, Result
from fake_logins import PASSWORD

from callsheet import Session
from callsheet.cli.commands import COMMANDS
from callsheet.cli.commands import callsheet as commands
from callsheet.credentials.profiles import Profiles

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """Run a command, without any variable that names a server."""

    def call(*arguments: str, given: str | None = None, **environment: str) -> Result:
        return CliRunner().invoke(commands, arguments, input=given, env={"COLUMNS": "160", **environment})

    return call


def log_in(run: Run, place: Any, *more: str) -> Result:
    return run("login", place.url, "--user", "anna", "--password-stdin", *more, given=f"{PASSWORD}\n")


def test_a_login_is_kept_and_used_by_the_next_commands(run: Run, place: Any) -> None:
    """Without any option; and by sessions without arguments. The output never has the password or a token."""
    done = log_in(run, place)
    assert done.exit_code == 0, done.output
    assert f"You are logged in to {place.url} as anna: profile `default`, kept in " in done.output
    who = run("whoami")
    assert who.exit_code == 0, who.output
    assert who.output.startswith(f"anna (Anna Berg) at {place.url}\nroles: user\n")
    assert "the token is valid until 20" in who.output
    assert run("query", "Project").exit_code == 0
    with Session() as session:
        assert session.user.username == "anna"
    listed = run("profiles")
    assert "default" in listed.output
    assert "until 20" in listed.output
    everything = done.output + who.output + listed.output
    with Session() as session:
        assert session.access_token
        assert session.access_token not in everything
    assert PASSWORD not in everything


def test_profiles_have_names(run: Run, place: Any) -> None:
    """``--profile`` and the variable choose one; a login without an address uses that of the profile."""
    assert log_in(run, place, "--profile", "studio").exit_code == 0
    assert run("whoami", "--profile", "studio").exit_code == 0
    assert run("whoami", CALLSHEET_PROFILE="studio").exit_code == 0
    before = Profiles().keeper(Profiles().read("studio")).read()
    again = run("login", "--profile", "studio", "--password-stdin", given=f"{PASSWORD}\n")
    assert again.exit_code == 0, again.output
    after = Profiles().keeper(Profiles().read("studio")).read()
    assert before is not None
    assert after is not None
    assert after.session_id != before.session_id
    with Session(place.url, "admin", place.key) as session:
        logins = {each["id"] for each in session.call("users.sessions", name="anna") if each["ended"] is None}
    assert after.session_id in logins
    assert before.session_id not in logins


def test_what_is_typed_wins_over_the_environment(run: Run, place: Any) -> None:
    """A key that is typed is used although a profile is in the environment; contradictions are refused."""
    assert log_in(run, place, "--profile", "studio").exit_code == 0
    key = ("--server", place.url, "--key", place.key)
    assert run("whoami", *key, CALLSHEET_PROFILE="studio").output.startswith("admin")
    assert (
        run("whoami", "--profile", "studio", CALLSHEET_SERVER="http://127.0.0.1:1", CALLSHEET_API_KEY="k").output[:4]
        == "anna"
    )
    refused = run("whoami", "--profile", "studio", "--key", "k")
    assert refused.exit_code == 1
    assert "`--profile` is a login; leave out `--key`" in refused.output
    elsewhere = run("whoami", "--profile", "studio", "--server", "http://127.0.0.1:1")
    assert f"profile `studio` is a login to {place.url}, not to http://127.0.0.1:1" in elsewhere.output
    assert run("whoami", "--profile", "studio", "--server", place.url).exit_code == 0


def test_a_logout_ends_the_login_and_keeps_the_address(run: Run, place: Any) -> None:
    """The next command says how to log in again; a removed profile is gone."""
    assert log_in(run, place, "--profile", "studio").exit_code == 0
    done = run("logout", "--profile", "studio")
    assert done.exit_code == 0, done.output
    assert f"anna is logged out of {place.url}." in done.output
    assert "was logged out already" in run("logout", "--profile", "studio").output
    assert "profile `studio` is logged out; log in again" in run("whoami", "--profile", "studio").output
    assert "logged out" in run("profiles").output
    assert "Profile `studio` is removed." in run("profiles", "remove", "studio").output
    assert "There are no profiles" in run("profiles").output
    assert "there is no profile `studio`" in run("logout", "--profile", "studio").output


def test_a_logout_without_the_server_says_what_remains(run: Run, place: Any) -> None:
    """The login is removed here; that it goes on at the server is not hidden."""
    assert log_in(run, place, "--profile", "studio").exit_code == 0
    profiles = Profiles()
    path = profiles.folder / "studio.json"
    path.write_text(path.read_text().replace(place.url, "http://127.0.0.1:1"))
    done = run("logout", "--profile", "studio")
    assert done.exit_code == 1
    assert "the login is removed from this machine, but the server was not reached" in done.output
    assert profiles.keeper(profiles.read("studio")).read() is None


@pytest.mark.parametrize(
    ("arguments", "given", "text"),
    [
        (("login",), "", "name the server: callsheet login https://…; there is no profile `default` yet"),
        (("login", "{url}"), "", "name your account: --user NAME"),
        (("login", "{url}", "--user", "anna", "--password-stdin"), "", "the password is empty"),
        (("login", "{url}", "--user", "anna", "--password-stdin"), "wrong\n", "anna cannot log in to {url}"),
        (("login", "{url}", "--user", "nobody", "--password-stdin"), "x\n", "nobody cannot log in to {url}"),
        (("login", "{url}", "--user", "anna"), "", "there is neither a terminal nor a display"),
        (("login", "{url}", "--profile", "../x", "--user", "a"), "", "cannot be the name of a profile"),
        (("login", "memory:", "--user", "anna", "--password-stdin"), "x\n", "`memory:` is no server to log in to"),
    ],
)
def test_a_login_that_cannot_be_says_why(run: Run, place: Any, arguments: Any, given: str, text: str) -> None:
    """One line, no profile is made, and nothing of the password is printed."""
    done = run(*(each.format(url=place.url) for each in arguments), given=given)
    assert done.exit_code == 1, done.output
    assert text.format(url=place.url) in done.output
    assert Profiles().names() == []


def test_every_command_that_talks_takes_a_profile() -> None:
    """All that take a key do; a command group shows it at its commands."""
    import click

    def leaves(command: click.Command) -> list[click.Command]:
        if isinstance(command, click.Group):
            found = [
                command.get_command(click.Context(command), name)
                for name in command.list_commands(click.Context(command))
            ]
            return [leaf for each in found if each is not None for leaf in leaves(each)]
        return [command]

    for name in COMMANDS:
        command = commands.get_command(click.Context(commands), name)
        assert command is not None
        for leaf in leaves(command):
            options = {option.name for option in leaf.params}
            assert ("profile" in options) or not ({"key", "user"} <= options), f"{name} {leaf.name}"


def test_a_copy_of_a_project_is_made_with_a_profile(run: Run, place: Any, tmp_path: Any) -> None:
    """The server's address is the profile's."""
    assert log_in(run, place, "--profile", "studio").exit_code == 0
    done = run("clone", "--profile", "studio", "--project", "none", "--database", f"sqlite:///{tmp_path / 'c.db'}")
    assert "none" in done.output
    assert done.exit_code == 1
    assert "Missing argument" not in done.output


def test_the_doctor_uses_a_profile(run: Run, place: Any) -> None:
    """It says which server it looked at."""
    assert log_in(run, place, "--profile", "studio").exit_code == 0
    done = run("doctor", "--profile", "studio")
    assert f"{place.url} answers to anna" in done.output
