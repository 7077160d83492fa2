"""The rows that a store for the vendor's clients begins with, as its documents state them."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterable
from importlib import resources
from typing import Any

import pytest

from callsheet.dialects.ftrack.common.facts import facts_of
from callsheet.dialects.ftrack.common.wiring import shared
from callsheet.dialects.ftrack.server.schema.store_document import store_document
from callsheet.dialects.ftrack.server.seed.essentials import essential_operations
from callsheet.dialects.ftrack.server.seed.rows import SeedRow, SeedRows, key_of_row, operations, rows_of
from callsheet.dialects.ftrack.server.seed.studio import studio_operations
from callsheet.model.operation import Create, Operation
from callsheet.model.record import Identity
from callsheet.model.schema import Schema
from callsheet.model.well_known import LOCATION_KEYS
from ftrack.studio_schema import studio_list


def document(name: str) -> dict[str, Any]:
    return tomllib.loads((resources.files("callsheet.dialects.ftrack.data") / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def schema() -> Schema:
    return Schema(store_document(studio_list()))


@pytest.fixture(scope="module")
def commits(schema: Schema) -> list[tuple[Operation, ...]]:
    """What a new store gets, commit by commit."""
    return [essential_operations(schema), *studio_operations(schema)]


def creates(commits: Iterable[Iterable[Operation]]) -> list[Create]:
    return [operation for commit in commits for operation in commit if isinstance(operation, Create)]


def test_every_row_is_created_once(commits: list[tuple[Operation, ...]]) -> None:
    """No key stands for two rows, and there are as many rows as the documents describe."""
    counted = Counter(create.identity for create in creates(commits))
    assert [identity for identity, count in counted.items() if count > 1] == []
    assert [len(commit) for commit in commits] == [153, 26, 89]


def test_every_reference_leads_to_a_row(commits: list[tuple[Operation, ...]]) -> None:
    """What a row refers to is created too: before it, except the latest version of an asset."""
    seen: set[Identity] = set()
    later: list[tuple[str, str]] = []
    for create in creates(commits):
        seen.add(create.identity)
        for name, value in create.values.items():
            if isinstance(value, Identity) and value not in seen:
                later.append((create.identity.entity_type, name))
                assert value in {other.identity for other in creates(commits)}, (create, name)
    assert set(later) == {("Asset", "latest_version")}


def test_an_id_stands_in_one_place() -> None:
    """No well-known key is in two documents, or twice in one, or also a location's."""
    texts = [each.read_text(encoding="utf-8") for each in resources.files("callsheet.dialects.ftrack.data").iterdir()]
    rows = tomllib.loads(next(text for text in texts if "[[rows.ObjectType]]" in text and "Priority = [" in text))[
        "rows"
    ]
    keys = [row["id"] for tables in rows.values() for row in tables if "id" in row]
    assert len(keys) == 8
    assert [key for key in (*keys, *LOCATION_KEYS.values()) if sum(text.count(key) for text in texts) > 1] == []
    assert set(keys) & set(LOCATION_KEYS.values()) == set()


@pytest.mark.parametrize(
    ("entity_type", "name", "key"),
    [
        ("ObjectType", "Task", "11c137c0-ee7e-4f9c-91c5-8c77cec22b2c"),
        ("Priority", "None", "9661b320-3a0c-11e2-81c1-0800200c9a66"),
        ("Location", "ftrack.server", "3a372bde-05bc-11e4-8908-20c9d081909b"),
        ("CustomAttributeConfiguration", "difficulty", "1d9046ed-6688-54b1-8fa0-26acac14e4e1"),
        ("CustomAttributeGroup", "Production", "5c9e3297-3c94-568f-bf87-c842f7efa8ec"),
    ],
)
def test_keys_are_the_same_in_every_store(entity_type: str, name: str, key: str) -> None:
    """A well-known key is the vendor's, and another is derived from type and name, as released versions derive it."""
    assert key_of_row(entity_type, name) == key


def test_a_row_of_several_names_is_a_row_for_each(schema: Schema) -> None:
    """Names and references multiply, numbers count within what the document says, and JSON data become text."""
    tables = {
        "numbered": {"SchemaStatus": "schema"},
        "each": {"Type": {"color": "#510100"}},
        "rows": {
            "Type": [{"name": ["Layout", "FX"]}],
            "SchemaStatus": [{"schema": {"Schema": ["Shot", "Folder"]}, "task_status": {"Status": ["Done", "Open"]}}],
            "CustomAttributeConfiguration": [{"key": "fps", "config": {"isdecimal": True}}],
        },
    }
    rows = list(rows_of(facts_of(tables, SeedRows, "rows.toml")))
    assert rows[:2] == [
        SeedRow("Type", "Layout", {"name": "Layout", "color": "#510100"}),
        SeedRow("Type", "FX", {"name": "FX", "color": "#510100"}),
    ]
    assert [row.values["sort"] for row in rows[2:6]] == [0, 1, 0, 1]
    assert rows[6].values == {"key": "fps", "config": json.dumps({"isdecimal": True})}
    keys = [create.identity.key for create in operations(schema, rows[2:4])]
    shot = key_of_row("Schema", "Shot")
    assert keys == [f"{key_of_row('Status', name)}\x1f{shot}" for name in ("Done", "Open")]


def test_object_types_of_the_wiring_are_those_of_the_rows() -> None:
    """Each type below TypedContext has its object type among the essential rows."""
    below = {name for name, above in shared().extends.facts.items() if above == "TypedContext"}
    assert {row["name"].replace(" ", "") for row in document("seed.toml")["rows"]["ObjectType"]} == below
