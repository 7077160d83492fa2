"""The garbage collector, paused while many objects are made at once that all stay."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["paused"]


@contextmanager
def paused() -> Iterator[None]:
    """Inside the block nothing is collected; keep it as short as one page or one commit.

    The collector runs after so many allocations, whatever they are for; while a page becomes entities, its
    runs look at everything in the session and find nothing. Where the collector is off already it stays so.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
