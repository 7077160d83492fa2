"""What the tests of listeners share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A server in memory and a folder of plugins; listeners end with the test."""
    folder = tmp_path / "plugins"
    folder.mkdir()
    opened = Desk(folder)
    yield opened
    opened.close()
