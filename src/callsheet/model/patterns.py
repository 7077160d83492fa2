"""Patterns of ``like``, made of texts that are meant literally and of wildcards.

The one pattern that text, SQL and Python read alike is that of ``like`` (see ``query.py``). All others become one.
"""

from __future__ import annotations

import re
from typing import Final

from callsheet.errors import UsageError
from callsheet.model.scalar import shown

__all__ = ["literal_pattern", "wildcard_pattern"]

_ESCAPES: Final = str.maketrans({"\\": r"\\", "%": r"\%"})
_PIECE: Final = re.compile(r"\\[*?\\]|.", re.DOTALL)


def literal_pattern(text: str) -> str:
    r"""The pattern that matches this text and, the case of ASCII letters aside, no other.

    >>> print(literal_pattern(r"50% of a\b"))
    50\% of a\\b
    """
    if not isinstance(text, str):
        raise UsageError(f"a pattern is made of text, not of {shown(text)}")
    return text.translate(_ESCAPES)


def wildcard_pattern(text: str) -> str:
    r"""The pattern of a text in which ``*`` is any run of characters, and all else is literal.

    ``\*``, ``\?`` and ``\\`` are a star, a question mark and a backslash.

    >>> print(wildcard_pattern(r"sh*_50%\*"))
    sh%_50\%*
    """
    if not isinstance(text, str):
        raise UsageError(f"a pattern is made of text, not of {shown(text)}")
    return "".join(_piece(piece, text) for piece in _PIECE.findall(text))


def _piece(piece: str, text: str) -> str:
    if piece == "*":
        return "%"
    if piece == "?":
        cure = r"`*` is any run of characters, `\?` a question mark"
        raise UsageError(f"`?` is no wildcard here: {shown(text)}; {cure}")
    return literal_pattern(piece[1:] if len(piece) == 2 else piece)
