"""Timers: one for each user; stopped, one becomes a time log of exactly so many seconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from callsheet import Session
from callsheet.errors import NoResult, StateError
from callsheet.flow import Request, Response
from callsheet.production.timers import seconds_between
from callsheet.server.service import Service
from dialects.embedded import Direct, session_over
from production.making import again, make_task, make_user

NINE = datetime(2026, 5, 4, 9, tzinfo=UTC)


def test_a_timer_becomes_a_time_log(session: Session) -> None:
    """What was started two hours ago has lasted two hours; the timer is gone, what it was about stays."""
    user, task = make_user(session), make_task(session)
    timer = user.start_timer(task, "keying", name="comp")
    timer["start"] = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
    session.commit()
    assert session.fork().query(f'Timer where user.id is "{user["id"]}"').count() == 1

    log = user.stop_timer()
    session.commit()
    assert 7200 <= log["duration"] <= 7260
    assert log["duration"] == int(log["duration"])
    found = again(session, log)
    assert (found["comment"], found["name"], found["context"]["id"]) == ("keying", "comp", task["id"])
    assert found["start"] == log["start"]
    assert session.fork().query(f'Timer where user.id is "{user["id"]}"').count() == 0


def test_a_second_timer_is_refused(session: Session) -> None:
    """One user, one timer, whether the first is committed or not; nothing is recorded then."""
    user = make_user(session)
    user.start_timer(comment="first")
    with pytest.raises(StateError, match="is running since"):
        user.start_timer(comment="second")
    session.commit()
    with pytest.raises(StateError, match="force=True"):
        user.start_timer(comment="second")
    assert session.pending == ()


def test_force_logs_the_running_one(session: Session) -> None:
    """With force the first timer becomes a time log and the second runs, in one commit."""
    user = make_user(session)
    user.start_timer(comment="first")
    session.commit()
    user.start_timer(comment="second", force=True)
    session.commit()
    fresh = session.fork()
    assert [timer["comment"] for timer in fresh.query(f'Timer where user.id is "{user["id"]}"')] == ["second"]
    assert [log["comment"] for log in fresh.query(f'Timelog where user.id is "{user["id"]}"')] == ["first"]


def test_nothing_runs(session: Session) -> None:
    """Stopping what does not run says so."""
    with pytest.raises(NoResult, match="start_timer"):
        make_user(session).stop_timer()


def test_stopping_before_the_commit(either: Session) -> None:
    """A timer that was never sent becomes a time log too, and is never sent."""
    user = make_user(either)
    user.start_timer(comment="short")
    log = user.stop_timer()
    assert [operation.identity.entity_type for operation in either.pending] == ["Timelog"]
    assert 0 <= log["duration"] < 60
    either.rollback()


def test_starting_commits_nothing(either: Session) -> None:
    """What else is pending stays pending."""
    user, task = make_user(either), make_task(either)
    task["name"] = "other"
    user.start_timer(task)
    assert len(either.pending) == 2
    either.rollback()
    assert task["name"] == "comp"


def test_seconds_are_those_that_passed() -> None:
    """Whole seconds, in whatever zones the two times are told; never less than none."""
    stockholm = timezone(timedelta(hours=2))
    assert seconds_between(NINE, NINE + timedelta(seconds=59.9)) == 59
    assert seconds_between(NINE, datetime(2026, 5, 4, 12, tzinfo=stockholm)) == 3600
    assert seconds_between(NINE, datetime(2026, 5, 6, 9, 0, 1, tzinfo=UTC)) == 2 * 86400 + 1
    assert seconds_between(NINE, NINE - timedelta(seconds=5)) == 0


def test_local_times_of_a_server_without_zones() -> None:
    """A server that tells local times is compared with the local time."""
    now = datetime.now().astimezone()
    told = (now - timedelta(seconds=90)).replace(tzinfo=UTC)
    assert seconds_between(told, now, local=True) == 90


class Zoneless(Direct):
    """A server that has no time zones, and says so."""

    def send(self, request: Request) -> Response:
        answer = super().send(request)
        content = answer.content.replace(b'"is_timezone_support_enabled":true', b'"is_timezone_support_enabled":false')
        return Response(answer.status, content, answer.headers)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="this system's zone cannot be changed")
@pytest.mark.parametrize("zone", ["UTC", "Etc/GMT-5", "Etc/GMT+8"])
def test_timers_on_a_server_without_zones(vendor_service: Service, monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    """The timer starts at the local time, and what is logged is how long it ran, wherever the user is."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        with session_over(Zoneless(vendor_service)) as session:
            user, before = make_user(session), datetime.now().replace(microsecond=0)
            timer = user.start_timer(comment="local")
            assert before <= timer["start"].replace(tzinfo=None) <= before + timedelta(minutes=1)
            timer["start"] -= timedelta(hours=2)
            session.commit()
            assert 7200 <= user.stop_timer()["duration"] <= 7260
            session.commit()
    finally:
        monkeypatch.undo()
        time.tzset()


def test_the_server_keeps_one_timer_for_each_user(vendor: Session, wire: Direct) -> None:
    """Two sessions at the same moment: the second commit is refused, so nobody has two timers."""
    user = make_user(vendor)
    other = vendor.fork()
    user.start_timer(comment="mine")
    other.get("User", user["id"]).start_timer(comment="theirs")
    vendor.commit()
    from callsheet.errors import CommitError

    with pytest.raises(CommitError, match="exists already"):
        other.commit()
