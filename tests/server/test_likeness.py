"""``like`` cannot be made to run on: long comparisons are linear, and look at the clock."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from studio import Identity, Studio, open_studio, task

from callsheet.errors import Invalid, TooLarge
from callsheet.model.query import Comparison, Path, Select

LONG = "a" * 200_000 + "é\n_%"


@pytest.fixture
def studio() -> Iterator[Studio]:
    with open_studio() as opened:
        opened.commit(task("long", note=LONG), task("short", note="Abc_d%"), task("none"))
        yield opened


def found(studio: Studio, pattern: str, operator: str = "like") -> set[str]:
    select = Select("Task", (), Comparison(Path.of("note"), operator, pattern))
    page = studio.service.backend("admin").select(select, 10)
    return {row[0] for block in page.records for row in block.rows}


def driver(studio: Studio) -> Any:
    with studio.store.reading() as connection:
        return connection.connection.driver_connection


@pytest.mark.parametrize(
    ("pattern", "keys"),
    [
        ("%" + "a" * 900 + "b%", set()),
        ("%a" * 400 + "%", {"long"}),
        ("A%", {"long", "short"}),
        ("aB%", {"short"}),
        ("%É%", set()),
        ("%é%", {"long"}),
        (r"%\%", {"long", "short"}),
        (r"%\%x", set()),
        ("%_d%", {"short"}),
        ("%", {"long", "short"}),
        ("", set()),
    ],
)
def test_long_and_short_texts_are_compared_alike(studio: Studio, pattern: str, keys: set[str]) -> None:
    """Whoever compares; ``not like`` is the opposite, and holds of what has no text."""
    assert found(studio, pattern) == keys
    assert found(studio, pattern, "not_like") == {"long", "short", "none"} - keys


def test_only_long_comparisons_leave_the_database(studio: Studio) -> None:
    """The product of the lengths decides, so that ordinary queries cost what they did."""
    before = driver(studio).long_comparisons
    found(studio, "a%")
    assert driver(studio).long_comparisons == before + 1
    studio.service.backend("admin").select(Select("Task", (), Comparison(Path.of("name"), "like", "%o%")), 10)
    assert driver(studio).long_comparisons == before + 1


def test_a_long_comparison_looks_at_the_clock(studio: Studio) -> None:
    """When the time of the read is over, it is given up, in the words of any query that takes too long."""
    studio.store.deadline = -1.0
    with pytest.raises(Invalid, match="takes too long"):
        found(studio, "%x%")


def test_a_pattern_has_a_limit(studio: Studio) -> None:
    """On every database; a text without a wildcard is an equality, and has none."""
    assert found(studio, "%" + "a" * 999) == set()
    with pytest.raises(TooLarge, match="more than 1000 characters in a pattern of `like`"):
        found(studio, "%" + "a" * 1_000)
    assert studio.value(Identity("Task", "long"), "note") == LONG
