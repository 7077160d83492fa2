"""Each name of other sessions has a counterpart, and a test that exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from callsheet import AsyncSession, Session

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "session-names.md"
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.read_text(encoding="utf-8").splitlines()
    if line.startswith("| ") and not line.startswith("| there")
]
NAMED = sorted({row[-1].strip("` |") for row in ROWS})


def test_every_row_is_read() -> None:
    """A name, its counterpart and a test."""
    assert len(ROWS) > 50
    assert {len(row) for row in ROWS} == {3}


@pytest.mark.parametrize("name", NAMED)
def test_the_test_of_a_row_exists(name: str) -> None:
    """It is a function of that file."""
    path, _, function = name.partition("::")
    module = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    assert function in {each.name for each in ast.walk(module) if isinstance(each, kinds)}


def test_the_counterparts_of_a_session_exist() -> None:
    """What the page calls ``Session.…``, and what it calls "the same", is a name of both kinds of session."""
    there = {name for row in ROWS for name in re.findall(r"Session\.(\w+)", row[0])}
    same = {
        name
        for row in ROWS
        if row[1].startswith("the same")
        for name in re.findall(r"`([a-z_]+)(?:\(|`)", row[0])
        if name not in ("login", "login_with_password", "find", "find_by_name", "where", "all", "new", "len")
    }
    assert {"tables", "variables", "deserialize", "session_id"} <= there
    assert {"ping", "current_user", "with_cache", "models"} <= same
    with Session("memory:") as session:
        missing = [name for name in sorted(there | same) if not hasattr(session, name)]
    fields = {"username", "first_name", "surname", "email_address", "description", "build_date", "view_name"}
    assert set(missing) <= fields, missing
    assert {name for name in there if not hasattr(AsyncSession, name)} == set()
