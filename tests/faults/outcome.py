"""What a proof found, and the table of them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from typing import TypeVar

from attrs import define, field

T = TypeVar("T")


class Scale(Enum):
    """How many faults a proof injects: a share in every test run, the gate by hand, and deep, many times as many."""

    SHARE = "share"
    GATE = "gate"
    DEEP = "deep"

    def choose(self, share: T, gate: T, deep: T) -> T:
        """The size of this scale."""
        return {Scale.SHARE: share, Scale.GATE: gate, Scale.DEEP: deep}[self]


@define
class Outcome:
    """Counts of one proof. ``size`` says of what, ``faults`` how many were injected.

    ``control`` describes the negative control and ``caught`` how often it failed, which must be at least once.
    ``problems`` are all other findings, in words.
    """

    name: str
    size: str
    faults: int = 0
    lost: int = 0
    doubled: int = 0
    partial: int = 0
    control: str = ""
    caught: int = 0
    problems: list[str] = field(factory=list)
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether nothing was lost, doubled or partial, with faults, and the control failed as it must."""
        clean = not (self.lost or self.doubled or self.partial or self.problems)
        return clean and self.faults > 0 and self.caught > 0

    def row(self) -> tuple[str, ...]:
        counts = (self.faults, self.lost, self.doubled, self.partial)
        verdict = f"{self.control}: {'fails as it must' if self.caught else 'DOES NOT FAIL'} ({self.caught:,})"
        return (self.name, self.size, *(f"{count:,}" for count in counts), verdict, f"{self.seconds:.0f}")


COLUMNS = ("run", "size", "faults", "lost", "doubled", "partial", "negative control", "s")


def table(outcomes: Iterable[Outcome]) -> str:
    """The outcomes as a Markdown table."""
    rows = [COLUMNS, *(outcome.row() for outcome in outcomes)]
    widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
    lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
