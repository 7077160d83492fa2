"""How single values are written in a query, in both directions.

A quoted string knows the escapes ``\\" \\' \\\\ \\n \\t \\uXXXX``; any other backslash stands for itself, so
the ``\\%`` of a ``like`` pattern needs no second backslash. What is not quoted is None, True, False, a
number, a date, a date-time, or else a string of one word.
"""

from __future__ import annotations

import math
import re
from datetime import date, datetime

from callsheet.errors import QueryError
from callsheet.model.moments import looks_like_date, looks_like_datetime, read_date, read_datetime
from callsheet.model.query import Literal
from callsheet.model.relative_time import RelativeTime
from callsheet.model.scalar import INTEGER_LIMIT, Unfit, plain_scalar, shown

__all__ = ["literal_text", "quote", "read_quoted", "read_word"]

_WORDS: dict[str, Literal] = {"none": None, "null": None, "true": True, "false": False}
# A number with a leading zero is a name (`010`), as in the codes of sequences and shots.
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[+-]?(?:(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)")
# High and low halves written next to each other are one character, as in JSON.
_ESCAPE = re.compile(
    r"""\\(?:(["'\\nt])|u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([0-9a-fA-F]{4}))"""
)
_ESCAPED = {"n": "\n", "t": "\t"}
_QUOTING = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"})


def read_word(word: str) -> Literal:
    """The value of an unquoted word; ``ValueError`` where it looks like a date or number and is none.

    >>> read_word("in-progress"), read_word("12"), read_word("1.5"), read_word("none"), read_word("010")
    ('in-progress', 12, 1.5, None, '010')
    >>> read_word("2026-01-01")
    datetime.date(2026, 1, 1)
    """
    if word[0] not in "0123456789+-.":
        return _WORDS.get(word.lower(), word)
    if _INTEGER.fullmatch(word):
        return _integer(word)
    if _FLOAT.fullmatch(word):
        number = float(word)
        if not math.isfinite(number):
            raise ValueError("is too large for a number")
        return number
    if looks_like_date(word):
        return read_date(word)
    if looks_like_datetime(word):
        return read_datetime(word)
    return word


def _integer(word: str) -> int:
    # The length first: converting very many digits is slow, and refused by Python itself.
    if len(word) > 20 or not -INTEGER_LIMIT <= int(word) < INTEGER_LIMIT:
        raise ValueError("is no integer of 64 bits")
    return int(word)


def read_quoted(token: str) -> str:
    """The string a quoted token stands for.

    >>> read_quoted(r'"50\\% of \\"it\\""')
    '50\\\\% of "it"'
    """
    inner = token[1:-1]
    return _ESCAPE.sub(_unescape, inner) if "\\" in inner else inner


def _unescape(match: re.Match[str]) -> str:
    mark, high, low, unit = match.groups()
    if mark is not None:
        return _ESCAPED.get(mark, mark)
    if unit is not None:
        return chr(int(unit, 16))
    return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))


def quote(text: str) -> str:
    """The string in double quotes, such that `read_quoted` gives it back."""
    return f'"{text.translate(_QUOTING)}"'


def literal_text(value: object) -> str:
    """The value as a query writes it; `QueryError` for what no query can hold.

    >>> literal_text("it's"), literal_text(2.0), literal_text(None), literal_text(date(2026, 1, 1))
    ('"it\\'s"', '2.0', 'None', '2026-01-01')
    """
    try:
        plain = plain_scalar(value)
    except Unfit as unfit:
        raise QueryError(f"a query cannot hold this {type(value).__name__}: {shown(value)}", hint=unfit.cure) from None
    if isinstance(value, RelativeTime):
        return _relative_text(value)
    # What stands for no value elsewhere has no text: None is written as None.
    value = value if plain is None else plain
    if isinstance(value, str):
        return quote(value)
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, int) and -INTEGER_LIMIT <= value < INTEGER_LIMIT:
        return int.__repr__(value)
    if isinstance(value, float) and math.isfinite(value):
        return float.__repr__(value)
    if isinstance(value, datetime):
        if value.tzinfo is not None:
            return value.isoformat()
        raise QueryError(f"a query cannot hold a date-time without time zone: {value}", hint="`.astimezone()` adds one")
    if isinstance(value, date):
        return value.isoformat()
    raise QueryError(f"a query cannot hold this {type(value).__name__}: {shown(value)}")


def _relative_text(value: RelativeTime) -> str:
    """As the parser reads it: ``now(-7 days, start of day, in "Europe/Berlin")``."""
    terms = [f"{number} {unit.removesuffix('s') if abs(number) == 1 else unit}" for unit, number in value.units]
    terms += [f"start of {value.start}"] if value.start else []
    terms += [f"in {quote(value.zone)}"] if value.zone else []
    return f"now({', '.join(terms)})"
