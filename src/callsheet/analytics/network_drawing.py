"""The picture of a network, by matplotlib."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from callsheet.display import printable
from callsheet.errors import UsageError

__all__ = ["draw"]

#: With more entities than this, a picture has no room for their labels.
LABELLED = 80
WIDTH, HEIGHT = 3.2, 0.45
LARGEST = 60.0
"""Inches."""


def draw(network: Any, path: Any, ax: Any) -> Any:
    """The axes with the network; levels are columns."""
    try:
        figures, colours = import_module("matplotlib.figure"), import_module("matplotlib").colormaps["tab10"]
    except ImportError:
        raise UsageError("a picture needs matplotlib: `pip install callsheet[graph]`") from None
    places = _places(network.levels)
    if ax is None:
        ax = figures.Figure(figsize=_size(network.levels), layout="constrained").subplots()
    types = list(dict.fromkeys(each.entity_type for each in places))
    relations = list(dict.fromkeys(link.relation for link in network.links))
    for number, relation in enumerate(relations):
        _draw_links(ax, network, relation, places, colours(number % 10))
    for number, name in enumerate(types):
        x, y = zip(*(place for each, place in places.items() if each.entity_type == name))
        ax.scatter(x, y, s=60, color=[colours(number % 10)], edgecolors="black", label=plain_label(name), zorder=2)
    if len(places) <= LABELLED:
        for each, place in places.items():
            text = plain_label(network.labels[each])
            ax.annotate(text, place, xytext=(5, 5), textcoords="offset points", fontsize=8, zorder=3)
    ax.set_axis_off()
    ax.margins(0.15)
    if places:
        ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=8)
    if path is not None:
        _save(ax, path)
    return ax


def plain_label(text: str) -> str:
    """A text of at most 40 characters that a picture shows as it is; ``$`` begins no formula.

    >>> plain_label("a$b$"), plain_label("x" * 50)[-3:]
    ('a\\\\$b\\\\$', 'xx…')
    """
    short = text if len(text) <= 40 else f"{text[:39]}…"
    return printable(short, lines=False).replace("$", r"\$")


def _places(levels: dict[Any, int]) -> dict[Any, tuple[float, float]]:
    """Where each entity is: its level from left to right, in a column around the middle."""
    columns: dict[int, list[Any]] = {}
    for each, level in levels.items():
        columns.setdefault(level, []).append(each)
    return {
        each: (float(level), (len(column) - 1) / 2 - row)
        for level, column in columns.items()
        for row, each in enumerate(column)
    }


def _size(levels: dict[Any, int]) -> tuple[float, float]:
    counted: dict[int, int] = {}
    for level in levels.values():
        counted[level] = counted.get(level, 0) + 1
    high = max(counted.values(), default=1)
    return min(LARGEST, 4 + WIDTH * len(counted)), min(LARGEST, max(4.0, HEIGHT * high))


def _draw_links(ax: Any, network: Any, relation: str, places: dict[Any, tuple[float, float]], colour: Any) -> None:
    """Arrows of one relation, drawn together."""
    ends = [(places[link.source], places[link.target]) for link in network.links if link.relation == relation]
    x, y = zip(*(start for start, _ in ends))
    dx, dy = zip(*((end[0] - start[0], end[1] - start[1]) for start, end in ends))
    ax.quiver(
        x,
        y,
        dx,
        dy,
        angles="xy",
        scale_units="xy",
        scale=1,
        width=0.002,
        color=colour,
        label=plain_label(relation),
        zorder=1,
    )


def _save(ax: Any, path: Any) -> None:
    figure = ax.figure
    known = sorted(figure.canvas.get_supported_filetypes())
    ending = str(path).rpartition(".")[2].lower() if "." in str(path) else ""
    if ending not in known:
        raise UsageError(f"the ending of `{path}` names no format of pictures: {', '.join(known)}")
    figure.savefig(path)
