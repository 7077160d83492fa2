"""Measures of a second table, and groups without facts: what is known, what is not, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from databases import new_database

from callsheet import Session
from callsheet.core.asking import ask
from callsheet.errors import QueryError, TooLarge
from callsheet.measures import TOTAL, count, cumulative, share, total
from callsheet.model.facts import facts_of
from callsheet.model.language.aggregates import check_aggregate
from callsheet.model.language.parser import parse, parse_condition
from callsheet.model.measure import Aggregate
from callsheet.model.question import Question
from callsheet.server.reading import members

NAMED = {"name": {"type": "string"}}
DOCUMENT: dict[str, Any] = {
    "types": {
        "Project": {"attributes": NAMED},
        "Person": {"attributes": NAMED},
        "Job": {
            "attributes": {
                **NAMED,
                "bid": {"type": "number"},
                "project": {"type": "reference", "target": "Project"},
            }
        },
        "Entry": {
            "attributes": {
                "hours": {"type": "number"},
                "day": {"type": "date"},
                "job": {"type": "reference", "target": "Job"},
                "person": {"type": "reference", "target": "Person"},
            }
        },
    }
}
HOURS, BID = total("hours"), total("bid", table="Job")
JOBS = {"job": "id"}


@pytest.fixture(scope="module", params=["memory", "postgres"])
def session(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """Two projects with entries, a third whose job nobody worked on, and a person who never worked."""
    with new_database(request.param, tmp_path_factory.mktemp("facts")) as url, Session(url, schema=DOCUMENT) as session:
        people = {name: session.create("Person", {"name": name}) for name in ("ann", "ben", "eve")}
        for name, bids in (("A", (10.0, 20.0)), ("B", (40.0,)), ("C", (5.0,))):
            project = session.create("Project", {"name": name})
            for number, bid in enumerate(bids):
                job = session.create("Job", {"name": f"{name}{number}", "bid": bid, "project": project})
                for person, hours in {"A0": [("ann", 1), ("ben", 2)], "B0": [("ann", 4)]}.get(job["name"], []):
                    session.create("Entry", {"hours": float(hours), "job": job, "person": people[person]})
        session.commit()
        yield session


def rows(session: Session, *measures: Any, group: Any = (), where: str = "", **options: Any) -> list[Any]:
    query = parse(f"Entry where {where}" if where else "Entry")
    (answer,) = session.run(ask(session, [Question(Aggregate(query, measures, group, **options))]))
    return answer.rows


def test_a_second_table_has_facts_that_nobody_worked_on(session: Session) -> None:
    """Each owner once, jobs without entries included; a ratio is of the two sums, also in totals."""
    found = rows(session, HOURS, BID, HOURS / BID, group=("job.project.name",), totals=True)
    assert found == [
        ("A", 3.0, 30.0, 0.1),
        ("B", 4.0, 40.0, 0.1),
        ("C", 0, 5.0, 0.0),
        (TOTAL, 7.0, 75.0, 7 / 75),
    ]


def test_a_level_that_a_table_does_not_know_has_no_number_of_it(session: Session) -> None:
    """None where it is told apart, and the whole number in totals over it: nothing repeats."""
    found = rows(session, HOURS, BID, group=("job.project.name", "person.name"), totals=True, shared={"Job": JOBS})
    assert found == [
        ("A", "ann", 1.0, None),
        ("A", "ben", 2.0, None),
        ("A", TOTAL, 3.0, 30.0),
        ("B", "ann", 4.0, None),
        ("B", TOTAL, 4.0, 40.0),
        ("C", TOTAL, 0, 5.0),
        (TOTAL, TOTAL, 7.0, 75.0),
    ]


def test_a_condition_narrows_the_tables_that_know_its_paths(session: Session) -> None:
    """One of the project narrows jobs, one of the person does not; each part of an `and` counts alone."""
    both = "job.project.name is A and person.name is ann"
    assert rows(session, HOURS, BID, where=both) == [(1.0, 30.0)]
    assert rows(session, HOURS, BID, where="job.project.name is A or person.name is ann") == [(7.0, 75.0)]
    assert rows(session, HOURS, total("bid", "bid > 10", table="Job")) == [(7.0, 60.0)]
    asked = Aggregate(parse(f"Entry where {both}"), (BID,))
    fact = facts_of(check_aggregate(asked, session.schema))["Job"]
    assert fact.select.where == parse_condition('project.name = "A"')


def test_shares_of_a_second_table_are_of_its_total(session: Session) -> None:
    """Computed from its own entities."""
    assert [row[1] for row in rows(session, share(BID), group=("job.project.name",))] == [0.4, 40 / 75, 5 / 75]


@pytest.mark.parametrize(
    ("measures", "options", "message"),
    [
        ([total("bid", table="Jobb")], {}, "no entity type `Jobb`; did you mean `Job`"),
        ([BID], {"group": ("person.name",)}, "no measure knows the level `person.name`"),
        ([BID], {"shared": {"Job": {"day": "name"}}}, "`name` of Job, a string, cannot stand for `day`, a date"),
        ([total("hours", table="Job")], {}, "Job has no attribute `hours`"),
        ([HOURS, cumulative(BID, "day")], {"group": ("day",)}, "Job does not know the level `day`"),
    ],
)
def test_what_a_table_cannot_tell_is_refused(session: Session, measures: Any, options: Any, message: str) -> None:
    """By name, before anything is read."""
    with pytest.raises(QueryError, match=message):
        check_aggregate(Aggregate(parse("Entry"), measures, **options), session.schema)
    with pytest.raises(QueryError, match="a limit, top or sample of Entry cannot narrow Job"):
        check_aggregate(Aggregate(parse("Entry limit 3"), (BID,)), session.schema)


def test_groups_without_facts_are_of_the_members_of_their_dimensions(session: Session) -> None:
    """Every person, and every project with its jobs: no job is below another project."""
    assert rows(session, HOURS, group=("person.name",), empty=True) == [("ann", 5.0), ("ben", 2.0), ("eve", 0)]
    paths = ("job.project.name", "job.name")
    found = rows(session, count(), group=paths, empty=True, totals=True)
    assert found == [
        ("A", "A0", 2),
        ("A", "A1", 0),
        ("A", TOTAL, 2),
        ("B", "B0", 1),
        ("B", TOTAL, 1),
        ("C", "C0", 0),
        ("C", TOTAL, 0),
        (TOTAL, TOTAL, 3),
    ]
    both = rows(session, count(), group=("job.project.name", "person.name"), empty=True)
    assert len(both) == 9
    assert sum(row[2] for row in both) == 3


def test_a_condition_about_a_dimension_leaves_out_its_members(session: Session) -> None:
    """One about another dimension does not."""
    where = "job.project.name in (A, C) and person.name is ann"
    assert rows(session, HOURS, group=("job.project.name",), where=where, empty=True) == [("A", 1.0), ("C", 0)]


def test_too_many_combinations_are_refused(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before they are made."""
    monkeypatch.setattr(members, "GROUPS", 8)
    with pytest.raises(TooLarge, match="make more than 8 groups"):
        rows(session, HOURS, group=("job.project.name", "person.name"), empty=True)


def test_members_are_those_that_an_account_may_read() -> None:
    """A project that is hidden is no member, and its facts are in no second table."""
    from callsheet.model.operation import ChangeSet, Create
    from callsheet.model.record import Identity
    from callsheet.server.service import Service

    with Service.open("memory:", seed=True) as service:
        admin = service.backend("admin")
        for name in ("bare", "open", "hidden"):
            project = Identity("Project", name)
            made = [Create(project, {"name": name})]
            if name != "bare":
                made.append(Create(Identity("Task", f"{name}1"), {"name": "t", "parent": project}))
            service.commit(ChangeSet(name, tuple(made)), "admin")
        service.accounts.add("anna", "guest")
        admin.call("grants.add", {"account": "anna", "role": "reader", "project": "open"})
        asked = Aggregate(parse("Task"), (count(), count(table="Project")), ("project.name",), empty=True)
        assert [row.rows for row in admin.ask([Question(asked)])] == [
            [("bare", 0, 1), ("hidden", 1, 1), ("open", 1, 1)]
        ]
        assert [row.rows for row in service.backend("anna").ask([Question(asked)])] == [[("open", 1, 1)]]
