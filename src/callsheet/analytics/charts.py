"""Charts of a cube: bars of text for a terminal, and pictures by matplotlib."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from callsheet.analytics.frames import cell_text
from callsheet.errors import UsageError
from callsheet.model.schema import did_you_mean

__all__ = ["bar_chart", "draw"]

EIGHTHS = " ▏▎▍▌▋▊▉"


def bar_chart(cube: Any, measure: str | None, width: int) -> str:
    """A line with a bar for each row."""
    if isinstance(width, bool) or not isinstance(width, int) or width < 1:
        raise UsageError(f"the width of a chart is a number of characters from 1, not {width!r:.40}")
    name, numbers = _numbers(cube, measure)
    labels = [", ".join(cell_text(row[each]) for each in cube.dimensions) or name for row in cube.to_rows()]
    largest = max((abs(number) for number in numbers if number is not None), default=0)
    wide = max((len(label) for label in labels), default=0)
    lines = [f"{name} of {cube._of}"]
    for label, number in zip(labels, numbers):
        bar = "" if number is None or not largest else _bar(abs(number) / largest * width)
        lines.append(f"{label.ljust(wide)}  {bar}{' ' if bar else ''}{cell_text(number)}")
    return "\n".join(line.rstrip() for line in lines)


def _bar(length: float) -> str:
    whole, part = divmod(round(length * 8), 8)
    return "█" * whole + (EIGHTHS[part] if part else "")


def draw(cube: Any, measure: str | None, ax: Any) -> Any:
    """The axes with the chart."""
    name, numbers = _numbers(cube, measure)
    if not 1 <= len(cube.dimensions) <= 2:
        raise UsageError(f"a chart shows one or two dimensions; this cube has {len(cube.dimensions)}")
    if ax is None:
        try:
            ax = import_module("matplotlib.figure").Figure(layout="constrained").subplots()
        except ImportError:
            raise UsageError("a chart needs matplotlib: `pip install callsheet[plot]`; `bars()` does not") from None
    series: dict[str, dict[Any, Any]] = {}
    for row, number in zip(cube.to_rows(), numbers):
        split = cell_text(row[cube.dimensions[1]]) if len(cube.dimensions) == 2 else name
        series.setdefault(split, {})[row[cube.dimensions[0]]] = number
    if cube._export_columns[0].kind in ("date", "datetime"):
        for label, points in series.items():
            days = [day for day in points if day is not None]
            ax.plot(days, [points[day] for day in days], marker="o", label=label)
    else:
        _draw_bars(ax, series)
    ax.set_xlabel(cube.dimensions[0])
    ax.set_ylabel(name)
    ax.set_title(f"{name} of {cube._of}")
    if len(series) > 1:
        ax.legend(title=cube.dimensions[1])
    return ax


def _draw_bars(ax: Any, series: dict[str, dict[Any, Any]]) -> None:
    places = list(dict.fromkeys(key for points in series.values() for key in points))
    thick = 0.8 / max(1, len(series))
    for number, (label, points) in enumerate(series.items()):
        left = [place - 0.4 + thick * (number + 0.5) for place in range(len(places))]
        ax.bar(left, [points.get(key) or 0 for key in places], thick, label=label)
    ax.set_xticks(range(len(places)), [cell_text(key) for key in places])


def _numbers(cube: Any, measure: str | None) -> tuple[str, list[Any]]:
    name = cube.measures[0] if measure is None else measure
    if name not in cube.measures:
        raise UsageError(f"there is no measure `{name}`{did_you_mean(name, cube.measures)}: {', '.join(cube.measures)}")
    numbers = cube[name]
    if any(isinstance(number, bool) or not isinstance(number, int | float | None) for number in numbers):
        raise UsageError(f"`{name}` is no number, so it has no bars")
    return name, numbers
