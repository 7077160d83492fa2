"""What a query finds as a chart of bars: a number for each text, or how often each text occurs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import fsum
from typing import Any

from callsheet.cli.terminal import Terminal, printable
from callsheet.display import cut, number_text

__all__ = ["bars", "draw_bars"]

SHOWN = 40


def bars(rows: Iterable[Mapping[str, Any]], names: list[str]) -> list[tuple[str, float]]:
    """The bars of rows: the first column that holds a number for the first that holds none; else how often it occurs.

    >>> bars([{"name": "a", "bid": 0.1}, {"name": "a", "bid": 0.2}, {"name": "b", "bid": 1}], ["name", "bid"])
    [('a', 0.30000000000000004), ('b', 1.0)]
    >>> bars([{"status.name": "Done"}, {"status.name": None}, {"status.name": "Done"}], ["status.name"])
    [('Done', 2.0), ('(none)', 1.0)]
    """
    listed = list(rows)
    number = next((name for name in names if _is_numeric(listed, name)), None)
    label = next((name for name in names if name != number), number)
    groups: dict[str, list[float]] = {}
    for row in listed:
        value = 1.0 if number is None or label == number else float(row.get(number) or 0)
        groups.setdefault(_text(row.get(label) if label is not None else None), []).append(value)
    return [(text, fsum(values)) for text, values in groups.items()]


def _is_numeric(rows: list[Mapping[str, Any]], name: str) -> bool:
    values = [row.get(name) for row in rows if row.get(name) is not None]
    return bool(values) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def _text(value: Any) -> str:
    if value is None:
        return "(none)"
    return number_text(value) if isinstance(value, float) else str(value)


def draw_bars(terminal: Terminal, found: list[tuple[str, float]]) -> None:
    """Print the bars within the window; elsewhere each is a line of its text, a tab and its number."""
    if not terminal.console.is_terminal:
        for text, value in found:
            terminal.console.file.write(f"{printable(text, lines=False)}\t{number_text(value)}\n")
        return
    shown = found[:SHOWN]
    room = terminal.console.width - 1
    labels = [cut(printable(text, lines=False), room // 3) for text, _ in shown]
    numbers = [number_text(value) for _, value in shown]
    widest, most = max(map(len, labels), default=0), max((abs(value) for _, value in shown), default=0) or 1
    length = max(1, room - widest - max(map(len, numbers), default=0) - 2)
    for label, text, (_, value) in zip(labels, numbers, shown):
        bar = ("█" if value >= 0 else "░") * max(round(length * abs(value) / most), 1 if value else 0)
        terminal.say(f"{label:<{widest}} ", (bar, "cyan"), f" {text}")
    if len(found) > SHOWN:
        terminal.say(f"The first {SHOWN} of {len(found):,} bars; --format csv prints all rows.", style="dim")
