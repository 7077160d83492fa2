"""A login is kept under a name, for scripts and commands, and for several processes at once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from fake_logins import PASSWORD, URL, LoginDesk

import callsheet
from callsheet import Session
from callsheet.credentials import system_keyring
from callsheet.credentials.profiles import Profile, Profiles
from callsheet.errors import StorageError, Unauthorised, UsageError
from callsheet.secret import Secret


def kept(url: str, name: str = "studio") -> Profiles:
    """The profiles of this test, with a new login of anna."""
    profiles = Profiles()
    with callsheet.login_with_password(url, "anna", PASSWORD) as session:
        tokens = session._login.tokens
    profiles.keep(Profile(name, url, "anna"), tokens)
    return profiles


def stored(profiles: Profiles, name: str = "studio") -> dict[str, Any]:
    """What the file of a profile's login holds."""
    found: dict[str, Any] = json.loads((profiles.folder / f"{name}.tokens.json").read_text())
    return found


def test_a_session_of_a_profile_costs_no_request_of_its_own(desk: LoginDesk) -> None:
    """While the token is valid, opening it costs the description, as with a key; nothing is sent before."""
    kept(URL)
    desk.seen.clear()
    with Session(profile="studio") as session:
        assert desk.paths == {"/v1/description": 1}
        assert session.url == URL
        session.query("Project").all()
        assert desk.paths == {"/v1/description": 1, "/v1/select": 1}


def test_the_variable_names_a_profile(desk: LoginDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It wins over the address in the environment; an address or a key in the code wins over it."""
    kept(URL)
    monkeypatch.setenv("CALLSHEET_PROFILE", "studio")
    monkeypatch.setenv("CALLSHEET_SERVER", "https://elsewhere.test")
    with Session() as session:
        assert session.api_user == "admin"
        assert session.url == URL
    assert Session("memory:").url == "memory:"
    assert Session(api_key="cs_key").url == "https://elsewhere.test"


def test_the_default_profile_is_used_where_nothing_names_a_server(
    desk: LoginDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the environment names one, it is not."""
    kept(URL, "default")
    with Session() as session:
        assert session.url == URL
    monkeypatch.setenv("CALLSHEET_SERVER", "https://elsewhere.test")
    assert Session(api_key="cs_key").url == "https://elsewhere.test"


def test_an_expired_profile_is_renewed_for_the_next_session(desk: LoginDesk) -> None:
    """The new tokens are kept; the next session needs no renewal."""
    profiles = kept(URL)
    keeper = profiles.keeper(profiles.read("studio"))
    keeper.write(evolve(keeper.read(), expires=1.0))
    desk.expire()
    desk.seen.clear()
    for _ in range(2):
        with Session(profile="studio") as session:
            session.query("Project").all()
    assert desk.paths["/v1/login/refresh"] == 1
    assert stored(profiles)["request"] == ""


def test_the_id_of_a_renewal_is_on_disk_before_it_is_sent(desk: LoginDesk) -> None:
    """So a process that dies meanwhile does not look like a thief to the next one."""
    profiles = kept(URL)
    desk.expire()
    desk.lose = 1
    with pytest.raises(callsheet.TransportError), Session(profile="studio", retries=0) as session:
        session.open()
    sent = json.loads(desk.seen[-1].content)
    assert stored(profiles)["request"] == sent["request"]
    assert stored(profiles)["refresh"] == sent["refresh_token"]
    with Session(profile="studio", retries=0) as session:
        assert session.query("Project").all() == []
    assert not desk.families[-1].ended


def test_two_sessions_that_renew_one_login_at_the_same_moment_both_go_on(desk: LoginDesk) -> None:
    """Both send the same request, and the server answers both before either has stored the answer."""
    profiles = kept(URL)
    sessions = [Session(profile="studio") for _ in range(2)]
    desk.expire()
    desk.together = threading.Barrier(2)
    failures: list[BaseException] = []

    def work(session: Session) -> None:
        try:
            session.query("Project").all()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(session,)) for session in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []
    assert desk.paths["/v1/login/refresh"] == 2
    bodies = {request.content for request in desk.seen if request.url.path == "/v1/login/refresh"}
    assert len(bodies) == 1
    assert not desk.families[-1].ended
    assert sessions[0].access_token == sessions[1].access_token == stored(profiles)["access"]
    for session in sessions:
        session.close()


def test_an_answer_that_comes_late_does_not_replace_newer_tokens(desk: LoginDesk) -> None:
    """The store keeps the newest, and the late process uses them."""
    profiles = kept(URL)
    keeper = profiles.keeper(profiles.read("studio"))
    first = keeper.read()
    second, third = evolve(first, refresh=Secret("r2")), evolve(first, refresh=Secret("r3"))
    assert keeper.finish(first, second) == second
    assert keeper.finish(second, third) == third
    assert keeper.finish(first, second) == third
    assert keeper.read() == third


RACE = """
import sys, time
from attrs import evolve
from callsheet import Session
with Session(profile="studio") as session:
    login = session._login
    seen = set()
    for _ in range(int(sys.argv[1])):
        login.tokens = evolve(login.tokens, expires=0.0)
        session.query("Project").all()
        seen.add(login.access.reveal())
    print(len(seen))
"""


def test_processes_with_one_profile_renew_it_without_ending_it(place: Any) -> None:
    """Two processes renew it as often as they can, against a real server; the login is alive afterwards."""
    profiles = kept(place.url)
    run = [sys.executable, "-c", RACE, "12"]
    processes = [subprocess.Popen(run, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    ends = [process.communicate(timeout=250) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], ends
    assert all(int(out) >= 6 for out, _ in ends)
    with Session(profile="studio") as session:
        assert session.logged_in()
    assert stored(profiles)["account"] == "anna"


def test_a_logout_removes_the_login_for_all_processes(desk: LoginDesk) -> None:
    """The profile keeps the address, and says how to log in again."""
    profiles = kept(URL)
    with Session(profile="studio") as session:
        session.logout()
    assert not (profiles.folder / "studio.tokens.json").exists()
    assert desk.families[-1].ended
    with pytest.raises(UsageError, match="profile `studio` is logged out; log in again: `callsheet login --profile s"):
        Session(profile="studio")


def test_a_profile_that_is_logged_out_meanwhile_does_not_come_back(desk: LoginDesk) -> None:
    """Another process that renews it at that moment stores nothing."""
    profiles = kept(URL)
    session = Session(profile="studio")
    session.open()
    profiles.keeper(profiles.read("studio")).forget()
    desk.expire()
    session.query("Project").all()
    session.close()
    assert not (profiles.folder / "studio.tokens.json").exists()


@pytest.mark.skipif(os.name != "posix", reason="modes of files are POSIX's")
def test_only_the_owner_can_read_a_login(desk: LoginDesk) -> None:
    """Files are 0600, folders 0700, whatever the umask; a login that others can read is refused."""
    before = os.umask(0)
    try:
        profiles = kept(URL)
    finally:
        os.umask(before)
    assert oct(profiles.folder.stat().st_mode & 0o777) == "0o700"
    for path in profiles.folder.iterdir():
        assert oct(path.stat().st_mode & 0o777) == "0o600", path
    (profiles.folder / "studio.tokens.json").chmod(0o640)
    with pytest.raises(StorageError, match=r"others can read the login in .*studio.tokens.json: log in again"):
        Session(profile="studio")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"version": 1, "access": 3}', b'{"version": 2}'])
def test_a_damaged_login_says_how_to_replace_it(desk: LoginDesk, content: bytes) -> None:
    """Whatever is in the file; the file of the address too."""
    profiles = kept(URL)
    (profiles.folder / "studio.tokens.json").write_bytes(content)
    with pytest.raises(StorageError, match="the login kept for profile `studio` is damaged; log in again"):
        Session(profile="studio")
    (profiles.folder / "studio.json").write_bytes(content)
    with pytest.raises(StorageError, match="studio"):
        Session(profile="studio")


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 65, "studio.tokens"])
def test_a_profile_has_a_plain_name(name: str) -> None:
    """It is the name of a file."""
    with pytest.raises(UsageError, match="cannot be the name of a profile"):
        Session(profile=name)


def test_wrong_uses_of_a_profile(desk: LoginDesk) -> None:
    """Each error names what contradicts it, or what is meant."""
    kept(URL)
    with pytest.raises(UsageError, match="there is no profile `stduio`; did you mean `studio`"):
        Session(profile="stduio")
    with pytest.raises(UsageError, match="give `profile` or `server_url`, not both"):
        Session(URL, profile="studio")
    with pytest.raises(UsageError, match="give `profile` or `api_key`, not both"):
        Session(api_key="k", profile="studio")
    with pytest.raises(UsageError, match="profile `studio` is the login of anna, not of ben"):
        Session(api_user="ben", profile="studio")
    with pytest.raises(UsageError, match="`profile` is the name of a profile"):
        Session(profile=3)  # type: ignore[arg-type]


class FakeKeyring:
    """A keyring in memory; ``locked`` keeps nothing."""

    priority = 5

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise RuntimeError("locked")
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.entries[service, username]


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> FakeKeyring:
    """The system's keyring, as far as this process knows."""
    made = FakeKeyring()
    monkeypatch.setattr(system_keyring, "_backend", lambda: made)
    return made


def test_a_keyring_keeps_the_login(desk: LoginDesk, keyring: FakeKeyring) -> None:
    """No file has it then; it is renewed there, and removed from there."""
    profiles = kept(URL)
    assert profiles.read("studio").tokens == "keyring"
    assert not (profiles.folder / "studio.tokens.json").exists()
    ((service, _),) = keyring.entries
    assert service == "callsheet"
    desk.expire()
    with Session(profile="studio") as session:
        session.query("Project").all()
        assert session.access_token in next(iter(keyring.entries.values()))
        session.logout()
    assert keyring.entries == {}


def test_a_keyring_that_keeps_nothing_is_replaced_by_a_file(desk: LoginDesk, keyring: FakeKeyring) -> None:
    """Logging in works all the same."""
    keyring.locked = True
    profiles = kept(URL)
    assert profiles.read("studio").tokens == "file"
    with Session(profile="studio") as session:
        assert session.query("Project").all() == []


def test_a_password_comes_from_the_keyring(desk: LoginDesk, keyring: FakeKeyring) -> None:
    """From the entry of the user under the server's address, after the environment and before the callback."""
    keyring.entries[URL, "anna"] = PASSWORD
    callsheet.login(URL, "anna", ask=lambda prompt: pytest.fail("not asked")).close()
    keyring.entries[URL, "anna"] = "wrong"
    with pytest.raises(Unauthorised):
        callsheet.login(URL, "anna")


def test_backends_of_the_keyring_package_that_keep_nothing_are_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package has two: one that fails, and one that forgets."""
    import keyring
    from keyring.backends import fail, null

    for backend in (fail.Keyring(), null.Keyring()):
        monkeypatch.setattr(keyring, "get_keyring", lambda backend=backend: backend)
        assert not system_keyring.is_there()
        assert system_keyring.password("service", "entry") is None


def test_profiles_are_listed_by_name(desk: LoginDesk, tmp_path: Path) -> None:
    """Files that are no profiles are not."""
    profiles = kept(URL, "b")
    kept(URL, "a")
    (profiles.folder / "note.txt").write_text("x")
    assert profiles.names() == ["a", "b"]
    profiles.remove("a")
    assert profiles.names() == ["b"]
