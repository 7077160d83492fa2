"""One backend on several views: what can be read, and what is refused, in the past and in a transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.server.studio import Studio, project, status

from callsheet.errors import Forbidden, Invalid, StateError
from callsheet.model.event import Event, Position
from callsheet.model.language.parser import parse
from callsheet.model.measure import Aggregate
from callsheet.model.operation import ChangeSet
from callsheet.server.backend import ServiceBackend

VERBS: dict[str, Callable[[ServiceBackend], Any]] = {
    "account": lambda backend: backend.call("users.list", {}),
    "own key": lambda backend: backend.call("own.key", {}),
    "handler": lambda backend: backend.call("handlers.status", {}),
    "publish": lambda backend: backend.publish(Event("a.b")),
    "events": lambda backend: backend.events(None, [""], {}, 1),
    "waiting": lambda backend: backend.wait_events(Position(0, 0), 0.0),
    "files": lambda backend: backend.files,
}
"""Verbs that belong to the present: each has a transaction of its own, or concerns no commit.

Files are in no database: what a transaction asks about them is answered by what it sees.
"""


@pytest.mark.parametrize("verb", VERBS)
def test_the_past_refuses_the_verbs_of_the_present(studio: Studio, verb: str) -> None:
    """A backend at a position refuses each verb that does not read that state, and says that it is read-only."""
    studio.commit(status("a"))
    with pytest.raises(Invalid, match="after commit 1: it is read-only"):
        VERBS[verb](studio.service.backend("admin").at(1))


@pytest.mark.parametrize("verb", [verb for verb in VERBS if verb != "files"])
def test_a_transaction_refuses_verbs_with_a_transaction_of_their_own(studio: Studio, verb: str) -> None:
    """Inside of a transaction these verbs raise at once instead of waiting for the transaction they are in."""
    with pytest.raises(StateError, match="a transaction is open"):
        studio.service.backend("admin").together(VERBS[verb])


def test_nested_transactions_are_one(studio: Studio) -> None:
    """A transaction opened inside of a transaction shares its connection, and is undone with it."""

    def inner(backend: ServiceBackend) -> int:
        backend.commit(ChangeSet("inner", (status("b"),)))
        return len(backend.select(parse("Status"), 10))

    def outer(backend: ServiceBackend) -> int:
        backend.commit(ChangeSet("outer", (status("a"),)))
        return backend.together(inner)

    def undone(backend: ServiceBackend) -> None:
        backend.commit(ChangeSet("undone", (status("c"),)))
        backend.together(lambda inside: inside.commit(ChangeSet("refused", (status("a"),))))

    backend = studio.service.backend("admin")
    assert backend.together(outer) == 2
    assert studio.service.broker.last == 2
    with pytest.raises(Invalid, match="exists already"):
        backend.together(undone)
    assert backend.aggregate(Aggregate(parse("Status"))) == [(2,)]


def test_a_refusal_inside_of_a_transaction_is_noted_once(studio: Studio) -> None:
    """The audit has one note for a transaction that was forbidden, written after the transaction was undone."""
    studio.service.accounts.add("rita", "reader")
    with pytest.raises(Forbidden):
        studio.service.backend("rita").together(lambda inside: inside.commit(ChangeSet("c", (project("p"),))))
    assert [(note.account, note.action) for note in studio.service.audit.list(0, 10)] == [("rita", "commit")]


def test_the_past_of_a_past_is_not_later(studio: Studio) -> None:
    """A position behind the view's own is clipped to it."""
    studio.commit(status("a"))
    studio.commit(status("b"))
    past = studio.service.backend("admin").at(1)
    assert [len(backend.select(parse("Status"), 10)) for backend in (past, past.at(2), past.at(0))] == [1, 1, 0]
