"""Shares, ranks, and values along a level, written out on SQLite, PostgreSQL and DuckDB; what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from typing import Any

import pytest
from databases import new_database

from callsheet import Session
from callsheet.errors import QueryError
from callsheet.measures import count, cumulative, distinct, following, moving, previous, rank, share, total
from callsheet.model.language.measures import measure_text, parse_measure
from callsheet.model.measure import TOTAL
from callsheet.server.process import serve

DOCUMENT: dict[str, Any] = {
    "types": {
        "Job": {"attributes": {"name": {"type": "string"}, "bid": {"type": "number"}}},
        "Entry": {
            "attributes": {
                "person": {"type": "string"},
                "day": {"type": "date"},
                "hours": {"type": "number"},
                "job": {"type": "reference", "target": "Job"},
            }
        },
    }
}
ENTRIES: list[tuple[str, date | None, float, str]] = [
    ("anna", date(2026, 1, 5), 3.0, "a"),
    ("anna", date(2026, 2, 1), 5.0, "a"),
    ("bert", date(2026, 2, 28), 8.0, "b"),
    ("bert", date(2026, 4, 30), 4.0, "b"),
    ("carl", None, 2.0, ""),
]


@pytest.fixture(scope="module", params=["memory", "postgres", "analytics"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with ExitStack() as stack:
        if request.param == "analytics":
            server = stack.enter_context(serve(DOCUMENT, analytics=True))
            found = Session(server.url, "admin", server.admin_key, schema_cache=False)
        else:
            url = stack.enter_context(new_database(request.param, tmp_path_factory.mktemp("groups")))
            found = Session(url, schema=DOCUMENT)
        stack.enter_context(found)
        jobs = {name: found.create("Job", {"name": name, "bid": bid}) for name, bid in (("a", 10.0), ("b", 20.0))}
        for person, day, hours, job in ENTRIES:
            found.create("Entry", {"person": person, "day": day, "hours": hours, "job": jobs.get(job)})
        found.commit()
        yield found


def values(session: Session, measure: Any, **options: Any) -> list[Any]:
    options.setdefault("group_by", "month(day)")
    return [row["it"] for row in session.query("Entry").aggregate({"it": measure}, **options)]


def test_a_share_is_the_part_of_the_total(session: Session) -> None:
    """Of all groups, or of those that agree at a level; of distinct values, the total is no sum."""
    assert values(session, share(total("hours"))) == [2 / 22, 3 / 22, 13 / 22, 4 / 22]
    assert values(session, share("sum(hours)", "person"), group_by=["person", "month(day)"]) == [
        3 / 8, 5 / 8, 8 / 12, 4 / 12, 1.0,
    ]  # fmt: skip
    # Two jobs in February, and two in all.
    assert values(session, share(distinct("job.name"))) == [0.0, 0.5, 1.0, 0.5]


def test_a_share_of_a_total_is_of_the_level_above(session: Session) -> None:
    """Rows of totals have shares, too; the grand total is all of itself."""
    rows = session.query("Entry").aggregate({"it": share(total("hours"), "person")}, group_by=["person", "month(day)"],
                                            totals=True)  # fmt: skip
    assert [row["it"] for row in rows if row["month(day)"] is TOTAL] == [1.0, 1.0, 1.0, 1.0]


def test_ranks_have_ties_and_leave_none_out(session: Session) -> None:
    """The largest first; equal values have one rank, and the next one is left out; None has none."""
    assert values(session, rank(total("hours")), group_by="person") == [2, 1, 3]
    assert values(session, rank(count()), group_by="person") == [1, 1, 3]
    assert values(session, rank("average(job.bid)"), group_by="person") == [2, 1, None]


def test_periods_before_and_after_are_those_of_the_calendar(session: Session) -> None:
    """March has no entries: April has no month before, and February none after."""
    assert values(session, previous(total("hours"), "month(day)")) == [None, None, 3.0, None]
    assert values(session, previous(total("hours"), "month(day)", 2)) == [None, None, None, 13.0]
    assert values(session, following(total("hours"), "month(day)")) == [None, 13.0, None, None]
    assert values(session, previous(count(), "person"), group_by="person") == [None, 2, 2]


def test_sums_go_along_a_level(session: Session) -> None:
    """Cumulative sums begin with None; moving ones are of so many periods, empty ones included."""
    assert values(session, cumulative(total("hours"), "month(day)")) == [2.0, 5.0, 18.0, 22.0]
    assert values(session, moving(total("hours"), "month(day)", 3)) == [None, 3.0, 16.0, 17.0]
    assert values(session, cumulative("count", "month(day)")) == [1, 2, 4, 5]
    by_person = values(session, cumulative(total("hours"), "month(day)"), group_by=["person", "month(day)"])
    assert by_person == [3.0, 8.0, 8.0, 12.0, 2.0]


def test_they_are_measures_as_others(session: Session) -> None:
    """They are reckoned with, ordered and kept by; and ``having`` does not change what they see."""
    growth = total("hours") - previous(total("hours"), "month(day)")
    assert values(session, growth) == [None, None, 10.0, None]
    assert values(session, total("hours"), order_by="rank(sum(hours))") == [13.0, 4.0, 3.0, 2.0]
    kept = values(session, cumulative(total("hours"), "month(day)"), having=share(total("hours")) > 0.5)
    assert kept == [18.0]
    assert values(session, cumulative(total("hours"), "month(day)"), totals=True)[-1] is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cumulative(average(hours), month(day))", "does not add up"),
        ("cumulative(sum(job.bid), month(day))", "does not add up"),
        ("previous(sum(hours))", "goes along one level"),
        ("previous(sum(hours), year(day))", "no level of the groups"),
        ("share(minimum(person))", "is none"),
        ("share(rank(count))", "sees other groups"),
        ("moving(sum(hours), month(day), 0)", "whole number from 1"),
    ],
)
def test_what_has_no_meaning_is_refused(session: Session, text: str, reason: str) -> None:
    """An error names it."""
    with pytest.raises(QueryError, match=reason):
        values(session, text)


def test_texts_are_read_back() -> None:
    """The text of such a measure is one of it."""
    for text in ("share(sum(hours), job.name)", "moving(count, month(day), 3)", "rank(quantile(hours, 0.9))"):
        assert measure_text(parse_measure(text)) == text
