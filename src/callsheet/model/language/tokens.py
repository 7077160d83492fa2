"""A query's text cut into tokens: words, quoted strings, comparison signs and punctuation.

A word is any run of characters that are neither blank nor quotes, brackets, commas or comparison signs:
a keyword, a dotted path or an unquoted value. Only the parser knows which, by its place.
"""

from __future__ import annotations

import re

from attrs import frozen

from callsheet.errors import QueryError

__all__ = ["END", "STRING", "WORD", "Tokens", "cut"]

END, WORD, STRING = 0, 1, 2
_TOKEN = re.compile(
    r"""([^\s()\[\],'"=<>!]+)"""
    r"""|("[^"\\]*(?:\\.[^"\\]*)*"|'[^'\\]*(?:\\.[^'\\]*)*')"""
    r"""|(!=|<=|>=|[=<>])|([()\[\],])|(\S)""",
    re.DOTALL,
)
_BAD = 5


@frozen
class Tokens:
    """Parallel lists, ended by one token of kind `END`.

    ``keys`` is what keywords are recognised by: the word in lower case, the sign itself, and nothing for a
    quoted string.
    """

    text: str
    kinds: list[int]
    texts: list[str]
    keys: list[str]
    starts: list[int]


def cut(text: str) -> Tokens:
    """All tokens of a text; `QueryError` for a quote that is not closed."""
    kinds: list[int] = []
    texts: list[str] = []
    keys: list[str] = []
    starts: list[int] = []
    for match in _TOKEN.finditer(text):
        kind = match.lastindex or END
        token = match.group()
        if kind == _BAD:
            raise _bad(text, token, match.start())
        kinds.append(kind)
        texts.append(token)
        keys.append(token.lower() if kind == WORD else "" if kind == STRING else token)
        starts.append(match.start())
    kinds.append(END)
    texts.append("")
    keys.append("")
    starts.append(len(text))
    return Tokens(text, kinds, texts, keys, starts)


def _bad(text: str, token: str, position: int) -> QueryError:
    if token == "!":
        return QueryError("`!` stands alone", position, "write `!=`, or `not` before a condition", text)
    hint = f"close the quote with {token}, or write \\{token} inside of a quoted value"
    return QueryError(f"the quote {token} is not closed", position, hint, text)
