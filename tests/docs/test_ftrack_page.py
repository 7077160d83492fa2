"""The page that compares feature by feature says nothing that no test shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import frozen

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "ftrack.md"
FEW = 6

_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")


@frozen
class Row:
    """A feature, what is said of it, and the tests that show it."""

    feature: str
    verdict: str
    shown: str


def rows() -> Iterator[Row]:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if line.startswith("| ") and not line.startswith("| feature"):
            yield Row(*(cells + ["", ""])[:3])


ROWS = list(rows())


def named(row: Row) -> str:
    return re.sub(r"\W+", "-", row.feature).strip("-")[:60]


def test_the_page_is_whole() -> None:
    """It has a part for each part of the peer, and more than a hundred features."""
    headings = re.findall(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), re.M)
    assert headings == [
        "Session",
        "Unit of work",
        "Entities and attributes",
        "Memory",
        "Loading and queries",
        "Server calls",
        "Methods of entities",
        "Recipes",
        "Locations and components",
        "Events",
        "Plugins",
        "Errors and the rest",
    ]
    assert len(ROWS) > 100


@pytest.mark.parametrize("row", ROWS, ids=named)
def test_a_row_is_true(row: Row) -> None:
    """What is there is shown by tests that exist; what is better says how; what is not there says why."""
    word, _, words = row.verdict.partition(":")
    assert word in ("yes", "better", "no"), row
    if word != "yes":
        assert len(words) > 20, f"{row.feature}: {word} needs a reason"
    found = _TEST.findall(row.shown)
    assert bool(found) is (word != "no"), row
    for path, name in found:
        text = (ROOT / "tests" / path).read_text(encoding="utf-8")
        assert re.search(rf"^(async )?def {name}\(", text, re.M), f"there is no tests/{path}::{name}"


def test_little_is_missing() -> None:
    """No more than a handful."""
    assert len([row for row in ROWS if row.verdict.startswith("no")]) <= FEW
