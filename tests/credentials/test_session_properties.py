"""What a session says of its server, its account and its login; over the wire and in one process."""

from __future__ import annotations

import copy
import logging
import pickle
import webbrowser
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError
from fake_logins import PASSWORD

import callsheet
from callsheet import Session
from callsheet.errors import Unauthorised, UsageError
from callsheet.flow import Request


@pytest.fixture
def session(place: Any) -> Iterator[Session]:
    """Anna's session."""
    with callsheet.login_with_password(place.url, "anna", PASSWORD, name="mine") as session:
        yield session


def test_a_session_has_its_address_name_and_login(session: Session, place: Any) -> None:
    """Under the names of both texts."""
    assert session.url == session.base_url == place.url
    assert session.name == "mine"
    assert repr(session) == f"<Session 'mine' {place.url}>"
    assert session.access_token is not None
    assert session.access_token.count(".") == 2
    assert len(session.session_id or "") >= 16


def test_the_user_is_a_frozen_object(session: Session) -> None:
    """User name, first name, surname, email address. The server is asked once."""
    before = session.statistics.requests
    user = session.user
    assert (user.username, user.first_name, user.surname, user.email_address) == (
        "anna",
        "Anna",
        "Berg",
        "anna@example.org",
    )
    assert session.user is user
    assert session.statistics.requests == before + 1
    with pytest.raises(FrozenInstanceError):
        user.surname = "x"  # type: ignore[misc]


def test_the_system_is_a_frozen_object(session: Session) -> None:
    """Name, description, build date, view name."""
    info = session.system_info
    assert info.name == "callsheet"
    assert info.description
    assert isinstance(info.build_date, datetime)
    assert info.build_date.tzinfo is not None
    assert isinstance(info.view_name, str)
    with pytest.raises(FrozenInstanceError):
        info.name = "x"  # type: ignore[misc]


def test_the_current_user_is_the_live_entity(session: Session) -> None:
    """It is the one of the identity map, and is fetched once."""
    user = session.current_user
    assert user["username"] == "anna"
    before = session.statistics.requests
    assert session.current_user is user
    assert session.query('User where username is "anna"').one() is user
    assert session.statistics.requests == before + 1


def test_logged_in_asks_the_server_each_time(session: Session, place: Any) -> None:
    """It is not what was true once: after the login was ended elsewhere, it is False."""
    assert session.logged_in() is True
    before = session.statistics.requests
    assert session.logged_in() is True
    assert session.statistics.requests == before + 1
    with callsheet.login_with_password(place.url, "anna", PASSWORD) as other:
        other.logout(everywhere=True)
    assert session.logged_in() is False
    assert session.current_user is None


def test_logout_ends_the_login_for_the_session_and_its_forks(session: Session) -> None:
    """The old token is refused by the server, and the session does not send it any more."""
    token, fork = session.access_token, session.fork()
    session.logout()
    assert session.access_token is None
    for each in (session, fork):
        with pytest.raises(Unauthorised, match="this session has logged out; log in again"):
            each.query("Project").all()
    with pytest.raises(Unauthorised), Session(session.url, api_key=token) as thief:
        thief.query("Project").all()


def test_a_key_has_no_login_to_end(place: Any) -> None:
    """`logout` says so; the properties of a login are None, and `logged_in` answers."""
    with Session(place.url, "admin", place.key) as session:
        assert session.access_token is None
        assert session.session_id is None
        assert session.logged_in() is True
        with pytest.raises(UsageError, match="this session has no login that could end: it acts by an API key"):
            session.logout()


def test_ping_returns_the_times_and_prints_their_average(session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    """As many requests as pings, five unless a number is given; the times are in seconds."""
    before = session.statistics.requests
    times = session.ping(3)
    assert session.statistics.requests == before + 3
    assert len(times) == 3
    assert all(0 < seconds < 30 for seconds in times)
    assert times.fastest <= times.median <= times.slowest
    assert times.average == pytest.approx(sum(times) / 3)
    assert capsys.readouterr().out == f"{times}\n"
    assert str(times).startswith("3 pings took ")
    assert len(session.ping()) == 5


@pytest.mark.parametrize("num", [0, -1, True, 1.5, 1_001])
def test_a_ping_needs_a_count(session: Session, num: Any) -> None:
    """Anything else is refused before a request."""
    with pytest.raises(UsageError, match="`num` is a count of pings from 1 to 1,000"):
        session.ping(num)


def test_a_page_is_opened_in_the_browser(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's, or an entity's, with a code in the fragment; the address without the code is returned."""
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) or True)
    user = session.current_user
    pages = [f"{session.url}/explorer/", f"{session.url}/explorer/e/User/{user['id']}"]
    assert [session.open_page(), session.open_page(user)] == pages
    codes = [address.partition("#code=cc_")[2] for address in opened]
    assert [address.partition("#")[0] for address in opened] == pages
    assert len(set(codes)) == 2
    assert all(len(code) == 64 for code in codes)
    with pytest.raises(UsageError, match="is not on the server yet; commit it first"):
        session.open_page(session.create("Project", {"name": "p"}))
    with pytest.raises(UsageError, match="this takes an entity, not str"):
        session.open_page("Project")
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    with pytest.raises(UsageError, match=f"no browser can be opened here; the page is {session.url}/explorer/$"):
        session.open_page()


def test_a_link_leads_to_the_page(session: Session) -> None:
    """Each time with another code; a notebook shows it as a link."""
    first, second = session.link, session.link
    assert first != second
    assert first.startswith(f"{session.url}/explorer/#code=cc_")
    assert f'href="{second}"' in second._repr_html_()


def test_a_timeout_is_set_for_one_session(session: Session) -> None:
    """A fork, made before or after, has its own; requests go on over the same connections."""
    fork = session.fork()
    session.set_timeout(7)
    fork.set_timeout(3.5)
    assert session.api_client._settings.timeouts.read == 7
    assert fork.api_client._settings.timeouts.read == 3.5
    assert session.api_client._pool is fork.api_client._pool
    assert session.query("Project").all() is not None
    for wrong in (0, -1, "5", True, float("nan")):
        with pytest.raises(UsageError, match="`timeout` is a number of seconds"):
            session.set_timeout(wrong)  # type: ignore[arg-type]


def test_a_raw_request_is_sent_by_the_api_client(session: Session) -> None:
    """With the login; the answer has its status, headers and content."""
    response = session.api_client.send(Request("GET", "/v1/me", safe=True))
    assert response.status == 200
    assert b'"anna"' in response.content


def test_a_verbose_session_logs_its_requests(place: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Method, path, status, time and sizes; no secret and no content. It can be switched on and off."""
    with callsheet.login_with_password(place.url, "anna", PASSWORD, verbose=True) as session:
        with caplog.at_level(logging.INFO, "callsheet.requests"):
            session.query('Project where name is "a hidden name"').all()
            session.verbose = False
            session.query("Project").all()
        lines = [record.getMessage() for record in caplog.records if record.name == "callsheet.requests"]
        tokens = (session.access_token or "", PASSWORD)
    selects = [line for line in lines if "select" in line]
    assert len(selects) == 1
    assert selects[0].startswith("POST /v1/select: 200 in ")
    assert selects[0].endswith(" received")
    assert not any(secret in line for line in lines for secret in (*tokens, "a hidden name"))


@pytest.mark.parametrize("make", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_session_is_not_pickled(session: Session, make: Any) -> None:
    """A pickle would hold the login; the error says what to do instead."""
    with pytest.raises(UsageError, match=r"`session.serialize\(\)`"):
        make(session)


def test_a_session_in_one_process_answers_too() -> None:
    """It has no login, no page and no time limit; the rest is as over the wire."""
    with Session("memory:", seed=True, name="here") as session:
        assert session.url == "memory:"
        assert session.access_token is None
        assert session.session_id is None
        assert session.user.username == "admin"
        assert session.system_info.name == "callsheet"
        assert session.logged_in() is True
        assert len(session.ping(2)) == 2
        session.set_timeout(5)
        session.verbose = True
        assert session.query("Project").all() == []
        with pytest.raises(UsageError, match="this session has no login"):
            session.logout()
        with pytest.raises(UsageError, match="has no web page"):
            session.open_page()
        user = session.create("User", {"username": "admin"}) if session.current_user is None else session.current_user
        session.commit()
        assert session.current_user is user


@pytest.mark.anyio
async def test_an_async_session_awaits_them(place: Any) -> None:
    """Properties that talk are awaited: ``await session.user``."""
    session = await callsheet.login_with_password_async(place.url, "anna", PASSWORD)
    async with session:
        assert (await session.user).first_name == "Anna"
        assert (await session.system_info).name == "callsheet"
        assert (await session.current_user)["username"] == "anna"
        assert await session.logged_in() is True
        assert len(await session.ping(1)) == 1
        await session.logout()
        assert await session.logged_in() is False
