"""Endpoints of plugins, on a server in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from endpoint_desk import EndpointDesk, open_endpoint_desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Callable[[str], EndpointDesk]]:
    """Opens a server with a plugin of this source."""
    with ExitStack() as opened:
        yield lambda source: opened.enter_context(open_endpoint_desk(tmp_path, source))
