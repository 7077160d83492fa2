"""The log of before a change of the schema is read by the names of now: history, past states, undo, events."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callsheet import Session
from callsheet.server.migration.applying import WantedSchema
from callsheet.server.migration.running import change_schema
from callsheet.server.schemas.document import read_schema
from callsheet.server.store.store import Store
from server.databases import new_database

OLD: dict[str, Any] = {
    "name": "old",
    "types": {
        "Shot": {
            "attributes": {
                "name": {"type": "string"},
                "bid": {"type": "string"},
                "gone": {"type": "string"},
                "tags": {"type": "collection", "target": "Tag"},
            }
        },
        "Tag": {"attributes": {"name": {"type": "string"}}},
        "Lost": {"attributes": {"name": {"type": "string"}}},
    },
}
NEW: dict[str, Any] = {
    "name": "new",
    "types": {
        "Clip": {
            "was": "Shot",
            "attributes": {
                "title": {"type": "string", "was": "name"},
                "bid": {"type": "integer"},
                "labels": {"type": "collection", "target": "Tag", "was": "tags"},
            },
        },
        "Tag": {"attributes": {"name": {"type": "string"}}},
    },
}


@pytest.fixture(params=["file", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with new_database(request.param, tmp_path) as found:
        with Session(found, schema=OLD) as session:
            tag = session.create("Tag", {"name": "red"})
            shot = session.create("Shot", {"name": "010", "bid": "1", "gone": "x", "tags": [tag]})
            other = session.create("Shot", {"name": "020"})
            session.create("Lost", {"name": "lost"})
            session.commit()
            shot["bid"], shot["name"] = "2", "011"
            session.delete(other)
            session.commit()
        store = Store.open(found)
        change_schema(store, WantedSchema(*read_schema(NEW)), "ann", "clips", keep=False)
        store.close()
        yield found


def test_history_has_the_names_of_now(url: str) -> None:
    """Each commit of before is there, with what became of its types and attributes."""
    with Session(url) as session:
        clip = session.query("Clip").one()
        found = [(dict(each.before), dict(each.after)) for each in session.history(clip)]
        assert ({"bid": 1, "title": "010"}, {"bid": 2, "title": "011"}) in found
        kinds = {change.identity.entity_type for commit in session.commits() for change in commit.changes}
        assert kinds == {"Clip", "Tag"}


def test_past_states_are_read_by_the_schema_of_now(url: str) -> None:
    """The state of before a rename has the new names, and the deleted entity; what is gone is not there."""
    with Session(url) as session, session.at(1) as past:
        clips = past.query("Clip order by title").all()
        assert [(each["title"], each["bid"]) for each in clips] == [("010", 1), ("020", None)]
        assert [each["name"] for each in clips[0]["labels"]] == ["red"]


def test_a_commit_of_before_is_undone(url: str) -> None:
    """An undo writes what is there now."""
    with Session(url) as session:
        session.undo(session.commits()[1])
        session.commit()
        assert session.query("Clip where title is '020'").first() is not None
        assert session.query("Clip where title is '010'").one()["bid"] == 1
