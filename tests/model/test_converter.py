"""Change sets as plain data: what the reader accepts, what it refuses, and where it says the fault is."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from callsheet.model.converter import changes_from_plain, changes_to_plain
from callsheet.model.operation import ChangeSet, Delete
from callsheet.model.plain import Malformed, decode
from callsheet.model.record import Identity
from callsheet.transport.journal import Journal

TASK = ["Task", "a"]
JOURNALS = sorted((Path(__file__).parent.parent / "released").glob("*/journal.sqlite"))


def test_unknown_keys_are_ignored() -> None:
    """A reader of this version reads what a newer version wrote, and leaves out what it does not know."""
    operation = {"is": "delete", "entity": TASK, "version": 3, "reason": "old"}
    read = changes_from_plain("c", {"operations": [operation], "colour": "red"})
    assert read == ChangeSet("c", (Delete(Identity("Task", "a"), 3),))


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        ([], "is no change set"),
        ({}, "operations"),
        ({"operations": [], "parts": "3"}, "'3' is no int @ $.parts"),
        ({"operations": [], "parts": True}, "True is no int @ $.parts"),
        ({"operations": [], "parts": -1}, "-1 is no count"),
        ({"operations": [], "policy": "best"}, "`best` is no policy"),
        ({"operations": [], "effect": ["h", 1]}, "is no effect"),
        ({"operations": [], "effect": ["h", 2**63, 0, "l"]}, "is no count"),
        ({"operations": [{"is": "upsert", "entity": TASK}]}, "`upsert` is missing or unknown"),
        ({"operations": [{"is": "delete", "entity": ["Task", None]}]}, "cannot be a primary key @ $.operations[0]"),
        ({"operations": [{"is": "delete", "entity": "Task"}]}, "is no identity"),
        ({"operations": [{"is": "create", "entity": TASK, "values": {"x": {"$hour": 1}}}]}, "unknown kind of value"),
        ({"operations": [{"is": "create", "entity": TASK, "added": {"x": "y"}}]}, "lists of identities"),
    ],
)
def test_what_is_no_change_set_is_malformed(plain: Any, message: str) -> None:
    """Data of another shape is refused with the reason, and no value is converted to fit."""
    with pytest.raises(Malformed) as caught:
        changes_from_plain("c", plain)
    assert message in str(caught.value)


@pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.parent.name)
def test_journals_of_released_versions_are_read(path: Path, tmp_path: Path) -> None:
    """A journal that an earlier version left behind is read, and written again it is the same."""
    copy = Path(shutil.copy(path, tmp_path))
    with closing(sqlite3.connect(copy)) as connection:
        rows = connection.execute("SELECT commit_id, changes FROM entry ORDER BY number").fetchall()
    journal = Journal(copy)
    read = {entry.changes.commit_id: changes_to_plain(entry.changes) for entry in journal.entries()}
    journal.close()
    assert read
    assert read == {commit_id: decode(data, dict) for commit_id, data in rows}


def test_cattrs_is_loaded_when_it_is_needed() -> None:
    """Neither the package nor the converter's module loads cattrs: a script that keeps no journal never pays for it."""
    code = "import sys, callsheet, callsheet.transport.journal; callsheet.Session; sys.exit('cattrs' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
