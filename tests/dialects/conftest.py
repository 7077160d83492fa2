"""What the tests of dialects share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from callsheet.testing import memory_service


@pytest.fixture(scope="module")
def service() -> Iterator[Any]:
    """An empty production in memory, for the tests of one file."""
    one = memory_service()
    yield one
    one.close()
