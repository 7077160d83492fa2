"""Missed ticks and killed listeners, at a size for every test run; the whole is one of the proofs."""

from __future__ import annotations

import os
import sys

import pytest

from .missed_ticks import done, unfenced
from .workplace import postgres_database

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and forks")


@pytest.mark.parametrize("kind", ["", "postgresql"])
def test_each_missed_tick_is_done_once(kind: str) -> None:
    """Two listeners are killed three times while they do what was missed, on both databases."""
    if kind:
        with postgres_database() as url:
            if url is None:
                pytest.skip("no PostgreSQL answers")
    run = done(3, 20, os.getpid(), kind)
    assert (run.lost, run.doubled, run.problems) == (0, 0, [])
    assert run.made >= 20


def test_an_effect_that_is_not_fenced_doubles() -> None:
    """The control: effect and checkpoint are two things, and kills come between."""
    assert done(8, 30, os.getpid(), control=unfenced).doubled > 0
