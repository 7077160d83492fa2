"""One provider for all tests of a file: each test has people of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openid_desk import TestProvider, running_provider


@pytest.fixture(scope="module")
def provider() -> Iterator[TestProvider]:
    with running_provider() as found:
        yield found
