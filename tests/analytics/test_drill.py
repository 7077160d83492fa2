"""The entities behind a row of a cube: as many as it counts, to be read, changed and committed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from callsheet import Session, UsageError
from callsheet.analytics.frames import Frame
from callsheet.measures import TOTAL
from callsheet.server.process import serve

DOCUMENT: dict[str, Any] = {
    "types": {
        "Job": {"attributes": {"name": {"type": "string"}, "bid": {"type": "number", "label": "Bid"},
                               "entries": {"type": "collection", "target": "Entry", "inverse": "job"}}},
        "Entry": {"attributes": {"hours": {"type": "number", "label": "Hours"}, "day": {"type": "date", "label": "Day"},
                                 "job": {"type": "reference", "target": "Job", "label": "Job"}}},
    }
}  # fmt: skip
ROWS = [
    ("lay", 2.0, date(2026, 1, 5)),
    ("lay", 3.0, date(2026, 2, 2)),
    ("comp", 5.0, date(2026, 2, 3)),
    (None, 1.0, None),
]


def filled(session: Session) -> Session:
    jobs = {name: session.create("Job", {"name": name, "bid": bid}) for name, bid in (("lay", 10.0), ("comp", 20.0))}
    for name, hours, day in ROWS:
        session.create("Entry", {"hours": hours, "day": day, "job": jobs.get(name)})
    session.commit()
    return session


@pytest.fixture(params=["memory", "http"])
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Session]:
    if request.param == "memory":
        with Session("memory:", schema=DOCUMENT) as session:
            yield filled(session)
        return
    with (
        serve(DOCUMENT, f"sqlite:///{tmp_path / 'jobs.db'}") as server,
        Session(server.url, api_user="admin", api_key=server.admin_key) as session,
    ):
        yield filled(session)


def test_each_row_has_as_many_entities_as_it_counts(session: Session) -> None:
    """Rows of None, bands and totals; given by their place, and by themselves."""
    cube = session.tables["Entry"].cube(["Job", "Day by month"], totals=True)
    assert len(cube) == 4 + 3 + 1
    for place, row in enumerate(cube):
        assert len(cube.drill(place).all()) == len(cube.drill(row).all()) == row[cube.measures[0]]
    assert {each["hours"] for each in cube.drill({"Job": "lay", "Day (month)": TOTAL})} == {2.0, 3.0}
    assert [each["hours"] for each in cube.drill((None, None))] == [1.0]


def test_what_is_found_is_changed_and_committed(session: Session) -> None:
    """The entities are ordinary ones: the cube of afterwards has the new numbers."""
    entries = session.tables["Entry"]
    cube = entries.cube("Job", {"Hours": "sum(Hours)"})
    for entry in cube.drill({"Job": "lay"}).order_by("hours"):
        entry["hours"] *= 2
    session.commit()
    assert {row["Job"]: row["Hours"] for row in entries.cube("Job", {"Hours": "sum(Hours)"})} == {
        None: 1.0, "lay": 10.0, "comp": 5.0,
    }  # fmt: skip


def test_the_owners_of_a_measure_are_found_on_request(session: Session) -> None:
    """Of a sum of bids the jobs, each once; of a measure of entries, and without a measure, the entries."""
    entries, jobs = session.tables["Entry"], session.tables["Job"]
    cube = entries.cube("Day by month", {"Bids": jobs["Bid"].sum(), "Hours": "sum(Hours)"}, totals=True)
    february = {"Day (month)": date(2026, 2, 1)}
    assert sorted(job["name"] for job in cube.drill(february, "Bids", owners=True)) == ["comp", "lay"]
    assert sorted(entry["hours"] for entry in cube.drill(february, "Hours", owners=True)) == [3.0, 5.0]
    assert len(cube.drill(february, owners=True).all()) == 2
    assert cube.drill(-1, "Bids", owners=True).count() == 2


def test_what_is_no_row_is_refused(session: Session) -> None:
    """The error names what is missing."""
    cube = session.tables["Entry"].cube("Job", {"Hours": "sum(Hours)"})
    with pytest.raises(UsageError, match="the row has no `Job`"):
        cube.drill({"Jib": "lay"})
    with pytest.raises(UsageError, match="a row of this cube has Job"):
        cube.drill("lay")
    with pytest.raises(UsageError, match="no measure `Hour`"):
        cube.drill(0, "Hour")
    with pytest.raises(UsageError, match="no such total"):
        cube.drill((TOTAL,))
    assert not isinstance(cube.without_totals().drill(0), Frame)
