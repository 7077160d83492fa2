"""Variables that are written as paths: in grids, cubes, limits and selections, where several ways lead to a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from brute import World

from callsheet import QueryError, Session, UsageError


@pytest.fixture(scope="module")
def show() -> Iterator[Any]:
    """Two projects with shots; the shot of number n has n tasks, which are bid n."""
    with Session("memory:", seed=True) as session:
        for name in ("sintel", "spring"):
            project = session.create("Project", {"name": name})
            for number in range(4):
                shot = session.create("Shot", {"name": f"{name}{number}", "parent": project, "fstart": number})
                for place in range(number):
                    session.create("Task", {"name": f"t{place}", "parent": shot, "bid": float(number)})
        session.commit()
        yield session.fork()


def test_columns_are_paths(show: Any) -> None:
    """Each is called by its path; those of one label stay apart."""
    grid = show.tables["Task"].datagrid(["name", "project.name", "parent[Shot].name", "status.name"])
    assert grid.columns == ("name", "project.name", "parent[Shot].name", "status.name")
    assert Counter(grid["parent[Shot].name"]) == {f"{name}{n}": n for name in ("sintel", "spring") for n in (1, 2, 3)}
    assert all(row["parent[Shot].name"].startswith(row["project.name"]) for row in grid)
    assert set(grid["status.name"]) == {None}


def test_dimensions_and_measures_are_paths(show: Any) -> None:
    """A shot counts once for each group; a band follows the path; also through collections."""
    cube = show.tables["Task"].cube(["project.name"], ["count", "sum(bid)", "sum(parent[Shot].fstart)"])
    assert cube.to_rows() == [
        {"project.name": name, "Tasks": 6, "Sum(bid)": 14.0, "Sum(parent[Shot].fstart)": 6}
        for name in ("sintel", "spring")
    ]
    months = show.tables["Task"].cube(["project.created_at by month"])
    assert months["Tasks"] == [12]
    below = show.tables["Shot"].cube(["children[Task].name"], ["count"])
    assert {row["children[Task].name"]: row["Shots"] for row in below} == {None: 2, "t0": 6, "t1": 4, "t2": 2}


def test_selections_are_of_paths(show: Any) -> None:
    """They are compared as any variable is, with values that the schema checks; limits take them, too."""
    tasks, shots = show.tables["Task"], show.tables["Shot"]
    assert (tasks["parent[Shot].name"] == "sintel3").count() == 3
    assert str(shots["children[Task].bid"] > 2) == "Shot where children[Task].bid > 2.0"
    assert (shots["children[Task].bid"] > 2).count() == 2
    with pytest.raises(QueryError, match=r"`Task\.project\.lifecycle`.*\n.*did you mean `active`"):
        tasks["project.lifecycle"] == "actve"  # noqa: B015
    assert tasks.everything.limit(1, by="bid", per="parent[Shot].name").count() == 6


def test_the_error_of_several_ways_says_how_to_write_one(show: Any) -> None:
    """The first of them, as the beginning of a path."""
    with pytest.raises(UsageError, match=r"2 ways from Task to Shot.*write a variable as a path: `parent\[Shot\]\."):
        show.tables["Task"].datagrid(["Shot.name"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda t: t["Task"].datagrid(["project.nme"]), "Project has no attribute `nme`"),
        (lambda t: t["Task"].datagrid(["parnt.name"]), "there is no variable `parnt.name`"),
        (lambda t: t["Task"].datagrid(["project.name."]), "expected a name"),
        (lambda t: t["Shot"].datagrid(["children.name"]), "is no column of Shots: it leads to many"),
        (lambda t: t["Shot"].everything.limit(1, by="children.name"), r"needs one value for each entity of Shot, but"),
        (lambda t: t["Task"].cube(["project.name by month"]), "only dates have bands"),
        (lambda t: t["Task"]["project.created_at"].minimum, "a cube computes `smallest"),
    ],
)
def test_a_wrong_path_is_named(show: Any, wrong: Any, message: str) -> None:
    """Before anything is sent."""
    with pytest.raises(UsageError, match=message):
        wrong(show.tables)


def test_a_path_means_what_the_names_mean(holidays: Any, world: World) -> None:
    """Where one way leads to a table, both spellings give the same values; names win over paths."""
    bookings = holidays.tables["Bookings"]
    grid = bookings.datagrid(["Region", "person.household.hhRegion", "Bookings.Cost"], max_rows=100)
    assert grid["Region"] == grid["person.household.hhRegion"]
    assert grid.columns == ("Region", "person.household.hhRegion", "Cost")
    assert bookings["Bookings.Cost"] is bookings["Cost"]
    agents = bookings.cube(["boAgen.peGend"], ["count"])
    rows, people = world.rows["Bookings"].values(), world.rows["People"]
    genders = Counter(people[row["boAgen"]]["peGend"] if row["boAgen"] else None for row in rows)
    assert {row["boAgen.peGend"]: row["Bookings"] for row in agents} == genders
