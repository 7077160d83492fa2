"""What the tests of released versions share."""

from __future__ import annotations

from typing import Any

import pytest
from releases import RELEASES, Release


@pytest.fixture(params=RELEASES, ids=repr)
def release(request: pytest.FixtureRequest) -> Any:
    """Each released version."""
    return request.param


@pytest.fixture(params=[release for release in RELEASES if release.events], ids=repr)
def eventful(request: pytest.FixtureRequest) -> Release:
    """Each released version that has events, durable handlers and files."""
    return request.param  # type: ignore[no-any-return]
