"""A server without aggregates is counted by reading keys; other numbers are refused with the cure."""

from __future__ import annotations

import pytest
from attrs import evolve

from callsheet import Session
from callsheet.errors import UsageError


@pytest.fixture
def session(callsheet_session: Session) -> Session:
    """A session on seven tags, whose server is said to have no aggregates."""
    for number in range(7):
        callsheet_session.create("Tag", {"name": f"tag{number}"})
    callsheet_session.commit()
    described = callsheet_session._description
    callsheet_session._description = evolve(described, features=evolve(described.features, aggregate=False))
    callsheet_session.page_size = 3
    return callsheet_session


def test_results_are_counted_page_by_page(session: Session) -> None:
    """With a condition, a limit and an offset as well."""
    before = session.statistics.requests
    assert session.query("Tag").count() == 7
    assert session.statistics.requests - before == 3
    assert session.query('Tag where name in ("tag1", "tag2", "none")').count() == 2
    assert session.query("Tag limit 4").count() == 4
    assert session.query("Tag offset 5").count() == 2


def test_other_numbers_are_refused(session: Session) -> None:
    """The error says how to get them."""
    with pytest.raises(UsageError, match="has no aggregates: select the values"):
        session.query("Tag").aggregate("count", group_by=["name"])
