"""Sessions on every kind of server, for tests of user tables."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "server"))

from databases import new_database

from callsheet import Session
from callsheet.server.process import serve

KINDS = ("memory", "file", "http", "postgres")


@pytest.fixture(scope="session")
def table_server() -> Iterator[Any]:
    """A server with a mirror."""
    with serve(analytics=True) as served:
        yield served


@pytest.fixture(scope="session")
def table_postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session on PostgreSQL."""
    with new_database("postgres", tmp_path_factory.mktemp("tables")) as url, Session(url) as found:
        yield found


@pytest.fixture(params=KINDS)
def session(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """A session on a database in memory, in a file, on PostgreSQL, or on a server; without user tables."""
    if request.param in ("memory", "file"):
        with new_database(request.param, tmp_path) as url, Session(url) as found:
            yield found
        return
    if request.param == "http":
        served = request.getfixturevalue("table_server")
        found = Session(served.url, "admin", served.admin_key)
    else:
        found = request.getfixturevalue("table_postgres").fork()
    found.reload_schema()
    with found:
        yield found
        with found.start_transaction():
            for table in [each for each in found.tables if each.is_user_table]:
                found.drop_table(table)


@pytest.fixture
def memory() -> Iterator[Any]:
    """A session on a database in memory."""
    with Session("memory:") as found:
        yield found
