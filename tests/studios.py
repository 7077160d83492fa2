"""Stores, servers and sessions with a small studio in them, for tests of every room."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from callsheet.dialects.ftrack.server.seed.studio import studio_operations
from callsheet.model.operation import ChangeSet
from callsheet.server.service import Service
from recorded import schema_list

__all__ = ["KEY", "furnish", "vendor_studio"]

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
