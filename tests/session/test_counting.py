"""Numbers that are counted on from what they are: shown at once, done once, in conflict with nothing, undone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from callsheet import AsyncSession, CommitError, SchemaError, Session, UsageError
from callsheet.errors import ConflictError, NotLoaded
from callsheet.model.adjustment import Adjustment, increment
from callsheet.model.operation import ChangeSet, Create, Update
from callsheet.server.service import Service
from callsheet.session.connection import over

DOCUMENT: dict[str, Any] = {
    "name": "counts",
    "types": {
        "Shot": {
            "attributes": {
                "name": {"type": "string"},
                "bid": {"type": "number"},
                "count": {"type": "integer"},
                "takes": {"type": "integer", "default": 7},
                "number": {"type": "integer", "immutable": True},
                "notes": {"type": "mapping"},
                "custom_attributes": {"type": "mapping", "items": "custom"},
            },
            "custom": {"fps": {"type": "number", "default": 24}, "first": {"type": "integer"}},
        },
    },
}


@pytest.fixture
def service() -> Any:
    with Service.open("memory:", DOCUMENT) as service:
        yield service


def connect(service: Service, **options: Any) -> Session:
    return Session(connection=over(service.backend("admin")), plugin_paths=False, **options)


@pytest.fixture
def session(service: Service) -> Any:
    with connect(service) as session:
        yield session


@pytest.fixture
def other(service: Service) -> Any:
    with connect(service) as session:
        yield session


def make(session: Session, **values: Any) -> Any:
    shot = session.create("Shot", {"name": "sh010", **values})
    session.commit()
    return shot


def held(service: Service, shot: Any, name: str) -> Any:
    with connect(service) as fresh:
        found = fresh.get("Shot", shot.id)
        mapping, dot, item = name.partition(".")
        return found[mapping][item] if dot else found[name]


def test_it_is_shown_at_once_and_there_after_the_commit(service: Service, session: Session) -> None:
    """The entity is modified, and the change set says what is added and to which value it was seen."""
    shot = make(session, bid=2.0)
    session.increment(shot, "bid", 1.5)
    assert (shot["bid"], shot.state) == (3.5, "modified")
    assert session.pending == (Update(shot.identity, {}, {"bid": 2.0}, version=1, adjusted={"bid": increment(1.5)}),)
    session.commit()
    assert (shot["bid"], shot.state, held(service, shot, "bid")) == (3.5, "clean", 3.5)


def test_increments_of_two_sessions_add_up(service: Service, session: Session, other: Session) -> None:
    """Neither is in conflict, and what is shown afterwards is the sum."""
    shot = make(session, count=5)
    theirs = other.get("Shot", shot.id)
    assert theirs["count"] == 5
    session.increment(shot, "count")
    other.increment(theirs, "count", 10)
    session.commit()
    other.commit()
    assert (theirs["count"], held(service, shot, "count")) == (16, 16)


def test_many_are_one(session: Session) -> None:
    """However many increments and bounds, one operation is sent."""
    shot = make(session, count=1, bid=1.0)
    for _ in range(10):
        session.increment(shot, "count", 2)
        session.increment(shot, "bid", 0.5)
    session.raise_to(shot, "count", 50)
    session.increment(shot, "count", -1)
    (operation,) = session.pending
    assert isinstance(operation, Update)
    assert operation.adjusted == {"bid": increment(5.0), "count": Adjustment(19, low=49, empty=49)}
    assert (shot["count"], shot["bid"]) == (49, 6.0)


def test_nothing_counts_as_0_and_a_bound_is_what_nothing_becomes(service: Service, session: Session) -> None:
    """An increment of nothing is its amount; raising or lowering nothing to a value gives the value."""
    one, two, three = (make(session) for _ in range(3))
    session.increment(one, "count", 3)
    session.raise_to(two, "count", -5)
    session.lower_to(three, "count", 1001)
    assert [shot["count"] for shot in (one, two, three)] == [3, -5, 1001]
    session.commit()
    assert [held(service, shot, "count") for shot in (one, two, three)] == [3, -5, 1001]


def test_bounds(service: Service, session: Session) -> None:
    """A value within the bounds stays, without a new version and without a place in the history."""
    shot = make(session, count=5)
    session.raise_to(shot, "count", 3)
    session.lower_to(shot, "bid", 3)
    assert (shot["count"], shot["bid"]) == (5, 3.0)
    session.commit()
    (change,) = session.commits()[-1].changes
    assert (change.before, change.after) == ({"bid": None}, {"bid": 3.0})
    session.raise_to(shot, "count", 4)
    result = session.commit()
    assert (list(result.versions), session.commits()[-1].changes) == ([2], ())
    session.lower_to(shot, "count", 2)
    session.commit()
    assert held(service, shot, "count") == 2


def test_what_is_not_loaded_is_counted_on_all_the_same(service: Service, session: Session) -> None:
    """Recording asks nothing of the server; when the value is read, it is the server's, counted on."""
    key = make(session, count=5).id
    with connect(service) as blind:
        shot = blind.query("select name from Shot").one()
        requests = blind.statistics.requests
        blind.increment(shot, "count")
        assert blind.statistics.requests == requests
        assert shot.peek("count") is not None
        assert shot["count"] == 6
        session.increment(session.get("Shot", key), "count", 10)
        session.commit()
        blind.commit()
        assert shot["count"] == 16
    with connect(service) as blind:
        shot = blind.query("select name from Shot").one()
        blind.increment(shot, "count")
        blind.commit()
        assert shot["count"] == 17


def test_newer_values_are_counted_on(service: Service, session: Session, other: Session) -> None:
    """A refresh, and a query too, shows the server's value with what is pending on it; a commit then adds up."""
    shot = make(session, count=5)
    theirs = other.get("Shot", shot.id)
    session.increment(shot, "count")
    theirs["count"] = 100
    other.commit()
    session.query("Shot").all()
    assert shot["count"] == 101
    theirs["count"] = 200
    other.commit()
    session.refresh(shot)
    assert (shot["count"], shot.state) == (201, "modified")
    assert session.pending[0].before == {"count": 200}
    session.commit()
    assert held(service, shot, "count") == 201


def test_a_refresh_can_drop_it(session: Session, other: Session) -> None:
    """The server's value is shown then."""
    shot = make(session, count=5)
    session.increment(shot, "count")
    session.refresh(shot, keep="remote")
    assert (shot["count"], shot.state, session.pending) == (5, "clean", ())


def test_a_rollback_takes_it_back(session: Session) -> None:
    """Loaded before, or only while it was pending."""
    key = make(session, count=5, custom_attributes={"first": 3}).id
    for fresh in (session, session.fork()):
        shot = fresh.get("Shot", key)
        fresh.increment(shot, "count")
        fresh.increment(shot, "custom_attributes.first")
        assert (shot["count"], shot["custom_attributes"]["first"]) == (6, 4)
        fresh.rollback()
        assert (shot["count"], shot["custom_attributes"]["first"], shot.state) == (5, 3, "clean")


def test_a_value_that_was_set_here_is_counted_on_here(service: Service, session: Session) -> None:
    """Set, then increment, is set; create, then increment, is create, with the default of what was not given."""
    shot = make(session, count=5)
    shot["count"] = 10
    session.increment(shot, "count", 2)
    assert session.pending == (Update(shot.identity, {"count": 12}, {"count": 5}, version=1),)
    session.commit()
    new = session.create("Shot", {"count": 1})
    session.increment(new, "count")
    session.increment(new, "takes")
    session.increment(new, "bid", 2)
    session.increment(new, "custom_attributes.fps")
    (operation,) = session.pending
    assert isinstance(operation, Create)
    values = {"count": 2, "takes": 8, "bid": 2.0, "custom_attributes.fps": 25.0}
    assert {name: operation.values[name] for name in values} == values
    session.commit()
    assert {name: held(service, new, name) for name in values} == values


def test_a_value_set_over_it_counts_on_from_what_was_seen(service: Service, session: Session, other: Session) -> None:
    """Set after an increment: the increment is gone, the base is the server's value, and a conflict is found."""
    shot = make(session, count=5)
    session.increment(shot, "count")
    shot["count"] += 1
    assert session.pending == (Update(shot.identity, {"count": 7}, {"count": 5}, version=1),)
    other.get("Shot", shot.id)["count"] = 7
    other.commit()
    with pytest.raises(ConflictError):
        session.commit()
    session.rollback()
    session.refresh(shot)
    session.increment(shot, "count")
    shot["count"] = 7
    assert (session.pending, shot.state) == ((), "clean")
    session.increment(shot, "count")
    session.commit()
    assert held(service, shot, "count") == 8


def test_setting_what_is_shown_is_a_set(session: Session) -> None:
    """Who writes the very number that is shown wants that number, and not one more than it will be."""
    shot = make(session, count=5)
    session.increment(shot, "count")
    shot["count"] = 6
    assert session.pending == (Update(shot.identity, {"count": 6}, {"count": 5}, version=1),)


def test_other_values_are_recorded_as_ever(session: Session) -> None:
    """Beside an increment, and after it."""
    shot = make(session, count=5)
    session.increment(shot, "count")
    shot["name"] = "sh020"
    shot["notes"]["a"] = "b"
    (operation,) = session.pending
    assert isinstance(operation, Update)
    assert operation.values == {"name": "sh020", "notes.a": "b"}
    assert operation.adjusted == {"count": increment(1)}
    shot["name"] = "sh010"
    shot["notes"].pop("a")
    session.commit()
    assert (shot["count"], shot.state) == (6, "clean")


def test_items_of_mappings(service: Service, session: Session, other: Session) -> None:
    """Custom attributes that are numbers; the default counts where none was set, as it is read."""
    shot = make(session)
    theirs = other.get("Shot", shot.id)
    session.increment(shot, "custom_attributes.fps", 1)
    other.increment(theirs, "custom_attributes.fps", 2)
    other.raise_to(theirs, "custom_attributes.first", 1001)
    session.commit()
    other.commit()
    assert held(service, shot, "custom_attributes.fps") == 27.0
    assert (theirs["custom_attributes"]["fps"], theirs["custom_attributes"]["first"]) == (27.0, 1001)


@pytest.mark.parametrize(
    ("name", "by", "words"),
    [
        ("name", 1, "Shot.name is no number but a string"),
        ("count", 1.5, "Shot.count takes an integer, not float: 1.5"),
        ("count", True, "Shot.count takes an integer, not bool"),
        ("count", "1", "Shot.count takes an integer, not str"),
        ("bid", float("nan"), "Shot.bid is counted on by a number, not by nan"),
        ("bid", None, "Shot.bid is counted on by a number, not by None"),
        ("bid", float("inf"), "Shot.bid takes a finite number"),
        ("notes.a", 1, "is no number"),
        ("notes", 1, "Shot.notes is no number but a mapping"),
        ("number", 1, "Shot.number is immutable"),
        ("cuont", 1, "did you mean `count`"),
        ("count", 2**63, "an integer of 64 bits"),
        ("count", 2**63 - 1, "an integer of 64 bits"),
    ],
)
def test_what_cannot_be_counted_is_refused_at_that_line(session: Session, name: str, by: Any, words: str) -> None:
    """Nothing is recorded."""
    shot = make(session, count=1)
    with pytest.raises(SchemaError, match=words):
        session.increment(shot, name, by)
    assert (session.pending, shot.state) == ((), "clean")


def test_what_would_overflow_on_the_server_is_refused_by_it(session: Session, other: Session) -> None:
    """The error names the entity, the attribute and the number; nothing is done."""
    shot = make(session, count=1)
    other.get("Shot", shot.id)["count"] = 2**62
    other.commit()
    session.increment(shot, "count", 2**62)
    with pytest.raises(CommitError, match=f"is {2**62} and would be {2**63}") as caught:
        session.commit()
    assert (caught.value.entity, caught.value.attribute) == (shot.identity, "count")
    session.rollback()
    assert shot["count"] == 1


def test_nothing_added_is_nothing_recorded(session: Session) -> None:
    """An increment by 0."""
    shot = make(session)
    session.increment(shot, "count", 0)
    assert (session.pending, shot["count"]) == ((), None)


def test_undo_of_an_increment_is_its_opposite(service: Service, session: Session, other: Session) -> None:
    """Whatever was added since stays; and the undo can be undone."""
    shot = make(session, count=5)
    session.increment(shot, "count", 3)
    done = session.commit()
    other.increment(other.get("Shot", shot.id), "count", 100)
    other.commit()
    assert session.undo(done) == ()
    back = session.commit()
    assert held(service, shot, "count") == 105
    session.undo(back)
    session.commit()
    assert held(service, shot, "count") == 108


def test_undo_of_a_bound_is_a_guarded_restore(service: Service, session: Session, other: Session) -> None:
    """The value from before, if it is still what the bound made of it; else a conflict, as of any value."""
    shot = make(session, count=5)
    session.raise_to(shot, "count", 9)
    done = session.commit()
    session.undo(done)
    session.commit()
    assert held(service, shot, "count") == 5
    session.raise_to(shot, "count", 9)
    done = session.commit()
    other.increment(other.get("Shot", shot.id), "count")
    other.commit()
    with pytest.raises(ConflictError):
        session.undo(done)


def test_undo_of_an_increment_of_nothing_leaves_nothing(service: Service, session: Session) -> None:
    """What was empty is empty again."""
    shot = make(session)
    session.increment(shot, "count", 3)
    session.undo(session.commit())
    session.commit()
    assert held(service, shot, "count") is None


def test_the_history_says_what_was_there(session: Session, other: Session) -> None:
    """``before`` and ``after`` are the server's, and not what was shown here; beside them stands how it came about."""
    shot = make(session, count=5)
    other.increment(other.get("Shot", shot.id), "count", 10)
    other.commit()
    session.increment(shot, "count")
    session.commit()
    last = session.commits()[-1].changes[0]
    assert (last.before, last.after, last.adjusted) == ({"count": 15}, {"count": 16}, {"count": increment(1)})


def test_a_journal_keeps_it(service: Service, tmp_path: Path) -> None:
    """What died after it was written ahead is finished by the next, once."""
    path = tmp_path / "journal"
    with connect(service, journal=path) as session:
        shot = make(session, count=5)
        session.increment(shot, "count")
        session.journal.write(ChangeSet("left-behind", session.pending))
        session.rollback()
    for outcomes in (["finished now"], []):
        with connect(service, journal=path) as session:
            assert [each.outcome for each in session.resume()] == outcomes
            assert held(service, shot, "count") == 6


def test_a_large_commit_is_staged(service: Service, session: Session) -> None:
    """In parts, each increment once."""
    shots = [session.create("Shot", {"count": number}) for number in range(6_000)]
    session.commit()
    for shot in shots:
        session.increment(shot, "count")
    session.commit()
    with connect(service) as fresh:
        assert sorted(shot["count"] for shot in fresh.query("select count from Shot")) == list(range(1, 6_001))


def test_the_past_takes_none(session: Session) -> None:
    """Nothing can be changed there."""
    shot = make(session, count=5)
    past = session.at(1)
    with pytest.raises(UsageError, match="reads the past"):
        past.increment(past.get("Shot", shot.id), "count")


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_an_awaiting_session_records_without_awaiting(service: Service, anyio_backend: str) -> None:
    """The verbs are the same, and are not awaited; what is not loaded stays not loaded."""
    async with AsyncSession(connection=over(service.backend("admin")), plugin_paths=False) as session:
        shot = session.create("Shot", {"count": 5})
        await session.commit()
        fresh = session.fork()
        seen = await fresh.query("select name from Shot").one()
        fresh.increment(seen, "count")
        with pytest.raises(NotLoaded):
            seen["count"]
        await fresh.populate(seen, "count")
        assert seen["count"] == 6
        await fresh.commit()
        session.lower_to(shot, "count", 2)
        await session.commit()
        await session.refresh(shot)
        assert shot["count"] == 2
