"""The audit: who was refused what, and never with what; bounded in size and in pace."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection
from studio import Create, Delete, Identity, Studio, Update, open_studio, project, task
from test_guard import Answer, Call, call, with_header

from callsheet.dialects.routes import Credentials
from callsheet.errors import Forbidden, Invalid, NotFound, ServerError
from callsheet.model.operation import ChangeSet
from callsheet.server.access.audit import Audit
from callsheet.server.access.authentication import ApiKeys, Authentication, KeyAttempts, TooManyAttempts
from callsheet.server.web.application import application

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def two() -> Iterator[Studio]:
    """Two projects with a task each; ``anna`` may do everything in ``p`` and read nothing else."""
    with open_studio() as studio:
        studio.commit(project("p"), task("mine", Identity("Project", "p")))
        studio.commit(project("q"), task("hidden", Identity("Project", "q")))
        studio.service.roles.add("crew", ["read,create,update:*"])
        studio.service.accounts.add("anna", "guest", key="the key of anna")
        studio.service.roles.grant("anna", "crew", "p")
        yield studio


def noted(studio: Studio) -> list[tuple[str, ...]]:
    notes = studio.service.backend("admin").call("audit.list", {})
    return [(note["account"], note["action"], note["entity_type"], note["key"], note["address"]) for note in notes]


def test_what_is_forbidden_is_noted(two: Studio) -> None:
    """Actions, and commits that permissions refuse: also those told that there is no such thing."""
    anna = two.service.backend("anna", "203.0.113.9")
    refused: list[tuple[Any, type[ServerError]]] = [
        (Delete(Identity("Task", "mine")), Forbidden),
        (Create(Identity("Status", "s"), {"name": "s"}), Forbidden),
        (Update(Identity("Task", "hidden"), {"note": "x"}), NotFound),
        (Update(Identity("Task", "mine"), {"buddy": Identity("Task", "hidden")}), Invalid),
        (Update(Identity("Task", "never"), {"note": "x"}), NotFound),
        (Update(Identity("Task", "mine"), {"bid": "x"}), Invalid),
        (Update(Identity("Tsk", "mine"), {"bid": 1}), Invalid),
    ]
    for number, (operation, error) in enumerate(refused):
        with pytest.raises(error):
            anna.commit(ChangeSet(f"try-{number}", (operation,)))
    with pytest.raises(Forbidden):
        anna.call("users.list", {})
    where = "203.0.113.9"
    assert noted(two) == [
        ("anna", "commit", "Task", "mine", where),
        ("anna", "commit", "Status", "s", where),
        ("anna", "commit", "Task", "hidden", where),
        ("anna", "commit", "Task", "hidden", where),
        ("anna", "users.list", "", "", where),
    ]
    (first, *_) = two.service.audit.list()
    assert first.reason == "operation 0: `anna` may not delete Task mine"
    assert [note.position for note in two.service.audit.list(after=3)] == [4, 5]
    assert [note.position for note in two.service.audit.list(limit=2)] == [1, 2]


def test_what_is_allowed_is_not(two: Studio) -> None:
    """Neither what succeeds, nor what fails for other reasons."""
    anna = two.service.backend("anna")
    anna.commit(ChangeSet("1", (Update(Identity("Task", "mine"), {"note": "x"}),)))
    assert noted(two) == []


def try_keys(studio: Studio, *attempts: tuple[bytes, bytes]) -> list[Answer]:
    """Requests with a user name and an ``Authorization`` each, through the whole application."""
    app = application(studio.service)

    async def main() -> list[Answer]:
        answers = []
        for user, authorization in attempts:
            request = with_header(b"authorization", authorization, path="/v1/call/audit.list")
            headers = (*request.headers, (b"x-callsheet-user", user)) if user else request.headers
            answers.append(await call(app, Call(path=request.path, headers=headers)))
        return answers

    return asyncio.run(main())


def test_failed_authentication_is_noted(two: Studio) -> None:
    """With the account, where the name is one, and the address; never the key, nor a name that is none."""
    slip = b"cs_0123456789ab_a_key_in_the_wrong_field"
    answers = try_keys(two, (b"anna", b"Bearer wrong-key-1"), (slip, b"Bearer wrong-key-2"), (b"", b""))
    assert [answer.status for answer in answers] == [401, 401, 401]
    where = "203.0.113.9"
    assert noted(two) == [(name, "authenticate", "", "", where) for name in ("anna", "", "")]
    told = repr(two.service.audit.list())
    assert "wrong-key" not in told
    assert slip.decode() not in told


def test_an_address_that_guesses_is_slowed_down(two: Studio) -> None:
    """After thirty wrong keys no more are looked at for a while; a right key known before still works."""
    right = (b"anna", b"Bearer the key of anna")
    answers = try_keys(two, right, *[(b"", b"Bearer wrong-key")] * 33, right)
    assert [answer.status for answer in answers] == [403] + [401] * 30 + [429] * 3 + [403]
    assert answers[31].headers["retry-after"]
    assert json.loads(answers[31].body)["error"]["kind"] == "unavailable"
    assert len([note for note in two.service.audit.list() if note.action == "authenticate"]) == 10


def test_attempts_come_back_with_time() -> None:
    """One more every two seconds; addresses do not share, networks of IPv6 do."""
    now = [0.0]
    attempts = KeyAttempts(lambda: now[0])
    for _ in range(30):
        attempts.check("192.0.2.1")
        attempts.failed("192.0.2.1")
    with pytest.raises(TooManyAttempts) as error:
        attempts.check("::ffff:192.0.2.1")
    assert error.value.retry_after == 2.0
    attempts.check("192.0.2.2")
    now[0] = 2.0
    attempts.check("192.0.2.1")
    for number in range(30):
        attempts.failed(f"2001:db8::{number:x}")
    with pytest.raises(TooManyAttempts):
        attempts.check("2001:db8::ffff")
    attempts.check("2001:db8:0:1::1")


def test_a_revoked_key_stops_at_once(two: Studio) -> None:
    """Also where it was remembered: a change of an account counts for the very next request."""
    chain = Authentication([ApiKeys(two.service.accounts)], clock=lambda: 0.0)
    assert chain.principal(Credentials(None, "the key of anna")).account == "anna"
    new = two.service.accounts.new_key("anna")
    with pytest.raises(ServerError):
        chain.principal(Credentials(None, "the key of anna"))
    assert chain.principal(Credentials(None, new)).account == "anna"
    two.service.accounts.disable("anna")
    with pytest.raises(ServerError):
        chain.principal(Credentials(None, new))


def test_the_size_is_bounded(two: Studio) -> None:
    """The oldest notes go; numbers count on."""
    seconds = iter(range(10**6))
    audit = Audit(two.store, lambda: NOW + timedelta(minutes=next(seconds)), kept=200)
    for number in range(450):
        audit.note("commit", str(number), account="anna")
    positions = [note.position for note in audit.list(limit=1_000)]
    assert positions == list(range(251, 451))


def test_the_pace_is_bounded(two: Studio) -> None:
    """Ten of a kind in a minute; the next minute says how many there were beyond."""
    now = [NOW]
    audit = Audit(two.store, lambda: now[0])
    for _ in range(35):
        audit.note("authenticate", "wrong", address="192.0.2.1")
    audit.note("authenticate", "wrong", address="192.0.2.2")
    assert len(audit.list()) == 11
    now[0] += timedelta(minutes=1)
    audit.note("authenticate", "wrong", address="192.0.2.1")
    assert audit.list()[-1].reason == "wrong (and 25 more like it in the minute before)"


def test_older_databases_get_the_tables(tmp_path: Any) -> None:
    """What was made before there was an audit has one when it is opened again."""
    url = f"sqlite:///{tmp_path}/old.db"
    with open_studio(url) as studio:
        for name in ("_audit", "_role", "_grant"):
            studio.store.write(partial(Connection.exec_driver_sql, statement=f"DROP TABLE {name}"))
    with open_studio(url) as studio:
        studio.service.audit.note("commit", "refused")
        studio.service.roles.add("crew", ["read:*"])
        assert len(studio.service.audit.list()) == 1
