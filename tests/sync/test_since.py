"""A run since a moment reads what was changed since, and finds what a run that reads everything finds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import callsheet
from callsheet import RowMapping, Session
from callsheet.errors import UsageError

COUNT = 1_500
KEY = callsheet.external("tracker")
NATURAL = ("parent.name", "name")
MAPPING = RowMapping({"name": "name", "in": "fstart"}, constants={"parent.name": "sintel"})


def rows(**changed: int) -> list[dict[str, Any]]:
    """Shots by number; `sh7=1` gives that one another first frame."""
    return [{"id": n, "name": f"sh{n}", "in": changed.get(f"sh{n}", 1001), "at": None} for n in range(COUNT)]


@pytest.fixture(scope="module")
def brought() -> Iterator[Session]:
    """A server with 1,500 shots, linked by id and with bases by name, too."""
    with Session("memory:") as session:
        session.create("Project", {"name": "sintel"})
        session.commit()
        for key in (KEY, NATURAL):
            session.plan("Shot", rows(), key, MAPPING, conflicts="raise").apply()
        yield session


def position(session: Session) -> int:
    return session.commits(limit=None)[-1].position


def edit(session: Session, name: str, **values: Any) -> None:
    own = session.fork()
    entity = own.query(f'Shot where name is "{name}"').one()
    for attribute, value in values.items():
        entity[attribute] = value
    own.commit()


@pytest.mark.parametrize("key", [KEY, NATURAL])
def test_only_what_changed_is_read(brought: Session, key: Any) -> None:
    """The links are read, in pages; of the entities those that were changed here, or whose row was."""
    since = position(brought)
    edit(brought, "sh7", fstart=990)
    session = brought.fork()
    before = (session.statistics.requests, session.statistics.entities)
    made = session.plan("Shot", rows(sh7=1005, sh8=1009), key, MAPPING, conflicts="raise", since=since)
    entities = session.statistics.entities - before[1]
    assert [(each.attribute, each.base, each.source, each.target) for each in made.conflicts] == [
        ("fstart", 1001, 1005, 990)
    ]
    assert [[each.attribute for each in change.differences] for change in made.changed] == [["fstart"]]
    assert len(made.unchanged) == COUNT - 1
    # 1,500 links and the project, two shots, and no shot besides.
    assert entities <= COUNT + 6
    assert session.statistics.requests - before[0] <= 7
    edit(brought, "sh7", fstart=1001)


def test_a_row_that_differs_is_compared_with_what_is_there(brought: Session) -> None:
    """An edit from before the moment is no reason to overwrite it: it is read after all."""
    edit(brought, "sh9", fstart=990)
    since = position(brought)
    made = brought.fork().plan("Shot", rows(sh9=1005), KEY, MAPPING, conflicts="target", since=since)
    assert [(each.target, each.kept) for each in made.overridden] == [(990, "target")]
    edit(brought, "sh9", fstart=1001)


def test_older_rows_are_passed_over(brought: Session) -> None:
    """By their own time, unless their entity was changed here; what is passed over is counted."""
    since = datetime.now(UTC) + timedelta(hours=1)
    given = rows(sh3=1, sh4=2)
    for each in given:
        each["at"] = since - timedelta(days=1)
    given[3]["at"] = since + timedelta(seconds=1)
    session = brought.fork()
    before = session.statistics.entities
    made = session.plan("Shot", given, KEY, MAPPING, conflicts="raise", updated_at="at", since=since)
    assert [each.key for each in made.changed] == [("3",)]
    assert str(made).splitlines()[0] == f"Shot: 0 created, 1 changed, 0 unchanged, {COUNT - 1:,} older"
    assert session.statistics.entities - before <= 5


def test_an_entity_that_went_before_the_moment_is_left_out(brought: Session) -> None:
    """Its row differs, so it is looked for, and listed as gone."""
    own = brought.fork()
    own.delete(own.query('Shot where name is "sh11"').one())
    own.commit()
    made = brought.fork().plan("Shot", rows(sh11=1), KEY, MAPPING, conflicts="raise", since=position(brought))
    assert [each.key for each in made.gone] == [("11",)]
    assert made.is_empty
    deleted = brought.fork().plan("Shot", rows(), KEY, MAPPING, conflicts="raise", since=position(brought) - 1)
    assert [each.key for each in deleted.gone] == [("11",)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"since": 3}, "since needs conflicts="),
        ({"since": "yesterday", "conflicts": "raise"}, "since is a position in the server's log or a time"),
        ({"since": datetime(2026, 1, 1), "conflicts": "raise"}, "with its zone"),
    ],
)
def test_moments_that_make_no_sense_are_refused(brought: Session, options: Any, message: str) -> None:
    """With what they can be."""
    with pytest.raises(UsageError, match=message):
        brought.fork().plan("Shot", rows(), KEY, MAPPING, **options)
