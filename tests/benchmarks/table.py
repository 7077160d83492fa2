"""The table of a run: what was to be reached, what was, and exponents by least squares."""

from __future__ import annotations

import math
from collections.abc import Mapping

from attrs import asdict, frozen

__all__ = ["Line", "at_least", "at_most", "exponent", "fact", "shown"]


@frozen
class Line:
    """One figure; ``met`` is None where there is no budget for it."""

    name: str
    value: str
    budget: str = ""
    met: bool | None = None

    def plain(self) -> dict[str, object]:
        found: dict[str, object] = asdict(self)
        return found


def fact(name: str, value: str) -> Line:
    """A figure without a budget."""
    return Line(name, value)


def at_most(name: str, value: float, budget: float, unit: str = "", detail: str = "") -> Line:
    return Line(name, f"{_number(value)}{unit}{detail}", f"≤ {_number(budget)}{unit}", value <= budget)


def at_least(name: str, value: float, budget: float, unit: str = "", detail: str = "") -> Line:
    return Line(name, f"{_number(value)}{unit}{detail}", f"≥ {_number(budget)}{unit}", value >= budget)


def exponent(costs: Mapping[int, float]) -> float:
    """k of cost ~ n^k.

    >>> exponent({10: 5.0, 100: 50.0})
    1.0
    """
    points = [(math.log(size), math.log(cost)) for size, cost in costs.items()]
    x_mean = sum(x for x, _ in points) / len(points)
    y_mean = sum(y for _, y in points) / len(points)
    slope = sum((x - x_mean) * (y - y_mean) for x, y in points) / sum((x - x_mean) ** 2 for x, _ in points)
    return round(slope, 3)


def shown(lines: list[Line]) -> str:
    """As a table in Markdown."""
    rows = ["| what | measured | budget | |", "| --- | --- | --- | --- |"]
    for line in lines:
        met = "" if line.met is None else "ok" if line.met else "MISSED"
        rows.append(f"| {line.name} | {line.value} | {line.budget} | {met} |")
    return "\n".join(rows)


def _number(value: float) -> str:
    if value and abs(value) < 10:
        return f"{value:.3g}"
    return f"{value:,.0f}"
