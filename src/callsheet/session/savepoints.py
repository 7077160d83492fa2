"""Savepoints: a block that fails takes back exactly what it recorded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from callsheet.later import Later

if TYPE_CHECKING:
    from callsheet.core.core import Core
    from callsheet.entity import saved_state
else:
    saved_state = Later("callsheet.entity.saved_state")

__all__ = ["savepoint"]


@contextmanager
def savepoint(core: Core) -> Iterator[None]:
    """A block whose exception takes back what was recorded in it, and is raised again.

    Until its end nothing is committed or rolled back: else there would be no way back.
    """
    core._check_open()
    unit = core.unit
    saved = saved_state.SavedState(unit)
    unit.savepoints += 1
    try:
        yield
    except BaseException:
        saved.restore(unit)
        raise
    finally:
        unit.savepoints -= 1
