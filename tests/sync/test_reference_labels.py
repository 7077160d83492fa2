"""A two-way sync carries references by a text, such as a status by its name, where the lists are each side's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from callsheet import Carried, Session, SessionSide, Sync, TypePair
from callsheet.errors import UsageError


def studio(*statuses: str) -> Session:
    session = Session("memory:")
    state = session.create("State", {"name": "Any", "short": "any"})
    for name in statuses:
        session.create("Status", {"name": name, "state": state})
    session.create("Project", {"name": "sintel"})
    session.commit()
    return session


@pytest.fixture
def sides() -> Iterator[tuple[Session, Session]]:
    """Two servers that call their statuses differently."""
    with studio("Ready", "In progress", "Final") as left, studio("Todo", "In progress", "On hold") as right:
        yield left, right


def sync(left: Session, right: Session, attribute: str = "status.name") -> Sync:
    named = Carried("status.name", values={"Ready": "Todo"})
    pairs = [
        TypePair("Project", "Project", ["name"], adopt=["name"], creates="none"),
        TypePair("Sequence", "Sequence", {"name": "name", "parent": "parent", attribute: named}),
    ]
    return Sync(left.fork(), SessionSide(right.fork(), "mirror"), pairs)


def sequence(session: Session, status: str) -> None:
    own = session.fork()
    found = own.query("Status").where(own.types["Status"].name == status).one()
    own.create("Sequence", {"name": "sq1", "parent": own.query("Project").one(), "status": found})
    own.commit()


def status(session: Session) -> str | None:
    entity = session.fork().query("select status.name from Sequence").one()
    return entity["status"]["name"] if entity["status"] else None


def set_status(session: Session, name: str | None) -> None:
    own = session.fork()
    found = own.query("Status").where(own.types["Status"].name == name).one() if name else None
    own.query("Sequence").one()["status"] = found
    own.commit()


def test_a_status_is_carried_by_its_name_both_ways(sides: tuple[Session, Session]) -> None:
    """A name stands for the status of that name, or for the one that ``values`` gives; empty stays empty."""
    left, right = sides
    sequence(left, "Ready")
    assert sync(left, right).plan().apply().refused == ()
    assert status(right) == "Todo"
    set_status(right, "In progress")
    assert sync(left, right).plan().apply().refused == ()
    assert status(left) == "In progress"
    set_status(left, None)
    assert sync(left, right).plan().apply().refused == ()
    assert status(right) is None
    assert sync(left, right).plan(whole=True).is_empty


def test_a_name_that_the_other_side_lacks_refuses_the_change(sides: tuple[Session, Session]) -> None:
    """The change is not made, the reason names the status, and nothing else is held up."""
    left, right = sides
    sequence(left, "Ready")
    sync(left, right).plan().apply()
    set_status(left, "Final")
    result = sync(left, right).plan().apply()
    assert [each.outcome.reason for each in result.refused] == ["there is no Status whose name is 'Final'"]
    assert (status(left), status(right)) == ("Final", "Todo")


def test_a_status_that_is_renamed_is_read_anew(sides: tuple[Session, Session]) -> None:
    """The entities that refer to it did not change themselves, so everything is compared."""
    left, right = sides
    sequence(left, "In progress")
    sync(left, right).plan().apply()
    own = left.fork()
    own.query("Status").where(own.types["Status"].name == "In progress").one()["name"] = "On hold"
    own.commit()
    assert sync(left, right).plan().apply().refused == ()
    assert status(right) == "On hold"


def test_a_path_that_tells_no_two_apart_is_an_error(sides: tuple[Session, Session]) -> None:
    """A colour may be that of several statuses; the error names what can be carried."""
    with pytest.raises(UsageError, match=r"Sequence\.status\.color does not tell which Status it is.*status\.name"):
        sync(*sides, attribute="status.color").plan()
