"""What analysts look at is shown as a table: in a terminal, by rich, and in a notebook. Nothing is fetched for it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import import_module
from typing import Any

__all__ = ["Shown", "html_table", "text_table"]

ROWS = 60
"""The most rows that are shown."""
WIDTH = 60
"""The most characters of a cell that are shown."""


class Shown:
    """Something that is shown as a table; `_grid` gives the heads and the cells, `_title` what stands above."""

    def _grid(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        raise NotImplementedError

    def _title(self) -> str:
        raise NotImplementedError

    def __repr__(self) -> str:
        heads, rows = self._grid()
        return f"{self._title()}\n{text_table(heads, rows)}"

    def _repr_html_(self) -> str:
        heads, rows = self._grid()
        return f"<p>{escape(self._title())}</p>{html_table(heads, rows)}"

    def __rich__(self) -> Any:
        Table, Text = import_module("rich.table").Table, import_module("rich.text").Text
        heads, rows = self._grid()
        table = Table(title=Text(self._title()))
        for place, head in enumerate(heads):
            numeric = _numeric(rows, place)
            table.add_column(Text(head), justify="right" if numeric else "left")
        for row in rows[:ROWS]:
            table.add_row(*[Text(cell) for cell in row])
        if len(rows) > ROWS:
            table.caption = _rest(rows)
        return table


def text_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of plain text; columns of numbers stand to the right.

    >>> print(text_table(("name", "records"), [("People", "1,200"), ("Bookings", "-")]))
    name      records
    --------  -------
    People      1,200
    Bookings        -
    """
    shown = [[_clipped(cell) for cell in row] for row in rows[:ROWS]]
    widths = [max(len(head), *(len(row[place]) for row in shown), 0) for place, head in enumerate(heads)]
    right = [_numeric(shown, place) for place in range(len(heads))]
    lines = [list(heads), ["-" * width for width in widths], *shown]
    texts = [
        "  ".join(cell.rjust(width) if on else cell.ljust(width) for cell, width, on in zip(line, widths, right))
        for line in lines
    ]
    if len(rows) > ROWS:
        texts.append(_rest(rows))
    return "\n".join(text.rstrip() for text in texts)


def html_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of HTML in which every text is escaped.

    >>> html_table(("a<b",), [("<i>",)])
    '<table><thead><tr><th>a&lt;b</th></tr></thead><tbody><tr><td>&lt;i&gt;</td></tr></tbody></table>'
    """
    head = "".join(f"<th>{escape(each)}</th>" for each in heads)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(_clipped(cell))}</td>" for cell in row) + "</tr>" for row in rows[:ROWS]
    )
    rest = f"<p>{_rest(rows)}</p>" if len(rows) > ROWS else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def _rest(rows: Sequence[object]) -> str:
    return f"… and {len(rows) - ROWS:,} more"


def _clipped(cell: str) -> str:
    cell = " ".join(cell.split())
    return cell if len(cell) <= WIDTH else f"{cell[: WIDTH - 1]}…"


def _numeric(rows: Sequence[Sequence[str]], place: int) -> bool:
    cells = [row[place] for row in rows if row[place] not in ("", "-")]
    return bool(cells) and all(cell.strip("-%").replace(",", "").replace(".", "").isdecimal() for cell in cells)
