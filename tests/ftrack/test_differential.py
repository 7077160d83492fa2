"""The same scripts through the vendor's client and through ours leave two servers in the same state.

Both servers begin as copies of one studio. Keys that the clients made are replaced by the scripts' symbols, then all
tables are compared. ``CALLSHEET_DIFFERENTIAL_SCRIPTS`` says how many scripts (300).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from callsheet import Session
from callsheet.server.process import serve
from callsheet.server.service import Service
from ftrack.scripts import script
from ftrack.vendor.player import play_all
from studios import KEY, vendor_studio

SCRIPTS = int(os.environ.get("CALLSHEET_DIFFERENTIAL_SCRIPTS", "300"))
FEW = 30
"""How many of them are enough for a first answer."""
PLAYER = Path(__file__).parent / "vendor" / "player.py"
LEFT_OUT = {"created_at", "updated_at", "date", "thread_activity", "status_changes"}
"""Columns that hold the time of writing."""

Table = Counter[str]


@pytest.fixture(scope="module")
def scripts() -> list[Any]:
    return [script(seed) for seed in range(SCRIPTS)]


def test_scripts_are_about_something(scripts: list[Any]) -> None:
    """All kinds of steps occur, and each script commits."""
    kinds = Counter(step[0] for steps in scripts for step in steps)
    for kind in ("create", "set", "item", "drop", "add", "remove", "delete", "commit", "rollback", "look", "count"):
        assert kinds[kind] > SCRIPTS // 10, kind


@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [FEW, pytest.param(SCRIPTS, marks=pytest.mark.proof, id="all")])
def test_both_clients_leave_the_same_behind(
    vendor_python: Path, schemas: Path, tmp_path: Path, scripts: list[Any], count: int
) -> None:
    """All tables of both servers are equal, and both clients read the same on the way."""
    scripts = scripts[:count]
    ours, theirs = _studios(schemas, tmp_path)
    told = _play_ours(schemas, ours, scripts)
    their_told = _play_theirs(schemas, theirs, scripts, vendor_python, tmp_path)
    for number, (mine, other) in enumerate(zip(told, their_told, strict=True)):
        assert mine["read"] == other["read"], f"script {number} read something else"
    first, second = _tables(ours, told), _tables(theirs, their_told)
    assert first.keys() == second.keys()
    for name in first:
        only_ours, only_theirs = first[name] - second[name], second[name] - first[name]
        assert (list(only_ours), list(only_theirs)) == ([], []), name
    assert sum(sum(table.values()) for table in first.values()) > 5 * count


def _studios(schemas: Path, folder: Path) -> tuple[str, str]:
    """Two copies of one studio."""
    first, second = folder / "ours.db", folder / "theirs.db"
    with vendor_studio(_url(first), schemas):
        pass
    shutil.copy(first, second)
    return _url(first), _url(second)


def _url(path: Path) -> str:
    return f"sqlite:///{path.as_posix()}"


def _play_ours(schemas: Path, database: str, scripts: list[Any]) -> list[Any]:
    with (
        serve(schemas, database) as server,
        Session(server.url, "admin", KEY, dialect="ftrack", schema_cache=False) as session,
    ):
        return play_all(session.fork, scripts, datetime.fromisoformat)


def _play_theirs(schemas: Path, database: str, scripts: list[Any], python: Path, folder: Path) -> list[Any]:
    source, target = folder / "scripts.json", folder / "told.json"
    source.write_text(json.dumps(scripts), encoding="utf-8")
    with serve(schemas, database) as server:
        arguments = [str(python), "-W", "ignore", str(PLAYER), str(source), str(target), server.url, "admin", KEY]
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(target.read_text(encoding="utf-8"))  # type: ignore[no-any-return]


def _tables(database: str, told: list[Any]) -> dict[str, Table]:
    """The rows of all tables as texts, with symbols for the keys that were made."""
    symbols = {key: symbol for each in told for symbol, key in each["keys"].items()}
    with Service.open(database) as service, service.store.reading() as connection:
        return {
            name: Counter(_row(row._mapping, symbols, name) for row in connection.execute(select(table)))
            for name, table in service.store.tables.items()
            if not name.startswith("_")
        }


def _row(row: Mapping[str, Any], symbols: Mapping[str, str], table: str) -> str:
    held = {name: _text(value) for name, value in row.items() if not name.startswith("_") and name not in LEFT_OUT}
    if held.get("id") not in symbols:
        # A row of its own making, such as an item of a mapping: what it says counts, not its key.
        held.pop("id", None)
    return json.dumps({name: _symbol(value, symbols) for name, value in held.items()}, sort_keys=True)


def _text(value: object) -> str:
    """A value as text; the items of a mapping in order."""
    return json.dumps(value, sort_keys=True, default=str) if isinstance(value, dict) else str(value)


def _symbol(value: str, symbols: Mapping[str, str]) -> str:
    found = symbols.get(value)
    if found is not None:
        return found
    for key, symbol in symbols.items() if len(value) > 36 else ():
        value = value.replace(key, symbol)
    return value
