"""The one door to the terminal: all that the commands print passes here.

Data is data. A name is never read as markup, and a character that steers a terminal is shown as its escape
(``\\x1b``), so that what a stranger typed into a field neither hides text nor moves the cursor. On a terminal tables
have lines and fit the window; in a pipe they are plain columns of full width. A character that the output's code page
lacks is shown as its escape too. Formats for machines (`data`) are UTF-8, whatever the code page.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from callsheet.display import printable

__all__ = ["Terminal", "counted", "data", "data_stream", "fitted", "printable", "tolerant"]

Cell: TypeAlias = "str | Sequence[str] | None"
"""Text, or several lines of it."""
Part: TypeAlias = "str | tuple[str, str]"
"""Text, or text and its style."""

_WIDEST = 100_000
_LEAST = 8
"""Characters of a column that is cut."""


def counted(number: int, noun: str) -> str:
    """A number and its noun: ``1 operation``, ``1,200 operations``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def tolerant() -> None:
    """Write characters that the code page lacks as escapes, so that they do not stop the output."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


@contextmanager
def data_stream() -> Iterator[IO[str]]:
    """Standard output for machines: UTF-8, with ends of lines as they are written."""
    sys.stdout.flush()
    stream = io.TextIOWrapper(sys.stdout.buffer, "utf-8", "backslashreplace", newline="")
    try:
        yield stream
        stream.flush()
    finally:
        stream.detach()


def data(text: str) -> None:
    """Write text for machines, and an end of line."""
    with data_stream() as stream:
        stream.write(f"{text}\n")


class Terminal:
    """Says sentences and shows tables, on standard output or (``err``) standard error."""

    def __init__(self, err: bool = False) -> None:
        self.console = Console(stderr=err, markup=False, highlight=False, emoji=False)
        if not self.console.is_terminal:
            self.console.width = _WIDEST

    def say(self, *parts: Part, style: str = "") -> None:
        """One line. A part may have a style of its own: ``say(("done", "green"), " in 2 s")``."""
        line = Text(style=style)
        for part in parts:
            text, own = part if isinstance(part, tuple) else (part, "")
            line.append(printable(text), own)
        self.console.print(line, soft_wrap=True)

    def table(
        self,
        columns: Sequence[str],
        rows: Iterable[Sequence[Cell]],
        title: str = "",
        whole: str | Sequence[str] = "",
        short: bool = False,
    ) -> None:
        """Rows below their columns; columns called ``whole`` are never cut off, however narrow the window.

        A ``short`` table has one line for each row: on a terminal, what does not fit ends in an ellipsis, and columns
        for which there is no room are named below it.
        """
        cells = [[_cell(cell) for cell in row] for row in rows]
        whole = (whole,) if isinstance(whole, str) else whole
        if self.console.is_terminal and short:
            self._draw_short(columns, cells, whole)
        elif self.console.is_terminal:
            self._draw(columns, cells, title, whole)
        else:
            self._write(columns, cells, title)

    def _draw(self, columns: Sequence[str], rows: list[list[str]], title: str, whole: Sequence[str]) -> None:
        table = Table(title=Text(printable(title)) if title else None, title_justify="left")
        for name in columns:
            table.add_column(Text(printable(name)), no_wrap=name in whole, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        self.console.print(table)

    def _draw_short(self, columns: Sequence[str], rows: list[list[str]], whole: Sequence[str]) -> None:
        names = [printable(name, lines=False) for name in columns]
        lines = [[cell.replace("\n", " ") for cell in row] for row in rows]
        natural = [max(map(cell_len, (name, *(line[n] for line in lines)))) for n, name in enumerate(names)]
        widths = fitted(natural, self.console.width - 1, [name in whole for name in names])
        table = Table()
        for name, width in zip(names, widths):
            table.add_column(Text(name, overflow="ellipsis"), no_wrap=True, overflow="ellipsis", width=width)
        for line in lines:
            table.add_row(*(Text(cell, overflow="ellipsis") for cell in line[: len(widths)]))
        self.console.print(table)
        if left_out := names[len(widths) :]:
            self.say(f"No room for: {', '.join(left_out)}", style="dim")

    def _write(self, columns: Sequence[str], rows: list[list[str]], title: str) -> None:
        """Columns set apart by two blanks, a line of the output for each line of a row."""
        if title:
            self.say(title)
        lines = [[printable(name, lines=False) for name in columns]]
        for row in rows:
            split = [cell.split("\n") for cell in row]
            for number in range(max(map(len, split), default=0)):
                lines.append([cell[number] if number < len(cell) else "" for cell in split])
        widths = [max(cell_len(line[place]) for line in lines) for place in range(len(columns))]
        for line in lines:
            text = "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(line, widths)).rstrip()
            self.console.file.write(f"{text}\n")


def fitted(natural: Sequence[int], room: int, whole: Sequence[bool] = ()) -> list[int]:
    """The widths of columns in a window: the widest are cut first, and the last are left out if nothing else helps.

    ``whole`` says of each column whether it is never cut.

    >>> fitted([10, 30, 4], 40), fitted([10, 30, 4], 80), fitted([20, 20, 20], 24)
    ([10, 17, 4], [10, 30, 4], [9, 9])
    """
    kept = whole or [False] * len(natural)
    least = [width if stays else min(width, _LEAST) for width, stays in zip(natural, kept)]
    count = len(natural)
    while count > 1 and sum(least[:count]) + 3 * count > room:
        count -= 1
    widths = list(natural[:count])
    excess = sum(widths) + 3 * count - room
    while excess > 0:
        place = max(range(count), key=lambda each: (widths[each] - least[each] > 0, widths[each]))
        if widths[place] <= least[place]:
            break
        widths[place] -= 1
        excess -= 1
    return widths


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    return printable(cell, lines=False) if isinstance(cell, str) else "\n".join(printable(line, False) for line in cell)
