"""What all tests share: this folder is on the path, and what runs only if it is named."""

from __future__ import annotations

import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# No test fails because the machine is busy: Hypothesis would measure how fast examples are drawn and run.
settings.register_profile("callsheet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("callsheet")

sys.path.insert(0, str(Path(__file__).parent))

NAMED = ("deep", "benchmark")
"""Tests with these marks run only if ``-m`` names the mark, whatever else it says."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out the tests that have a mark of `NAMED` which ``-m`` does not name."""
    words = set(re.findall(r"\w+", config.getoption("markexpr")))
    left_out = set(NAMED) - words
    dropped = [item for item in items if any(item.get_closest_marker(mark) for mark in left_out)]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = [item for item in items if item not in dropped]
    if any(getattr(getattr(item, "obj", None), "is_hypothesis_test", False) for item in items):
        _know_unicode()


def _know_unicode() -> None:
    """Let Hypothesis make its table of Unicode, which takes over a second where there is none yet.

    Else the first test that draws a text makes it, and is called too slow on a busy machine.
    """
    from hypothesis import strategies

    strategies.characters(exclude_categories=["Cs"]).validate()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C interrupts, as in a terminal; a job in the background of a shell ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def session() -> Iterator[Any]:
    """A session on a new production with its standard statuses and types; folders with other needs have their own."""
    from callsheet import Session

    with Session("memory:", seed=True) as opened:
        yield opened
