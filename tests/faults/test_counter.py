"""Counting in handlers, at a size for every test run; the whole is one of the proofs."""

from __future__ import annotations

import os
import sys

import pytest

from .counter import STEPS, blindly, counted
from .workplace import postgres_database

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks")


@pytest.mark.parametrize("kind", ["", "postgresql"])
@pytest.mark.parametrize("step", STEPS)
def test_sixty_events_count_sixty(step: str, kind: str) -> None:
    """Two listeners, killed while they count, on both databases."""
    if kind:
        with postgres_database() as url:
            if url is None:
                pytest.skip("no PostgreSQL answers")
    run = counted(3, 60, os.getpid(), step, kind)
    assert (run.lost, run.doubled, run.problems) == (0, 0, [])


def test_what_is_written_blindly_is_lost() -> None:
    """The control: the same with `conflicts="ours"`."""
    assert counted(1, 60, os.getpid(), "write", control=blindly).lost > 0
