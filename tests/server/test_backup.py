"""Backups: one moment of a database in a new file. What happens while others commit is shown in tests/faults."""

from __future__ import annotations

from pathlib import Path

import pytest

from callsheet.errors import StorageError
from callsheet.model.operation import ChangeSet, Create
from callsheet.model.query import Select
from callsheet.model.record import Identity
from callsheet.server.service import Service
from callsheet.server.store.database import PostgresDatabase

DOCUMENT = {"name": "dots", "types": {"Dot": {"attributes": {"name": {"type": "string"}}}}}


def make(service: Service, key: str) -> None:
    service.commit(ChangeSet(f"make {key}", (Create(Identity("Dot", key), {"name": key}),)), "anna")


def names(service: Service) -> list[str]:
    page = service.backend("anna").select(Select("Dot"), 10)
    return [row[0] for block in page.records for row in block.rows]


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_a_backup_is_a_database_of_its_own(tmp_path: Path, kind: str) -> None:
    """It holds what was there, opens like any other, and does not change with its origin."""
    url = "memory:" if kind == "memory" else f"sqlite:///{tmp_path}/dots.db"
    with Service.open(url, DOCUMENT) as service:
        make(service, "a")
        service.backup(tmp_path / "copy.db")
        make(service, "b")
        assert names(service) == ["a", "b"]
    with Service.open(f"sqlite:///{tmp_path}/copy.db") as copy:
        assert names(copy) == ["a"]
        make(copy, "c")
        assert names(copy) == ["a", "c"]


def test_a_backup_takes_no_file_of_another(tmp_path: Path) -> None:
    """A file that is there stays as it is; where nothing can be written, the error says so and nothing is left."""
    (tmp_path / "there.db").write_text("mine")
    with Service.open("memory:", DOCUMENT) as service:
        with pytest.raises(StorageError, match=r"there\.db exists already"):
            service.backup(tmp_path / "there.db")
        with pytest.raises(StorageError, match=r"cannot write the backup .*nowhere"):
            service.backup(tmp_path / "nowhere" / "copy.db")
    assert [path.name for path in tmp_path.iterdir()] == ["there.db"]
    assert (tmp_path / "there.db").read_text() == "mine"


def test_postgres_has_its_own_tools(tmp_path: Path) -> None:
    """The error names them."""
    database = PostgresDatabase("postgresql+psycopg://nobody@127.0.0.1:1/none", 1.0)
    with pytest.raises(StorageError, match="pg_dump"):
        database.backup(tmp_path / "copy.db")
    database.close()
