"""Stores, servers and sessions with a small studio in them, for tests of every room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from callsheet.dialects.ftrack.server.seed.studio import studio_operations
from callsheet.model.operation import ChangeSet
from callsheet.server.process import Server, serve
from callsheet.server.service import Service
from recorded import schema_list

__all__ = ["KEY", "furnish", "served_vendor_studio", "vendor_studio"]

KEY = "the key of these tests"
"""The key of the account ``admin``."""


def furnish(service: Service) -> Service:
    """Commits a small studio to a store with a schema of the vendor's."""
    for number, operations in enumerate(studio_operations(service.store.schema)):
        service.commit(ChangeSet(f"studio-{number}", operations), "admin")
    return service


@contextmanager
def vendor_studio(url: str = "memory:", schemas: Path | None = None, **options: Any) -> Iterator[Service]:
    """A store with the vendor's schema and a small studio in it; by default the schema of `ftrack/studio.toml`."""
    with Service.open(url, schemas or schema_list(), KEY, **options) as service:
        yield furnish(service)


@contextmanager
def served_vendor_studio(folder: Path, schemas: Path | None = None) -> Iterator[Server]:
    """A server in a process of its own, on such a studio that is kept in the folder, as are its files."""
    url = f"sqlite:///{(folder / 'studio.db').as_posix()}"
    with vendor_studio(url, schemas):
        pass
    with serve(schemas or schema_list(), url, files=folder / "files") as server:
        yield server
