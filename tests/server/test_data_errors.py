"""What a database says about values is a final refusal; what it says about itself may be tried again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from callsheet.errors import Invalid
from callsheet.server.service import Service
from server.databases import postgres_database

SCHEMA = {
    "name": "data",
    "types": {
        "Dot": {
            "attributes": {
                "name": {"type": "string", "indexed": True},
                "size": {"type": "integer"},
                "start": {"type": "datetime"},
            }
        }
    },
}
LONG = random.Random(1).randbytes(4_000).hex()
INSERT = "INSERT INTO \"Dot\" (id, _type, _version, _commit, name, size) VALUES (:id, 'Dot', 1, 1, :name, :size)"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Service]:
    with postgres_database() as url, Service.open(url, SCHEMA, "the key of these tests") as service:
        yield service


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    url = f"sqlite:///{tmp_path_factory.mktemp('data')}/data.db"
    with Service.open(url, SCHEMA, "the key of these tests") as service:
        yield service


def refused(service: Service, statement: str, **values: Any) -> str:
    """What is raised when the database itself refuses these values in a write."""
    with pytest.raises(Invalid, match=r"the database refused the values|64 bits") as caught:
        service.store.database.write(lambda connection: connection.execute(text(statement), values))
    return str(caught.value)


def test_an_index_row_that_is_too_large_is_a_refusal(postgres: Service) -> None:
    """Class 54 of PostgreSQL's errors; the server says it as an answer of its own, not as a fault."""
    assert "index row" in refused(postgres, INSERT, id="a", name=LONG, size=1)


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (INSERT, {"id": "a", "name": "a\x00b", "size": 1}),
        (INSERT, {"id": "a", "name": "a", "size": 2**70}),
        (INSERT, {"id": None, "name": "a", "size": 1}),
        ("INSERT INTO \"Dot\" (start) VALUES (CAST(:text AS timestamptz))", {"text": "the 40th of May"}),
    ],
)  # fmt: skip
def test_postgresql_errors_about_data_are_refusals(postgres: Service, statement: str, values: dict[str, Any]) -> None:
    """What cannot be encoded, is out of range, breaks a rule, or cannot be read."""
    refused(postgres, statement, **values)


@pytest.mark.parametrize(
    "values",
    [
        {"id": "a", "name": "a\ud800", "size": 1},
        {"id": "a", "name": "a", "size": 2**70},
        {"id": "a", "name": "a", "size": "x"},
        {"id": None, "name": "a", "size": 1},
    ],
)
def test_sqlite_errors_about_data_are_refusals(sqlite: Service, values: dict[str, Any]) -> None:
    """Those of its driver, which come as Python's own exceptions, included."""
    refused(sqlite, INSERT, **values)
