"""The present code opens the databases of every released version, reads what was written, and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from dialogue import once
from meaning import covers, plain
from present import NAMES, opened, rows
from releases import Release

from callsheet.errors import ConflictError, Forbidden, Unauthorised
from callsheet.model.event import Event
from callsheet.model.operation import ChangeSet
from callsheet.model.record import Identity
from callsheet.testing import session_on

ENGINES = ["sqlite", "postgresql"]
TASK = Identity("Task", "task")


@pytest.fixture(params=ENGINES)
def service(release: Release, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The database of each release on each engine."""
    with opened(release, request.param, tmp_path) as service:
        yield service


@pytest.fixture(params=ENGINES)
def eventful_service(eventful: Release, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """The database of each release with events, on each engine."""
    with opened(eventful, request.param, tmp_path) as service:
        yield service


def expected(release: Release, service: Any) -> Any:
    """What the release read in its database on this engine."""
    return release.json("expected.json" if service.store.engine_name == "sqlite" else "expected-postgresql.json")


def test_rows_are_what_the_release_read(release: Release, service: Any) -> None:
    """Every value of every kind is read as the release read it; the counts of entities are those written here."""
    with session_on(service, "anna") as anna:
        for text, known in expected(release, service)["queries"].items():
            assert plain(rows(anna, text)) == known, text
        counts = {name: anna.query(name).count() for name in ("Task", "Shot", "Context", "Status", "Note")}
        assert counts == {"Task": 5, "Shot": 1, "Context": 9, "Status": 9, "Note": 1}
        task = anna.get("Task", "task")
        assert (task["bid"], task["due_date"], task["status"]["name"]) == (3600.5, date(2026, 6, 1), "In progress")
        assert dict(task["metadata"].items()) == {"$date": "just text", "machine": "ws-12"}
        assert task["custom_attributes"]["delivery"] == date(2026, 7, 1)
        assert anna.get("Note", "note")["drawing"] == {"$date": "2026", "strokes": [[0, 1.5], [2, True, None]]}


def test_history_is_what_the_release_read(release: Release, service: Any) -> None:
    """The log, the history of an entity and of a deleted one, and the past at a commit are as the release read them."""
    known = expected(release, service)
    with session_on(service, "anna") as anna:
        commits = anna.commits(after=1, limit=None)
        assert covers(plain(commits), known["commits"]) == []
        assert [commit.position for commit in commits] == [2, 3, 4, 5, 6, 7, 8, 9, 10]
        assert covers(plain(anna.history(TASK)), known["history"]) == []
        assert [entry.kind for entry in anna.history(Identity("Shot", "shot-2"))] == ["delete", "create"]
        assert covers(plain(anna.history(Identity("Shot", "shot-2"))), known["deleted"]) == []
        with anna.at(commits[3].position) as past:
            assert plain(rows(past, "select name, bid, status.name from Task order by name")) == known["past"]


def test_a_commit_of_the_release_is_undone(service: Any) -> None:
    """A changed value comes back, and what was deleted is there again with what was deleted with it."""
    with session_on(service, "anna") as anna:
        shot = anna.get("Shot", "shot")
        assert shot["fend"] == 1120
        anna.undo(8)
        anna.commit()
        assert shot["fend"] == 1100
        anna.undo(6)
        anna.commit()
        assert anna.get("Shot", "shot-2")["parent"]["name"] == "sq010"
        assert anna.get("Task", "task-3")["bid"] == 3600.5


def test_commits_go_on(service: Any) -> None:
    """New commits continue versions, positions and the history, and what two changed is a conflict."""
    with session_on(service, "anna") as anna, session_on(service, "ben") as ben:
        mine, other = anna.get("Task", "task"), ben.get("Task", "task")
        assert (mine["bid"], other["bid"]) == (3600.5, 3600.5)
        position = anna.commits(limit=None)[-1].position
        mine["bid"] = 1.0
        mine["custom_attributes"]["look"] = "day"
        result = anna.commit()
        assert result.position > position
        assert result.versions == (4,)
        assert [entry.position for entry in anna.history(TASK)][:2] == [result.position, 9]
        assert anna.history(TASK)[0].before == {"bid": 3600.5, "custom_attributes.look": "night"} | {
            "updated_at": anna.history(TASK)[0].before["updated_at"]
        }
        other["bid"] = 2.0
        with pytest.raises(ConflictError):
            ben.commit()


def test_a_commit_that_was_done_is_known(release: Release, service: Any) -> None:
    """A commit that the release applied gets the release's answer, and is not done again."""
    result = service.backend("anna").commit(once(NAMES))
    assert (result.replayed, result.position, result.versions) == (True, 9, (1, 3, 2))
    known = expected(release, service)["once"]
    assert covers(plain(result), known) == []
    assert plain(result)["time"] == known["time"]


def test_staged_parts_are_committed(service: Any) -> None:
    """Parts that the release kept are applied by the commit that names them."""
    result = service.backend("anna").commit(ChangeSet("unfinished-commit", (), 2))
    assert (result.replayed, result.versions) == (False, (1, 4, 3, None))
    with session_on(service, "anna") as anna:
        assert anna.get("Task", "late")["due_date"] == date(2026, 6, 3)
        assert anna.get("Task", "task")["metadata"]["late"] == "yes"
        assert sorted(each["id"] for each in anna.get("Tag", "tag")["contexts"]) == ["late", "once"]
        assert anna.query("TypedContextLink").all() == []


def test_accounts_and_roles_are_kept(release: Release, service: Any) -> None:
    """Keys open the accounts they opened, roles say what they said, and a disabled account stays so."""
    accounts = service.accounts
    assert accounts.authenticate(None, "the-key-of-anna-the-lead") == "anna"
    assert accounts.authenticate("ben", "the-key-of-ben-the-guest") == "ben"
    with pytest.raises(Unauthorised):
        accounts.authenticate("anna", "the-key-of-ben-the-guest")
    known = expected(release, service)
    assert covers(plain(accounts.list()), known["accounts"]) == []
    assert {each.name: each.disabled for each in accounts.list()}["carla"] is True
    assert service.roles.list()["guest-artist"] == ["read:*", "update:Task"]
    with pytest.raises(Unauthorised):
        service.backend("carla").describe()
    accounts.enable("carla")
    carla = service.backend("carla")
    task = NAMES.Update(TASK, {"description": "carla"}, {})
    assert carla.commit(ChangeSet("of-carla", (task,))).versions == (4,)
    with pytest.raises(Forbidden):
        carla.commit(ChangeSet("of-carla-2", (NAMES.Delete(Identity("Note", "note")),)))


def test_handlers_go_on_where_they_were(eventful: Release, eventful_service: Any) -> None:
    """Deliveries keep their states, attempts and order; a lease that ran out is given again; nothing is lost or new."""
    service = eventful_service
    known = expected(eventful, service)
    with session_on(service, "anna", plugin_paths=False) as anna:
        assert covers(states(anna), [[e["event"]["id"], e["state"], e["attempt"]] for e in known["deliveries"]]) == []
        assert covers(plain(anna.call("handlers.deliveries", handler="tell")), known["deliveries"]) == []
        later = service.clock() + timedelta(minutes=10)
        service.clock = lambda: later
        given = claim(anna, "tell", "topic=callsheet.update and entity.type=Task", 20)
        # One of each entity, the earliest; of `once` the one whose lease ran out. `task-2` has a dead one before it.
        assert [tuple(each["event"]["position"]) for each in given] == [
            (3, 7),
            (4, 0),
            (5, 0),
            (9, 2),
            (10, 0),
            (10, 1),
        ]
        assert [each["attempt"] for each in given] == [2, 1, 1, 2, 1, 1]
        assert [each["failures"] for each in given] == [1, 0, 0, 0, 0, 0]
        assert all(about(anna, "settle", each) for each in given)
        assert anna.call("handlers.replay", handler="tell") == 1
        again = claim(anna, "tell", "topic=callsheet.update and entity.type=Task", 20)
        assert [tuple(each["event"]["position"]) for each in again] == [(3, 6), (6, 1), (9, 0)]


def test_a_handler_that_was_done_gets_what_is_new(eventful_service: Any) -> None:
    """A handler that had handled all gets only events from after the release; those of the release are still told."""
    backend = eventful_service.backend("anna")
    with session_on(eventful_service, "anna", plugin_paths=False) as anna:
        assert claim(anna, "render", "topic=studio.*", 5) == []
        backend.publish(Event("studio.render.done", {"frame": 3}, "event-3"))
        assert [each["event"]["id"] for each in claim(anna, "render", "topic=studio.*", 5)] == ["event-3"]
        anew = [claim(anna, "new", "topic=studio.*", 5, from_start=True) for _ in range(2)][-1]
        assert [each["event"]["id"] for each in anew] == ["event-1", "event-2", "event-3"]
        assert plain(anew[0]["event"]["data"]) == {
            "frame": 1,
            "of": {"type": "Shot", "id": "shot"},
            "at": "2026-05-04T09:00:00+00:00",
            "day": "2026-05-04",
        }


def test_uploaded_files_are_read(eventful_service: Any) -> None:
    """A file that was uploaded to the release is read under its key."""
    assert eventful_service.backend("anna").files.read("component", 0, 100) == b"a picture of a dragon"


def states(anna: Any) -> list[list[Any]]:
    found = anna.call("handlers.deliveries", handler="tell")
    return [[each["event"]["id"], each["state"], each["attempt"]] for each in found]


def claim(anna: Any, handler: str, expression: str, most: int, **more: Any) -> Any:
    arguments = {"handler": handler, "expression": expression, "worker": "worker-9", "most": most, **more}
    return anna.call("handlers.claim", **arguments)


def about(anna: Any, verb: str, given: Any) -> Any:
    position, index = given["event"]["position"]
    return anna.call(f"handlers.{verb}", handler=given["handler"], position=position, index=index, lease=given["lease"])


def test_people_log_in(service: Any) -> None:
    """Accounts of the release get passwords and people, and log in to the database as it is now."""
    admin = service.backend("admin")
    admin.call("users.password", {"name": "anna", "password": "a long walk home"})
    issued = service.logins.login("anna", "a long walk home")
    assert service.logins.refresh(issued.refresh_token, "r1").account == "anna"
    assert [login.id for login in service.logins.of("anna")] == [issued.session_id]
    code = admin.call("users.invite", {"name": "ben"})["code"]
    assert service.logins.accept(code, "far over the hills").account == "ben"
    assert admin.call("users.add", {"name": "hanna", "first_name": "Hanna"})["user"] is not None
