"""Keys are UUID columns in the mirror where they are UUIDs, and no answer shows it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path as Folder
from typing import Any
from uuid import UUID

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from test_matches_equals_sql import DOCUMENT, SETTINGS, worlds
from test_measures_equal_python import World, aggregates, choices_agree, chosen, numbers_agree, small

from callsheet.model.measure import Aggregate, AggregateFunction, Level
from callsheet.model.operation import ChangeSet, Create, Delete, Update
from callsheet.model.query import Path, Select
from callsheet.model.record import Identity
from callsheet.model.schema import Schema
from callsheet.server.mirror.database import MirrorDatabase
from callsheet.server.mirror.feed import create_tables, mirrored_tables
from callsheet.server.mirror.keys import key_columns, uuid_columns
from callsheet.server.mirror.mirror import Mirror
from callsheet.server.service import Service
from callsheet.server.store.layout import layout_of
from callsheet.server.store.store import Store

SHORT = {f"{letter}{number}": UUID(int=ord(letter) << 64 | number) for letter in "gst" for number in range(8)}


def with_uuids(value: Any) -> Any:
    """The same with each short key as a UUID; their order stays."""
    if isinstance(value, str):
        return str(SHORT[value]) if value in SHORT else value
    if isinstance(value, dict):
        return {with_uuids(key): with_uuids(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return type(value)(map(with_uuids, value))
    if attrs.has(type(value)):
        return attrs.evolve(
            value,
            **{
                each.alias: with_uuids(getattr(value, each.name))
                for each in attrs.fields(type(value))
                if each.init and each.alias
            },
        )
    return value


@pytest.fixture(scope="module")
def uuid_mirror() -> Iterator[Store]:
    """A store on DuckDB in which all keys are UUIDs."""
    schema = Schema(DOCUMENT)
    plain = Store("mirror:", MirrorDatabase(None, 30.0))
    plain.schema, plain.layout = schema, layout_of(schema)
    assert isinstance(plain.database, MirrorDatabase)
    store = Store("mirror:", plain.database.keyed(uuid_columns(key_columns(plain), ())))
    store.schema, store.layout = plain.schema, plain.layout
    store.write(lambda connection: create_tables(mirrored_tables(store), connection))
    yield store
    store.close()


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_numbers_of_entities_with_uuids_mean_the_same(uuid_mirror: Store) -> None:
    """Every group, in order, with every measure and total, equals what Python computes of the entities."""

    @settings(SETTINGS, max_examples=40)
    @given(worlds(), aggregates())
    def law(world: World, aggregate: Aggregate) -> None:
        numbers_agree(uuid_mirror, with_uuids(small(world)), with_uuids(aggregate))

    law()


@pytest.mark.proof
@pytest.mark.timeout(1_800)
def test_tops_and_samples_of_entities_with_uuids_mean_the_same(uuid_mirror: Store) -> None:
    """All pages together, and a query inside a query, keep what Python keeps."""

    @settings(SETTINGS, max_examples=20)
    @given(worlds(), st.sampled_from(["Thing", "Node", "Leaf"]).flatmap(chosen), st.integers(1, 4))
    def law(world: World, select: Any, size: int) -> None:
        choices_agree(uuid_mirror, with_uuids(small(world)), with_uuids(select), size)

    law()


TREE: dict[str, Any] = {
    "types": {
        "Folder": {"attributes": {"name": {"type": "string"}}},
        "Note": {
            "attributes": {
                "folder": {"type": "reference", "target": "Folder"},
                "readers": {"type": "collection", "target": "Folder"},
            }
        },
    }
}
GOOD = str(UUID(int=10))


def kinds(mirror: Mirror) -> dict[tuple[str, str], str]:
    """The types of the columns of keys."""
    with mirror.reading() as state:
        rows = state.connection.exec_driver_sql("SELECT table_name, column_name, data_type FROM duckdb_columns()").all()
        places = key_columns(state.store)
        return {(row[0], row[1]): row[2] for row in rows if (row[0], row[1]) in places}


def rows_of(mirror: Mirror) -> dict[str, list[Any]]:
    with mirror.reading() as state:
        connection, tables = state.connection, mirrored_tables(state.store)
        return {table.name: sorted(map(repr, connection.execute(select(*table.c)))) for table in tables}


def rows_there(service: Service) -> dict[str, list[Any]]:
    with service.store.reading() as connection:
        tables = mirrored_tables(service.store)
        return {table.name: sorted(map(repr, connection.execute(select(*table.c)))) for table in tables}


ODD_KEYS = [
    "f1",
    "FFFFFFFF-FFFF-4FFF-8FFF-FFFFFFFFFFFF",
    "{00000000-0000-0000-0000-00000000000b}",
    "0000000000000000000000000000000b",
    "00000000-0000-0000-0000-0000000000",
    "0000000-00000-0000-0000-00000000000b",
    "'; DROP TABLE x --",
    "é",
]


@pytest.mark.parametrize("odd", ODD_KEYS)
def test_a_key_that_is_no_uuid_makes_texts_of_its_type(odd: str, tmp_path: Folder) -> None:
    """Found when all is copied, or in a commit; other types keep their UUIDs; a restart keeps what is known."""
    folder, note, other = Identity("Folder", GOOD), Identity("Note", str(UUID(int=12))), Identity("Folder", odd)
    for early in (True, False):
        with Service.open("memory:", TREE) as service:
            mirror = Mirror(service.store, tmp_path / str(early))
            first = (Create(folder, {"name": "a"}), Create(note, {"folder": folder}))
            service.commit(ChangeSet("a", (*first, Create(other)) if early else first), "admin")
            if not early:
                assert set(kinds(mirror).values()) == {"UUID"}
                service.commit(ChangeSet("b", (Create(other, {"name": "b"}),)), "admin")
            service.commit(ChangeSet("c", (Update(note, {"folder": other}),)), "admin")
            assert kinds(mirror) == {
                ("Folder", "id"): "VARCHAR",
                ("Note", "id"): "UUID",
                ("Note", "folder"): "VARCHAR",
                ("_link_Note_readers", "owner"): "UUID",
                ("_link_Note_readers", "member"): "VARCHAR",
            }
            assert rows_of(mirror) == rows_there(service)
            service.commit(ChangeSet("d", (Delete(other),)), "admin")
            assert rows_of(mirror) == rows_there(service)
            mirror.close()


def test_a_late_key_in_many_rows_is_found_while_they_are_copied(tmp_path: Folder) -> None:
    """Only the first keys are looked at before."""
    with Service.open("memory:", TREE) as service:
        rows = [{"id": str(UUID(int=number)), "_type": "Folder", "_version": 1} for number in range(300)]
        rows.append({"id": "last", "_type": "Folder", "_version": 1})
        folders = service.store.tables["Folder"]
        service.store.write(lambda connection: connection.execute(folders.insert(), rows))
        mirror = Mirror(service.store)
        assert kinds(mirror)["Folder", "id"] == "VARCHAR"
        assert rows_of(mirror) == rows_there(service)
        mirror.close()


def test_a_key_of_a_scenario_that_is_no_uuid_makes_texts_of_its_type() -> None:
    """The keys in a scenario are of the same kind as those of the mirror, and the numbers do not show which."""
    folder, late = Identity("Folder", GOOD), Identity("Folder", "late")
    notes = [Identity("Note", str(UUID(int=number))) for number in range(20, 23)]
    names = Aggregate(Select("Note"), (AggregateFunction("count"),), (Level(Path.of("folder.name")),))
    with Service.open("memory:", TREE, analytics=True) as service:
        mirror, backend = service.mirror, service.backend("admin")
        assert mirror is not None
        made = (Create(folder, {"name": "a"}), *(Create(note, {"folder": folder}) for note in notes))
        service.commit(ChangeSet("a", made), "admin")
        backend.call("scenarios.create", {"name": "other"})
        inside = backend.scenario("other")
        inside.commit(ChangeSet("b", (Update(folder, {"name": "b"}), Delete(notes[0]))))
        assert inside.aggregate(names) == [("b", 2)]
        assert set(kinds(mirror).values()) == {"UUID"}
        inside.commit(ChangeSet("c", (Create(late, {"name": "c"}), Update(notes[1], {"folder": late}))))
        assert inside.aggregate(names) == [("b", 1), ("c", 1)]
        assert kinds(mirror)["Note", "folder"] == "VARCHAR"
        assert backend.aggregate(names) == [("a", 3)]
