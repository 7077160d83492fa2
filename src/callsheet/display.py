"""Data as text and HTML for people: a name is never markup, and no character steers a terminal or a page.

Nothing here reads an attribute of an entity: what is shown was read before.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

__all__ = ["cut", "html_table", "html_text", "number_text", "plain_table", "printable"]

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


def cut(text: str, width: int) -> str:
    """At most ``width`` characters; a text that is longer ends in an ellipsis.

    >>> cut("sequence", 5), cut("shot", 5)
    ('sequ…', 'shot')
    """
    return text if len(text) <= width else f"{text[: max(0, width - 1)]}…"


def number_text(number: float) -> str:
    """A number with all its digits, and without a fraction that is none.

    >>> number_text(24.0), number_text(0.1 + 0.2)
    ('24', '0.30000000000000004')
    """
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def html_text(text: str, width: int = 200) -> str:
    """The text for a page, cut at ``width``.

    >>> html_text("<img onerror=alert(1)>")
    '&lt;img onerror=alert(1)&gt;'
    """
    from html import escape

    return escape(printable(cut(text, width), lines=False))


def html_table(columns: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> str:
    """Rows below their columns as HTML; all of it is escaped."""
    head = "".join(f"<th>{html_text(name)}</th>" for name in columns)
    body = "".join(f"<tr>{''.join(f'<td>{html_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    caption = f"<caption>{html_text(title)}</caption>" if title else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def plain_table(columns: Sequence[str], rows: Iterable[Sequence[str]], width: int) -> str:
    """Rows below their columns within a width: the last column is wrapped, the others are cut at a third of it.

    >>> print(plain_table(["what", "values"], [["create", "name: sh010, frames: 24"]], 24))
    what    values
    create  name: sh010,
            frames: 24
    """
    from textwrap import wrap

    most = max(8, width // 3)
    cells = [[printable(cell, lines=False) for cell in row] for row in rows]
    cells = [[*(cut(cell, most) for cell in row[:-1]), row[-1]] for row in [list(columns), *cells]]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns) - 1)]
    start = sum(widths) + 2 * len(widths)
    lines = []
    for row in cells:
        fixed = "".join(f"{cell:<{size}}  " for cell, size in zip(row, widths))
        parts = wrap(row[-1], max(10, width - start)) or [""]
        lines.append(f"{fixed}{parts[0]}".rstrip())
        lines += [f"{' ' * start}{part}" for part in parts[1:]]
    return "\n".join(lines)
