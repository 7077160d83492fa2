"""A production database for the demo's cut."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import callsheet
from callsheet.server.service import Service
from callsheet.session.connection import over


@pytest.fixture
def session() -> Iterator[callsheet.Session]:
    """A session on a new production database in this process, with its standard entities."""
    with (
        Service.open("memory:", "production", seed=True) as service,
        callsheet.Session(connection=over(service.backend("admin"))) as opened,
    ):
        yield opened
