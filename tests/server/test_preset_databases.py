"""Every preset, and any name that a schema may have, becomes a database on each engine."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsheet import Session
from server.databases import new_database

LONG = "a" * 50


@pytest.mark.parametrize("kind", ["memory", "file", "postgres"])
@pytest.mark.parametrize("preset", ["production", "lab"])
def test_a_preset_opens_and_takes_its_standard_entities(kind: str, preset: str, tmp_path: Path) -> None:
    """The database is made, seeded, and opened again as it is."""
    with new_database(kind, tmp_path) as url:
        with Session(url, schema=preset, seed=True) as session:
            count = session.query("User").count()
            assert count > 0
        if kind != "memory":
            with Session(url, schema=preset) as session:
                assert session.query("User").count() == count


@pytest.mark.parametrize("kind", ["memory", "postgres"])
def test_long_names_of_types_and_attributes_share_no_index(kind: str, tmp_path: Path) -> None:
    """PostgreSQL keeps 63 characters of a name; two that begin alike are still two, and both are unique."""
    attributes = {f"{LONG}_{end}": {"type": "string", "unique": True} for end in ("one", "two")}
    schema = {"name": "long", "types": {"T" * 50: {"unique": [sorted(attributes)], "attributes": attributes}}}
    with new_database(kind, tmp_path) as url, Session(url, schema=schema) as session:
        session.create("T" * 50, {f"{LONG}_one": "a", f"{LONG}_two": "a"})
        session.commit()
        assert session.query("T" * 50).count() == 1
