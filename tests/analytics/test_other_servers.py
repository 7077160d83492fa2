"""Servers that have less: one that speaks ftrack's language, and one without measures; counts work."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from attrs import evolve
from brute import Compared, World, counts, selected

from callsheet import Session, UsageError
from callsheet.testing import memory_service
from dialects.embedded import Direct, session_over


@pytest.fixture(scope="module")
def studio() -> Iterator[Any]:
    """A session over ftrack's wire on two projects with shots and tasks."""
    service = memory_service()
    with session_over(Direct(service), plugin_paths=False) as session:
        for number, name in enumerate(("sintel", "spring")):
            project = session.create("Project", {"name": name, "full_name": name})
            for place in range(3 + number):
                shot = session.create("Shot", {"name": f"sh{place}", "parent": project})
                for task in ("anim", "light")[: place % 3]:
                    session.create("Task", {"name": task, "parent": shot})
        session.commit()
        fork = session.fork()
        yield fork
        fork.close()
    service.close()


def test_tables_of_another_language(studio: Any) -> None:
    """Each entity type is one; they are counted one by one, when they are read."""
    tables = studio.tables
    assert [tables[name].total_records for name in ("Project", "Shot", "Task")] == [2, 7, 6]
    assert tables["Shots"].name == "Shot"
    assert studio.variables["Shot.name"].type == "Text"
    assert "Project" in [table.name for table in tables["Shot"].ancestors] or tables["Shot"].is_related("Project")


def test_selections_of_another_language(studio: Any) -> None:
    """Over relations, counted by keys, with the counts above; stored and read."""
    shots, projects = studio.tables["Shot"], studio.tables["Project"]
    named = shots["name"].is_in(["sh1", "sh2"]) & (projects["name"] == "spring").of(shots, through="project")
    assert named.count() == 2
    assert sorted(entity["name"] for entity in named) == ["sh1", "sh2"]
    assert studio.selection(named.to_json()).select_statement == named.select_statement
    some = (shots["name"] == "sh3").of(projects, through="project")
    assert [entity["name"] for entity in some] == ["spring"]


def test_grids_of_another_language(studio: Any) -> None:
    """Columns of the table and of those above."""
    grid = studio.tables["Shot"].datagrid(["name"], max_rows=2)
    assert (len(grid), grid.total, grid.truncated) == (2, 7, True)
    assert sorted(row["name"] for row in grid.stream()) == sorted(["sh0", "sh1", "sh2"] * 2 + ["sh3"])


def test_cubes_and_samples_of_another_language_are_refused(studio: Any) -> None:
    """With what to do instead."""
    shots = studio.tables["Shot"]
    with pytest.raises(UsageError, match="this server computes no cubes: select the values with `datagrid`"):
        shots.cube(["name"], ["count"])
    with pytest.raises(UsageError, match="this server has no samples, and no limits by or per a variable"):
        shots.everything.sample(3)
    with pytest.raises(UsageError, match="no limits by or per a variable"):
        shots.everything.limit(3, by="name")
    assert shots.everything.limit(3).count() == 3


def test_an_earlier_server_counts_by_keys(small: Session, small_world: World) -> None:
    """Without measures and without counts of many types: selections are counted all the same."""
    session = small.fork()
    described = session.server_information
    session._description = evolve(
        described, features=evolve(described.features, measures=False, counts=False, rows=1_000)
    )
    session.page_size = 7
    term = Compared("Bookings", "boCost", ">", 200.0)
    expected = selected(small_world, term)
    selection = term.build(session)
    assert selection.count() == len(expected)
    assert selection.counts == counts(small_world, "Bookings", expected)
    assert session.tables["People"].total_records == len(small_world.rows["People"])
    with pytest.raises(UsageError, match="computes no cubes"):
        session.tables["People"].cube()
    session.close()
