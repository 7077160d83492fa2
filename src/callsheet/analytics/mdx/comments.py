"""Comments within comments, which the grammar cannot read, become blanks."""

from __future__ import annotations

import re

__all__ = ["without_nested"]

_PART = re.compile(
    r"(?P<begin>/\*)|(?P<end>\*/)|(?P<line>--[^\n]*|//[^\n]*)"
    r"|(?P<quoted>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\[(?:[^\]]|\]\])*\])"
)


def without_nested(text: str) -> str:
    """The text, in which comments that have comments in them are blanks: all positions stay.

    >>> without_nested("a /* b /* c */ d */ e")
    'a                   e'
    """
    spans: list[tuple[int, int]] = []
    begun: list[int] = []
    nested = False
    at = 0
    while (part := _PART.search(text, at)) is not None:
        at = part.end()
        kind = part.lastgroup
        if kind == "begin":
            nested |= bool(begun)
            begun.append(part.start())
        elif kind == "end" and begun:
            start = begun.pop()
            if not begun:
                spans += [(start, at)] if nested else []
                nested = False
        elif begun:
            at = part.start() + 1
    for start, end in spans:
        text = text[:start] + re.sub(r"[^\n]", " ", text[start:end]) + text[end:]
    return text
