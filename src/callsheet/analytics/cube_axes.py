"""The axes of a question about a cube beside its levels: scenarios, and positions of the log."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import frozen

from callsheet.errors import UsageError

__all__ = ["AT", "SCENARIO", "Axes", "axes_of"]

SCENARIO, AT = "scenario", "at"
"""The columns of axes."""


@frozen
class Axes:
    """The scenarios and positions that are asked, and which of the two are columns."""

    points: list[tuple[str | None, int | None]]
    scenarios: bool
    positions: bool


def axes_of(scenario: Any, at: Any) -> Axes:
    several_scenarios = isinstance(scenario, Iterable) and not isinstance(scenario, str)
    several_positions = isinstance(at, Iterable) and not isinstance(at, str)
    scenarios = [_scenario(each) for each in (scenario if several_scenarios else [scenario])]
    positions = [_position(each) for each in (at if several_positions else [at])]
    if not scenarios or not positions:
        raise UsageError("`scenario` and `at` need at least one value; None is the base, and the present")
    points = [(name, position) for name in dict.fromkeys(scenarios) for position in dict.fromkeys(positions)]
    return Axes(points, several_scenarios, several_positions)


def _scenario(given: Any) -> str | None:
    name = given if given is None or isinstance(given, str) else getattr(given, "name", given)
    if name is not None and not isinstance(name, str):
        raise UsageError(f"a scenario is named by a text; None is the base, not {given!r:.80}")
    return name


def _position(given: Any) -> int | None:
    position = getattr(given, "position", given)
    if position is not None and (isinstance(position, bool) or not isinstance(position, int) or position < 0):
        raise UsageError(f"`at` takes positions of the log, or commits; None is the present, not {given!r:.80}")
    return position
