"""Holiday companies of some sizes, made once for all tests of this folder."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from brute import World
from holidays import HOLIDAYS, MEDIUM, SMALL, generated, load

from callsheet import Session


@pytest.fixture(scope="session")
def small_world() -> World:
    """Some hundred rows, for many random questions."""
    return World(generated(SMALL))


@pytest.fixture(scope="session")
def small(small_world: World) -> Iterator[Any]:
    """A session on a server in this process with the small company; it is only read."""
    with Session("memory:", schema=HOLIDAYS) as session:
        load(session, small_world.rows)
        yield session


@pytest.fixture(scope="session")
def world() -> World:
    """Some thousand rows."""
    return World(generated(MEDIUM))


@pytest.fixture(scope="session")
def company(world: World) -> Iterator[Any]:
    """A session on a server in this process with some thousand rows; it is only read."""
    with Session("memory:", schema=HOLIDAYS) as session:
        load(session, world.rows)
        yield session


@pytest.fixture
def holidays(company: Any) -> Iterator[Any]:
    """A session of its own on the company: nothing is counted yet."""
    fork = company.fork()
    yield fork
    fork.close()
