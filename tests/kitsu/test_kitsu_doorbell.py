"""Kitsu's events ring: an edit there comes here at once, and what rings in vain, or not at all, does no harm."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from kitsu_sync.account import KitsuAccount
from kitsu_sync.doorbell import KitsuDoorbell
from kitsu_sync.side import KitsuSide

import kitsu
from callsheet import Session
from callsheet.errors import UsageError

pytestmark = pytest.mark.proof


@pytest.fixture
def bell(side: KitsuSide, kitsu_server: Mapping[str, str]) -> Iterator[KitsuDoorbell]:
    """A bell of a new project, which has rung because it is connected now."""
    found = KitsuDoorbell(kitsu_server["KITSU_EVENTS"], side.account, side.project, side.run)
    assert found.wait(30)
    yield found
    found.close()


def add_sequence(side: KitsuSide, project: str = "") -> None:
    data = {"name": uuid4().hex}
    side.run(side.account.post(f"/data/projects/{project or side.project}/sequences", data))


def drained(bell: KitsuDoorbell) -> None:
    while bell.wait(0.5):
        pass


def test_an_edit_rings_and_one_elsewhere_does_not(bell: KitsuDoorbell, side: KitsuSide) -> None:
    """Every account is sent the events of every project; those of others are no reason to look."""
    drained(bell)
    add_sequence(side)
    assert bell.wait(20)
    drained(bell)
    other: Any = side.run(side.account.post("/data/projects", {"name": uuid4().hex}))
    drained(bell)
    add_sequence(side, other["id"])
    assert not bell.wait(1.5)


def test_a_lost_connection_rings_when_there_is_one_again(bell: KitsuDoorbell, side: KitsuSide) -> None:
    """What was sent in between is lost, so the new connection is a reason to look."""
    drained(bell)
    bell._socket.socket.shutdown(2)
    bell._tried = float("-inf")
    assert bell.wait(20)
    assert bell.connected


def test_without_a_server_it_is_silent(side: KitsuSide) -> None:
    """The wait takes as long as it may, and no longer; nothing is raised."""
    deaf = KitsuDoorbell("http://127.0.0.1:9", side.account, side.project, side.run)
    began = time.monotonic()
    assert not deaf.wait(0.5)
    assert time.monotonic() - began >= 0.5
    assert not deaf.connected


def test_an_address_that_is_none_is_refused(side: KitsuSide) -> None:
    """The error shows what one looks like."""
    with pytest.raises(UsageError, match="like https://kitsu"):
        KitsuDoorbell("kitsu", side.account, side.project, side.run)


def test_an_edit_in_kitsu_comes_here_by_itself(
    kitsu_server: Mapping[str, str], account: KitsuAccount, tmp_path: Path
) -> None:
    """Followed with an hour between looks: only the bell explains that it comes."""
    name = f"show{uuid4().hex[:8]}"
    admin = KitsuSide(kitsu_server["KITSU_API"], account, "")
    admin.run(account.post("/data/projects", {"name": name}))
    url = f"sqlite:///{tmp_path / 'show.db'}"
    side = KitsuSide.named(kitsu_server["KITSU_API"], account, name)
    with Session(url, seed=True) as session:
        session.create("Project", {"name": name})
        session.commit()
        bell = KitsuDoorbell(kitsu_server["KITSU_EVENTS"], account, side.project, side.run)
        runs = kitsu.followed(kitsu.kitsu_sync(session, name, side), bell, every=3_600)
        assert "0 refused" in next(runs)
        assert "0 changes here" in next(runs), "the new connection is the first ring"
        timer = threading.Timer(1.0, lambda: add_by_somebody(kitsu_server, side.project))
        timer.start()
        while "Sequence: on the left 1 created" not in (text := next(runs)):
            assert "failed" not in text
        timer.join()
        runs.close()
        assert session.fork().query("Sequence").count() == 1
    side.close()
    admin.close()


def add_by_somebody(kitsu_server: Mapping[str, str], project: str) -> None:
    """Somebody else, with a connection of their own."""
    other = KitsuAccount(kitsu_server["KITSU_LOGIN"], kitsu_server["KITSU_PASSWORD"])
    side = KitsuSide(kitsu_server["KITSU_API"], other, project)
    add_sequence(side)
    side.close()
