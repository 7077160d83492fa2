"""How a query was answered: its turns, what was asked in each, and where the time went."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from attrs import frozen

from callsheet.analytics.mdx.cells import LevelName
from callsheet.analytics.mdx.result import MdxResult
from callsheet.model.question import Answer

__all__ = ["MdxExplanation", "MdxTurn"]


@frozen
class MdxTurn:
    """One request: its answers, those that are about members of levels first."""

    answers: Sequence[Answer]
    milliseconds: float
    levels: Sequence[LevelName] = ()

    @property
    def statements(self) -> list[str]:
        """The statements that the server's database was sent, as far as the server says them."""
        return [str(each.plan["sql"]) for each in self.answers if each.plan and each.plan.get("sql")]


@frozen
class MdxExplanation:
    """``result`` is the answer itself. ``milliseconds`` has the time for reading, for evaluating, and the whole.

    Printed, it is a summary, followed by each turn with its statements.
    """

    query: str
    result: MdxResult
    turns: Sequence[MdxTurn]
    milliseconds: Mapping[str, float]

    @property
    def statements(self) -> list[str]:
        """All statements, in their order."""
        return [statement for turn in self.turns for statement in turn.statements]

    def to_dict(self) -> dict[str, Any]:
        """Summary, timings and turns as plain data."""
        return {
            "summary": self._summary(),
            "milliseconds": {name: round(value, 3) for name, value in self.milliseconds.items()},
            "turns": [
                {
                    "milliseconds": round(turn.milliseconds, 3),
                    "levels": [f"{name}, level {depth + 1}" for name, depth in turn.levels],
                    "answers": [{"groups": len(each.rows), **(each.plan or {})} for each in turn.answers],
                }
                for turn in self.turns
            ],
        }

    def _summary(self) -> dict[str, Any]:
        return {
            "cube": self.result.cube,
            "axes": [len(axis) for axis in self.result.axes],
            "cells": len(self.result.cells),
            "requests": len(self.turns),
            "questions": sum(len(turn.answers) for turn in self.turns),
            "groups": sum(len(each.rows) for turn in self.turns for each in turn.answers),
            "position": self.result.position,
        }

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        summary = self._summary()
        yield ", ".join(f"{name} {value}" for name, value in summary.items())
        yield ", ".join(f"{name} {value:.1f} ms" for name, value in self.milliseconds.items())
        for number, turn in enumerate(self.turns, start=1):
            groups = ", ".join(f"{len(each.rows):,}" for each in turn.answers)
            yield f"request {number}: {turn.milliseconds:.1f} ms, groups {groups}"
            yield from (f"  {statement}" for statement in turn.statements)
