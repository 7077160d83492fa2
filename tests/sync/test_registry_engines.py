"""The registry keeps its promises on every engine, and over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import callsheet
from callsheet import RowMapping, Session, SessionSide, Sync, TypePair, serve
from callsheet.errors import CommitError
from server.databases import new_database

KEY = callsheet.external("tracker")
MAPPING = RowMapping({"name": "name", "note": "description"})


@pytest.mark.parametrize("kind", ["file", "postgres"])
def test_links_bases_and_policies(kind: str, tmp_path: Path) -> None:
    """New rows, renames, edits of both sides, and what the server keeps unique."""
    with new_database(kind, tmp_path) as address, Session(address) as session:
        rows: list[dict[str, Any]] = [{"id": 1, "name": "sintel", "note": "old"}, {"id": 2, "name": "spring"}]
        session.plan("Project", rows, KEY, MAPPING, conflicts="raise").apply()
        late = session.fork().plan("Project", [{"id": 3, "name": "tears"}], KEY, MAPPING, conflicts="raise")
        session.fork().plan("Project", [{"id": 3, "name": "steel"}], KEY, MAPPING, conflicts="raise").apply()
        with pytest.raises(CommitError):
            late.apply()
        session.external("tracker", "Project", "1")["description"] = "theirs"
        session.commit()
        rows = [{"id": 1, "name": "sintel_2", "note": "mine"}, {"id": 2, "name": "spring"}]
        made = session.fork().plan("Project", rows, KEY, MAPPING, conflicts={"description": "target"})
        assert [each.base for each in made.overridden] == ["old"]
        made.apply()
        assert session.fork().plan("Project", rows, KEY, MAPPING, conflicts={"description": "target"}).is_empty
        found = session.fork().query("select name, description from Project")
        assert {each["name"]: each["description"] for each in found} == {
            "sintel_2": "theirs",
            "spring": None,
            "steel": None,
        }


@pytest.mark.parametrize("kind", ["postgres"])
def test_two_ways_over_http(kind: str, tmp_path: Path) -> None:
    """A database of ours and a server elsewhere, with edits on both sides."""
    mapping = [TypePair("Project", "Project", ["name", "description", "metadata.fps"], adopt=["name"])]
    with (
        new_database(kind, tmp_path) as address,
        Session(address) as left,
        serve() as server,
        Session(server.url, "admin", server.admin_key) as right,
    ):
        left.create("Project", {"name": "sintel", "metadata": {"fps": "24"}})
        left.commit()
        sync = Sync(left, SessionSide(right, "mirror"), mapping)
        assert sync.plan().apply().refused == ()
        theirs = right.query("Project").one()
        theirs["metadata"]["fps"] = "25"
        right.create("Project", {"name": "spring"})
        right.commit()
        mine = left.query("Project").one()
        mine["description"] = "a film"
        left.commit()
        assert sync.plan().apply().refused == ()
        assert sync.plan(whole=True).is_empty
        ends = []
        for session in (left, right):
            found = session.fork().query("select name, description, metadata from Project")
            ends.append({each["name"]: (each["description"], each["metadata"].get("fps")) for each in found})
        assert ends[0] == ends[1] == {"sintel": ("a film", "25"), "spring": (None, None)}
