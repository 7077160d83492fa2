"""What the server's tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from studio import Studio, open_studio


@pytest.fixture
def studio() -> Iterator[Studio]:
    """A service in memory on the small schema."""
    with open_studio() as opened:
        yield opened
