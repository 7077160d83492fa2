"""What is wrong with an MDX query, and where."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from callsheet.errors import QueryError, UsageError

__all__ = ["MdxError", "MdxLimit", "nearest_name"]


class MdxError(QueryError):
    """A query in MDX cannot be read or answered; ``position`` is the offset of what is wrong in its text.

    >>> error = MdxError("there is no function `Chldren`", 9, "did you mean `Children`?")
    >>> error.position, error.hint
    (9, 'did you mean `Children`?')
    """


class MdxLimit(UsageError):
    """A query in MDX was stopped: it takes too long, or makes too many tuples. The message names the limit."""


def nearest_name(name: str, names: Iterable[str]) -> str:
    """A hint with the name that is most like this one, or nothing.

    >>> nearest_name("Chldren", ["Children", "Parent"])
    'did you mean `Children`?'
    """
    known = {each.lower(): each for each in names}
    near = get_close_matches(name.lower(), list(known), 1, 0.6)
    return f"did you mean `{known[near[0]]}`?" if near else ""
