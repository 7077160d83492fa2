"""The one door to the terminal: all that the commands print passes here.

Data is data. A name is never read as markup, and a character that steers a terminal is shown as its escape
(``\\x1b``), so that what a stranger typed into a field neither hides text nor moves the cursor. On a terminal tables
have lines and fit the window; in a pipe they are plain columns of full width. A character that the output's code page
lacks is shown as its escape too. Formats for machines (`data`) are UTF-8, whatever the code page.
"""

from __future__ import annotations

import io
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["Terminal", "counted", "data", "data_stream", "printable", "tolerant"]

Cell: TypeAlias = "str | Sequence[str] | None"
"""Text, or several lines of it."""
Part: TypeAlias = "str | tuple[str, str]"
"""Text, or text and its style."""

_WIDEST = 100_000
_STEERING = frozenset("\u2028\u2029\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")
"""Line separators, marks of direction and the byte order mark, which are not control characters to Unicode."""


def printable(text: str, lines: bool = True) -> str:
    """The text with an escape for each character that steers a terminal; ``lines`` keeps ends of lines and tabs.

    >>> print(printable("plate [left]"), printable("\\x1b[2Jx"), printable("a\\u202eb"))
    plate [left] \\x1b[2Jx a\\u202eb
    """
    if text.isascii() and text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(
        character if character in kept or not _steers(character) else character.encode("unicode_escape").decode()
        for character in text
    )


def _steers(character: str) -> bool:
    return character in _STEERING or unicodedata.category(character) in ("Cc", "Cs")


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

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Cell]], title: str = "", whole: str = "") -> None:
        """Rows below their columns; the column called ``whole`` is never cut off, however narrow the window."""
        cells = [[_cell(cell) for cell in row] for row in rows]
        if self.console.is_terminal:
            self._draw(columns, cells, title, whole)
        else:
            self._write(columns, cells, title)

    def _draw(self, columns: Sequence[str], rows: list[list[str]], title: str, whole: str) -> None:
        table = Table(title=Text(printable(title)) if title else None, title_justify="left")
        for name in columns:
            table.add_column(Text(printable(name)), no_wrap=name == whole, overflow="fold")
        for row in rows:
            table.add_row(*map(Text, row))
        self.console.print(table)

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


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    return printable(cell, lines=False) if isinstance(cell, str) else "\n".join(printable(line, False) for line in cell)
