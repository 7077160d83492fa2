"""The unit of work of a session in the past: it holds entities, and takes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from callsheet.entity.recording import NOBODY
from callsheet.entity.unit_of_work import UnitOfWork
from callsheet.model.adjustment import Adjustment

__all__ = ["ReadOnlyUnit"]


class ReadOnlyUnit(UnitOfWork):
    """Whatever would be recorded is an error; entities are filled and let go as in any other."""

    def assign(self, entity: Any, name: str, value: Any) -> None:
        self._check_turn()

    def adjust(self, entity: Any, name: str, adjustment: Adjustment) -> None:
        self._check_turn()

    def hand_over(self) -> None:
        self.check_thread()
        self.owner = NOBODY

    def forget_changes(self, entities: Iterable[Any]) -> None:
        """There are none."""

    def _choose_writer(self) -> None:
        """Nobody is: every change comes to `assign`."""

    def _check_turn(self) -> None:
        self._core.check_present()
